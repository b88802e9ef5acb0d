"""How good a model was over the labelled predictions of a window: scikit-learn's figures, from exact sums.

INTERFACE §5 says what each is; STATISTICS §10 how AUC and calibration error come from bins.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from exporter.slices import Slices
from exporter.statistics.readings import Failure, Readings, guarded
from exporter.summaries.block import Total
from exporter.summaries.judged import ABSOLUTE_ERROR, BRIER, CALIBRATION_BINS, ERROR, LABEL, LOG_LOSS, Scored, Task

Floats = NDArray[np.float64]
OTHER = "other"


@dataclass(frozen=True)
class Labelled:
    """The outcomes of one window. `predictions`: all predictions of the window, labelled or not. `expected`: whether a
    topic of labels is configured, so that having none says something."""

    task: Task
    judged: Total
    layout: Scored
    scored: Total
    slices: Slices
    predictions: int
    expected: bool = True

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """int64[classes + 1, classes + 1]: labels by predictions, all unknown classes together in the last place."""
        size = self.task.size
        return self.judged.counts[: size * size].reshape(size, size)

    @property
    def right(self) -> int:
        return int(self.judged.counts[-1])

    @cached_property
    def moments(self) -> tuple[Floats, Floats]:
        """Mean and deviation of each column of `Judged`, NaN without a value."""
        return self.judged.moments.mean_and_deviation()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.task.classes, OTHER)

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """bool[classes + 1]: whether it occurs as a label or as a prediction."""
        return np.asarray(self.confusion.sum(axis=0) + self.confusion.sum(axis=1) > 0)


@dataclass(frozen=True)
class ClassFigures:
    """What a confusion matrix says, of counts or of weights; absent figures are left out."""

    overall: Mapping[str, float]
    by_class: Mapping[str, Mapping[str, float]]


def class_figures(confusion: NDArray[np.float64], right: float, names: Sequence[str]) -> ClassFigures:
    """`confusion`: float64[K, K], labels by predictions; `right`: how many predictions were the label's own text, which
    on the diagonal of `other` they need not be.

    A class that was never predicted has no precision, one that never was a label no recall; both count as 0 in the
    macro figures, which are over the classes seen.
    """
    return figures_of(np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0), right, names)


def figures_of(hits: Floats, labels: Floats, said: Floats, right: float, names: Sequence[str]) -> ClassFigures:
    """The same of how often each class was both, a label, and a prediction; float64[K] each."""
    rows = float(labels.sum())
    if rows <= 0:
        return ClassFigures({}, {})
    by_class: dict[str, dict[str, float]] = {}
    macro = {"precision_ratio": 0.0, "recall_ratio": 0.0, "f1_ratio": 0.0}
    seen = np.flatnonzero((labels + said) > 0).tolist()
    for place in seen:
        hit, label, predicted = float(hits[place]), float(labels[place]), float(said[place])
        found = {"f1_ratio": 2 * hit / (label + predicted)}
        if predicted > 0:
            found["precision_ratio"] = hit / predicted
        if label > 0:
            found["recall_ratio"] = hit / label
        by_class[names[place]] = found
        for name, value in found.items():
            macro[name] += value / len(seen)
    return ClassFigures({"accuracy_ratio": right / rows} | {f"macro_{n}": v for n, v in macro.items()}, by_class)


def by_label(prefix: str, found: ClassFigures) -> Iterator[Readings]:
    """One set of readings for each figure, under `prefix` before its name."""
    for name, value in found.overall.items():
        yield _one(prefix + name, value)
    for name in ("precision_ratio", "recall_ratio", "f1_ratio"):
        known = {of: figures[name] for of, figures in found.by_class.items() if name in figures}
        yield Readings(prefix + name, [(of,) for of in known], np.array(list(known.values()), dtype=np.float64))


def _one(metric: str, value: float) -> Readings:
    return Readings(metric, [()], np.array([value], dtype=np.float64))


def rows(labelled: Labelled) -> Iterator[Readings]:
    """Labelled rows, and their share of the window's predictions."""
    found = labelled.judged.rows
    if not found and not labelled.expected:
        return
    yield _one("model_window_labelled_rows", found)
    if labelled.predictions:
        yield _one("model_label_coverage_ratio", found / labelled.predictions)


def of_classes(labelled: Labelled) -> Iterator[Readings]:
    """Accuracy, precision, recall, F1 and the confusion matrix."""
    if labelled.task.name == "regression" or not labelled.confusion.any():
        return
    counts = labelled.confusion
    yield from by_label("model_", class_figures(counts.astype(np.float64), labelled.right, labelled.names))
    # Known classes have their zeros; `other` is there when something was other.
    shown = [i for i, name in enumerate(labelled.names) if name != OTHER or labelled.seen[i]]
    pairs = [(i, j) for i in shown for j in shown]
    yield Readings(
        "model_confusion_rows",
        [(labelled.names[i], labelled.names[j]) for i, j in pairs],
        np.array([counts[i, j] for i, j in pairs], dtype=np.float64),
    )


