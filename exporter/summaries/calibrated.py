"""What a model's scores mean: the share of positives that the reference had at each (STATISTICS §9)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.summaries.keys import hash_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassScores:
    """The reference's probabilities of one class of several. `inner`: edges between bins that are open below, closed
    above; `negatives` and `positives`: rows in each whose label is another class, and this one."""

    inner: tuple[float, ...]
    negatives: tuple[int, ...]
    positives: tuple[int, ...]


def isotonic(values: Floats, weights: Floats) -> Floats:
    """The ascending values next to `values` in weighted squares; all float64[n], weights positive.

    Pool adjacent violators (Ayer et al. 1955).
    """
    pooled: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, total, count = value, weight, 1
        while pooled and pooled[-1][0] >= mean:
            before, heavy, many = pooled.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, count = total + heavy, count + many
        pooled.append((mean, total, count))
    return np.repeat([mean for mean, *_ in pooled], [count for *_, count in pooled])


def ascending(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> Floats:
    """float64[bins]: the share of positives in each bin, made ascending; a bin without rows has what lies between its
    neighbours'. There must be rows."""
    rows = negatives + positives
    known = np.flatnonzero(rows)
    shares = isotonic(positives[known] / rows[known], rows[known].astype(np.float64))
    return np.interp(np.arange(len(rows)), known, shares)


def calibrated(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> Floats | None:
    """`ascending`; None where the reference lacks one of the two classes."""
    return ascending(negatives, positives) if positives.any() and negatives.any() else None


class Calibration:
    """Of several classes: each against all others, and then as shares of one (NannyML's definition)."""

    def __init__(self, scores: Mapping[str, ClassScores], classes: tuple[str, ...]) -> None:
        """KeyError where a class has no scores."""
        mine = [scores[name] for name in classes]
        self._edges = [np.array(one.inner, dtype=np.float64) for one in mine]
        self._shares = [ascending(np.array(one.negatives), np.array(one.positives)) for one in mine]
        self.signature = f"{hash_of(repr(mine)):016x}"

    def shares(self, probabilities: Floats) -> Floats:
        """float64[classes, n], what the probabilities, float64[classes, n], meant; NaN in rows that lack one."""
        known = np.isfinite(probabilities).all(axis=0)
        asked = np.where(known, probabilities, 0.0)
        found = np.stack(
            [
                shares[np.searchsorted(edges, own, side="left")]
                for edges, shares, own in zip(self._edges, self._shares, asked, strict=True)
            ]
        )
        total = found.sum(axis=0)
        found = np.where(total > 0, found / np.where(total > 0, total, 1.0), 1 / len(found))
        return np.where(known, found, np.nan)
