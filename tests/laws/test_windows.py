"""A window is the sum of the blocks it covers, whenever its rows are saved."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exporter.batch import Batch, Numbers, Texts
from exporter.state import MemoryStore
from exporter.summaries.bins import category_bins, numeric_bins
from exporter.summaries.block import ColumnSpec, Delta, Layout
from exporter.summaries.packed import packed, unpacked
from exporter.windows import RollingWindow, Span

SPAN = Span("6m", panes=6, step=2)
LONG = Span("40m", panes=40, step=2)

# An event in a pane, time going on by some panes, or a save.
EVENT = st.tuples(st.just("event"), st.integers(0, 9))
PASS = st.tuples(st.just("pass"), st.integers(0, 3))
SAVE = st.just(("save", 0))
STEPS = st.lists(st.one_of(EVENT, PASS, SAVE))
RESTARTS = st.lists(
    st.one_of(EVENT, st.tuples(st.just("event"), st.integers(0, 60)), PASS, SAVE, st.just(("restart", 0))),
    min_size=20,
    max_size=80,
)


@given(STEPS)
def test_a_block_leaves_its_window_once_however_late_the_save(steps):
    layout = Layout(())
    store = MemoryStore()
    window = RollingWindow(SPAN, layout, store, b"w")
    one = Delta(layout, layout.encode(Batch("m", "1", np.zeros(1, np.int64), np.zeros(1, np.intp))))
    closed, seen = 0, []
    for what, panes in steps:
        if what == "event":
            pane = closed + 5 - panes
            seen.append(pane)
            if window.covers(pane):
                window.add(pane, one)
        elif what == "pass":
            closed += panes
            window.advance(closed)
        else:
            store.write(window.rows())
            window.saved()
        reached = [pane for pane in seen if window.covers(pane)]
        assert window.total.rows == len(reached)


class Spied(MemoryStore):
    """Remembers what was read since `asked` was emptied."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        self.asked.append(key)
        return super().get(key)


def words() -> Layout:
    return Layout(
        (ColumnSpec("x", False, numeric_bins(np.arange(5.0))), ColumnSpec("word", False, category_bins([("a", 3)])))
    )


def told(layout: Layout, window: RollingWindow) -> Any:
    """All that is counted, whatever columns its keys have."""
    block = window.total.without([])
    found = unpacked(layout, packed(block))
    buckets, hashes = found.buckets.summed(), found.hashes.summed()
    return (
        block.rows,
        block.counts.summed().columns.tolist(),
        sorted(zip(layout.buckets.keys()[buckets.columns].tolist(), buckets.counts.tolist(), strict=True)),
        sorted(zip([layout.hashes.hash[i] for i in hashes.columns], hashes.counts.tolist(), strict=True)),
        block.moments.n.tolist(),
        block.moments.sums.tolist(),
        window.rows_of,
    )


def saved(window: RollingWindow, store: MemoryStore) -> None:
    store.write(window.rows())
    window.saved()


def taken_up(store: MemoryStore) -> tuple[Layout, RollingWindow]:
    layout = words()
    window = RollingWindow(LONG, layout, store, b"w")
    window.load()
    return layout, window


def reached(layout: Layout, window: RollingWindow, pane: int) -> None:
    cells = {"x": Numbers(np.array([float(pane)])), "word": Texts(np.zeros(1, np.int32), (f"t{pane}",))}
    window.add(pane, Delta(layout, layout.encode(Batch("m", "1", np.zeros(1, np.int64), np.zeros(1, np.intp), cells))))


@given(RESTARTS)
def test_a_window_is_the_same_after_a_restart_whichever_blocks_its_saved_sum_has(steps: Any) -> None:
    store, ever, layout = MemoryStore(), MemoryStore(), words()
    window, whole = (RollingWindow(LONG, layout, s, b"w") for s in (store, ever))
    here = layout
    closed = 0
    for each in (window, whole):  # as a restart has it
        each.advance(closed)
    for what, panes in steps:
        if what == "event":
            pane = closed + 5 - panes
            if window.covers(pane):
                reached(here, window, pane)
                reached(layout, whole, pane)
        elif what == "pass":
            closed += panes
            window.advance(closed)
            whole.advance(closed)
        else:
            saved(window, store)
        if what == "restart":
            here, window = taken_up(store)
            window.advance(closed)
        assert told(here, window) == told(layout, whole)


def test_a_restart_reads_few_blocks_of_a_full_window() -> None:
    store, layout = Spied(), words()
    window = RollingWindow(LONG, layout, store, b"w")
    for pane in range(100):
        reached(layout, window, pane)
        window.advance(pane)
        saved(window, store)
    store.asked.clear()
    found = taken_up(store)
    assert told(*found) == told(layout, window)
    assert len(window.rows_of) == 21
    assert len(store.asked) <= 2 + 3
