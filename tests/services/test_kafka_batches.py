"""Record batches made by kafka-python, unpacked by us: no broker is needed to know what is in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.record import MemoryRecords, MemoryRecordsBuilder

from exporter.sources.kafka_batches import Columns, join, unpack
from exporter.sources.kafka_fetcher import _Batches

T = TopicPartition("t", 0)
HEADER = 61

optional_bytes = st.none() | st.binary(max_size=300)
headers = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3)
records = st.lists(st.tuples(st.integers(0, 2**41), optional_bytes, optional_bytes, headers), min_size=1, max_size=5)


Record = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes]]]  # timestamp, key, value, headers


def batch(packed: list[Record], first: int = 0, magic: int = 2) -> bytearray:
    builder = MemoryRecordsBuilder(magic, 0, 1 << 22)
    for record in packed:
        builder.append(*record)
    builder.close()
    content = bytearray(builder.buffer())
    if first:
        content[:8] = first.to_bytes(8, "big")  # as the broker does, when it knows where the batch lies
    return content


def plain(*values: bytes, first: int = 0) -> bytearray:
    return batch([(0, None, value, []) for value in values], first)


def read(content: bytes, at: int = 0, end: int = 1000) -> tuple[Columns, int, int]:
    """What comes, where reading goes on, and how many offsets were passed over as corrupt."""
    passed: list[int] = []
    part = _Batches(at, T, MemoryRecords(bytes(content)), report=lambda _, count, flaw: passed.append(count))
    part.end = end
    return join([Columns(), *part.take(None)]), part.next_fetch_offset, sum(passed)


@given(records, st.integers(0, 4))
def test_what_was_packed_is_what_comes_from_the_offset_that_was_asked_for(packed: list[Record], first: int) -> None:
    columns, position, corrupt = read(bytes(batch(packed)), first)
    kept = packed[first:]
    assert columns.timestamps == [timestamp for timestamp, *_ in kept]
    assert columns.keys == [key for _, key, *_ in kept]
    assert columns.values == [value for *_, value, _ in kept]
    assert columns.headers == [tuple(named) for *_, named in kept]
    assert columns.offsets == list(range(len(packed)))[first:]
    assert (position, corrupt) == (len(packed), 0)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_bit_flipped_anywhere_never_stops_reading_and_never_makes_a_record_up(at: int, bit: int) -> None:
    """Offset, length and leader epoch are not covered by the checksum, so a flip there may move or cut a batch."""
    good = [plain(b"a", b"b", first=0), plain(b"c", b"d", first=2), plain(b"e", first=4)]
    content = bytearray().join(good)
    content[at % len(content)] ^= 1 << bit
    columns, position, _ = read(bytes(content), end=5)
    assert set(columns.values) <= {b"a", b"b", b"c", b"d", b"e"}
    assert position >= 0
    if HEADER <= at % len(content) - len(good[0]) < len(good[1]):
        assert columns.values == [b"a", b"b", b"e"]


def test_of_a_batch_whose_content_is_wrong_only_its_own_records_are_lost() -> None:
    content = plain(b"a", b"b") + plain(b"c", b"d", first=2) + plain(b"e", first=4)
    content[len(plain(b"a", b"b")) + HEADER + 7] ^= 1
    columns, position, corrupt = read(content)
    assert (columns.values, columns.offsets, position, corrupt) == ([b"a", b"b", b"e"], [0, 1, 4], 5, 2)


@pytest.mark.parametrize("at", [23, 57])  # the offset of its last record, and their number: both say too much
def test_a_broken_batch_at_the_end_moves_on_no_further_than_it_can_reach(at: int) -> None:
    content = plain(b"a", b"b", b"c")
    content[at] ^= 64
    _, position, corrupt = read(content, end=3)
    assert (position, corrupt) == (3, 3)


def test_one_broken_record_costs_itself_alone() -> None:
    records = plain(b"a" * 9, b"b" * 9, b"c" * 9)[HEADER:]
    size = len(records) // 3
    records[size + 5] = 2  # the length of b's value: less than there is
    columns = unpack(bytes(records), 0, 3, 10, 0, None, 0)
    assert (columns.values, columns.offsets, columns.corrupt) == ([b"a" * 9, b"c" * 9], [10, 12], 1)


def test_a_length_that_cannot_be_costs_the_rest_of_the_batch() -> None:
    records = plain(b"a" * 9, b"b" * 9, b"c" * 9)[HEADER:]
    records[len(records) // 3] = 127  # negative
    columns = unpack(bytes(records), 0, 3, 10, 0, None, 0)
    assert (columns.values, columns.corrupt) == ([b"a" * 9], 2)


def test_a_header_whose_name_is_no_utf_8_costs_nothing() -> None:
    records = batch([(0, None, b"value", [("ab", b"1")])])[HEADER:]
    records[records.index(b"ab")] = 0xFF
    columns = unpack(bytes(records), 0, 1, 0, 0, None, 0)
    assert (columns.values, columns.headers, columns.corrupt) == ([b"value"], [(("�b", b"1"),)], 0)


def test_where_the_broker_s_time_counts_the_producer_s_does_not() -> None:
    records = batch([(5, None, b"a", []), (6, None, b"b", [])])[HEADER:]
    assert unpack(bytes(records), 0, 2, 0, 5, 777, 0).timestamps == [777, 777]


def test_batches_of_old_formats_are_read_too() -> None:
    columns, position, corrupt = read(batch([(5, b"k", b"a", []), (6, None, None, [])], magic=1))
    assert (columns.values, columns.keys, columns.timestamps) == ([b"a", None], [b"k", None], [5, 6])
    assert (position, corrupt) == (2, 0)
