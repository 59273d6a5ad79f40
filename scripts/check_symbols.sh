#!/bin/sh
# Fails if an object compiled for AVX2 or AVX-512 defines a weak function: the linker keeps one copy of such a function
# for the whole program, and if it keeps this one, a machine without those instructions stops at the first call.
#
# usage: scripts/check_symbols.sh [build directory, .build/debug unless told]
set -eu
build=${1:-.build/debug}
status=0
for target in KernelsAVX2 KernelsAVX512; do
    objects=$(find "$build/$target.build" -name '*.o' 2>/dev/null || true)
    if [ -z "$objects" ]; then
        echo "$target: no object files under $build/$target.build; build first" >&2
        exit 1
    fi
    # In nm's letters W and w are weak functions, V and v weak data (type descriptors, which hold no instructions);
    # lower case w and v are undefined references.
    weak=$(nm $objects | awk '$2 == "W" {print $3}' | sort -u)
    if [ -n "$weak" ]; then
        echo "$target defines weak functions:" >&2
        echo "$weak" | swift demangle >&2
        status=1
    else
        echo "$target: no weak functions"
    fi
done
exit $status
