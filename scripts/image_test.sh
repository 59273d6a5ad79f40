#!/bin/sh
# Builds the image with buildah, starts it as a container, and requests an embedding from it.
#
# The script creates replacements for the two public base images, so no image registry is needed. One is a Debian made by
# debootstrap from the mirror of this machine. The other adds compilers and the Swift toolchain of this machine, mounted.
# `--isolation chroot` and the vfs driver work without a container engine. Needs root, for chroot and mounts.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
work=$root/.build-image
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
say() { echo "image-test: $*"; }

if [ "$(id -u)" != 0 ]; then
    say "needs root, for chroot and mounts"
    exit 1
fi
missing=""
for tool in buildah debootstrap curl; do command -v $tool >/dev/null 2>&1 || missing="$missing $tool"; done
if [ -n "$missing" ]; then
    say "installing$missing"
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
# Defined after the check above, since `command -v` also finds functions.
buildah() { command buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
mkdir -p "$work"

mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\{0,1\}\(http[^ ]*\) .*/\2/p' /etc/apt/sources.list.d/debian.sources \
    /etc/apt/sources.list 2>/dev/null | head -n 1)
if [ ! -e "$work/rootfs.done" ]; then
    say "creating a Debian root file system"
    rm -rf "$work/rootfs"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$work/rootfs" ${mirror:+"$mirror"} >"$work/debootstrap.log" 2>&1 ||
        { tail -n 20 "$work/debootstrap.log"; exit 1; }
    # apt inside the container must use the same mirror.
    rm -rf "$work/rootfs/etc/apt"
    cp -a /etc/apt "$work/rootfs/etc/apt"
    find "$work/rootfs/etc/apt/sources.list.d" -type f ! -name 'debian*' -delete
    touch "$work/rootfs.done"
fi

buildah rmi --all --force >/dev/null 2>&1 || true
say "creating replacements for the base images"
container=$(buildah from scratch)
buildah add -q "$container" "$work/rootfs" / >/dev/null
buildah commit -q --rm "$container" localhost/standin-debian >/dev/null

toolchain=$(dirname "$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")")
container=$(buildah from localhost/standin-debian)
buildah run "$container" -- sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends git gcc libc6-dev libstdc++-12-dev binutils pkg-config libcurl4 libxml2 libncurses6 \
    libedit2 libsqlite3-0 libpython3.11 tzdata zlib1g-dev' >"$work/standin.log" 2>&1 || { tail -n 20 "$work/standin.log"; exit 1; }
buildah config --env PATH="$toolchain/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$container"
buildah commit -q --rm "$container" localhost/standin-swift >/dev/null

# Mount the folders that the toolchain and the git configuration of this machine refer to.
volumes="--volume $toolchain:$toolchain:ro"
if [ -f /etc/gitconfig ]; then
    volumes="$volumes --volume /etc/gitconfig:/etc/gitconfig:ro"
    for folder in $(sed -n 's/^\[url "\(\/.*\)"\]/\1/p' /etc/gitconfig); do
        volumes="$volumes --volume ${folder%/}:${folder%/}:ro"
    done
fi
say "building the Dockerfile"
start=$(date +%s)
# shellcheck disable=SC2086
buildah build $volumes --build-arg SWIFT_IMAGE=localhost/standin-swift --build-arg RUNTIME_IMAGE=localhost/standin-debian \
    -t encoderd:test . >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log"; exit 1; }
say "built in $(($(date +%s) - start)) s"

buildah inspect --type image encoderd:test >"$work/image.json"
python3 - "$work/image.json" <<'EOF'
import json, sys
config = json.load(open(sys.argv[1]))["OCIv1"]["config"]
print("image-test:", {key: config.get(key) for key in ("User", "Entrypoint", "Cmd", "ExposedPorts")})
assert config["User"] == "65532:65532" and config["Entrypoint"] == ["/usr/local/bin/encoderd"], config
assert config["Cmd"] == ["serve"], config
EOF

container=$(buildah from encoderd:test)
mounts=""
for model in minilm g2p resemblyzer; do mounts="$mounts --volume $(readlink -f "models/$model"):/models/$model:ro"; done
# shellcheck disable=SC2086
buildah run --env ENCODERD_PORT=0 $mounts "$container" -- /usr/local/bin/encoderd serve >"$work/server.log" 2>&1 &
runner=$!
trap 'kill $runner 2>/dev/null || true; buildah rm --all >/dev/null 2>&1 || true' EXIT
port=""
for _ in $(seq 100); do
    port=$(sed -n 's/.*listening on http:.*:\([0-9]*\),.*/\1/p' "$work/server.log")
    [ -n "$port" ] && break
    kill -0 $runner 2>/dev/null || break
    sleep 0.1
done
[ -n "$port" ] || { cat "$work/server.log"; exit 1; }
server=$(pgrep -n -f '^/usr/local/bin/encoderd serve')
user=$(awk '/^Uid:/{print $2}' "/proc/$server/status")
[ "$user" = 65532 ] || { say "runs as user $user"; exit 1; }

curl -sf "http://127.0.0.1:$port/v1/encode" -H 'Content-Type: application/json' \
    -d '{"model": "minilm", "input": "an embedding from a container"}' >"$work/answer.json"
python3 - "$work/answer.json" <<'EOF'
import json, sys
vector = json.load(open(sys.argv[1]))["data"][0]["embedding"]
norm = sum(x * x for x in vector) ** 0.5
assert len(vector) == 384 and abs(norm - 1) < 1e-5, (len(vector), norm)
print(f"image-test: an embedding of {len(vector)} values, length {norm:.6f}, first {vector[:3]}")
EOF
kill -TERM "$server"
wait $runner && say "SIGTERM drained; exit code 0" || { say "exit code $? after SIGTERM"; cat "$work/server.log"; exit 1; }
size=$(du -sm "$(buildah mount "$container")" 2>/dev/null | cut -f1)
binary=$(stat -c %s "$(buildah mount "$container")/usr/local/bin/encoderd")
say "passed: image of $size MB with this base image, including $((binary / 1000000)) MB for encoderd"
