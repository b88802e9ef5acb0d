"""PromQL from the catalogue: a metric or a label that is not in it is an error when the rules are made."""

from __future__ import annotations

import json
from textwrap import indent
from typing import Literal

from exporter.catalogue import METRICS

# What tells one exporter from another, as far as it is there; copies of one share it, and differ in `instance`.
EXPORTER = ("cluster", "namespace", "job")
COPY = (*EXPORTER, "instance")
VERSION = (*EXPORTER, "model", "model_version")
# A scrape that failed leaves a gap, and no alert may resolve in it: 5 minutes bridge 4 scrapes missed at 1 a minute.
BRIDGE = "5m"


def series(name: str, **only: str) -> str:
    """`name{label="value"}`; `only`: labels and their values, `class_` stands for `class`. A value that begins with
    `~` is a regular expression."""
    metric = METRICS[name]
    wanted = {label.rstrip("_"): value for label, value in only.items() if value}
    strange = set(wanted) - {*metric.labels, *COPY}
    if strange:
        raise ValueError(f"{name} has no label {', '.join(sorted(strange))}")
    return name + matchers(wanted)


def matchers(only: dict[str, str]) -> str:
    """`{a="b", c=~"d|e"}`, or nothing."""
    written = [
        f"{label}=~{json.dumps(value[1:], ensure_ascii=False)}"
        if value.startswith("~")
        else f"{label}={json.dumps(value, ensure_ascii=False)}"
        for label, value in only.items()
    ]
    return f"{{{', '.join(written)}}}" if written else ""


def over(selected: str, how: Literal["max", "min", "last"] = "max", length: str = BRIDGE) -> str:
    """A series that may have gaps."""
    return f"{how}_over_time({selected}[{length}])"


def caught_up() -> str:
    """The copies that have read what there was: until then windows and scores are about the past."""
    return f"{over(series('drift_exporter_caught_up'), 'last')} == 1"


def by(how: str, labels: tuple[str, ...], inner: str) -> str:
    """An aggregation, over several lines."""
    return f"{how} by ({', '.join(labels)}) (\n{indent(inner, '  ')}\n)"


def published(
    name: str, labels: tuple[str, ...] | None = None, *, how: Literal["max", "min"] = "max", **only: str
) -> str:
    """What the copies that are caught up say, across gaps: the greatest (or least) by the labels that tell the metric's
    series apart, or by `labels`."""
    if labels is None:
        pinned = {label.rstrip("_") for label in only} - {"model"}
        labels = tuple(label for label in METRICS[name].labels if label not in pinned)
    return by(how, (*EXPORTER, *labels), gated(over(series(name, **only), how)))


def gated(inner: str) -> str:
    """Less what copies say that are not caught up."""
    return f"{inner}\nand on ({', '.join(COPY)})\n{caught_up()}"