def of_probabilities(labelled: Labelled) -> Iterator[Readings]:
    """Log-loss and Brier score."""
    if labelled.task.name != "regression":
        means = labelled.moments[0]
        yield _one("model_log_loss", float(means[LOG_LOSS]))
        yield _one("model_brier_score", float(means[BRIER]))


def of_scores(labelled: Labelled) -> Iterator[Readings]:
    """Area under the ROC curve, and calibration error less what chance makes of it (STATISTICS §10)."""
    if labelled.layout.score_bins:
        yield _one("model_roc_auc_ratio", roc_auc(*score_counts(labelled)))
        yield _one("model_calibration_error_ratio", calibration_error(*calibration(labelled)))


def score_counts(labelled: Labelled) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """int64[bins] twice: negatives and positives by bins of their score."""
    bins = labelled.layout.score_bins
    return labelled.scored.counts[:bins], labelled.scored.counts[bins : 2 * bins]


def roc_auc(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> float:
    """The chance that a positive's bin is above a negative's, half for the same bin; NaN without both."""
    n, p = int(negatives.sum()), int(positives.sum())
    if not n or not p:
        return float("nan")
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / (n * p))


def calibration(labelled: Labelled) -> tuple[NDArray[np.int64], Floats, Floats, NDArray[np.int64]]:
    """By calibration bin: rows, mean and deviation of the scores (NaN without rows), positives."""
    negatives, positives = score_counts(labelled)
    groups = labelled.layout.groups
    rows_ = np.bincount(groups, weights=negatives + positives, minlength=CALIBRATION_BINS).astype(np.int64)
    hits = np.bincount(groups, weights=positives, minlength=CALIBRATION_BINS).astype(np.int64)
    means, deviations = labelled.scored.moments.mean_and_deviation()
    return rows_, means[:CALIBRATION_BINS], deviations[:CALIBRATION_BINS], hits


def calibration_error(
    rows_: NDArray[np.int64], means: Floats, deviations: Floats, positives: NDArray[np.int64]
) -> float:
    """√max(ECE² − E0², 0), E0 what labels drawn from the scores would give; NaN without rows."""
    n = int(rows_.sum())
    if not n:
        return float("nan")
    mean = np.where(rows_ > 0, means, 0.0)
    squares = np.where(rows_ > 0, deviations**2 + means**2, 0.0)
    found = float(np.abs(positives - rows_ * mean).sum() / n)
    chance = float(np.sqrt(2 / np.pi) * np.sqrt(np.maximum(rows_ * (mean - squares), 0.0)).sum() / n)
    return float(np.sqrt(max(found**2 - chance**2, 0.0)))


def of_errors(labelled: Labelled) -> Iterator[Readings]:
    """The figures of a regression."""
    if labelled.task.name != "regression":
        return
    n = int(labelled.judged.moments.n[ERROR])
    if not n:
        return
    means, deviations = labelled.moments
    squares = labelled.judged.moments.mean_square(ERROR)
    yield _one("model_mean_absolute_error", float(means[ABSOLUTE_ERROR]))
    yield _one("model_root_mean_squared_error", float(np.sqrt(squares)))
    yield _one("model_mean_error", float(means[ERROR]))
    if n > 1:
        yield _one("model_r_squared", r_squared(squares, float(deviations[LABEL]) ** 2))


def r_squared(squares: float, variance: float) -> float:
    """scikit-learn's: labels that are all the same are explained wholly or not at all."""
    if variance > 0:
        return 1 - squares / variance
    return 1.0 if squares == 0 else 0.0


def of_slices(labelled: Labelled) -> Iterator[Readings]:
    """Labelled rows of each value, and the headline figures."""
    layout = labelled.layout
    total = int(layout.first[-1])
    if not total or not labelled.judged.rows:
        return
    table = labelled.scored.counts[layout.slice_start :].reshape(total, layout.width)
    names = [(one.name, value) for one in labelled.slices.slices for value in one.values]
    yield Readings("model_slice_rows", names, table[:, 0].astype(np.float64))
    if layout.regression:
        means = labelled.scored.moments.mean_and_deviation()[0][layout.error_start :]
        yield Readings("model_slice_mean_absolute_error", names, means)
        return
    size = labelled.task.size
    labels, said, hits = (table[:, 2 + part * size : 2 + (part + 1) * size] for part in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        yield Readings("model_slice_accuracy_ratio", names, table[:, 1] / labels.sum(axis=1))
        f1 = 2 * hits / (labels + said)
    classes = [(of, *name) for name in names for of in labelled.names]
    yield Readings("model_slice_f1_ratio", classes, f1.ravel())


PERFORMANCE: tuple[tuple[str, Callable[[Labelled], Iterator[Readings]]], ...] = (
    ("labelled_rows", rows),
    ("class_performance", of_classes),
    ("probability_performance", of_probabilities),
    ("score_performance", of_scores),
    ("regression_performance", of_errors),
    ("slice_performance", of_slices),
)
"""Each with the name under which its failure is counted."""


def performance(labelled: Labelled) -> Iterator[Readings | Failure]:
    """Everything that is published of one window's outcomes; a statistic that fails silences only itself."""
    for name, compute in PERFORMANCE:
        yield from guarded(name, compute(labelled))
