"""A window is the sum of the blocks it covers, whenever its rows are saved."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exporter.batch import Batch
from exporter.state import MemoryStore
from exporter.summaries.block import Delta, Layout
from exporter.windows import RollingWindow, Span

SPAN = Span("6m", panes=6, step=2)

# An event in a pane, time going on by some panes, or a save.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(0, 9)),
        st.tuples(st.just("pass"), st.integers(0, 3)),
        st.just(("save", 0)),
    )
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
