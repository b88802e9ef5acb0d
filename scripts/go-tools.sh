#!/bin/sh
# usage: scripts/go-tools.sh [helm] [docker-compose]
# Builds what only Go's module proxy has, at the versions below, into the cache: a few minutes each, the first time only.
# Helm is built only where scripts/helm.py has none for the machine.
# Without Go the tests that need them say so themselves: they skip, or fail with CI=true.
set -eu
cd "$(dirname "$0")/.."

HELM=v3.22.0
COMPOSE=v2.40.3

cache="${DRIFT_EXPORTER_CACHE:-.cache}/go-tools"
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

build() { # name module version package flags
    [ -x "$cache/$1-$3" ] && return
    command -v go >/dev/null || return 0
    echo "go: building $1 $3"
    # As the main module: a `replace` or `exclude` in it, which `go install` refuses, is then heeded.
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    source=$(cd "$work" && go mod download -json "$2@$3" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    cp -r "$source" "$work/source"
    chmod -R u+w "$work/source"
    (cd "$work/source" && go build -trimpath -ldflags "-s -w $5" -o "$work/built" "$4" 2>"$work/said") || {
        cat "$work/said" >&2
        exit 1
    }
    mv "$work/built" "$cache/$1-$3" # a second run never sees half of it
    rm -rf "$work"
}

[ $# -gt 0 ] || set -- helm docker-compose
for tool in "$@"; do
    case "$tool" in
    helm) .venv/bin/python scripts/helm.py "$cache" || build helm helm.sh/helm/v3 "$HELM" ./cmd/helm "-X helm.sh/helm/v3/internal/version.version=$HELM" ;;
    docker-compose)
        build docker-compose github.com/docker/compose/v2 "$COMPOSE" ./cmd \
            "-X github.com/docker/compose/v2/internal.Version=$COMPOSE"
        ;;
    *)
        echo "go-tools: there is no $tool" >&2
        exit 2
        ;;
    esac
done
