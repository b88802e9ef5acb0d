#!/bin/sh
# usage: scripts/image-drill.sh   (as root on Debian, with mmdebstrap and buildah; no Docker engine)
# Builds the Dockerfile on a base made from Debian's packages, then runs what came of it as the image's user on a root that
# cannot be written: the version, a reference from CSV and Parquet, `check`, and `run` with the health check and a stop.
set -eu
cd "$(dirname "$0")/.."

export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
work=$(mktemp -d)
trap 'cleanup' EXIT
container="" root="" running=""
cleanup() {
    [ -z "$running" ] || kill -KILL $(pgrep -P "$running") 2>/dev/null || true
    [ -z "$running" ] || wait "$running" 2>/dev/null || true
    [ -z "$root" ] || umount -R "$root" 2>/dev/null || true
    [ -z "$container" ] || buildah rm "$container" >/dev/null 2>&1 || true
    rm -rf "$work"
}

step() { echo "drill: $*"; }

base=docker.io/library/debian:trixie-slim
if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
    step "a base from Debian's packages"
    mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
    mmdebstrap --quiet --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg trixie "$work/base.tar" $mirror
    made=$(buildah from scratch)
    buildah add --quiet "$made" "$work/base.tar" / >/dev/null
    # Where this machine has an authority of its own between it and the package index.
    printf '[global]\ncert = /etc/machine-ca.crt\n' >"$work/pip.conf"
    buildah copy --quiet "$made" /etc/ssl/certs/ca-certificates.crt /etc/machine-ca.crt >/dev/null
    buildah copy --quiet "$made" "$work/pip.conf" /etc/pip.conf >/dev/null
    buildah commit --quiet --rm "$made" "$base" >/dev/null
fi

step "building"
buildah bud --pull-never --format docker --network host --quiet --target "${1:-exporter}" --tag drift-exporter:drill . >"$work/build.log" 2>&1 || {
    tail -30 "$work/build.log" >&2
    exit 1
}
[ "${1:-exporter}" = exporter ] || exit 0
container=$(buildah from --pull-never drift-exporter:drill)
image=$(buildah mount "$container")
step "$(du -sm "$image" | cut -f1) MB in all, $(du -sm "$image/opt" | cut -f1) of them ours"
step "files with the rights of another user: $(find "$image" -xdev -type f -perm /6000 | wc -l)"

step "a root that cannot be written, with a volume for the state"
root="$work/root"
mkdir "$root" "$work/state" "$work/config"
mount --bind "$image" "$root"
mount -o remount,ro,bind "$root"
mount --bind "$work/state" "$root/var/lib/drift-exporter"
mount -t proc proc "$root/proc"
mount -t tmpfs -o ro tmpfs "$root/tmp" # not even here
chown 65532:65532 "$work/state"

inside() { # command…, with the image's environment
    chroot --userspec=65532:65532 "$root" /usr/bin/env -i HOME=/ PATH=/opt/drift-exporter/bin:/usr/local/bin:/usr/bin:/bin \
        PYTHONDONTWRITEBYTECODE=1 DRIFT_EXPORTER_HEALTH=http://127.0.0.1:19877/-/healthy \
        DRIFT_EXPORTER__STATE__PATH=/var/lib/drift-exporter/state DRIFT_EXPORTER__WEB__LISTEN=127.0.0.1:19877 "$@"
}
inside drift-exporter --version
inside touch /tmp/x /opt/x 2>/dev/null && { echo "the root can be written" >&2; exit 1; }

cp docs/examples/iris/config.yaml "$work/state/config.yaml"
cp docs/examples/iris/reference.csv "$work/state/"
cat >>"$work/state/config.yaml" <<'END'
kafka: {bootstrap_servers: ["127.0.0.1:9"]}
END
model=$(sed -n '/^models:/,/^[a-z]/s/^  \([a-z-]*\):.*/\1/p' "$work/state/config.yaml" | head -1)
reference=$(sed -n 's/.*reference: *//p' "$work/state/config.yaml" | head -1)
inside python3 -c "
import pyarrow.csv, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.csv.read_csv('/var/lib/drift-exporter/reference.csv'), '/var/lib/drift-exporter/reference.parquet')"
for table in reference.csv reference.parquet; do
    inside drift-exporter reference --config /var/lib/drift-exporter/config.yaml --model "$model" \
        "/var/lib/drift-exporter/$table" -o "/var/lib/drift-exporter/$reference"
done
inside drift-exporter check --config /var/lib/drift-exporter/config.yaml

step "run, without a broker"
inside drift-exporter run --config /var/lib/drift-exporter/config.yaml 2>"$work/run.log" &
running=$!
health=$(sed -n 's/^    CMD \["\(python3.*\)"\]$/\1/p' Dockerfile | sed 's/", "/ /g')
[ -n "$health" ] || { echo "the image has no health check" >&2; exit 1; }
tries=0
until inside $health 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || { cat "$work/run.log" >&2; exit 1; }
    sleep 1
done
step "healthy by the image's own check"
sleep 20 # a tick, and a save
kill -TERM "$(pgrep -P $running)"
wait $running && running="" && step "stopped with 0" || { echo "it left with $?" >&2; cat "$work/run.log" >&2; exit 1; }
tail -3 "$work/run.log"
step "written outside the state: $(find "$image" -xdev -newer "$work/state/reference.csv" -type f | wc -l) files"
