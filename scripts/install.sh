#!/bin/sh
# usage: install.sh install|uninstall PREFIX
# Installs the release build under DESTDIR/PREFIX: the stripped binary, completions for bash, zsh and fish, and the man page.
set -eu
prefix=$2
case $prefix in
/*) ;;
"~"*) prefix=$HOME${prefix#"~"} ;;
*) prefix=$PWD/$prefix ;;
esac
root=${DESTDIR:-}$prefix
program=$root/bin/encoderd
bash=$root/share/bash-completion/completions/encoderd
zsh=$root/share/zsh/site-functions/_encoderd
fish=$root/share/fish/vendor_completions.d/encoderd.fish
manual=$root/share/man/man1/encoderd.1

if [ "$1" = uninstall ]; then
    rm -fv "$program" "$bash" "$zsh" "$fish" "$manual"
    exit
fi

built=${PROGRAM:-.build/release/encoderd}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Whatever fails, nothing is installed by halves.
for shell in bash zsh fish; do "$built" --generate-completion-script $shell >"$folder/$shell"; done
.build/manual/debug/generate-manual "$built" --output-directory "$folder" --date "${MANUAL_DATE:-$(date +%Y-%m-%d)}"
# An empty line is an error in mdoc; the paragraphs of descriptions have them.
sed -i 's/^$/.Pp/' "$folder/encoderd.1"
cp "$built" "$folder/program"
for tool in strip llvm-strip; do
    if command -v $tool >/dev/null 2>&1; then
        $tool "$folder/program"
        break
    fi
done

# Replaced by renaming: a running server keeps the file that it was started from.
put() {
    mkdir -p "$(dirname "$3")"
    cp "$2" "$3.new"
    chmod "$1" "$3.new"
    mv -f "$3.new" "$3"
    echo "$3"
}
put 755 "$folder/program" "$program"
put 644 "$folder/bash" "$bash"
put 644 "$folder/zsh" "$zsh"
put 644 "$folder/fish" "$fish"
put 644 "$folder/encoderd.1" "$manual"
case ":$PATH:" in
*":$prefix/bin:"*) ;;
*) [ -n "${DESTDIR:-}" ] || echo "$prefix/bin is not on the PATH: add it to use 'encoderd' by its name" ;;
esac
