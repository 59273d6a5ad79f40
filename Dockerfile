# The image holds the server with a static Swift runtime, zlib, OpenSSL and Oniguruma. It runs as an unprivileged user.
# Mount models at /models.
ARG SWIFT_IMAGE=docker.io/library/swift:6.3-bookworm
ARG RUNTIME_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${SWIFT_IMAGE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends libssl-dev zlib1g-dev libonig-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
RUN swift package resolve
COPY Sources Sources
COPY Benchmarks Benchmarks
COPY Tests Tests
# For --version.
ARG ENCODERD_COMMIT=
RUN swift build -c release --static-swift-stdlib --product encoderd && install -s .build/release/encoderd /usr/local/bin/encoderd

FROM ${RUNTIME_IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends libssl3 zlib1g libonig5 && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/encoderd /usr/local/bin/encoderd
USER 65532:65532
EXPOSE 8080
ENV ENCODERD_HOST=0.0.0.0 ENCODERD_PORT=8080 ENCODERD_MODELS=/models
ENTRYPOINT ["/usr/local/bin/encoderd"]
CMD ["serve"]
