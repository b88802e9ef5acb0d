"""Panes wait until they are closed, are handed on once and in order, and survive a restart at any moment."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exporter.panes import Panes
from exporter.state import MemoryStore

# Two open panes stay in memory once they are saved.
SIZE, KEPT, MOST = 3, 2, 6

# Rows (pane, place) that come in time, time going on by some panes, a save, or a crash after one.
rows = st.lists(st.tuples(st.integers(0, 9), st.integers(0, SIZE - 1)), max_size=8)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("rows"), rows),
        st.tuples(st.just("close"), st.integers(0, 4)),
        st.tuples(st.sampled_from(["save", "restart"]), st.none()),
    )
)


@given(steps)
def test_each_pane_is_closed_once_with_all_that_came_whatever_restarts(steps):
    store = MemoryStore()
    panes = Panes(SIZE, KEPT, store, b"p/", MOST)
    open_: dict[int, np.ndarray] = {}
    done: list[tuple[int, list[int]]] = []
    end = 0
    for what, value in steps:
        if what == "rows":
            numbers = np.array([end + pane for pane, _ in value], dtype=np.int64)
            panes.add(np.array([[place for _, place in value]], dtype=np.int32), numbers)
            for number, (_, place) in zip(numbers.tolist(), value, strict=True):
                open_.setdefault(number, np.zeros(SIZE, dtype=int))[place] += 1
        elif what == "close":
            end += value
            expected = [(number, open_.pop(number).tolist()) for number in sorted(open_) if number < end]
            numbers = panes.waiting(end)
            counts = panes.close(numbers)
            assert list(zip(numbers, counts.tolist(), strict=True)) == expected
            done += expected
        else:
            store.write(panes.rows())
            panes.saved()
            assert panes.unsaved() == 0
            if what == "restart":
                panes = Panes(SIZE, KEPT, store, b"p/", MOST)
                panes.load(done[-1][0] if done else None)
        assert [counts.tolist() for counts in panes.closed()] == [counts for _, counts in done[-KEPT:]]
    store.write(panes.rows())
    assert len(store.rows) == len(open_) + min(KEPT, len(done))


def test_closed_panes_of_other_terms_are_forgotten_and_open_ones_stay():
    store = MemoryStore()
    panes = Panes(SIZE, KEPT, store, b"p/")
    panes.add(np.array([[0, 1]], dtype=np.int32), np.array([1, 5]))
    panes.close(panes.waiting(3))
    store.write(panes.rows())
    anew = Panes(SIZE, KEPT, store, b"p/")
    anew.load(1)
    anew.forget_closed()
    store.write(anew.rows())
    assert anew.closed() == []
    assert len(store.rows) == 1
    assert anew.waiting(9) == [5]
