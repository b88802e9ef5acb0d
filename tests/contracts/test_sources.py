"""What every source promises, whoever keeps the records: `make(items)` gives one with these, as the log has them."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.config import Kafka as Config
from exporter.sources import Partition, Records, Source
from exporter.sources.files import FileSource
from exporter.sources.kafka import KafkaSource
from exporter.sources.memory import MemorySource
from tests.services.kafka import Kafka

Items = Mapping[Partition, Sequence[bytes | None]]
Make = Callable[[Items], Source]

NAMES = itertools.count()
PATIENCE = 40.0  # seconds for what has to come; in memory it is there, from Kafka within one


def in_memory(items: Items, folder: Path) -> Source:
    """The partitions take turns, so that a poll has something of each."""
    turns = itertools.zip_longest(*([(p, value) for value in values] for p, values in items.items()))
    return MemorySource([item for turn in turns for item in turn if item is not None], most=7)


def in_files(items: Items, folder: Path) -> Source:
    """One file a partition, by number; the events have no time, so the first file comes first."""
    for partition, values in items.items():
        (folder / f"{partition.topic}.{partition.number}").write_bytes(
            b"".join(v + b"\n" for v in values if v is not None)
        )
    files = [(partition.topic, str(folder / f"{partition.topic}.{partition.number}")) for partition in sorted(items)]
    return FileSource(files, {partition.topic: lambda _: None for partition in items})


@pytest.fixture(params=["memory", "files", pytest.param("kafka", marks=pytest.mark.service)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Called again with the same items it gives a new source on the same log, as after a restart."""
    with ExitStack() as at_the_end:

        def make_source(items: Items) -> Source:
            if request.param == "kafka":
                kafka: Kafka = request.getfixturevalue("kafka")
                source: Source = in_kafka(kafka, items)
            else:
                source = {"memory": in_memory, "files": in_files}[request.param](items, tmp_path)
            at_the_end.callback(source.close)
            return source

        yield make_source


def in_kafka(kafka: Kafka, items: Items) -> Source:
    for topic in {partition.topic for partition in items} - kafka.topics():
        kafka.create(topic, sum(partition.topic == topic for partition in items))
        for partition, values in items.items():
            if partition.topic == topic and values:
                kafka.produce(topic, values, partition.number, key=b"key")
    return KafkaSource(Config(bootstrap_servers=(kafka.servers,), start="earliest"), {p.topic for p in items}, 0)


@pytest.fixture
def p() -> Partition:
    """The first partition of a topic that no other test has."""
    return Partition(f"topic-{next(NAMES)}", 0)


def lines(count: int, word: str = "line") -> list[bytes | None]:
    return [f"{word} {i}".encode() for i in range(count)]


def polls(source: Source, positions: Mapping[Partition, int], items: Items) -> Iterator[list[Records]]:
    """Polls from these positions until all of the items have come."""
    source.seek(positions)
    reached = {partition: positions.get(partition, 0) for partition in items}
    deadline = time.monotonic() + PATIENCE
    while any(reached[partition] < len(values) for partition, values in items.items()):
        assert time.monotonic() < deadline, reached
        polled = list(source.poll(0.2))
        reached |= {records.partition: records.next_offset for records in polled}
        yield polled


def read(source: Source, positions: Mapping[Partition, int], items: Items) -> list[Records]:
    return [records for polled in polls(source, positions, items) for records in polled]


def of(partition: Partition, found: Sequence[Records]) -> list[bytes | None]:
    return [value for records in found if records.partition == partition for value in records.values]


def test_every_partition_comes_whole_and_in_the_order_of_its_log(make: Make, p: Partition) -> None:
    items = {
        p: lines(20),
        Partition(p.topic, 1): lines(5, "other"),
        Partition(p.topic + ".labels", 0): lines(9, "label"),
    }
    found = read(make(items), {}, items)
    assert {partition: of(partition, found) for partition in items} == items
    assert sum(records.skipped + records.corrupt for records in found) == 0


def test_offsets_rise_and_the_next_one_lies_beyond_them(make: Make, p: Partition) -> None:
    items = {p: lines(20)}
    found = read(make(items), {}, items)
    assert [offset for records in found for offset in records.offsets] == list(range(20))
    assert all(len(records.offsets) == len(records.values) for records in found)
    assert all(records.next_offset > offset for records in found for offset in records.offsets)


def test_a_new_source_goes_on_after_whatever_poll_was_saved(make: Make, p: Partition) -> None:
    items = {p: lines(20), Partition(p.topic, 1): lines(5, "other")}
    saved: dict[Partition, int] = {}
    before: list[Records] = []
    for polled in [[], *polls(make(items), {}, items)]:
        before += polled
        saved |= {records.partition: records.next_offset for records in polled}
        whole = before + read(make(items), saved, items)
        assert {partition: of(partition, whole) for partition in items} == items


def test_a_position_in_the_middle_is_kept_to_the_record(make: Make, p: Partition) -> None:
    items = {p: lines(20)}
    assert of(p, read(make(items), {p: 13}, items)) == lines(20)[13:]


def test_a_saved_partition_that_is_no_longer_asked_for_disturbs_nothing(make: Make, p: Partition) -> None:
    items = {p: lines(3)}
    assert of(p, read(make(items), {Partition("gone", 4): 7}, items)) == lines(3)


def test_the_lag_is_gone_once_everything_was_read(make: Make, p: Partition) -> None:
    items = {p: lines(20), Partition(p.topic, 1): lines(5, "other")}
    source = make(items)
    read(source, {}, items)
    assert source.lag() == dict.fromkeys(items, 0)


def test_a_recorded_source_ends_with_its_last_record_and_a_live_one_never(make: Make, p: Partition) -> None:
    items = {p: lines(20)}
    source = make(items)
    for _ in polls(source, {}, items):
        pass
    assert source.ended() is source.recorded
    assert sum(len(records.values) for records in source.poll(0)) == 0


def test_a_commit_is_taken_whatever_it_says(make: Make, p: Partition) -> None:
    items = {p: lines(3)}
    source = make(items)
    source.commit({p: 0})
    read(source, {}, items)
    source.commit({p: 3, Partition("elsewhere", 0): 5})
