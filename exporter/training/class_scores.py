"""What each class's probabilities meant in the training data of a model with several classes."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Outcomes
from exporter.summaries.calibrated import ClassScores
from exporter.summaries.judged import Task, Told

BINS = 50
"""Of equal mass, half of it the class's own rows, half of it all others': where one of twenty classes is decided, only
a few of all rows are."""

_GRID = np.arange(10_001) / 10_000


def class_scores(rows: Iterable[Outcomes], task: Task) -> dict[str, ClassScores]:
    """By class; nothing where no labelled row has the probabilities of all classes."""
    size = len(task.classes)
    fine = np.zeros((size, 2, len(_GRID)), dtype=np.int64)
    for part in rows:
        label = Told.of(task, part).label
        known = (label >= 0) & (label < size) & np.isfinite(part.scores).all(axis=0)
        for place in range(size):
            cells = np.searchsorted(_GRID, part.scores[place, known], side="left")
            own = (label[known] == place) * len(_GRID)
            fine[place] += np.bincount(cells + own, minlength=2 * len(_GRID)).reshape(2, -1)
    if not fine.any():
        return {}
    return {name: _binned(counts) for name, counts in zip(task.classes, fine, strict=True)}


def _binned(fine: NDArray[np.int64]) -> ClassScores:
    """`fine`: int64[2, cells], of all other classes and of this one, in cells of the grid."""
    present = [counts / counts.sum() for counts in fine if counts.any()]
    mass = np.cumsum(sum(present)) / len(present)
    cuts = np.unique(np.searchsorted(mass, np.arange(1, BINS) / BINS, side="left"))
    cuts = cuts[cuts < len(_GRID) - 1]
    starts = np.concatenate([[0], cuts + 1])
    negatives, positives = np.add.reduceat(fine, starts, axis=1).tolist()
    return ClassScores(tuple(_GRID[cuts].tolist()), tuple(negatives), tuple(positives))
