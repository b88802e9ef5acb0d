"""PromQL from the catalogue: a name or a label that is not in it is an error when the dashboards are made."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.catalogue import METRICS, Metric

# Prometheus gives each series these, the first of a scrape's configuration.
TARGET = ("job", "instance")
_RATE = "[$__rate_interval]"


class Scope:
    """What the variables of a dashboard narrow each metric to.

    `pinned`: label → the one value that the dashboard is about (`"$model"`); of these nothing remains to tell series
    apart. `among`: label → a regular expression, for variables of which several may be chosen. Each metric takes those
    of its own labels. `replicas`: whether the exporter's instances are told apart, or are copies of which the greatest
    value counts.
    """

    def __init__(
        self,
        pinned: dict[str, str] | None = None,
        among: dict[str, str] | None = None,
        replicas: bool = False,
    ) -> None:
        self._pinned = pinned or {}
        self._among = {"job": "$job"} | (among or {})
        self._replicas = replicas

    def select(self, name: str, suffix: str = "", **only: str) -> str:
        """The metric's series, as `name{job=~"$job", …}`. `suffix`: `_bucket` of a histogram. `only`: further labels
        and their values; `class_` stands for `class`."""
        metric = METRICS[name]
        if suffix and metric.kind != "histogram":
            raise ValueError(f"{name} is a {metric.kind}: it has no {suffix}")
        wanted = {label.rstrip("_"): value for label, value in only.items()}
        _require(metric, wanted)
        has = {*metric.labels, *TARGET}
        matchers = [f'{label}=~"{value}"' for label, value in self._among.items() if label in has]
        pinned = {label: value for label, value in self._pinned.items() if label in has} | wanted
        matchers += [f'{label}="{value}"' for label, value in pinned.items()]
        return f"{name}{suffix}{{{', '.join(matchers)}}}"

    def of(self, name: str, by: Iterable[str] | None = None, **only: str) -> str:
        """The greatest value over replicas, by the labels that still tell its series apart, or `by` these."""
        return self._greatest(name, self.select(name, **only), by, only)

    def rate(self, name: str, by: Iterable[str] | None = None, **only: str) -> str:
        """The same of what a counter rises in a second."""
        return self._greatest(name, f"rate({self.select(name, **only)}{_RATE})", by, only)

    def increase(self, name: str, by: Iterable[str] | None = None, **only: str) -> str:
        """The same of what a counter rises in a step of the graph."""
        return self._greatest(name, f"increase({self.select(name, **only)}{_RATE})", by, only)

    def buckets(self, name: str, **only: str) -> str:
        """What a histogram counted in a step of the graph, by bucket."""
        return f"max by (le) (increase({self.select(name, '_bucket', **only)}{_RATE}))"

    def highest(self, name: str, most: int) -> str:
        """`of`, the series alone that were the highest anywhere in the range shown: the same ones at each moment."""
        ever = f"max_over_time({self.select(name)}[$__range] @ end())"
        return f"{self.of(name)} and topk({most}, {self._by(name, {})} ({ever}))"

    def _greatest(self, name: str, series: str, by: Iterable[str] | None, only: dict[str, str]) -> str:
        if by is None:
            return f"{self._by(name, only)} ({series})"
        wanted = [label.rstrip("_") for label in by]
        _require(METRICS[name], wanted)
        return f"{_max(wanted)} ({series})"

    def _by(self, name: str, only: dict[str, str]) -> str:
        one = {*self._pinned, *(label.rstrip("_") for label in only)}
        labels = [label for label in METRICS[name].labels if label not in one]
        return _max(labels + (["instance"] if self._replicas else []))


def _max(labels: list[str]) -> str:
    return f"max by ({', '.join(labels)})" if labels else "max"


def _require(metric: Metric, labels: Iterable[str]) -> None:
    strange = set(labels) - {*metric.labels, *TARGET}
    if strange:
        raise ValueError(f"{metric.name} has no label {', '.join(sorted(strange))}")
