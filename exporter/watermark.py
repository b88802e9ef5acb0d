"""How far event time is known: the end of the last closed pane (INTERFACE §5)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from exporter.sources import Partition

# A partition that was read to its end holds the watermark back for this long after its last event.
SILENCE_SECONDS = 30.0
NEVER = np.iinfo(np.int64).min


@dataclass
class Watermark:
    """`highs`: the highest event time seen in each partition, never beyond the clock when live; saved with the shard.
    `closed`: the end of the last closed pane, None before there is one; it never goes back. `free`: whether no
    partition held it back when that was last looked at."""

    pane: int
    lateness: int
    highs: dict[Partition, int] = field(default_factory=dict)
    closed: int | None = None
    free: bool = False
    _counted: set[Partition] = field(default_factory=set)
    _known: set[Partition] = field(default_factory=set)
    _last_heard: dict[Partition, float] = field(default_factory=dict)

    def expect(self, partitions: Iterable[Partition]) -> None:
        """A partition not yet read holds the watermark back until `settle` says that there is nothing in it."""
        fresh = set(partitions) - self._known
        self._counted |= fresh
        self.free &= not fresh
        self._known |= fresh

    def observe(
        self, partition: Partition, times: NDArray[np.int64], now: int | None, monotonic: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Move on by the events of one partition, in the order of its log.

        Returns which of them were late, and the end of the last closed pane before each (the least int64 while there
        is none). An event is late if the events before it closed its pane, so the answer does not depend on how the
        stream was cut into batches. `now` is None for a recorded stream.
        """
        self._counted.add(partition)
        self._known.add(partition)
        self._last_heard[partition] = monotonic
        before = NEVER if self.closed is None else self.closed
        if not len(times):
            return np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64)
        run = self.note(partition, times, now)
        others = [self.highs.get(p) for p in self._counted if p != partition]
        if any(other is None for other in others):
            ends = np.full(len(times), before)
        else:
            least = np.minimum(run, min((h for h in others if h is not None), default=run[-1]))
            ends = np.maximum(before, (least - self.lateness) // self.pane * self.pane)
            self.closed = int(ends[-1])
        known = np.concatenate([[before], ends[:-1]])
        return times < known, known

    def note(self, partition: Partition, times: NDArray[np.int64], now: int | None) -> NDArray[np.int64]:
        """Remember the highest event time of a partition; int64[n]: what it was after each event."""
        if not len(times):
            return times
        run: NDArray[np.int64] = np.maximum.accumulate(times if now is None else np.minimum(times, now))
        run = np.maximum(run, self.highs.get(partition, run[0]))
        self.highs[partition] = int(run[-1])
        return run

    def settle(self, lag: Mapping[Partition, int], now: int | None, monotonic: float, ended: bool) -> None:
        """Decide which partitions count, and close what that allows.

        `lag`: of every partition of predictions and inputs topics. A recorded partition leaves the minimum at its
        end; a live one when it is read to its end and silent. When all have left, a live watermark is the clock; a
        recorded stream closes its last pane, and time stands still.
        """
        self._counted = {p for p, behind in lag.items() if not self._left(p, behind, now, monotonic)}
        self.free = not self._counted
        if self._counted:
            highs = [self.highs.get(p) for p in self._counted]
            if any(high is None for high in highs):
                return
            self._close(min(h for h in highs if h is not None) - self.lateness)
        elif now is not None:
            self._close(now - self.lateness)
        elif ended and (heard := [self.highs[p] for p in lag if p in self.highs]):
            self._close((max(heard) // self.pane + 1) * self.pane)

    def _left(self, partition: Partition, behind: int, now: int | None, monotonic: float) -> bool:
        if behind > 0:
            return False
        if now is None:
            return True
        return monotonic - self._last_heard.setdefault(partition, monotonic) >= SILENCE_SECONDS

    def _close(self, time: int) -> None:
        end = time // self.pane * self.pane
        self.closed = end if self.closed is None else max(self.closed, end)
