"""What the page shows, frozen at a tick: plain data between the evaluation and the HTML."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from exporter.reference import Reference, ReferenceColumn


@dataclass(frozen=True)
class ColumnView:
    """A feature or an output in one window.

    `counts`: int64[bins.size] over the reference's bins, None where the reference lacks the column. `figures`: value by
    the metric's name less its prefix (`psi`, `psi_limit`, `drift_p_value`, `missing_ratio`, `mean`, …); what cannot be
    computed is not there. `categories`: show | hash | hide.
    """

    name: str
    output: bool
    reference: ReferenceColumn | None
    counts: NDArray[np.int64] | None
    figures: Mapping[str, float]
    categories: str = "show"


@dataclass(frozen=True)
class WindowView:
    """`since` and `until`: the event times it covers, in nanoseconds since the epoch, None while nothing came."""

    name: str
    rows: int
    since: int | None
    until: int | None
    columns: Iterable[ColumnView]
    class_ratios: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class VersionView:
    """One version of one model. `last_event`: in nanoseconds; `unexpected`: names that the reference does not know."""

    model: str
    version: str
    task: str
    reference: Reference | None
    predictions: int
    last_event: int | None
    windows: tuple[WindowView, ...]
    unexpected: tuple[str, ...] = ()


@dataclass(frozen=True)
class PageView:
    """`problems`: what an operator should know, a sentence each (a topic missing, a save that failed, …). `every`:
    seconds from one tick to the next."""

    at: int
    release: str
    versions: tuple[VersionView, ...]
    records: Mapping[str, int]
    rejected: Mapping[tuple[str, str], int]
    late: Mapping[str, int]
    lag: Mapping[tuple[str, int], int]
    watermark: int | None
    caught_up: bool
    problems: tuple[str, ...] = ()
    every: float = 15.0
