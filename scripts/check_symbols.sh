#!/bin/sh
# Checks the object files of the AVX2 and AVX-512 kernels.
#
# Fails if one of them defines a weak symbol for code or for data that points to code. The linker keeps one copy of such a
# symbol for the whole program. If it kept this copy, a machine without those instructions would crash at the first call.
#
# Also fails if an instruction that a header writes as inline assembly is missing. swiftc drops inline assembly that it cannot
# assemble, without an error, and the kernel then computes wrong results.
#
# usage: scripts/check_symbols.sh [build directory ...]
# The default is .build/debug and .build/release, if they exist.
set -eu
if [ $# -eq 0 ]; then
    for build in .build/debug .build/release; do
        if [ -d "$build/KernelsAVX512.build" ]; then set -- "$@" "$build"; fi
    done
fi
if [ $# -eq 0 ]; then
    # These targets exist on x86-64 only.
    case $(uname -m) in x86_64 | amd64) ;; *) exit 0 ;; esac
    echo "neither .build/debug nor .build/release holds the vector kernels; build first" >&2
    exit 1
fi
status=0
for build in "$@"; do
    for target in KernelsAVX2 KernelsAVX512; do
        objects=$(find "$build/$target.build" -name '*.o' 2>/dev/null || true)
        if [ -z "$objects" ]; then
            echo "$target: no object files under $build/$target.build; build first" >&2
            exit 1
        fi
        # Symbol types of nm:
        #   W  a weak function
        #   V  weak data (metadata and witness tables, which point to functions)
        #   u  a symbol unique in the program
        #   i  a function chosen at load time
        #   w, v  undefined references, which are allowed
        # __swift_reflection_version is a number in every Swift object.
        # shellcheck disable=SC2086
        weak=$(nm $objects | awk '$2 ~ /^[WVui]$/ && $3 != "__swift_reflection_version" { print $2, $3 }' | sort -u)
        if [ -n "$weak" ]; then
            echo "$build: $target defines symbols that the linker may keep for the whole program:" >&2
            echo "$weak" | swift demangle >&2
            status=1
        else
            echo "$build: $target defines no weak symbols"
        fi
        case $target in
        KernelsAVX2) instructions="vpdpbusd" ;;
        KernelsAVX512) instructions="vpdpbusd vdpbf16ps vcvtneps2bf16" ;;
        esac
        # shellcheck disable=SC2086
        objdump -d --no-show-raw-insn $objects >"$build/$target.disassembly"
        for instruction in $instructions; do
            if ! grep -qw "$instruction" "$build/$target.disassembly"; then
                echo "$build: $target has no $instruction: its inline assembly was dropped" >&2
                status=1
            fi
        done
        rm "$build/$target.disassembly"
    done
done
exit $status
