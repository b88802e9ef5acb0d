"""What is summed up of predictions before their label is known: scores by what was predicted, and second opinions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Batch, Column, Numbers, Texts
from exporter.summaries.block import Encoded
from exporter.summaries.calibrated import Calibration
from exporter.summaries.judged import Task, class_codes, encoded
from exporter.summaries.keys import Buckets, Hashes, hash_of
from exporter.summaries.moments import Scale

# A slice's kappa needs a matrix a value: with more classes it has agreement only.
MOST_CLASSES_BY_SLICE = 12


class Said:
    """`edges`: float64[E], inner edges of the bins of a binary model's scores; `baselines`: second opinions by name;
    `values`: how many values each slice has; `spread`: deviation of a regression's labels; `calibration`: what the
    probabilities of several classes mean.

    Counts: scores by prediction, int[bins, classes + 1]; then for each baseline a group for all rows and one for each
    value of a slice: in how many both were known, in how many they agree, and predictions by opinions,
    int[classes + 1 squared], where there is room. Moments: of a regression prediction less opinion in the same groups;
    of several classes the calibrated probability of each, then that of the class that was predicted, by this class.
    """

    def __init__(
        self,
        task: Task,
        edges: NDArray[np.float64],
        baselines: Sequence[str],
        values: Sequence[int],
        spread: float = 1.0,
        calibration: Calibration | None = None,
    ) -> None:
        self.calibration = calibration
        self.task, self.edges, self.baselines, self.values = task, edges, tuple(baselines), tuple(values)
        self.score_bins = len(edges) + 1 if len(edges) and task.positive is not None else 0
        self.first = 1 + np.concatenate([[0], np.cumsum(self.values)]).astype(np.intp)
        self.groups = int(self.first[-1])
        self.regression = task.name == "regression"
        self.matrix = 0 if self.regression else task.size**2
        by_slice = self.matrix if task.size <= MOST_CLASSES_BY_SLICE else 0
        widths = np.full(self.groups, 2 + by_slice)
        widths[0] = 2 + self.matrix
        self.start = np.concatenate([[0], np.cumsum(np.tile(widths, len(self.baselines)))]).astype(np.intp)
        self.start += self.score_bins * task.size
        self.size = int(self.start[-1])
        columns = self.groups * len(self.baselines) if self.regression else 2 * len(task.classes) if calibration else 0
        size = spread if self.regression else 1.0
        self.scale = Scale.of([0.0] * columns, [size] * columns)
        self.buckets, self.hashes = Buckets(0), Hashes(1)

    def signature(self) -> str:
        """Equal for two layouts whose blocks merge."""
        meant = None if self.calibration is None else self.calibration.signature
        spelled = (self.edges.tolist(), self.baselines, self.values, self.scale.exponent.tolist(), meant)
        return f"{hash_of(repr(spelled)):016x}"

    def encode(self, batch: Batch, slices: NDArray[np.int16]) -> Encoded:
        """`slices`: int16[slices, n], each row's value of each slice."""
        rows = len(batch.time)
        codes: list[NDArray[np.int32]] = []
        values = np.full((len(self.scale.centre), rows), np.nan)
        prediction = batch.outputs.get("prediction")
        if self.score_bins:
            codes.append(self._scores(batch, prediction))
        if self.calibration is not None and batch.probabilities is not None and isinstance(prediction, Texts):
            self._probabilities(self.calibration, batch.probabilities, class_codes(self.task, prediction), values)
        for place, name in enumerate(self.baselines):
            opinion = batch.baselines.get(name)
            if opinion is not None and prediction is not None:
                self._opinion(place, prediction, opinion, slices, codes, values)
        return encoded(codes, values, rows)

    def _scores(self, batch: Batch, prediction: Column | None) -> NDArray[np.int32]:
        score = batch.outputs.get("score")
        if not isinstance(score, Numbers) or not isinstance(prediction, Texts):
            return np.full(len(batch.time), -1, dtype=np.int32)
        known = np.isfinite(score.values)
        bins = np.searchsorted(self.edges, np.where(known, score.values, 0.0), side="left")
        said = class_codes(self.task, prediction)
        return np.where(known & (said >= 0), bins * self.task.size + said, -1).astype(np.int32)

    def _probabilities(
        self,
        calibration: Calibration,
        probabilities: NDArray[np.float64],
        said: NDArray[np.int32],
        values: NDArray[np.float64],
    ) -> None:
        """Rows that predict none of the classes are left out, like those that lack a probability."""
        size = len(self.task.classes)
        shares = calibration.shares(self.task.of_classes(probabilities))
        shares[:, (said < 0) | (said >= size)] = np.nan
        values[:size] = shares
        rows = np.flatnonzero(np.isfinite(shares[0]))
        values[size + said[rows], rows] = shares[said[rows], rows]

    def _opinion(
        self,
        place: int,
        prediction: Column,
        opinion: Column,
        slices: NDArray[np.int16],
        codes: list[NDArray[np.int32]],
        values: NDArray[np.float64],
    ) -> None:
        first = place * self.groups
        if isinstance(prediction, Numbers) and isinstance(opinion, Numbers):
            with np.errstate(invalid="ignore", over="ignore"):
                difference = prediction.values - opinion.values
            known = np.isfinite(difference)
            agrees, cell = known & (difference == 0), None
        elif isinstance(prediction, Texts) and isinstance(opinion, Texts):
            said, thought = class_codes(self.task, prediction), class_codes(self.task, opinion)
            known = (said >= 0) & (thought >= 0)
            agrees, cell = known & _equal(prediction, opinion), said * self.task.size + thought
            difference = np.full(len(known), np.nan)
        else:
            return
        own = [np.zeros(len(known), dtype=np.intp)]
        own += [self.first[i] + np.clip(row.astype(np.intp), 0, self.values[i] - 1) for i, row in enumerate(slices)]
        for i, group in enumerate(own):
            start = self.start[first + group]
            codes.append(np.where(known, start, -1).astype(np.int32))
            codes.append(np.where(agrees, start + 1, -1).astype(np.int32))
            if cell is not None and (i == 0 or self.task.size <= MOST_CLASSES_BY_SLICE):
                codes.append(np.where(known, start + 2 + cell, -1).astype(np.int32))
            if self.regression:
                at = np.flatnonzero(known)
                values[first + group[at], at] = difference[at]


def _equal(one: Texts, other: Texts) -> NDArray[np.bool_]:
    """bool[n]: whether the texts are the same."""
    places = {text: place for place, text in enumerate(one.texts)}
    table = np.array([*(places.get(text, -3) for text in other.texts), -4, -5], dtype=np.int32)
    return np.asarray(one.codes == table[other.codes])
