"""The one shape in which events travel: columnar.

A numeric column encodes the state of a cell in the number itself (NaN missing, ±inf invalid), a categorical one in
the sign of its code, so that one look-up per cell tells value, missing and invalid apart and no mask travels along.
"""

from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import NDArray

MISSING_CODE = -1
INVALID_CODE = -2


@dataclass(frozen=True, slots=True)
class Numbers:
    """`values`: float64[n]; NaN is a missing cell, ±inf an invalid one."""

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Texts:
    """`codes`: int32[n], each an index into `texts`, or MISSING_CODE, or INVALID_CODE."""

    codes: NDArray[np.int32]
    texts: tuple[str, ...]


Column = Numbers | Texts


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one version of one model, in the order in which they arrived.

    `time`: int64[n], nanoseconds since the epoch. `position`: intp[n], each row's place among all rows that were
    decoded with it. `unexpected`: (row, name) of features that the reference does not know. `label`: what was true,
    where events say so themselves; a row without is missing. `baselines`: second opinions, by name, like `prediction`.
    `probabilities`: float64[classes, n] of a multiclass model, in the order of its classes, NaN where unknown.
    """

    model: str
    version: str
    time: NDArray[np.int64]
    position: NDArray[np.intp]
    features: dict[str, Column] = field(default_factory=dict)
    outputs: dict[str, Column] = field(default_factory=dict)
    unexpected: tuple[tuple[int, str], ...] = ()
    ids: list[str] | None = None
    label: Column | None = None
    baselines: dict[str, Column] = field(default_factory=dict)
    probabilities: NDArray[np.float64] | None = None

    def between(self, start: int, end: int) -> "Batch":
        """The rows whose `position` is in [start, end)."""
        first, last = np.searchsorted(self.position, [start, end])
        if first == 0 and last == len(self.position):
            return self
        rows = slice(first, last)
        unexpected = tuple((row - int(first), name) for row, name in self.unexpected if first <= row < last)
        return self._of(rows, unexpected, None if self.ids is None else self.ids[rows])

    def only(self, kept: NDArray[np.bool_]) -> "Batch":
        """The rows that are `kept`: bool[n]."""
        if kept.all():
            return self
        place = np.cumsum(kept) - 1
        unexpected = tuple((int(place[row]), name) for row, name in self.unexpected if kept[row])
        ids = None if self.ids is None else list(compress(self.ids, kept.tolist()))
        return self._of(kept, unexpected, ids)

    def _of(
        self, rows: "slice | NDArray[np.bool_]", unexpected: tuple[tuple[int, str], ...], ids: list[str] | None
    ) -> "Batch":
        return Batch(
            self.model,
            self.version,
            self.time[rows],
            self.position[rows],
            {name: _cut(column, rows) for name, column in self.features.items()},
            {name: _cut(column, rows) for name, column in self.outputs.items()},
            unexpected,
            ids,
            None if self.label is None else _cut(self.label, rows),
            {name: _cut(column, rows) for name, column in self.baselines.items()},
            None if self.probabilities is None else self.probabilities[:, rows],
        )


def _cut(column: Column, rows: "slice | NDArray[np.bool_]") -> Column:
    if isinstance(column, Numbers):
        return Numbers(column.values[rows])
    return Texts(column.codes[rows], column.texts)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Predictions of one version of one model whose label is known, as the join makes them; n rows.

    `time`: int64[n], when the prediction was made, nanoseconds since the epoch: windows go by it. `arrived`: int64[n],
    the label's own time, never before `time`: evidence goes by it, of those that came `in_time`, bool[n], before the
    pane was closed. `sign`: int8[n], 1 counts a row, −1 takes back one whose label was replaced (with the one it had).
    `first`: bool[n], whether this is the prediction's first label. `prediction` and `label`: Texts of a classification,
    Numbers of a regression. `scores`: float64[c, n], NaN where there is none: the probability of the positive class
    (binary, c = 1), of each class in their order (multiclass), or nothing (regression, c = 0). `slices`: int16[s, n],
    each row's value of each slice.
    """

    model: str
    version: str
    time: NDArray[np.int64]
    arrived: NDArray[np.int64]
    sign: NDArray[np.int8]
    first: NDArray[np.bool_]
    in_time: NDArray[np.bool_]
    prediction: Column
    label: Column
    scores: NDArray[np.float64]
    slices: NDArray[np.int16]
