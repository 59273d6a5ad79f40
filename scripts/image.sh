#!/bin/sh
# Builds the container image with the first of docker, podman and buildah that is installed.
# Arguments are passed on to it (--build-arg …).
set -eu
cd "$(dirname "$0")/.."
tag=${TAG:-encoderd:latest}
commit=$(git rev-parse --short HEAD 2>/dev/null || true)
for tool in docker podman buildah; do
    command -v "$tool" >/dev/null 2>&1 || continue
    # A docker client without a running engine cannot build.
    if [ "$tool" = docker ] && ! docker info >/dev/null 2>&1; then continue; fi
    echo "building $tag with $tool"
    exec "$tool" build -t "$tag" --build-arg "ENCODERD_COMMIT=$commit" "$@" .
done
echo "no container tool: install docker, podman or buildah (Debian: apt-get install buildah)" >&2
exit 1
