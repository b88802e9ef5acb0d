"""Recorded events, a New York day a poll."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest

from exporter.demo.days import Days
from exporter.sources import Partition
from exporter.sources.files import LINES, FileSource

NEW_YORK = ZoneInfo("America/New_York")
HOUR = 3600 * 10**9
MIDNIGHT = 1_383_278_400 * 10**9  # that before 1 November 2013, two days before the clocks went back


def time_of(line: bytes) -> int | None:
    found: int = orjson.loads(line)
    return found


@pytest.fixture
def days(tmp_path: Path) -> Iterator[Callable[..., Days]]:
    """A source of topics with events at these times, in nanoseconds."""
    with ExitStack() as made:

        def make(seconds: float = 0, **topics: list[int]) -> Days:
            for topic, times in topics.items():
                (tmp_path / topic).write_text("".join(f"{time}\n" for time in times))
            by_topic = dict.fromkeys(topics, time_of)
            files = FileSource([(topic, str(tmp_path / topic)) for topic in topics], by_topic)
            source = made.enter_context(closing(Days(files, by_topic, NEW_YORK, seconds)))
            source.seek({})
            return source

        yield make


def read(source: Days) -> list[tuple[str, dict[str, list[int]]]]:
    """Each day with what it brought; offsets follow one another."""
    found = []
    after: dict[Partition, int] = {}
    while not source.ended():
        brought = {}
        for records in source.poll(0):
            first = after.get(records.partition, 0)
            after[records.partition] = records.next_offset
            assert list(records.offsets) == list(range(first, records.next_offset))
            brought[records.partition.topic] = [orjson.loads(line) for line in records.values if line]
        assert source.day is not None
        found.append((f"{source.day:%d %b %H:%M}", brought))
    return found


def test_a_poll_brings_a_day_of_every_topic_and_the_day_of_25_hours_too(days):
    predictions = [MIDNIGHT + hour * HOUR for hour in (0, 23, 24, 48, 72.99, 73)]
    labels = [MIDNIGHT + hour * HOUR for hour in (1, 24, 72)]
    predictions = [int(time) for time in predictions]
    assert read(days(predictions=predictions, labels=labels)) == [
        ("01 Nov 00:00", {"predictions": predictions[:2], "labels": labels[:1]}),
        ("02 Nov 00:00", {"predictions": predictions[2:3], "labels": labels[1:2]}),
        ("03 Nov 00:00", {"predictions": predictions[3:5], "labels": labels[2:]}),
        ("04 Nov 00:00", {"predictions": predictions[5:]}),
    ]


def test_a_day_without_events_is_passed_over(days):
    [_, (day, _)] = read(days(predictions=[MIDNIGHT, MIDNIGHT + 240 * HOUR], labels=[]))
    assert day == "10 Nov 00:00"


@pytest.mark.parametrize("of_a_day", [LINES - 1, LINES, LINES + 1, 3 * LINES])
def test_a_day_is_whole_however_many_events_it_has(days, of_a_day):
    first = [MIDNIGHT + i for i in range(of_a_day)]
    second = [MIDNIGHT + 24 * HOUR + i for i in range(of_a_day)]
    found = read(days(predictions=first + second, labels=[]))
    assert [brought for _, brought in found] == [{"predictions": first}, {"predictions": second}]


def test_there_is_a_lag_until_the_last_day_was_brought(days):
    source = days(predictions=[MIDNIGHT, MIDNIGHT + 24 * HOUR], labels=[MIDNIGHT])
    predictions, labels = Partition("predictions", 0), Partition("labels", 0)
    assert source.lag() == {predictions: 1, labels: 1}
    assert list(source.poll(0))
    assert source.lag() == {predictions: 1, labels: 0}
    assert not source.ended()
    assert list(source.poll(0))
    assert source.lag() == {predictions: 0, labels: 0}
    assert source.ended()
    assert list(source.poll(0)) == []


def test_the_next_day_waits_for_its_turn(days):
    source = days(3600, predictions=[MIDNIGHT, MIDNIGHT + 24 * HOUR], labels=[])
    assert list(source.poll(0))
    assert list(source.poll(0)) == []
    assert source.lag()[Partition("predictions", 0)] == 1
