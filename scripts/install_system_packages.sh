#!/bin/sh
# Installs zlib, OpenSSL and Oniguruma, which the build links, and the programs named as arguments, if they are
# missing and apt can be used as root. Otherwise prints the command to install them. A program's Debian package has its
# name, unless it follows a colon: script:bsdutils.
set -eu
missing=""
for pair in zlib.h:zlib1g-dev openssl/ssl.h:libssl-dev oniguruma.h:libonig-dev; do
    header=${pair%%:*}
    if ! printf '#include <%s>\n' "$header" | ${CC:-clang} -E -x c - >/dev/null 2>&1 &&
        ! printf '#include <%s>\n' "$header" | cc -E -x c - >/dev/null 2>&1; then
        missing="$missing ${pair##*:}"
    fi
done
for program in "$@"; do
    command -v "${program%%:*}" >/dev/null 2>&1 || missing="$missing ${program##*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing"
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
elif command -v apt-get >/dev/null 2>&1; then
    echo "missing system packages; run: sudo apt-get install$missing" >&2
    exit 1
else
    echo "missing system packages: install the development packages of zlib, OpenSSL and Oniguruma${1:+, and $*} (Debian:$missing)" >&2
    exit 1
fi
