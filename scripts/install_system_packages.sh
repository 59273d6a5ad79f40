#!/bin/sh
# Installs the system libraries the build links (zlib; OpenSSL for TLS; Oniguruma), where they are missing and apt may be used;
# otherwise says in one line what to type.
set -eu
missing=""
for pair in zlib.h:zlib1g-dev openssl/ssl.h:libssl-dev oniguruma.h:libonig-dev; do
    header=${pair%%:*}
    if ! printf '#include <%s>\n' "$header" | ${CC:-clang} -E -x c - >/dev/null 2>&1 &&
        ! printf '#include <%s>\n' "$header" | cc -E -x c - >/dev/null 2>&1; then
        missing="$missing ${pair##*:}"
    fi
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing"
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
elif command -v apt-get >/dev/null 2>&1; then
    echo "missing system packages; type: sudo apt-get install$missing" >&2
    exit 1
else
    echo "missing system libraries: install the development packages of zlib, OpenSSL and Oniguruma (Debian:$missing)" >&2
    exit 1
fi
