# `make` without a target lists all targets with their descriptions.
SWIFT ?= swift
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8080
THREADS ?= 1
# One line per loaded model: NAME=DIRECTORY.
MODELS ?= minilm=models/minilm g2p=models/g2p resemblyzer=models/resemblyzer

# The build time that `make build` announces, in minutes on two cores from a fresh clone.
BUILD_MINUTES = 2 to 5
PREFIX ?= /usr/local
# STATIC=1 links the Swift runtime into the binary, which then runs without the toolchain.
RELEASE = -c release $(if $(STATIC),--static-swift-stdlib)
# Builds embed the commit for --version. build.sh prints progress at least every 15 s.
COMMIT := $(shell [ -e .git ] && git rev-parse --short HEAD 2>/dev/null)
BUILD = ENCODERD_COMMIT=$(COMMIT) sh scripts/build.sh $(SWIFT) build

.PHONY: help run build install uninstall models system test tsan asan sanitizers fuzz lint format image image-test bench bench-kernels kernel-report http-differential soak drain fairness idle-connections bench-http bench-compare fidelity families-check openapi-check check-symbols fresh-kernels clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build models ## build, fetch the three example models once, and serve them on $(HOST):$(PORT)
	@HOST=$(HOST) PORT=$(PORT) sh scripts/try.sh
	@exec .build/release/encoderd serve --host $(HOST) --port $(PORT) $(foreach m,$(MODELS),--model $(m))

build: system fresh-kernels ## build the release binary, .build/release/encoderd; STATIC=1 links the Swift runtime into it
	@if [ -x .build/release/encoderd ]; then echo "Building the changed parts of encoderd."; \
		else echo "Building encoderd: $(BUILD_MINUTES) minutes on two cores, 1 GB of memory."; fi
	@$(BUILD) $(RELEASE) --product encoderd

install: build ## install the binary, completions and man page under PREFIX (/usr/local; DESTDIR is honored)
	@$(MAKE) --no-print-directory $(MANUAL)
	@sh scripts/install.sh install '$(PREFIX)'

uninstall: ## remove the installed files under PREFIX
	@sh scripts/install.sh uninstall '$(PREFIX)'

# The man page generator of the argument parser.
MANUAL = .build/manual/debug/generate-manual
$(MANUAL):
	@echo "Building the generator of the man page: about half a minute."
	@sh scripts/build.sh $(SWIFT) build --package-path .build/checkouts/swift-argument-parser --scratch-path .build/manual --product generate-manual

models: ## download the real models of examples and tests once (checked by SHA-256)
	@$(PYTHON) scripts/fetch_models.py

system: ## check for zlib, OpenSSL and Oniguruma; as root on Debian, install missing ones with apt
	@sh scripts/install_system_packages.sh

test: system models fresh-kernels ## build and run every test, with every kernel table that this machine supports
	@sh scripts/install_system_packages.sh curl script:bsdutils
	@echo "Building encoderd and its tests."
	@$(BUILD) --build-tests
	@$(MAKE) --no-print-directory $(MANUAL)
	@sh scripts/check_symbols.sh
	$(SWIFT) test --skip-build

# The sanitizer reports crashes itself, and Swift's backtraces would hang. If the system allows it, address space layout
# randomization is off, since the thread sanitizer needs space for its shadow memory.
SANITIZED = SWIFT_BACKTRACE=enable=no $(shell setarch -R true 2>/dev/null && echo setarch -R) $(SWIFT) test --skip-build

tsan: TESTS ?= ServerTests|HTTPTests
tsan: system models fresh-kernels ## run the tests of Server and HTTP under the thread sanitizer; TESTS= runs all tests
	@$(BUILD) --build-tests --sanitize=thread --scratch-path .build-tsan
	TSAN_OPTIONS=exitcode=66 $(SANITIZED) --sanitize=thread --scratch-path .build-tsan $(if $(TESTS),--filter '$(TESTS)')

asan: system models fresh-kernels ## run every test under the address sanitizer
	@sh scripts/install_system_packages.sh curl script:bsdutils
	@$(BUILD) --build-tests --sanitize=address --scratch-path .build-asan
	ASAN_OPTIONS=detect_leaks=0 $(SANITIZED) --sanitize=address --scratch-path .build-asan

sanitizers: asan ## run every test under the address sanitizer, then under the thread sanitizer
	$(MAKE) tsan TESTS=

