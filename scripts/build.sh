#!/bin/sh
# usage: build.sh COMMAND...
# Runs a build command and passes its output on. While it is silent for 15 s, prints what is being compiled and for how long
# the build has run. Its exit code is that of the command.
set -u
silence=${BUILD_SILENCE:-15}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
: >"$folder/log"

# The modules whose compilers run in this directory, from the command lines in /proc.
compiling() {
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/cwd" 2>/dev/null)" = "$PWD" ] || continue
        tr '\0' '\n' <"$process/cmdline" 2>/dev/null | awk '
            NR == 1 { name = $0; sub(/.*\//, "", name) }
            NR == 2 && name == "swift-frontend" { frontend = $0 == "-frontend" }
            previous == "-module-name" { module = $0 }
            { previous = $0 }
            END { if (frontend && module != "") print module; else if (name ~ /^(ld|lld|gold|ld.gold|ld.lld)$/) print "the executable (linking)" }'
    done 2>/dev/null | sort -u | awk '{ list = list (NR > 1 ? ", " : "") $0 } END { if (NR) print list }'
}

start=$(date +%s)
(
    said=$start size=0
    while sleep 1 >/dev/null 2>&1 && [ -d "$folder" ]; do
        now=$(date +%s)
        new=$(wc -c <"$folder/log") || exit
        if [ "$new" -ne "$size" ]; then
            size=$new said=$now
        elif [ $((now - said)) -ge "$silence" ]; then
            said=$now
            modules=$(compiling)
            echo "… $((now - start)) s: ${modules:+compiling }${modules:-building}"
        fi
    done
) &
clock=$!

# In the foreground: if the parent has SIGCHLD blocked, which children inherit, the wait of some shells never returns.
{
    "$@" 2>&1
    echo $? >"$folder/code"
} | tee "$folder/log"
kill -9 "$clock" 2>/dev/null
[ -s "$folder/code" ] || exit 1
exit "$(cat "$folder/code")"
