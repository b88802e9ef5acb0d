"""When the pattern of a change is looked for, and how long it is told."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.detectors.huber import Floats
from exporter.detectors.packing import UnfitState
from exporter.detectors.pattern import PANES, Pattern, pattern

LOOKS = (0, 4, 12, 24, 48, PANES)
"""Panes after a score has crossed its line, up or down, at which its feature's pattern is looked for: some
milliseconds each, so not after every pane of an incident that lasts for weeks."""


class Stories:
    """The patterns of K features; `start`: intp[K], where each one's bins begin; `tolerance`: float64[K].

    While a score is over its line its feature has the pattern that was found last: once the old law is out of sight
    there is none to be seen, and the change is still what it was. Afterwards it is told until the panes in which it
    happened are out of sight.
    """

    def __init__(self, start: NDArray[np.intp], tolerance: Floats) -> None:
        self._start, self._tolerance = start, tolerance
        k = len(start)
        self.patterns = [Pattern.NONE] * k
        self._over = np.zeros(k, dtype=bool)
        self._since = np.full(k, -1, dtype=np.int64)

    def idle(self, over: NDArray[np.bool_]) -> bool:
        """Whether nothing is to be followed in a run of panes, bool[T, K] over their line."""
        return not over.any() and not self._over.any() and bool((self._since < 0).all())

    def follow(self, over: NDArray[np.bool_], phi: Floats, counts: NDArray[np.int64]) -> None:
        """A run of panes: which scores were over their line after each, [T, K], and φ̂, [T, K].

        `counts`: int64[P + T, B], those of the run and of at least PANES − 1 before it, where there were as many.
        """
        before, at = len(counts) - len(over), np.arange(len(over))[:, None]
        crossed = over != np.concatenate([self._over[None], over[:-1]])
        last = np.maximum.accumulate(np.where(crossed, at, -1), axis=0)
        since = np.where(last >= 0, at - last, np.where(self._since < 0, -1, self._since + 1 + at))
        for t, k in zip(*(found.tolist() for found in np.nonzero(np.isin(since, LOOKS))), strict=True):
            if since[t, k] == PANES and not over[t, k]:
                self.patterns[k] = Pattern.NONE
            else:
                self._look(k, counts[max(0, before + t + 1 - PANES) : before + t + 1], float(phi[t, k]))
        self._over, self._since = over[-1].copy(), np.where(since[-1] < PANES, since[-1], -1)

    def _look(self, k: int, counts: NDArray[np.int64], phi: float) -> None:
        end = self._start[k + 1] if k + 1 < len(self._start) else counts.shape[1]
        found = pattern(counts[:, self._start[k] : end], float(self._tolerance[k]), phi)
        if found != Pattern.NONE:
            self.patterns[k] = found

    def pack(self) -> bytes:
        return msgspec.msgpack.encode([self.patterns, self._over.tolist(), self._since.tolist()])

    def unpack(self, data: bytes) -> None:
        """Continue where the packed ones were. Raises UnfitState where they were of other features."""
        try:
            patterns, over, since = msgspec.msgpack.decode(data, type=tuple[list[Pattern], list[bool], list[int]])
        except msgspec.MsgspecError as error:
            raise UnfitState(f"damaged: {error}") from None
        if not len(patterns) == len(over) == len(since) == len(self._start):
            raise UnfitState("other features than expected")
        self.patterns = patterns
        self._over, self._since = np.array(over, dtype=bool), np.array(since, dtype=np.int64)
