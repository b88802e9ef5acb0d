"""Event time cut into blocks; a window is the sum of its blocks (INTERFACE §5).

Each window of a series keeps its running sum and the blocks that new events still reach; older blocks wait in the
store until they expire, are read once, and are taken away from the sum. The sum of those that have gone quiet is saved
too, so that a restart need not read them one by one (docs/decisions/0016).
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.batch import Batch, Numbers
from exporter.state import Store
from exporter.summaries.block import Block, Delta, Encoded, Layout, Spec, Total
from exporter.summaries.histogram import CumulativeHistogram
from exporter.summaries.packed import packed, unpacked

MOST_NAMES = 50
NAME_LENGTH = 120
# Blocks kept in memory after a save: the one that fills and the one before, for events that are a little late; and as
# many as have fewer entries than this together, so that small ones need not be read again when they go.
WARM_BLOCKS, WARM_WEIGHT = 2, 1 << 16
# Blocks that are read to know the sum of all others; where events reach more of them in one step, none is saved.
MOST_LOUD = 8
# Stored beside the blocks, whose names are eight bytes.
_SUM, _LIST = b"sum", b"list"
# What a block weighs beside its entries, in entries of about 12 bytes: itself, and for each column its moments.
BLOCK_WEIGHT, COLUMN_WEIGHT = 300, 4


@dataclass(frozen=True)
class Span:
    """A window as configured: its label, its length and its step, in panes."""

    name: str
    panes: int
    step: int


@dataclass(frozen=True)
class Window:
    """What the statistics see: the sum of the blocks of one window. `since`: the start of its oldest block, in
    nanoseconds, None before the first pane closed."""

    name: str
    block: Total
    since: int | None


def block_prefix(series: str) -> bytes:
    """Under which the blocks of a series are stored."""
    return b"block/" + series.encode() + b"/"


def window_prefix(series: str, span: Span) -> bytes:
    """Under which the blocks of one of its windows are stored."""
    return block_prefix(series) + f"{span.panes}x{span.step}/".encode()


class RollingWindow:
    """The blocks of one span. `first`: the oldest block that still belongs to it, None before the first pane closed.
    `rows_of`: how many rows each of its blocks has. `keeps_all`: small blocks that somebody wants to see one by
    one stay in memory, in `blocks`."""

    def __init__(self, span: Span, layout: Spec, store: Store, prefix: bytes, *, keeps_all: bool = False) -> None:
        self.span = span
        self.layout = layout
        self.total = Total(layout)
        self.rows_of: dict[int, int] = {}
        self.keeps_all = keeps_all
        self.first: int | None = None
        self._store = store
        self._prefix = prefix
        self._stored: set[int] = set()
        self._warm: OrderedDict[int, Block] = OrderedDict()
        self._changed: set[int] = set()
        # Blocks whose sum is stored, those it has once `rows` are written, and those that events reached since it was.
        self._summed: set[int] = set()
        self._summing: set[int] = set()
        self._reached: set[int] = set()
        self._moved = self._looked = False

    def load(self) -> None:
        """Take up the blocks that were saved."""
        listed = self._store.get(self._prefix + _LIST)
        rest: Iterator[tuple[int, Block]]
        if listed is None:  # there is no sum either
            rows = ((key[len(self._prefix) :], data) for key, data in self._store.scan(self._prefix))
            rest = ((int.from_bytes(name, "big", signed=True), unpacked(self.layout, data)) for name, data in rows)
        else:
            document = msgspec.msgpack.decode(listed)
            self.rows_of = dict(document["rows"])
            self._summed = self._summing = set(document["summed"])
            self._reached = self.rows_of.keys() - self._summed
            self._stored |= self._summed
            if self._summed:
                self.total.merge(self._read(_SUM))
            rest = ((index, self._read(_name(index))) for index in sorted(self._reached))
        for index, block in rest:
            self._stored.add(index)
            self.total.merge(block)
            self.rows_of[index] = block.rows
            if self.keeps_all:
                self._warm[index] = block

    def _read(self, name: bytes) -> Block:
        data = self._store.get(self._prefix + name)
        assert data is not None, "what is listed was written with the list"
        return unpacked(self.layout, data)

    @property
    def blocks(self) -> Mapping[int, Block]:
        """Those in memory, by their number: the start of each is its number times the span's step, in panes."""
        return self._warm

    def covers(self, pane: int) -> bool:
        return self.first is None or pane // self.span.step >= self.first

    def add(self, pane: int, delta: Delta) -> None:
        index = pane // self.span.step
        self._block(index).add(delta)
        self.total.add(delta)
        self._changed.add(index)
        self._moved |= index not in self.rows_of
        self.rows_of[index] = self.rows_of.get(index, 0) + delta.rows

    def advance(self, closed_pane: int) -> None:
        """Let go of the blocks that are wholly older than the length of the window."""
        first = (closed_pane - self.span.panes) // self.span.step
        if self.first is not None and first <= self.first:
            return
        before, self.first, self._moved = self.first, first, True
        # Those let go of before stay stored until the next save, and are no longer in the total.
        for index in [i for i in self._stored | self._warm.keys() if i < first and (before is None or i >= before)]:
            self.total.merge(self._block(index), -1)
            self._warm.pop(index, None)
            self._changed.add(index)
            self.rows_of.pop(index, None)

    def _block(self, index: int) -> Block:
        if index not in self._warm:
            self._warm[index] = self._read(_name(index)) if index in self._stored else Block(self.layout)
        self._warm.move_to_end(index)
        return self._warm[index]

    def rows(self, sums: bool = True) -> dict[bytes, bytes | None]:
        """What has to be written for the store to agree with this window; not `sums`: the sum of quiet blocks, which
        costs reading some, is left to a later time."""
        rows: dict[bytes, bytes | None] = {}
        for index in self._changed:
            if index in self._warm:
                rows[_name(index)] = packed(self._warm[index])
            elif index in self._stored:
                rows[_name(index)] = None
        if self._changed and not self.keeps_all:
            rows |= self._sum(sums)
            rows[_LIST] = msgspec.msgpack.encode({"rows": list(self.rows_of.items()), "summed": sorted(self._summing)})
        return {self._prefix + name: data for name, data in rows.items()}

    def _sum(self, wanted: bool) -> dict[bytes, bytes | None]:
        """Write the sum of quiet blocks anew when the window has moved on; take it back where it no longer holds."""
        loud = self.rows_of.keys() & (self._reached | self._changed)
        quiet = self.rows_of.keys() - loud
        self._looked = wanted
        if wanted and self._moved and quiet and len(loud) <= MOST_LOUD:
            self._summing = quiet
            blocks = (self._warm[i] if i in self._warm else self._read(_name(i)) for i in sorted(loud))
            return {_SUM: packed(self.total.without(blocks))}
        if self._summed & self._changed:
            self._summing = set()
            return {_SUM: None}
        self._summing = self._summed
        return {}

    def unsaved(self) -> int:
        """Entries held in memory because their blocks are not saved yet."""
        return sum(self._weight(self._warm.get(index, ())) for index in self._changed)

    def _weight(self, block: Sized) -> int:
        return BLOCK_WEIGHT + COLUMN_WEIGHT * len(self.layout.scale.centre) + len(block)

    def saved(self) -> None:
        """The rows were written."""
        for index in self._changed:
            if index in self._warm:
                self._stored.add(index)
            else:
                self._stored.discard(index)
        if self._changed:
            anew = self._moved and self._looked
            self._reached = self._changed.copy() if anew else self._reached | self._changed
            self._summed, self._moved = self._summing, self._moved and not self._looked
        self._changed.clear()
        weight = 0 if self.keeps_all else sum(map(self._weight, self._warm.values()))
        while weight > WARM_WEIGHT and len(self._warm) > WARM_BLOCKS:
            weight -= self._weight(self._warm.popitem(last=False)[1])

    def clear_hashes(self, columns: NDArray[np.intp]) -> None:
        self.total.clear_hashes(columns)
        for block in self._warm.values():
            block.clear_hashes(columns)


