"""What is summed up of predictions whose label is known, as places in the flat vectors of a block.

Two layouts: `Judged` depends on the task and its classes alone, so its sums outlive a new reference; `Scored` depends
on the reference's scores, labels and slices. Both encode outcomes; blocks, windows and totals are those of features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Column, Numbers, Outcomes, Texts
from exporter.summaries.bins import Bins, CategoryBins, NumericBins
from exporter.summaries.block import Encoded
from exporter.summaries.keys import Buckets, Hashes, hash_of
from exporter.summaries.moments import Scale

# The clip of scikit-learn's log_loss for float64.
_EPSILON = float(np.finfo(np.float64).eps)
# Columns of moments.
LOG_LOSS, BRIER = 0, 1
ERROR, ABSOLUTE_ERROR, LABEL = 0, 1, 2
CALIBRATION_BINS = 20


@dataclass(frozen=True)
class Task:
    """`classes`: in their order, none of a regression; `positive`: the place of a binary model's positive one;
    `probabilities`: of several classes the place of each among those that rows have, where it is another: a class that
    is itself called `other` stands with all that are unknown."""

    name: str
    classes: tuple[str, ...] = ()
    positive: int | None = None
    probabilities: tuple[int, ...] | None = None

    def of_classes(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[classes, n]: each class's own."""
        return probabilities if self.probabilities is None else probabilities[list(self.probabilities)]

    @property
    def size(self) -> int:
        """Classes, and one place more for all others."""
        return len(self.classes) + 1


class _Layout:
    """What `Block` asks of a layout; outcomes have no sparse keys."""

    def __init__(self, size: int, scale: Scale) -> None:
        self.size, self.scale = size, scale
        self.buckets, self.hashes = Buckets(0), Hashes(1)


def encoded(codes: Sequence[NDArray[np.int32]], values: NDArray[np.float64], rows: int) -> Encoded:
    """Places and values of rows that have no sparse keys."""
    none = np.zeros((0, rows), dtype=np.int32)
    stacked = np.stack(codes) if codes else none
    return Encoded(stacked, values, none, none, np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int32))


@dataclass(frozen=True)
class Told:
    """Outcomes as numbers. Of a classification `label` and `prediction`: int32[n], places among the classes, the last
    for all others, −1 where a prediction is missing or invalid; `right`: whether the texts are the same. Of a
    regression `error`: float64[n], prediction less label, NaN where there is none."""

    label: NDArray[np.int32]
    prediction: NDArray[np.int32]
    right: NDArray[np.bool_]
    error: NDArray[np.float64]
    labels: NDArray[np.float64]

    @classmethod
    def of(cls, task: Task, outcomes: Outcomes) -> "Told":
        n = len(outcomes.time)
        if task.name == "regression":
            said, true = _numbers(outcomes.prediction), _numbers(outcomes.label)
            known = np.isfinite(said) & np.isfinite(true)
            with np.errstate(invalid="ignore", over="ignore"):
                error = np.where(known, said - true, np.nan)
            known &= np.isfinite(error)
            error[~known] = np.nan
            nothing = np.full(n, -1, dtype=np.int32)
            return cls(nothing, nothing, np.zeros(n, dtype=bool), error, np.where(known, true, np.nan))
        texts = {
            text: i for i, text in enumerate(dict.fromkeys((*_texts(outcomes.label), *_texts(outcomes.prediction))))
        }
        label, prediction = _codes(outcomes.label, texts), _codes(outcomes.prediction, texts)
        places = {name: place for place, name in enumerate(task.classes)}
        table = np.array([*(places.get(text, len(places)) for text in texts), -1], dtype=np.int32)
        right = (label == prediction) & (label >= 0)
        return cls(table[label], table[prediction], right, np.full(n, np.nan), np.full(n, np.nan))

    @property
    def judged(self) -> NDArray[np.bool_]:
        """bool[n]: rows that can be right or wrong."""
        return ((self.label >= 0) & (self.prediction >= 0)) | np.isfinite(self.error)


