"""Series for the unit tests of rules, as a scrape of one copy of the exporter gives them."""

from __future__ import annotations

from exporter.generate.rules.promql import matchers, series

_SCRAPED = {"job": "drift-exporter", "instance": "a:9877"}


def of_copy(name: str, **labels: str) -> str:
    """A series of the exporter's own."""
    series(name, **labels)  # refuses what the catalogue lacks
    return name + matchers(_SCRAPED | {label.rstrip("_"): value for label, value in labels.items()})


def of_model(model: str, name: str, version: str = "1", **labels: str) -> str:
    """A series of one version of a model."""
    return of_copy(name, model=model, model_version=version, **labels)


CAUGHT_UP = {of_copy("drift_exporter_caught_up"): "1+0x2000"}
