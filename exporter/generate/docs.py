"""docs/metrics.md: every metric, by family."""

from collections.abc import Iterable

from exporter.catalogue import METRICS, Metric

_HEAD = """# Metrics

Made from the catalogue by `drift-exporter generate docs`; do not edit.

A value that cannot be computed is absent, never NaN. `window` is a length as configured, such as `1h`; a metric without
it is about everything since the state began, or about now. [How they are defined](concepts.md).
"""


def metrics_page() -> str:
    """The page's text."""
    families: dict[str, list[Metric]] = {}
    for metric in METRICS.values():
        families.setdefault(metric.family, []).append(metric)
    return _HEAD + "".join(_family(name, found) for name, found in families.items())


def _family(name: str, metrics: Iterable[Metric]) -> str:
    rows = (f"| `{m.name}` | {m.kind} | {_labels(m)} | {m.help} |" for m in metrics)
    return "\n".join(
        ("", f"## {name}", "", "| metric | kind | labels | what it says |", "| --- | --- | --- | --- |", *rows, "")
    )


def _labels(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels) or "none"
