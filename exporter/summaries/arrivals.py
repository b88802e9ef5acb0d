"""How long labels take, by class, learned from predictions of which many labels are still to come (STATISTICS §8).

A label that came is seen only because it came in time: of young predictions the quick labels alone are known. So the
curve is built from the far end: of the labels known to have come by age t, among predictions that are at least that
old, which share came in the last stretch before t? The product of what was there before each stretch is F (the reverse
hazard of right-truncated data: Lagakos, Barraj & De Gruttola, Biometrika 1988).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRETCHES = 64
"""Of a quarter of an octave each; the last ends at the horizon."""

COHORTS = 128
"""Into which the predictions of one horizon are cut by their time; twice as many are kept."""

ENOUGH = 100
"""Labels that a curve needs at its far end; a class that stays rare goes by the curve of all together."""

FLAT = 0.01
"""A curve that rises no more than this over the second half of what is known has said all it will."""


@dataclass(frozen=True)
class Curves:
    """F: `ends`, float64[stretches], ages in nanoseconds; `shares`: float64[classes + 1, stretches], of the labels that
    ever come those that have come by that age."""

    ends: Floats
    shares: Floats

    def at(self, ages: Floats) -> Floats:
        """float64[classes + 1, n] at ages in nanoseconds; 0 before the prediction."""
        grid, shares = np.concatenate([[0.0], self.ends]), np.pad(self.shares, ((0, 0), (1, 0)))
        # Labels that come within the first stretch are taken to come evenly in it.
        return np.stack([np.interp(ages, grid, row) for row in shares])


class Arrivals:
    """First labels by class, time of the prediction and delay. `horizon`: nanoseconds, after which no label counts."""

    def __init__(self, classes: int, horizon: int) -> None:
        self._classes = classes
        self._width = max(1, horizon // COHORTS)
        self.ends: Floats = horizon * 2.0 ** ((np.arange(STRETCHES) - STRETCHES + 1) / 4)
        self._cohorts: dict[int, NDArray[np.int64]] = {}
        self._changed: set[int] = set()

    def observe(self, label: NDArray[np.int32], time: NDArray[np.int64], arrived: NDArray[np.int64]) -> None:
        """First labels, each [n]: the class's place, when the prediction was made, when the label came (ns)."""
        stretch = np.minimum(np.searchsorted(self.ends, arrived - time, side="left"), STRETCHES - 1)
        cohorts = time // self._width
        for cohort in np.unique(cohorts).tolist():
            rows = cohorts == cohort
            if cohort not in self._cohorts:
                self._cohorts[cohort] = np.zeros((self._classes, STRETCHES), dtype=np.int64)
            np.add.at(self._cohorts[cohort], (label[rows], stretch[rows]), 1)
            self._changed.add(cohort)

    def advance(self, until: int) -> None:
        """Forget what is older than two horizons. `until`: nanoseconds."""
        oldest = until // self._width - 2 * COHORTS
        for cohort in [one for one in self._cohorts if one < oldest]:
            del self._cohorts[cohort]
            self._changed.add(cohort)

    def curves(self, until: int) -> Curves | None:
        """`until`: up to when every label that has come is known, in nanoseconds. None where it cannot be trusted: too
        few labels, or a curve, of all or of one class, that still rises at its far end."""
        if not self._cohorts:
            return None
        counts = np.stack([self._cohorts[cohort] for cohort in sorted(self._cohorts)])
        # That of its youngest predictions: all of a cohort have been waited for at least so long.
        age = until - (np.array(sorted(self._cohorts)) + 1) * self._width
        old_enough = (age[:, None] >= self.ends).astype(np.int64)
        by_now = np.cumsum(counts, axis=-1)
        risk = np.einsum("cks,cs->ks", by_now, old_enough)
        last = np.einsum("cks,cs->ks", counts, old_enough)
        together = self._curve(risk.sum(axis=0), last.sum(axis=0))
        if together is None:
            return None
        own = [self._curve(at_risk, came) for at_risk, came in zip(risk, last, strict=True)]
        labels = counts.sum(axis=(0, 2))
        lacking = np.array([one is None for one in own])
        # Its slow labels may be what is lacking: with the curve of all together they would count as if they were in.
        if (lacking & (labels >= 2 * ENOUGH)).any():
            return None
        # And before a whole horizon has gone by, that a class is rare may only mean that it is slow.
        if lacking[:-1].any() and age.max() < self.ends[-1]:
            return None
        return Curves(self.ends, np.stack([together if one is None else one for one in own]))

    def _curve(self, risk: NDArray[np.int64], last: NDArray[np.int64]) -> Floats | None:
        """F at the end of each stretch; None where too few labels are known, or it still rises at the far end of what
        is known, and that is not the horizon, beyond which no label counts."""
        known = np.flatnonzero(risk >= ENOUGH)
        if not len(known):
            return None
        far = int(known[-1])
        at_risk, came = risk[1 : far + 1], last[1 : far + 1]
        before = np.ones(STRETCHES)
        before[:far] = np.where(at_risk > 0, 1 - came / np.maximum(at_risk, 1), 1.0)
        shares = np.cumprod(before[::-1], dtype=np.float64)[::-1]
        half = int(np.searchsorted(self.ends, self.ends[far] / 2))
        return shares if far == STRETCHES - 1 or 1 - shares[half] <= FLAT else None

    # What is saved

    def rows(self) -> Iterator[tuple[int, bytes | None]]:
        """What has changed: (cohort, its counts, or None where it was forgotten)."""
        for cohort in self._changed:
            counts = self._cohorts.get(cohort)
            yield cohort, None if counts is None else counts.astype("<i8").tobytes()

    def saved(self) -> None:
        """`rows` were written."""
        self._changed.clear()

    def load(self, rows: Mapping[int, bytes]) -> None:
        """Go on from what was saved."""
        for cohort, packed in rows.items():
            counts = np.frombuffer(packed, dtype="<i8").astype(np.int64)
            self._cohorts[cohort] = counts.reshape(self._classes, STRETCHES)
