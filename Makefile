# Every target says why it is there; `make` alone lists them.
SWIFT ?= swift
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8080
THREADS ?= 1
# One line per loaded model: NAME=DIRECTORY.
MODELS ?= minilm=models/minilm g2p=models/g2p resemblyzer=models/resemblyzer

.PHONY: help run build models system test tsan asan sanitizers fuzz lint format image image-test bench bench-kernels kernel-report http-differential soak drain idle-connections bench-http fidelity families-check openapi-check check-symbols fresh-kernels clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build models ## build, fetch the three example models once, and serve them on $(HOST):$(PORT)
	@HOST=$(HOST) PORT=$(PORT) sh scripts/try.sh
	@exec .build/release/encoderd serve --host $(HOST) --port $(PORT) $(foreach m,$(MODELS),--model $(m))

build: system fresh-kernels ## the release binary, .build/release/encoderd
	$(SWIFT) build -c release --product encoderd

models: ## the real models that examples and tests use (fetched once, checked by SHA-256)
	@$(PYTHON) scripts/fetch_models.py

system: ## zlib and OpenSSL headers, installed where missing and allowed
	@sh scripts/install_system_packages.sh

test: system models fresh-kernels ## build and pass every test, on every kernel table this machine has
	$(SWIFT) build --build-tests
	@sh scripts/check_symbols.sh
	$(SWIFT) test --skip-build

# Crashes under a sanitizer are reported by it: Swift's own backtraces would hang. Where the system allows it, addresses
# are not laid out at random: the thread sanitizer needs room for its shadow.
SANITIZED = SWIFT_BACKTRACE=enable=no $(shell setarch -R true 2>/dev/null && echo setarch -R) $(SWIFT) test --skip-build

tsan: TESTS ?= ServerTests
tsan: system models fresh-kernels ## the server's tests under the thread sanitizer; TESTS= all of them
	$(SWIFT) build --build-tests --sanitize=thread --scratch-path .build-tsan
	TSAN_OPTIONS=exitcode=66 $(SANITIZED) --sanitize=thread --scratch-path .build-tsan $(if $(TESTS),--filter $(TESTS))

asan: system models fresh-kernels ## every test under the address sanitizer
	$(SWIFT) build --build-tests --sanitize=address --scratch-path .build-asan
	ASAN_OPTIONS=detect_leaks=0 $(SANITIZED) --sanitize=address --scratch-path .build-asan

sanitizers: asan ## every test under the address sanitizer, then under the thread sanitizer
	$(MAKE) tsan TESTS=

# Every target of Tests/FuzzTests for FUZZ_SECONDS (60), FUZZ_JOBS at a time. FUZZ_KEEP=1 writes the kept corpora anew.
# The compiler heeds the last -sanitize only, and SwiftPM's two come in any order: the third has both.
fuzz: system fresh-kernels ## fuzz all that reads bytes nobody trusts; findings fail, and are kept as tests once mended
	ENCODERD_FUZZER=1 $(SWIFT) build -c release --sanitize=fuzzer --sanitize=address -Xswiftc -sanitize=address,fuzzer -Xswiftc -enable-testing --scratch-path .build-fuzz --product FuzzTests
	$(PYTHON) scripts/fuzz.py --seconds $(or $(FUZZ_SECONDS),60) --jobs $(or $(FUZZ_JOBS),2) $(if $(FUZZ_KEEP),--keep) .build-fuzz/release/FuzzTests $(FUZZ_TARGETS)

# SwiftPM's incremental build does not see that an inlinable body changed, so the targets that compile the bodies are
# marked as changed with them.
fresh-kernels:
	@if [ -n "$$(find Sources/Kernels Sources/CIntrinsics -newer Sources/KernelsBaseline/Table.swift -type f)" ]; then \
		touch Sources/KernelsBaseline/Table.swift Sources/KernelsAVX2/Table.swift Sources/KernelsAVX512/Table.swift; fi

lint: ## formatting, references between targets and folders, prose; CI runs it
	$(SWIFT) format lint --strict --recursive --parallel --configuration .swift-format Package.swift Sources Tests Benchmarks
	$(PYTHON) -m unittest discover --start-directory scripts/tests --quiet
	$(PYTHON) scripts/check_references.py
	$(PYTHON) scripts/lint_prose.py

format: ## rewrite the sources as lint wants them
	$(SWIFT) format --in-place --recursive --parallel --configuration .swift-format Package.swift Sources Tests Benchmarks

check-symbols: build ## no AVX code may be what the linker keeps for everyone
	@sh scripts/check_symbols.sh

bench: build models ## speed of the models on this machine: a table, and JSON in .build/bench.jsonl
	$(PYTHON) scripts/bench_models.py $(THREADS)

bench-kernels: fresh-kernels ## each kernel beside the core's peak, for every table; JSON in .build/kernels.jsonl
	$(SWIFT) build -c release --product KernelBench
	.build/release/KernelBench --every-table --json-file .build/kernels.jsonl

kernel-report: fresh-kernels ## kernels that fall behind Benchmarks/kernel_ratios.json; fails for none
	$(SWIFT) build -c release --product KernelBench
	$(PYTHON) scripts/kernel_report.py

openapi-check: ## openapi.json and its examples, valid; URL= a server with the example models: its answers too
	$(PYTHON) Tests/Reference/openapi.py $(URL)

http-differential: build models ## the HTTP conformance cases against nginx; differences must be explained
	$(PYTHON) scripts/http_differential.py

soak: build models ## abuse from all sides for SOAK_SECONDS (600) while good clients are served; fails where they notice
	$(PYTHON) scripts/soak.py $(or $(SOAK_SECONDS),600)

drain: build models ## kill -TERM in the middle of 64 concurrent requests, 50 times: every accepted one is answered
	$(PYTHON) scripts/drain.py 50

bench-http: build models ## /health beside nginx, and what is added to a forward pass (needs wrk, nginx)
	$(PYTHON) scripts/bench_http.py

idle-connections: build models ## what 10,000 idle connections cost, plain and over TLS
	$(PYTHON) scripts/http_idle.py

fidelity: build models ## how near bf16 and int8 are to f32 on 2,000 sentences (needs numpy)
	$(PYTHON) scripts/fidelity.py

families-check: build ## random variants of every family of encoders against transformers (needs torch, transformers)
	HF_HUB_OFFLINE=1 $(PYTHON) scripts/check_families.py

image: ## the container image encoderd:latest, with whichever of docker, podman, buildah is there
	sh scripts/image.sh

image-test: models ## really build the image with buildah and get an embedding out of it
	sh scripts/image_test.sh

clean: ## forget build products; models stay
	rm -rf .build
