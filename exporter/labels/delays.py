"""How long first labels took, since the state began."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exporter.summaries.keys import bucket, middles

_TOGETHER = 4096


class Delays:
    """Seconds in logarithmic buckets (`summaries.keys`), so that quantiles are within 0.8%; 0 is exact."""

    def __init__(self, saved: Sequence[Sequence[int]] = ()) -> None:
        self._counts: dict[int, int] = {key: count for key, count in saved}  # noqa: C416 (lists of two)
        self._fresh: dict[int, list[int]] = {1: [], -1: []}

    def add(self, delay: int, sign: int = 1) -> None:
        """`delay`: nanoseconds, of a label that came before its prediction 0; −1 takes back one that was added."""
        self._fresh[sign].append(max(0, delay))
        if len(self._fresh[sign]) >= _TOGETHER:
            self._sort_in()

    def _sort_in(self) -> None:
        for sign, delays in self._fresh.items():
            seconds = np.array(delays, dtype=np.float64) / 1e9
            for key, count in zip(*np.unique(bucket(seconds), return_counts=True), strict=True):
                self._counts[int(key)] = self._counts.get(int(key), 0) + sign * int(count)
            delays.clear()

    def quantiles(self, qs: Sequence[float]) -> NDArray[np.float64]:
        """Seconds (inverted_cdf); empty where there is no delay."""
        self._sort_in()
        keys = np.array(sorted(key for key, count in self._counts.items() if count > 0), dtype=np.int64)
        if not len(keys):
            return np.zeros(0)
        reached = np.cumsum([self._counts[key] for key in keys.tolist()])
        places = np.searchsorted(reached, np.ceil(np.array(qs) * reached[-1]).clip(1))
        found: NDArray[np.float64] = middles(keys)[places]
        return found

    def pack(self) -> list[list[int]]:
        self._sort_in()
        return [[key, count] for key, count in sorted(self._counts.items()) if count]