def class_codes(task: Task, column: Texts) -> NDArray[np.int32]:
    """int32[n]: places among the classes, the last for all others, −1 for a cell that is missing or invalid."""
    places = {name: place for place, name in enumerate(task.classes)}
    table = np.array([*(places.get(text, len(places)) for text in column.texts), -1, -1], dtype=np.int32)
    return table[column.codes]


def _numbers(column: Column) -> NDArray[np.float64]:
    assert isinstance(column, Numbers), "a regression predicts numbers"
    return column.values


def _texts(column: Column) -> tuple[str, ...]:
    assert isinstance(column, Texts), "a classification predicts classes"
    return column.texts


def _codes(column: Column, texts: dict[str, int]) -> NDArray[np.int32]:
    """Places in `texts`, −1 for a cell that is missing or invalid."""
    assert isinstance(column, Texts), "a classification predicts classes"
    table = np.array([*(texts[text] for text in column.texts), -1, -1], dtype=np.int32)
    return table[column.codes]


class Judged(_Layout):
    """Of a classification the confusion matrix, int[classes + 1 squared], then how many were right, and moments of
    log-loss and Brier score; of a regression how many there were, and moments of error, absolute error and label."""

    def __init__(self, task: Task, scale: Scale | None = None) -> None:
        self.task = task
        regression = task.name == "regression"
        cells = 0 if regression else task.size**2
        super().__init__(
            cells + 1, scale or Scale.of([0.0] * (3 if regression else 2), [1.0] * (3 if regression else 2))
        )
        self.right = cells

    def encode(self, outcomes: Outcomes, told: Told) -> Encoded:
        rows = len(outcomes.time)
        if self.task.name == "regression":
            codes = np.where(told.judged, 0, -1).astype(np.int32)
            values = np.stack([told.error, np.abs(told.error), told.labels])
            return encoded([codes], values, rows)
        cell = np.where(told.judged, told.label * self.task.size + told.prediction, -1).astype(np.int32)
        right = np.where(told.right & told.judged, self.right, -1).astype(np.int32)
        return encoded([cell, right], losses(self.task, told.label, outcomes.scores), rows)


