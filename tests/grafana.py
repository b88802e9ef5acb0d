"""The dashboards that are committed, as Grafana reads them, and the PromQL in them taken apart."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser as promql

from exporter.catalogue import METRICS

FOLDER = Path(__file__).parent.parent / "grafana"
FILES = sorted(FOLDER.glob("*.json"))
# Prometheus's own, and what client libraries say of their process.
FOREIGN = {
    "ALERTS": {"alertname", "alertstate", "severity", "model", "model_version", "feature"},
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
    "process_open_fds": set(),
}


@dataclass(frozen=True)
class Target:
    """One query of one panel."""

    dashboard: str
    panel: str
    expr: str
    instant: bool
    form: str

    def __str__(self) -> str:
        return f"{self.dashboard} / {self.panel}: {self.expr}"


def dashboards() -> dict[str, Any]:
    """By uid."""
    found = [json.loads(path.read_bytes()) for path in FILES]
    return {dashboard["uid"]: dashboard for dashboard in found}


def panels(dashboard: Any) -> list[Any]:
    """Rows left out, those within collapsed ones not."""
    every = (one for panel in dashboard["panels"] for one in (panel, *panel.get("panels", ())))
    return [panel for panel in every if panel["type"] != "row"]


def targets(dashboard: Any) -> Iterator[Target]:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Target(
                dashboard["uid"], panel["title"], target["expr"], target.get("instant", False), target["format"]
            )


def variables(dashboard: Any) -> dict[str, Any]:
    """By name."""
    return {one["name"]: one for one in dashboard["templating"]["list"]}


def asked_for(variable: Any) -> tuple[str, str]:
    """What a variable looks its values up in: the series, and the label."""
    series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"], re.DOTALL).groups()
    return series, label


def filled(text: str, values: dict[str, str]) -> str:
    """As Grafana sends it: `$name` is its value, the longest name first."""
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"${name}", values[name])
    return text


def parsed(expr: str) -> promql.Expr:
    """With some value for each variable."""
    durations = {"__rate_interval": "5m", "__range": "7d", "__interval": "1m"}
    return promql.parse(re.sub(r"\$\w+", "x", filled(expr, durations)))


def selectors(expr: str) -> Iterator[tuple[promql.VectorSelector, list[promql.Expr]]]:
    """Each series that is asked for, and what stands around it, the outermost first."""
    around: list[promql.Expr] = []
    found = []

    def enter(one: promql.Expr) -> None:
        if isinstance(one, promql.VectorSelector):
            found.append((one, list(around)))
        if isinstance(one, promql.MatrixSelector):
            found.append((one.vector_selector, list(around)))
        around.append(one)

    def leave(one: promql.Expr) -> None:
        around.pop()

    promql.walk(parsed(expr), enter, leave)
    return iter(found)


def labels_of(name: str) -> set[str]:
    """Those a series of this name has, in Prometheus."""
    if name in FOREIGN:
        return FOREIGN[name] | {"job", "instance"}
    metric = METRICS[re.sub(r"_(bucket|count|sum)$", "", name) if name not in METRICS else name]
    own = {"le"} if name.endswith("_bucket") else set()
    return {*metric.labels, "job", "instance"} | own


def kind_of(name: str) -> str:
    if name in FOREIGN:
        return "counter" if name.endswith("_total") else "gauge"
    return METRICS[name].kind if name in METRICS else "histogram"
