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
class SliceView:
    """One value of a slice. `figures`: by the metric's name less `model_slice_`, over `rows` labelled rows."""

    slice: str
    value: str
    rows: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class PerformanceView:
    """How good the model was over the predictions of a window.

    `rows`: labelled ones. `coverage`: their share of the window's predictions. `figures`: by the metric's name less
    `model_` (`accuracy_ratio`, `matured_accuracy_ratio`, `estimated_accuracy_ratio`, …); `by_class`: class → the same
    for those that are of a class; `reference` and `reference_by_class`: the reference's, without `reference_`.
    `confusion`: int64[K, K], labels by predictions over `classes`. `calibration`: (mean score, share of positives,
    rows) of each bin of scores. `history`: the blocks of the window, oldest first: (start in nanoseconds, predictions,
    labelled ones, the headline figure or None), the headline being accuracy or the mean absolute error.
    """

    rows: int
    coverage: float | None
    figures: Mapping[str, float]
    by_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    reference: Mapping[str, float] = field(default_factory=dict)
    reference_by_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    confusion: NDArray[np.int64] | None = None
    calibration: tuple[tuple[float, float, int], ...] = ()
    slices: tuple[SliceView, ...] = ()
    history: tuple[tuple[int, int, int, float | None], ...] = ()


@dataclass(frozen=True)
class ScoreView:
    """The verdict on one feature or output. `carrier`: what its score is of: `distribution`, `missing`, `invalid`,
    `unseen` or `out of range`. `since`: when the change began, in nanoseconds, None below the line."""

    score: float
    carrier: str
    pattern: str | None = None
    since: int | None = None


@dataclass(frozen=True)
class VerdictView:
    """What would page: scores, 1.0 being the line of each; None where there is none yet. `history`: the model's score
    over time, (nanoseconds, score), oldest first."""

    model: float | None
    performance: float | None = None
    targets: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, ScoreView] = field(default_factory=dict)
    outputs: Mapping[str, ScoreView] = field(default_factory=dict)
    history: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class WindowView:
    """`since` and `until`: the event times it covers, in nanoseconds since the epoch, None while nothing came.
    `performance`: None where no label is known."""

    name: str
    rows: int
    since: int | None
    until: int | None
    columns: Iterable[ColumnView]
    class_ratios: Mapping[str, float] = field(default_factory=dict)
    performance: PerformanceView | None = None


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
    verdict: VerdictView | None = None


@dataclass(frozen=True)
class StoryView:
    """What a recorded stream has come to so far: sentences, and a table whose first column names the row."""

    title: str
    sentences: tuple[str, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class PageView:
    """`problems`: what an operator should know, a sentence each (a topic missing, a save that failed, …). `every`:
    seconds from one tick to the next. `story`: what the demo tells beside what every page has."""

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
    story: StoryView | None = None
