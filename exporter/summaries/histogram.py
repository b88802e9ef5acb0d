"""A cumulative histogram of an output, for heat maps over any range: it only ever grows."""

from collections.abc import Sequence
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.summaries.moments import Moments, Scale


class CumulativeHistogram:
    """`counts`: int64[len(edges) + 1]; place i counts the valid values in (edges[i−1], edges[i]]."""

    def __init__(self, edges: Sequence[float], mean: float, deviation: float) -> None:
        self.edges = np.array(edges, dtype=np.float64)
        self.counts = np.zeros(len(self.edges) + 1, dtype=np.int64)
        self.moments = Moments(Scale.of([mean], [deviation]))

    def observe(self, values: NDArray[np.float64]) -> None:
        """`values`: float64[n]; missing and invalid ones are passed over."""
        valid = values[np.isfinite(values)]
        self.counts += np.bincount(np.searchsorted(self.edges, valid, side="left"), minlength=len(self.counts))
        self.moments.observe(valid[None, :])

    @property
    def total(self) -> float:
        """The sum of all values, 0 before the first, NaN where no double can hold it."""
        n = int(self.moments.n[0])
        found = float(self.moments.mean_and_deviation()[0][0]) * n if n else 0.0
        return found if isfinite(found) else nan

    def pack(self) -> dict[str, Any]:
        far = self.moments.far.get(0, (0, 0))
        return {
            "counts": self.counts.tolist(),
            "n": int(self.moments.n[0]),
            "sums": self.moments.sums[0].tolist(),
            "far": [str(far[0]), str(far[1])],
        }

    def unpack(self, packed: dict[str, Any]) -> None:
        self.counts[:] = packed["counts"]
        self.moments.n[0] = packed["n"]
        self.moments.sums[0] = packed["sums"]
        far = [int(part) for part in packed["far"]]
        if any(far):
            self.moments.far[0] = (far[0], far[1])
