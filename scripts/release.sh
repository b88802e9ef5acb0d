#!/bin/sh
# usage: scripts/release.sh   (make release)
# dist/ anew: wheel and source archive, the chart, what they consist of (SBOM), known vulnerabilities, checksums.
# The same commit gives the same bytes, but for what the advisories say by then.
set -eu
cd "$(dirname "$0")/.."

[ -z "$(git status --porcelain)" ] || { echo "release: commit first: what is built should be what the commit says" >&2; exit 1; }
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
umask 022 # modes are in the archives

rm -rf dist
echo "release: wheel and source archive"
.venv/bin/python -m build --no-isolation --outdir dist >/dev/null
wheel=$(echo dist/*.whl)

echo "release: an empty environment with the wheel alone"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/python -m venv --without-pip "$work/bare"
.venv/bin/python -m pip --disable-pip-version-check --python "$work/bare/bin/python" install --quiet --only-binary=:all: \
    --constraint constraints.txt "$wheel"
"$work/bare/bin/drift-exporter" --version

echo "release: SBOM"
.venv/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --mc-type application \
    --output-format JSON --output-file "${wheel%-py3*}.cdx.json" "$work/bare/bin/python"

echo "release: known vulnerabilities"
.venv/bin/pip-audit --strict --progress-spinner off --skip-editable --path "$(echo "$work"/bare/lib/python*/site-packages)" \
    --format json --output dist/audit.json

scripts/go-tools.sh helm
for helm in "${DRIFT_EXPORTER_CACHE:-.cache}"/go-tools/helm-*; do
    [ ! -x "$helm" ] || "$helm" package helm/drift-exporter --destination dist >/dev/null
done

(cd dist && sha256sum -- *.whl *.tar.gz *.tgz *.json >SHA256SUMS)
echo "release: $(ls dist | wc -l) files in dist/"
cat dist/SHA256SUMS
