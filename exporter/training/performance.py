"""How good the model was on the training data, and the bins of its scores that AUC is computed from."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Outcomes
from exporter.reference import Reference, ReferencePerformance
from exporter.slices import Slices
from exporter.statistics.performance import Labelled, performance, score_counts
from exporter.statistics.readings import Failure
from exporter.summaries.block import Delta, Total
from exporter.summaries.judged import CALIBRATION_BINS, Judged, Scored, Task, Told, bins_of_scores
from exporter.summaries.moments import Scale
from exporter.training.class_scores import class_scores
from exporter.training.numeric import Sample, Slots

SCORE_BINS = 200
"""Of equal mass: AUC within 3e-5 (STATISTICS §10). Every tenth edge also bounds a calibration bin."""

LARGE = 0.9
"""Quantile of a regression's absolute errors above which an error is large (issue: performance score)."""


def measured(
    read: Callable[[], Iterable[Outcomes]], reference: Reference, task: Task, threshold: float = 0.5
) -> Reference:
    """The reference with what can be said of its outcomes. `read` yields all rows, whenever it is called; a row without
    a label counts for the scores' bins only. `threshold`: from which score on a binary model says its positive class;
    no bin has scores on both sides of it, for what is estimated goes by bins."""
    edges = _edges(read(), reference.rows, threshold) if task.positive is not None else ()
    found = replace(reference, score_edges=edges, fingerprint="")
    if "label" not in reference.outputs or "prediction" not in reference.outputs:
        return found
    of_classes = class_scores(read(), task) if task.name == "multiclass" else {}
    return replace(found, performance=_performance(read, found, task), class_scores=of_classes, fingerprint="")


def _edges(rows: Iterable[Outcomes], count: int, threshold: float) -> tuple[tuple[float, bool], ...]:
    slots = Slots(count)
    sample = Sample(slots.size)
    for part in rows:
        sample.observe(part.scores[0], *slots.of_next(len(part.time)))
    scores = np.sort(sample.cells[np.isfinite(sample.cells)]) + 0.0
    if not len(scores):
        return ()
    shares = np.arange(1, SCORE_BINS) / SCORE_BINS
    cut = np.quantile(scores, shares, method="inverted_cdf")
    coarse = set(cut[SCORE_BINS // CALIBRATION_BINS - 1 :: SCORE_BINS // CALIBRATION_BINS].tolist())
    below = np.nextafter(threshold, -np.inf)
    if scores[0] <= below < scores[-1]:
        cut = np.append(cut, below)
    return tuple((edge, edge in coarse) for edge in np.unique(cut).tolist())


def _performance(
    read: Callable[[], Iterable[Outcomes]], reference: Reference, task: Task
) -> ReferencePerformance | None:
    label = reference.outputs["label"]
    spread = label.deviation or 1.0
    judged = Judged(task, Scale.of([0.0, 0.0, label.mean or 0.0], [spread] * 3) if task.name == "regression" else None)
    edges, groups = bins_of_scores(reference.score_edges)
    scored = Scored(task, edges, groups, None, ())
    sums, of_scores = Total(judged), Total(scored)
    slots = Slots(reference.rows)
    errors = Sample(slots.size if task.name == "regression" else 0)
    rows = 0
    for part in read():
        told = Told.of(task, part)
        sums.add(Delta(judged, judged.encode(part, told)))
        of_scores.add(Delta(scored, scored.encode(part, told)))
        rows += int(told.judged.sum())
        if task.name == "regression":
            errors.observe(np.abs(told.error), *slots.of_next(len(part.time)))
    if not rows:
        return None
    labelled = Labelled(task, sums, scored, of_scores, Slices(()), reference.rows)
    figures: dict[str, float] = {}
    by_class: dict[str, dict[str, float]] = {}
    for readings in performance(labelled):
        if isinstance(readings, Failure):
            raise readings.error
        name = readings.metric.removeprefix("model_")
        if name in ("window_labelled_rows", "label_coverage_ratio", "confusion_rows"):
            continue
        for of, value in zip(readings.labels, readings.values.tolist(), strict=True):
            if value == value:
                (by_class.setdefault(of[0], {}) if of else figures)[name] = value
    if task.name == "regression":
        large = float(np.quantile(errors.cells[np.isfinite(errors.cells)], LARGE, method="inverted_cdf"))
        above = sum(int((np.abs(Told.of(task, part).error) > large).sum()) for part in read())
        return ReferencePerformance(rows, above, figures, large=large)
    size = len(labelled.names) if labelled.seen[-1] else len(labelled.names) - 1
    confusion: NDArray[np.int64] = labelled.confusion[:size, :size]
    return ReferencePerformance(
        rows,
        rows - labelled.right,
        figures,
        labelled.names[:size],
        tuple(map(tuple, confusion.tolist())),
        by_class,
        None,
        *(tuple(counts.tolist()) for counts in score_counts(labelled)),
    )