def _name(index: int) -> bytes:
    return index.to_bytes(8, "big", signed=True)


def groups(windows: Sequence[RollingWindow], panes: NDArray[np.int64]) -> Iterable[tuple[int, NDArray[np.intp]]]:
    """Rows that belong to the same block in each window that covers them: (their first pane, the rows).

    Old rows reach only the long windows, whose blocks are long, so a sparse replay has few groups.
    """
    step = np.zeros(len(panes), dtype=np.int64)
    for window in windows:
        first = window.first
        covered = np.ones(len(panes), dtype=bool) if first is None else panes // window.span.step >= first
        step[covered] = np.gcd(step[covered], window.span.step)
    rows = np.flatnonzero(step)
    if not len(rows):
        return
    start = panes[rows] // step[rows] * step[rows]
    order = np.lexsort((step[rows], start))
    start, steps, rows = start[order], step[rows][order], rows[order]
    cuts = np.flatnonzero((np.diff(start) != 0) | (np.diff(steps) != 0)) + 1
    for group, at in zip(np.split(rows, cuts), [0, *cuts.tolist()], strict=True):
        yield int(start[at]), np.sort(group)


@dataclass
class Series:
    """The windows of one version of one model against one reference, and what it has told since its state began.

    `newest`: the latest event time; `names`: unexpected features and when they last came, a few of them.
    """

    id: str
    layout: Layout
    pane: int
    windows: list[RollingWindow]
    histograms: dict[str, CumulativeHistogram]
    newest: int | None = None
    names: dict[str, int] = field(default_factory=dict)

    def absorb(self, batch: Batch) -> NDArray[np.int32]:
        """Count the rows; returns the place of each cell in the layout, int32[columns, n]."""
        encoded = self.layout.encode(batch)
        latest = int(batch.time.max())
        self.newest = latest if self.newest is None else max(self.newest, latest)
        for name, histogram in self.histograms.items():
            column = batch.outputs.get(name)
            if isinstance(column, Numbers):
                histogram.observe(column.values)
        for row, name in batch.unexpected:
            self._note(name, int(batch.time[row]))
        for pane, rows in groups(self.windows, batch.time // self.pane):
            delta = Delta(self.layout, encoded.take(rows))
            for window in self.windows:
                if window.covers(pane):
                    window.add(pane, delta)
        return encoded.codes

    def _note(self, name: str, time: int) -> None:
        name = name[:NAME_LENGTH]
        if name in self.names or len(self.names) < MOST_NAMES:
            self.names[name] = max(time, self.names.get(name, time))

    def advance(self, closed: int) -> None:
        """`closed`: the end of the last closed pane, in nanoseconds."""
        for window in self.windows:
            window.advance(closed // self.pane)
        oldest = closed - max(window.span.panes for window in self.windows) * self.pane
        self.names = {name: time for name, time in self.names.items() if time >= oldest}
        if self.layout.hashes.crowded():
            longest = max((window.total.hashes for window in self.windows), key=len)
            alive = np.zeros(len(longest), dtype=bool)
            for window in self.windows:
                alive[: len(window.total.hashes)] |= window.total.hashes > 0
            freed = self.layout.hashes.shrink(alive)
            for window in self.windows:
                window.clear_hashes(freed)

    def retired(self, closed: int) -> bool:
        """Silent for the longest window."""
        longest = max(window.span.panes for window in self.windows) * self.pane
        return self.newest is not None and self.newest < closed - longest

    def view(self) -> list[Window]:
        return [
            Window(
                window.span.name,
                window.total,
                None if window.first is None else window.first * window.span.step * self.pane,
            )
            for window in self.windows
        ]


class Sums:
    """The windows of one layout, whatever it counts: `id` names all that its counts depend on."""

    def __init__(
        self,
        id_: str,
        layout: Spec,
        spans: Sequence[Span],
        pane: int,
        store: Store,
        *,
        load: bool = False,
        keeps_all: bool = False,
    ) -> None:
        self.id, self.layout, self._pane = id_, layout, pane
        self.windows = [
            RollingWindow(span, layout, store, window_prefix(id_, span), keeps_all=keeps_all) for span in spans
        ]
        for window in self.windows if load else ():
            window.load()

    def add(self, encoded: Encoded, time: NDArray[np.int64], sign: NDArray[np.int8] | None = None) -> None:
        """Rows at their times, int64[n] nanoseconds; those of `sign` −1 are taken away."""
        panes = time // self._pane
        for each in (1, -1) if sign is not None else (1,):
            rows = np.arange(len(time)) if sign is None else np.flatnonzero(sign == each)
            for pane, group in groups(self.windows, panes[rows]):
                delta = Delta(self.layout, encoded.take(rows[group]))
                if each < 0:
                    delta = delta.negated()
                for window in self.windows:
                    if window.covers(pane):
                        window.add(pane, delta)

    def advance(self, closed: int) -> None:
        """`closed`: the end of the last closed pane, in nanoseconds."""
        for window in self.windows:
            window.advance(closed // self._pane)

    def rows(self, sums: bool = True) -> dict[bytes, bytes | None]:
        """What must be written for the store to agree; `sums`: see RollingWindow."""
        found: dict[bytes, bytes | None] = {}
        for window in self.windows:
            found.update(window.rows(sums))
        return found

    def saved(self) -> None:
        """`rows` were written."""
        for window in self.windows:
            window.saved()

    def unsaved(self) -> int:
        """Entries held in memory because they are not saved yet."""
        return sum(window.unsaved() for window in self.windows)