# Runs every target of Tests/FuzzTests for FUZZ_SECONDS (60), FUZZ_JOBS (2) at a time. FUZZ_TARGETS selects targets.
# FUZZ_KEEP=1 rewrites the stored corpora.
#
# The compiler uses only the last -sanitize option, and SwiftPM passes its two in any order. The third has both sanitizers.
fuzz: system fresh-kernels ## fuzz all code that reads untrusted bytes; fails if there is a finding
	@ENCODERD_FUZZER=1 $(BUILD) -c release --sanitize=fuzzer --sanitize=address -Xswiftc -sanitize=address,fuzzer -Xswiftc -enable-testing --scratch-path .build-fuzz --product FuzzTests
	$(PYTHON) scripts/fuzz.py --seconds $(or $(FUZZ_SECONDS),60) --jobs $(or $(FUZZ_JOBS),2) $(if $(FUZZ_KEEP),--keep) .build-fuzz/release/FuzzTests $(FUZZ_TARGETS)

# SwiftPM's incremental build does not detect changes of exported bodies in Kernels. This target marks the targets that
# compile them as changed.
fresh-kernels:
	@if [ -n "$$(find Sources/Kernels Sources/CIntrinsics -newer Sources/KernelsBaseline/BaselineKernels.swift -type f)" ]; then \
		touch Sources/KernelsBaseline/BaselineKernels.swift Sources/KernelsAVX2/AVX2Kernels.swift Sources/KernelsAVX512/AVX512Kernels.swift; fi

lint: ## check formatting, references between targets and folders, and prose
	$(SWIFT) format lint --strict --recursive --parallel --configuration .swift-format Package.swift Sources Tests Benchmarks
	$(PYTHON) -m unittest discover --start-directory scripts/tests --quiet
	$(PYTHON) scripts/check_references.py
	$(PYTHON) scripts/lint_prose.py

format: ## format the sources
	$(SWIFT) format --in-place --recursive --parallel --configuration .swift-format Package.swift Sources Tests Benchmarks

check-symbols: build ## check that the linker cannot use AVX code on machines without AVX
	@sh scripts/check_symbols.sh

bench: build models ## measure the models: prints a table and writes .build/bench.jsonl
	$(PYTHON) scripts/bench_models.py $(THREADS)

bench-kernels: fresh-kernels ## measure each kernel beside the peak of the CPU core; writes .build/kernels.jsonl
	@$(BUILD) $(RELEASE) --product KernelBench
	.build/release/KernelBench --every-table --json-file .build/kernels.jsonl

kernel-report: fresh-kernels ## list kernels that are slower than Benchmarks/kernel_ratios.json; never fails
	@$(BUILD) $(RELEASE) --product KernelBench
	$(PYTHON) scripts/kernel_report.py

openapi-check: ## check openapi.json and its examples; with URL=, also the responses of that server
	$(PYTHON) Tests/Reference/openapi.py $(URL)

http-differential: build models ## compare the HTTP conformance cases with nginx; fails if a difference is unexplained
	$(PYTHON) scripts/http_differential.py

soak: build models ## run abusive clients for SOAK_SECONDS (600); fails if they disturb well-behaved clients
	$(PYTHON) scripts/soak.py $(or $(SOAK_SECONDS),600)

drain: build models ## send SIGTERM during 64 concurrent requests, 50 times; fails if an accepted request is not answered
	$(PYTHON) scripts/drain.py 50

fairness: build models ## measure what clients that send all they may do to a client that sends little
	$(PYTHON) scripts/fairness.py $(FAIRNESS_SECONDS)

bench-http: build models ## measure /health beside nginx, and the latency added to a forward pass (needs wrk, nginx)
	$(PYTHON) scripts/bench_http.py

ifneq ($(filter bench-compare,$(MAKECMDGOALS)),)
ifndef OLD
$(error bench-compare needs the program to compare with: make bench-compare OLD=path/to/encoderd)
endif
endif
bench-compare: build models ## compare this build with another (OLD=path/to/encoderd); fails if a cell is below 0.98 of its speed
	$(PYTHON) scripts/bench_compare.py $(OLD) .build/release/encoderd

idle-connections: build models ## measure the memory of 10,000 idle connections, plain and over TLS
	$(PYTHON) scripts/http_idle.py

fidelity: build models ## compare bf16 and int8 with f32 on 2,000 sentences (needs numpy)
	$(PYTHON) scripts/fidelity.py

families-check: build ## compare random variants of every encoder family with transformers (needs torch, transformers)
	HF_HUB_OFFLINE=1 $(PYTHON) scripts/check_families.py

image: ## build the container image encoderd:latest with docker, podman or buildah
	sh scripts/image.sh

image-test: models ## build the image with buildah and request an embedding from a container
	sh scripts/image_test.sh

clean: ## remove build products; models stay
	rm -rf .build
