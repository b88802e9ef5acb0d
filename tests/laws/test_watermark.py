"""How far event time is known, event by event as INTERFACE §5 defines it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources import Partition
from exporter.watermark import SILENCE_SECONDS, Watermark

A, B = Partition("a", 0), Partition("b", 0)
PANE, LATENESS = 60, 120

times = st.lists(st.integers(0, 2000), max_size=30)


def observe(
    mark: Watermark, partition: Partition, found: list[int], now: int | None = None, at: float = 0.0
) -> list[bool]:
    late, _ = mark.observe(partition, np.array(found, dtype=np.int64), now, at)
    return list(map(bool, late))


def end_of_pane(time: int) -> int:
    return time // PANE * PANE


@given(times, st.integers(1, 7))
def test_an_event_is_late_if_the_events_before_it_closed_its_pane(found: list[int], size: int) -> None:
    mark = Watermark(PANE, LATENESS)
    late = [x for i in range(0, len(found), size) for x in observe(mark, A, found[i : i + size])]
    closed, expected = None, []
    highest = -1
    for time in found:
        expected.append(closed is not None and time // PANE * PANE + PANE <= closed)
        highest = max(highest, time)
        closed = end_of_pane(highest - LATENESS) if closed is None else max(closed, end_of_pane(highest - LATENESS))
    assert late == expected
    assert mark.closed == closed


@given(times, times)
def test_the_slower_of_two_partitions_holds_the_watermark_back(one: list[int], two: list[int]) -> None:
    mark = Watermark(PANE, LATENESS)
    mark.expect([A, B])
    observe(mark, A, one)
    assert mark.closed is None, "nothing is known of the other"
    observe(mark, B, two)
    if one and two:
        assert mark.closed == end_of_pane(min(max(one), max(two)) - LATENESS)


@given(st.lists(st.tuples(st.sampled_from([A, B]), times), max_size=8))
def test_the_last_closed_pane_never_goes_back(steps: list[tuple[Partition, list[int]]]) -> None:
    mark = Watermark(PANE, LATENESS)
    before = -PANE - LATENESS
    for partition, found in steps:
        observe(mark, partition, found)
        mark.settle({A: 1, B: 1}, None, 0.0, ended=False)
        assert mark.closed is None or mark.closed >= before
        before = mark.closed if mark.closed is not None else before


def test_a_recorded_partition_leaves_at_its_end_and_the_last_pane_closes_when_all_have() -> None:
    mark = Watermark(PANE, LATENESS)
    mark.expect([A, B])
    observe(mark, A, [1000])
    observe(mark, B, [5000])
    mark.settle({A: 1, B: 1}, None, 0.0, ended=False)
    assert mark.closed == end_of_pane(1000 - LATENESS)
    mark.settle({A: 0, B: 1}, None, 0.0, ended=False)
    assert mark.closed == end_of_pane(5000 - LATENESS)
    mark.settle({A: 0, B: 0}, None, 0.0, ended=True)
    assert mark.closed == end_of_pane(5000) + PANE


def test_a_partition_without_events_leaves_too() -> None:
    mark = Watermark(PANE, LATENESS)
    mark.expect([A, B])
    observe(mark, A, [1000])
    mark.settle({A: 0, B: 0}, None, 0.0, ended=True)
    assert mark.closed == end_of_pane(1000) + PANE


def test_without_any_event_nothing_is_closed() -> None:
    mark = Watermark(PANE, LATENESS)
    mark.expect([A])
    mark.settle({A: 0}, None, 0.0, ended=True)
    assert mark.closed is None


def test_a_live_partition_leaves_when_it_is_read_to_its_end_and_silent() -> None:
    mark = Watermark(PANE, LATENESS)
    mark.expect([A])
    observe(mark, A, [1000], now=10_000, at=5.0)
    mark.settle({A: 0}, 10_000, 5.0 + SILENCE_SECONDS - 1, ended=False)
    assert mark.closed == end_of_pane(1000 - LATENESS)
    mark.settle({A: 3}, 10_000, 5.0 + SILENCE_SECONDS, ended=False)
    assert mark.closed == end_of_pane(1000 - LATENESS), "it is not read to its end"
    mark.settle({A: 0}, 10_000, 5.0 + SILENCE_SECONDS, ended=False)
    assert mark.closed == end_of_pane(10_000 - LATENESS), "then it is now less lateness"


def test_a_clock_that_is_ahead_does_not_take_the_watermark_beyond_now() -> None:
    mark = Watermark(PANE, LATENESS)
    observe(mark, A, [1000, 1300], now=1100)
    assert mark.highs[A] == 1100
    assert mark.closed == end_of_pane(1100 - LATENESS)


def test_labels_are_noted_and_close_nothing() -> None:
    mark = Watermark(PANE, LATENESS)
    mark.note(B, np.array([9000]), None)
    observe(mark, A, [1000])
    assert mark.closed == end_of_pane(1000 - LATENESS)
    mark.settle({A: 0}, None, 0.0, ended=True)
    assert mark.closed == end_of_pane(1000) + PANE


@given(times, times, st.booleans())
def test_saved_heights_go_on_where_they_were(one: list[int], two: list[int], settled: bool) -> None:
    whole, first = Watermark(PANE, LATENESS), Watermark(PANE, LATENESS)
    expected = observe(whole, A, one) + observe(whole, A, two)
    late = observe(first, A, one)
    second = Watermark(PANE, LATENESS, dict(first.highs), first.closed)
    assert late + observe(second, A, two) == expected
    assert second.closed == whole.closed
