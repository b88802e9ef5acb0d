#!/bin/sh
# Puts Apache Kafka's broker, as jars, into the cache, by Maven. Does nothing where it is there already.
# Without Maven the tests that need the broker say so themselves: they skip, or fail with CI=true.
set -eu
cd "$(dirname "$0")/.."

pom=tests/services/kafka/pom.xml
cache="${DRIFT_EXPORTER_CACHE:-.cache}"
if cmp -s "$pom" "$cache/kafka/pom.xml" || ! command -v mvn >/dev/null; then
    exit 0
fi

echo "kafka: fetching the broker's jars"
mkdir -p "$cache"
new="$(cd "$cache" && pwd)/kafka.$$" # moved to its place when complete, so that a second run never sees half of it
trap 'rm -rf "$new"' EXIT
# Even a quiet Maven writes terminal codes, and its errors go to stdout.
said=$(mvn --batch-mode --quiet --file "$pom" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$new" 2>&1) || { echo "$said" >&2; exit 1; }
cp "$pom" "$new"
rm -rf "$cache/kafka"
mv "$new" "$cache/kafka"
