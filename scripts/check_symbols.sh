#!/bin/sh
# Fails if an object compiled for AVX2 or AVX-512 defines a weak symbol that holds or leads to code: the linker keeps one
# copy of such a symbol for the whole program, and if it keeps this one, a machine without those instructions stops at
# the first call.
#
# Fails, too, if an instruction that a header writes by its mnemonic is missing from an object: swiftc drops inline
# assembly that it cannot assemble without an error, and the kernel then computes nonsense.
#
# usage: scripts/check_symbols.sh [build directory ...]
# Without arguments: .build/debug and .build/release, whichever were built.
set -eu
if [ $# -eq 0 ]; then
    for build in .build/debug .build/release; do
        if [ -d "$build/KernelsAVX512.build" ]; then set -- "$@" "$build"; fi
    done
fi
if [ $# -eq 0 ]; then
    # No such targets where the processor is no x86-64.
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
        # The letters of nm: W is a weak function, V weak data (metadata and witness tables, which point to functions),
        # u a symbol unique in the program, i chosen at load; lower case w and v are undefined references. The version
        # of the reflection format is a number that every Swift object carries.
        # shellcheck disable=SC2086
        weak=$(nm $objects | awk '$2 ~ /^[WVui]$/ && $3 != "__swift_reflection_version" { print $2, $3 }' | sort -u)
        if [ -n "$weak" ]; then
            echo "$build: $target defines symbols that the linker may keep for everyone:" >&2
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
                echo "$build: $target holds no $instruction: its inline assembly was dropped" >&2
                status=1
            fi
        done
        rm "$build/$target.disassembly"
    done
done
exit $status