def losses(task: Task, label: NDArray[np.int32], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[2, n]: log-loss and Brier score of each row, NaN for one whose label is no class or that lacks scores.

    scikit-learn's definitions: log-loss clips at float64's epsilon, the Brier score of more than two classes is summed
    over them.
    """
    n = len(label)
    found = np.full((2, n), np.nan)
    if task.name == "binary":
        if task.positive is None:  # what the score is of nobody knows
            return found
        score = scores[0]
        rows = np.flatnonzero((label >= 0) & (label < len(task.classes)) & np.isfinite(score))
        true, p = (label[rows] == task.positive).astype(np.float64), score[rows]
        found[BRIER, rows] = (p - true) ** 2
        clipped = np.clip(np.where(true == 1, p, 1 - p), _EPSILON, 1 - _EPSILON)
        found[LOG_LOSS, rows] = -np.log(clipped)
    elif len(scores):
        rows = np.flatnonzero((label >= 0) & (label < len(task.classes)))
        p = task.of_classes(scores)[:, rows]
        own = p[label[rows], np.arange(len(rows))]
        found[LOG_LOSS, rows] = -np.log(np.clip(own, _EPSILON, 1 - _EPSILON))
        true_of = np.arange(len(task.classes))[:, None] == label[rows]
        found[BRIER, rows] = ((p - true_of) ** 2).sum(axis=0)
    return found


def bins_of_scores(edges: Sequence[tuple[float, bool]]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Inner edges of the bins of scores, and the calibration bin of each bin; `edges`: with whether each bounds a
    calibration bin."""
    if not edges:
        return np.zeros(0), np.zeros(0, dtype=np.intp)
    groups = np.concatenate([[0], np.cumsum([coarse for _, coarse in edges])]).astype(np.intp)
    return np.array([edge for edge, _ in edges]), np.minimum(groups, CALIBRATION_BINS - 1)


class Scored(_Layout):
    """`edges`: float64[E], inner edges of the bins of scores, 0 < E where the model is binary and has a reference;
    `groups`: intp[E + 1], the calibration bin of each; `label`: the reference's bins of the labels; `values`: how many
    values each slice has; `spread`: the deviation of a regression's labels, which places the moments' grid.

    Counts: scores of negatives, scores of positives; the labels' bins; then by value of each slice: rows, right, and
    labels, predictions and hits by class. Moments: of the scores in each calibration bin, then of the absolute error in
    each value of a slice.
    """

    def __init__(
        self,
        task: Task,
        edges: NDArray[np.float64],
        groups: NDArray[np.intp],
        label: Bins | None,
        values: Sequence[int],
        spread: float = 1.0,
    ) -> None:
        self.task, self.edges, self.groups, self.label, self.values = task, edges, groups, label, tuple(values)
        self.score_bins = len(groups) if task.positive is not None else 0
        self.label_start = 2 * self.score_bins
        self.slice_start = self.label_start + (label.size if label is not None else 0)
        self.first = np.concatenate([[0], np.cumsum(self.values)]).astype(np.intp)
        total = int(self.first[-1])
        self.regression = task.name == "regression"
        self.width = 2 if self.regression else 2 + 3 * task.size
        bins = CALIBRATION_BINS if self.score_bins else 0
        self.error_start = bins
        errors = total if self.regression else 0
        scale = Scale.of([0.0] * (bins + errors), [1.0] * bins + [spread] * errors)
        super().__init__(self.slice_start + total * self.width, scale)

    def signature(self) -> str:
        """Equal for two layouts whose blocks merge."""
        label = None
        if isinstance(self.label, NumericBins):
            label = repr(self.label.bins)
        elif isinstance(self.label, CategoryBins):
            label = repr((self.label.categories, sorted(self.label.rest), self.label.complete))
        spread = self.scale.exponent.tolist()
        return f"{hash_of(repr((self.edges.tolist(), self.groups.tolist(), label, self.values, spread))):016x}"

    def encode(self, outcomes: Outcomes, told: Told) -> Encoded:
        rows = len(outcomes.time)
        codes: list[NDArray[np.int32]] = []
        values = np.full((len(self.scale.centre), rows), np.nan)
        if self.score_bins:
            score = outcomes.scores[0]
            known = np.isfinite(score) & (told.label >= 0) & (told.label < len(self.task.classes))
            bins = np.searchsorted(self.edges, np.where(known, score, 0.0), side="left")
            positive = told.label == self.task.positive
            codes.append(np.where(known, bins + positive * self.score_bins, -1).astype(np.int32))
            at = np.flatnonzero(known)
            values[self.groups[bins[at]], at] = score[at]
        if self.label is not None:
            codes.append((self._labels(outcomes.label) + self.label_start).astype(np.int32))
        judged = told.judged
        for place, own in enumerate(outcomes.slices):
            value = self.first[place] + np.clip(own.astype(np.intp), 0, self.values[place] - 1)
            start = (self.slice_start + value * self.width).astype(np.int32)
            codes.append(start)
            if self.regression:
                codes.append(np.where(judged, start + 1, -1).astype(np.int32))
                at = np.flatnonzero(judged)
                values[self.error_start + value[at], at] = np.abs(told.error[at])
                continue
            codes.append(np.where(judged & told.right, start + 1, -1).astype(np.int32))
            codes.append(np.where(judged, start + 2 + told.label, -1).astype(np.int32))
            codes.append(np.where(judged, start + 2 + self.task.size + told.prediction, -1).astype(np.int32))
            hit = judged & (told.label == told.prediction)
            codes.append(np.where(hit, start + 2 + 2 * self.task.size + told.label, -1).astype(np.int32))
        return encoded(codes, values, rows)

    def _labels(self, column: Column) -> NDArray[np.intp]:
        """A label that the reference does not know counts in `other` (INTERFACE §5)."""
        assert self.label is not None, "asked where there are bins"
        if isinstance(column, Numbers):
            assert isinstance(self.label, NumericBins), "labels of a regression are numbers"
            return self.label.codes(column)
        assert isinstance(self.label, CategoryBins), "labels of a classification are texts"
        codes = self.label.codes(column)
        return np.where(codes == self.label.unseen, self.label.other, codes)
