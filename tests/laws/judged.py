"""Random outcomes, and what scikit-learn says of the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn import metrics

from exporter.batch import Column, Numbers, Outcomes
from exporter.decode.columns import texts
from exporter.judging import Judging
from exporter.outcomes import OutcomeSeries
from exporter.reference import Reference
from exporter.slices import Slice, Slices
from exporter.state import MemoryStore, Store
from exporter.statistics import Failure
from exporter.summaries.judged import Task
from exporter.windows import Span

PANE = 60 * 10**9
HORIZON = 7 * 24 * 3600 * 10**9
EDGES = tuple((i / 200, i % 10 == 0) for i in range(1, 200))
PARITY = Slices([Slice("parity", "x", ("even", "odd"), lambda column: np.zeros(0, dtype=np.int16))])
LARGE_WINDOW = Span("1h", 60, 1)


@dataclass
class Rows:
    """Labels, predictions and scores (one a row: the positive class's, or one a class); `signs`: 1 or −1."""

    labels: Sequence[Any]
    predictions: Sequence[Any]
    scores: Sequence[Any] = ()
    minutes: Sequence[int] = ()
    signs: Sequence[int] = ()
    slices: Sequence[int] = field(default_factory=list)

    def between(self, start: int, end: int) -> "Rows":
        some = slice(start, end)
        return Rows(
            self.labels[some],
            self.predictions[some],
            self.scores[some],
            self.minutes[some],
            self.signs[some],
            self.slices[some],
        )


def outcomes(task: Task, rows: Rows) -> Outcomes:
    n = len(rows.labels)

    def column(values: Sequence[Any]) -> Column:
        return Numbers(np.array(values, dtype=np.float64)) if task.name == "regression" else texts(list(values))

    width = 0 if task.name == "regression" else 1 if task.positive is not None else len(task.classes)
    scores = np.array(rows.scores, dtype=np.float64).reshape(n, width).T if rows.scores else np.full((width, n), np.nan)
    minutes = np.array(rows.minutes or [0] * n, dtype=np.int64)
    return Outcomes(
        "m",
        "1",
        minutes * PANE,
        minutes * PANE,
        np.array(rows.signs or [1] * n, dtype=np.int8),
        np.ones(n, dtype=bool),
        np.ones(n, dtype=bool),
        column(rows.predictions),
        column(rows.labels),
        scores,
        np.array([rows.slices or [0] * n], dtype=np.int16),
    )


def series(task: Task, store: Store | None = None, saved: Any = None, span: Span = LARGE_WINDOW) -> OutcomeSeries:
    reference = Reference("m", "1", task.name, 1, 0, {}, {}, score_edges=EDGES if task.positive is not None else ())
    return OutcomeSeries(
        ("m", "1"), task, reference, PARITY, (), HORIZON, [span], PANE, store or MemoryStore(), saved or {}
    )


def figures(found: OutcomeSeries) -> dict[str, dict[tuple[str, ...], float]]:
    """Metric → labels → value, of the only window; absent where it is."""
    judging = Judging(found, None, 0.1)
    labelled = judging.labelled(found.windows[0], max(1, found.windows[0].judged.total.rows))
    known: dict[str, dict[tuple[str, ...], float]] = {}
    for readings in judging.readings(found.windows[0], labelled, found.curves(), PANE):
        assert not isinstance(readings, Failure), readings
        for labels, value in zip(readings.labels, readings.values.tolist(), strict=True):
            assert value not in (float("inf"), float("-inf"))
            if value == value:
                known.setdefault(readings.metric.removeprefix("model_"), {})[tuple(labels)] = value
    return known


def expected_of_classes(task: Task, rows: Rows) -> dict[str, dict[tuple[str, ...], float]]:
    """scikit-learn on the rows with a prediction; classes that the model does not have are `other`."""
    pairs = [(str(a), str(b)) for a, b in zip(rows.labels, rows.predictions, strict=True) if b is not None]
    if not pairs:
        return {}
    known = {name: name for name in task.classes}
    true, said = zip(*((known.get(a, "other"), known.get(b, "other")) for a, b in pairs), strict=True)
    names = [name for name in (*task.classes, "other") if name in {*true, *said}]
    p, r, f, _ = metrics.precision_recall_fscore_support(true, said, labels=names, zero_division=0)
    wanted: dict[str, dict[tuple[str, ...], float]] = {
        "accuracy_ratio": {(): sum(a == b for a, b in pairs) / len(pairs)},
        "macro_precision_ratio": {(): p.mean()},
        "macro_recall_ratio": {(): r.mean()},
        "macro_f1_ratio": {(): f.mean()},
        "f1_ratio": {(name,): value for name, value in zip(names, f, strict=True)},
    }
    wanted["precision_ratio"] = {(name,): v for name, v in zip(names, p, strict=True) if name in said}
    wanted["recall_ratio"] = {(name,): v for name, v in zip(names, r, strict=True) if name in true}
    return {metric: values for metric, values in wanted.items() if values}
