"""The recorded topics, a day at a time, at a pace that a person can follow."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from functools import partial

from exporter.sources import Partition, Records
from exporter.sources.files import FileSource


class Days:
    """A recorded source: a poll brings what happened until the next midnight, or nothing yet.

    `files`: each of them sorted by `time_of` (topic → event time of a line, in nanoseconds), which merges them.
    `seconds`: how long a day takes at least; 0: as fast as it can be read. `day`: that of the last poll that brought
    something; None before.
    """

    recorded = True

    def __init__(
        self, files: FileSource, time_of: Mapping[str, Callable[[bytes], int | None]], zone: tzinfo, seconds: float
    ) -> None:
        self.day: datetime | None = None
        self._files = files
        self._time_of = time_of
        self._zone = zone
        self._seconds = seconds
        self._due = time.monotonic()
        self._held: dict[Partition, list[bytes]] = {partition: [] for partition in files.lag()}
        self._newest = 0  # event time among those held
        self._offsets: dict[Partition, int] = {}

    def seek(self, positions: Mapping[Partition, int]) -> None:
        self._files.seek(positions)
        self._offsets = {partition: positions.get(partition, 0) for partition in self._held}

    def poll(self, timeout: float) -> Iterator[Records]:
        wait = self._due - time.monotonic()
        if self.ended() or wait > timeout:
            time.sleep(timeout)
            return
        time.sleep(max(0.0, wait))
        self._due = time.monotonic() + self._seconds
        midnight = self._next_midnight()
        for partition, held in self._held.items():
            # Sorted, so a dozen lines tell what otherwise each of thousands would have to.
            values = held[: bisect_left(held, midnight, key=partial(self._time, partition))]
            if values:
                first = self._offsets[partition]
                self._offsets[partition] = following = first + len(values)
                del held[: len(values)]
                yield Records(partition, values, range(first, following), following)

    def _next_midnight(self) -> int:
        """The end of the next day, of which everything is held then."""
        if not any(self._held.values()):
            self._hold()
        first = min(self._time(partition, held[0]) for partition, held in self._held.items() if held)
        self.day = datetime.fromtimestamp(first / 1e9, self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        midnight = int((self.day + timedelta(days=1)).timestamp()) * 10**9
        while self._newest < midnight and not self._files.ended():
            self._hold()
        return midnight

    def _hold(self) -> None:
        for records in self._files.poll(0):
            lines = [line for line in records.values if line is not None]
            self._held[records.partition] += lines
            self._newest = max(self._newest, self._time(records.partition, lines[-1]))

    def _time(self, partition: Partition, line: bytes) -> int:
        found = self._time_of[partition.topic](line)
        assert found is not None, "prepare gave each line a time"
        return found

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Nobody else looks."""

    def lag(self) -> Mapping[Partition, int]:
        """As a file's: 1 while there are any."""
        unread = self._files.lag()
        return {partition: int(bool(held) or bool(unread[partition])) for partition, held in self._held.items()}

    def start_ends(self) -> Mapping[Partition, int]:
        return {}

    def ended(self) -> bool:
        return self._files.ended() and not any(self._held.values())

    def problems(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        self._files.close()
