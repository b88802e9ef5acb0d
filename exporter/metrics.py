"""Readings → exposition: the text of /metrics, made once a tick and served as it is.

prometheus_client renders a series in 8–13 µs (ECOSYSTEM §3); here a series' name and labels are written once and kept,
so a tick costs one number each. Its registry still serves what it knows best, the process's own metrics.
"""

import gzip
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import isnan

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from exporter.catalogue import METRICS, PRIORITIES, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# One series: its name and labels as they stand in the page, a blank behind.
Prefix = str
Samples = dict[str, list[tuple[Prefix, float]]]


def prefix(name: str, labels: Sequence[tuple[str, str]]) -> Prefix:
    """What stands before a value."""
    if not labels:
        return f"{name} "
    written = ",".join([f'{key}="{escaped(value)}"' for key, value in labels])
    return f"{name}{{{written}}} "


def escaped(value: str) -> str:
    """A label's value as it stands between quotes."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


class Prefixes:
    """The prefixes of a set of readings, written when they first come."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[str, ...], str], tuple[Sequence[tuple[str, ...]], list[Prefix]]] = {}

    def of(
        self, metric: Metric, version: tuple[str, str], labels: Sequence[tuple[str, ...]], window: str
    ) -> list[Prefix]:
        """`labels`: values of the metric's own labels, those between model_version and window."""
        key = (metric.name, version, window)
        known = self._known.get(key)
        if known is None or (known[0] is not labels and known[0] != labels):
            ends = (window,) if window else ()
            written = [
                prefix(metric.name, list(zip(metric.labels, (*version, *own, *ends), strict=True))) for own in labels
            ]
            known = self._known[key] = (labels, written)
        return known[1]

    def keep(self, versions: Collection[tuple[str, str]]) -> None:
        """Forget all others."""
        self._known = {key: value for key, value in self._known.items() if key[1] in versions}


def cumulative(
    metric: Metric, labels: Sequence[str], edges: Sequence[float], counts: Sequence[int], total: float
) -> list[tuple[Prefix, float]]:
    """The samples of one histogram; `counts[i]` lies in (edges[i−1], edges[i]]."""
    named = list(zip(metric.labels, labels, strict=True))
    samples, below = [], 0
    for edge, count in zip([*map(repr, map(float, edges)), "+Inf"], counts, strict=True):
        below += count
        samples.append((prefix(f"{metric.name}_bucket", [*named, ("le", edge)]), float(below)))
    samples.append((prefix(f"{metric.name}_sum", named), total))
    samples.append((prefix(f"{metric.name}_count", named), float(below)))
    return samples


class SeriesLimit:
    """Admits series up to a number, by the catalogue's priority; one that was admitted stays (INTERFACE §5)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._admitted: Collection[Prefix] = ()

    def apply(self, samples: Samples) -> int:
        """Take out what exceeds the limit; returns how many series."""
        present = sum(map(len, samples.values()))
        if present <= self._most:  # a list, which is cheaper to make: mostly nobody will search it
            self._admitted = [name for series in samples.values() for name, _ in series]
            return 0
        admitted = set(self._admitted)
        kept = {name for series in samples.values() for name, _ in series if name in admitted}
        ranked = sorted(samples, key=lambda name: PRIORITIES.index(METRICS[name].priority))
        for metric in ranked:
            for name, _ in samples[metric]:
                if len(kept) >= self._most:
                    break
                kept.add(name)
        self._admitted = kept
        for metric in ranked:
            samples[metric] = [sample for sample in samples[metric] if sample[0] in kept]
        return present - len(kept)


def render(samples: Samples) -> bytes:
    """Text 0.0.4, families in the catalogue's order; NaN samples and empty families are left out."""
    lines: list[str] = []
    for name, metric in METRICS.items():
        values = [start + repr(value) for start, value in samples.get(name, ()) if not isnan(value)]
        if values:
            lines += (f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}")
            lines += values
    return ("\n".join(lines) + "\n").encode() if lines else b""


def process_metrics() -> bytes:
    """`process_*` of this process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return generate_latest(registry)


@dataclass(frozen=True)
class Snapshot:
    """A page of /metrics, frozen: plain and gzipped."""

    text: bytes
    gzipped: bytes

    @classmethod
    def of(cls, parts: Iterable[bytes]) -> "Snapshot":
        text = b"".join(parts)
        return cls(text, gzip.compress(text, compresslevel=1, mtime=0))


def own(name: str, value: float, **labels: str) -> tuple[str, list[tuple[Prefix, float]]]:
    """One sample of the exporter's own, as an item of `Samples`."""
    metric = METRICS[f"drift_exporter_{name}"]
    return metric.name, [(prefix(metric.name, [(label, labels[label]) for label in metric.labels]), float(value))]
