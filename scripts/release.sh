#!/bin/sh
# usage: scripts/release.sh [--without-audit] [--without-chart]   (make release [WITHOUT="audit chart"])
# dist/ anew: wheel and source archive, the chart, what they consist of (SBOM), known vulnerabilities, checksums.
# The same commit gives the same bytes, which is tried, but for what the advisories say by then. SHA256SUMS is written
# last: a dist/ without it is not whole.
set -eu
cd "$(dirname "$0")/.."
say() { echo "release: $*"; }
stop() {
    say "$*" >&2
    exit 1
}

audit=yes chart=yes
for word in "$@"; do
    case "$word" in
    --without-audit) audit=no ;;
    --without-chart) chart=no ;;
    *) stop "there is no $word; --without-audit and --without-chart are all" ;;
    esac
done

[ -z "$(git status --porcelain)" ] || stop "commit first: what is built should be what the commit says"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
umask 022 # modes are in the archives
rm -rf dist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# First, for it stops where Helm is neither to be had nor to be built.
if [ "$chart" = yes ]; then
    scripts/go-tools.sh helm
    helm=$(ls "${DRIFT_EXPORTER_CACHE:-.cache}"/go-tools/helm-* 2>/dev/null | tail -n 1)
    [ -n "$helm" ] || stop "the chart needs Helm, which was not to be had, and no Go to build it; install Go (Debian: golang-go)," \
        "or leave the chart out: make release WITHOUT=chart"
fi

build() { # source to
    .venv/bin/python -m build --no-isolation --outdir "$2" "$1" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
}
say "wheel and source archive, twice"
build . dist
mkdir "$work/again"
git archive HEAD | tar -x -C "$work/again"
(umask 077 && build "$work/again" "$work/twice")
wheel=$(echo dist/*.whl)
for file in dist/*; do
    cmp "$file" "$work/twice/${file#dist/}" || stop "$file is not the same bytes when it is built again elsewhere"
done

if [ "$chart" = yes ]; then
    say "chart"
    pack() { # to; Helm writes the time of packing into the archive, and modes as they are
        "$helm" package helm/drift-exporter --destination "$1" >/dev/null
        name=$(basename "$1"/*.tgz)
        mkdir "$1/unpacked"
        tar -xmzf "$1/$name" -C "$1/unpacked"
        tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
            --format=ustar -C "$1/unpacked" -cf - drift-exporter | gzip -9n >"$1/$name"
    }
    mkdir "$work/once" "$work/more"
    pack "$work/once"
    pack "$work/more"
    cmp "$work/once/$name" "$work/more/$name" || stop "$name is not the same bytes when it is packed again"
    "$helm" lint --strict "$work/once/$name" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
    mv "$work/once/$name" dist/
fi

say "an empty environment with the wheel alone, and what it can import there"
.venv/bin/python -m venv --without-pip "$work/bare"
.venv/bin/python -m pip --disable-pip-version-check --python "$work/bare/bin/python" install --quiet --only-binary=:all: \
    --constraint constraints.txt "$wheel"
(cd / && env -u PYTHONPATH "$work/bare/bin/python" -) <scripts/imports.py

say "pipx install"
PIPX_HOME="$work/pipx" PIPX_BIN_DIR="$work/programs" PIPX_MAN_DIR="$work/man" PIPX_COMPLETION_DIR="$work/completions" \
    .venv/bin/pipx install --quiet --pip-args="--only-binary=:all: --constraint $PWD/constraints.txt" "$wheel" \
    >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
(cd / && env -u PYTHONPATH "$work/programs/drift-exporter" --version)

say "SBOM"
.venv/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --mc-type application \
    --output-format JSON --output-file "${wheel%-py3*}.cdx.json" "$work/bare/bin/python"

if [ "$audit" = yes ]; then
    say "known vulnerabilities"
    .venv/bin/python scripts/audit.py "$(echo "$work"/bare/lib/python*/site-packages)" dist/audit.json ||
        stop "not audited clean; to go on without: make release WITHOUT=audit"
fi

(cd dist && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
cat dist/SHA256SUMS
[ "$chart" = yes ] || say "WITHOUT THE CHART, as asked"
[ "$audit" = yes ] || say "NOT AUDITED, as asked: nobody was asked about known vulnerabilities"
say "$(ls dist | wc -l) files in dist/"
