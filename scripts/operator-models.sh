#!/bin/sh
# Puts the Prometheus operator's resources, as pydantic models, into the cache. Beside the virtual environment, not into it:
# they bring a plugin of pytest that wants more packages than they do.
set -eu
cd "$(dirname "$0")/.."

wanted="cloudcoil==0.6.0 cloudcoil-models-prometheus-operator==0.80.1.0"
cache="${DRIFT_EXPORTER_CACHE:-.cache}"
[ "$(cat "$cache/operator-models/wanted" 2>/dev/null)" != "$wanted" ] || exit 0

mkdir -p "$cache"
new="$cache/operator-models.$$" # moved to its place when complete, so that a second run never sees half of it
trap 'rm -rf "$new"' EXIT
# shellcheck disable=SC2086  # one word per package is meant
.venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --target "$new" $wanted
echo "$wanted" >"$new/wanted"
rm -rf "$cache/operator-models"
mv "$new" "$cache/operator-models"
