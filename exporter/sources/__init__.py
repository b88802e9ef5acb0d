"""Where records come from. Only `kafka*.py` know Kafka; the suite in tests/contracts holds every source to this."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol


class Partition(NamedTuple):
    """One log of a topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Records:
    """What one poll brought from one partition, in the order of the log.

    `offsets[i]` belongs to `values[i]`; offsets may have gaps (compaction, aborted transactions). `next_offset` is the
    position from which reading goes on once these are counted: it is saved with the counts, so a fault of the log
    travels here too: `skipped` records were deleted before they could be read, `corrupt` ones could not be unpacked.
    `timestamps` are the records' own, in milliseconds since the epoch, None where the source has none.
    """

    partition: Partition
    values: Sequence[bytes | None]
    offsets: Sequence[int]
    next_offset: int
    keys: Sequence[bytes | None] | None = None
    headers: Sequence[Sequence[tuple[str, bytes]]] | None = None
    timestamps: Sequence[int] | None = None
    skipped: int = 0
    corrupt: int = 0

    def parts(self, most: int) -> "Iterator[Records]":
        """The same records in runs of at most `most`."""
        return self.cut(range(most, len(self.values), most))

    def cut(self, places: Sequence[int]) -> "Iterator[Records]":
        """The same records in runs that end before each of `places`; what the log lost is told with the last."""
        for start, end in pairwise([0, *places, len(self.values)]):
            yield self.between(start, end)

    def between(self, start: int, end: int) -> "Records":
        """Those whose places are in [start, end)."""
        some, last = slice(start, end), end >= len(self.values)
        return Records(
            self.partition,
            self.values[some],
            self.offsets[some],
            self.next_offset if last else self.offsets[end],
            None if self.keys is None else self.keys[some],
            None if self.headers is None else self.headers[some],
            None if self.timestamps is None else self.timestamps[some],
            self.skipped if last else 0,
            self.corrupt if last else 0,
        )


class Source(Protocol):
    """Records of all partitions of the configured topics.

    `recorded`: it has an end and no clock (files, memory); else live (Kafka), where an end is only the end of now.
    """

    recorded: bool

    def seek(self, positions: Mapping[Partition, int]) -> None:
        """Go on from the saved positions; a partition without one starts where the source's own rule says.

        Called once, before the first poll.
        """

    def poll(self, timeout: float) -> Iterable[Records]:
        """What is there now, at most once a partition, waiting up to `timeout` seconds for something; empty when
        nothing came."""

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell the outside world how far we are; a failure is logged, never raised: our truth is the saved state."""

    def lag(self) -> Mapping[Partition, int]:
        """Records not yet read, for every known partition, as of the last poll; 0 at the end of a partition."""

    def start_ends(self) -> Mapping[Partition, int]:
        """Where each partition of a live source ended when reading began; empty for a recorded one."""

    def ended(self) -> bool:
        """True once a recorded source has delivered everything; a live one never ends."""

    def problems(self) -> tuple[str, ...]:
        """What keeps records from coming, and the remedy, a sentence each."""

    def close(self) -> None: ...
