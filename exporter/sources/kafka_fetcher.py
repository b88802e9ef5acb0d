"""kafka-python's fetcher, told to go on where it gives up, and to keep what it throws away.

In kafka-python 3.0.12 any error while a record is unpacked makes the next poll() spin for ever. This one unpacks by
itself, passes over what is corrupt, and keeps troubles per partition, so that one bad partition never holds up others.
It rests on `_parse_fetched_data`, `PartitionRecords` and `_fetch_offsets_by_times_async`, which are no public
interface: tests/services/test_kafka_source.py fails where a new version changes them.
"""

import functools
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import (
    CorruptRecordError,
    InconsistentTopicIdError,
    KafkaError,
    OffsetOutOfRangeError,
    UnknownTopicIdError,
    UnknownTopicOrPartitionError,
)
from kafka.future import Future
from kafka.record import MemoryRecords

from exporter.sources.kafka_batches import Columns, unpack

LOOKUP_MS = 30_000
EARLIEST, LATEST = -2, -1  # instead of a time, in the protocol's ListOffsets
# Before reading on where a topic was gone, it has to be seen that it is the same topic.
GONE = {error.errno for error in (UnknownTopicOrPartitionError, UnknownTopicIdError, InconsistentTopicIdError)}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where partitions begin and end, and the first offset at a time asked for, where there is one."""

    starts: dict[TopicPartition, int]
    ends: dict[TopicPartition, int]
    times: dict[TopicPartition, int]


class PatientFetcher(Fetcher):  # type: ignore[misc]  # kafka-python has no types
    """Delivers `Columns`, one a batch, where its parent delivers records one by one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.PartitionRecords = functools.partial(_Batches, report=self._report)
        self.ends: dict[TopicPartition, int] = {}  # what can be read: the last stable offset
        self.heard: dict[TopicPartition, float] = {}  # when the broker last answered, monotonic
        self.refused: dict[TopicPartition, KafkaError] = {}  # how it answered, where not with records
        self.lost: set[TopicPartition] = set()  # not where we thought, or gone
        self.corrupt: Counter[TopicPartition] = Counter()  # offsets passed over
        self.flaws: dict[TopicPartition, str] = {}  # why, last time

    def position(self, partition: TopicPartition) -> int:
        offset: int = self._subscriptions.assignment[partition].position.offset
        return offset

    def bounds(self, partitions: Collection[TopicPartition], time_ms: int | None) -> Future:
        """A future `Bounds`; nobody waits here."""
        return self._manager.call_soon(self._bounds, list(partitions), time_ms)

    async def _bounds(self, partitions: list[TopicPartition], time_ms: int | None) -> Bounds:
        # First the topics, for one that was created anew has another id. The ends before the times: a record that
        # comes in between is then found by neither, but lies after the end.
        await self._manager.cluster.refresh_metadata()
        ends = await self._offsets(partitions, LATEST)
        times = {} if time_ms is None else await self._offsets(partitions, time_ms)
        return Bounds(await self._offsets(partitions, EARLIEST), ends, times)

    async def _offsets(self, partitions: list[TopicPartition], what: int) -> dict[TopicPartition, int]:
        found = await self._fetch_offsets_by_times_async(dict.fromkeys(partitions, what), LOOKUP_MS)
        return {partition: answer.offset for partition, answer in found.items()}

    def _parse_fetched_data(self, completed: Any) -> Any:
        partition, answer = completed.topic_partition, completed.partition_data
        self.heard[partition] = time.monotonic()
        try:
            part = super()._parse_fetched_data(completed)
        except OffsetOutOfRangeError:
            self.lost.add(partition)
            return None
        except KafkaError as error:
            self.refused[partition] = error
            return None
        if answer.error_code in GONE:
            self.lost.add(partition)
        elif answer.error_code == 0:
            self.refused.pop(partition, None)
            self.ends[partition] = answer.last_stable_offset
        if part is not None:
            part.end = answer.high_watermark
        return part

    def _report(self, partition: TopicPartition, count: int, flaw: str) -> None:
        self.corrupt[partition] += count
        self.flaws[partition] = flaw


class _Batches(Fetcher.PartitionRecords):  # type: ignore[misc]  # kafka-python has no types
    """One partition's part of one answer, unpacked batch by batch as it is taken; never raises."""

    def __init__(self, *arguments: Any, report: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._report = report
        self.next_fetch_offset: int
        self.end = 0

    def _maybe_skip_record(self, record: Columns) -> bool:
        return False  # `unpack` leaves out what lies before the offset that was asked for

    def _unpack_records(self, partition: TopicPartition, records: MemoryRecords, *_: Any) -> Iterator[Columns]:
        batch = _next(records)
        while batch is not None:
            self.bytes_read += 1  # more than none: this partition comes last in the next request, so that none starves
            try:
                columns = self._columns(batch)
            except Exception as error:  # each codec has its own
                here, following = self.next_fetch_offset, _next(records)
                self.next_fetch_offset = self._beyond(batch, following)
                self._report(partition, self.next_fetch_offset - here, f"offset {here}: {error}")
                if batch is error or self.aborted_transactions or self.aborted_producer_ids:
                    # What follows cannot be found, or the batch may have been the mark where an aborted transaction
                    # ends: the next answer begins beyond it and tells anew.
                    break
            else:
                following = _next(records)
                self.next_fetch_offset = batch.next_offset if batch.magic >= 2 else batch.base_offset + 1
                if columns is not None:
                    if columns.corrupt:
                        self._report(partition, columns.corrupt, f"within the batch at offset {batch.base_offset}")
                    yield columns
            batch = following
        self.drain()

    def _columns(self, batch: Any) -> Columns | None:
        """None: it marks a transaction's end, or was taken back. Raises whatever a codec raises."""
        if isinstance(batch, Exception):
            raise batch
        if not batch.validate_crc():
            raise CorruptRecordError("the checksum is not that of the content")
        if batch.magic < 2:
            return _unpack_old(batch, self.fetch_offset)
        self.leader_epoch = batch.leader_epoch
        if batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return None
        if batch.is_control_batch:
            return None
        iter(batch)  # decompresses
        logged = batch.max_timestamp if batch.timestamp_type else None
        data, count = bytes(batch._buffer), batch.records_count
        return unpack(data, batch._pos, count, batch.base_offset, batch.first_timestamp, logged, self.fetch_offset)

    def _beyond(self, batch: Any, following: Any) -> int:
        """The first offset after a batch whose own header may be wrong: the following batch knows it, else the least
        that can be meant; where that is too little the broker sends the batch again and we come here again.
        """
        likely = []
        if getattr(following, "magic", 0) >= 2:  # older ones give the offset of their last record
            likely = [following.base_offset]
        if getattr(batch, "magic", 0) >= 2:
            likely += sorted([batch.base_offset + batch.records_count, batch.next_offset])
        here = self.next_fetch_offset
        return next((offset for offset in likely if here < offset <= self.end), here + 1)


def _next(records: MemoryRecords) -> Any:
    """The next batch; where even its header makes no sense, the exception that says so; None at the end."""
    try:
        return records.next_batch()
    except Exception as error:
        return error


def _unpack_old(batch: Any, first: int) -> Columns:
    """Message formats 0 and 1, in which logs from before Kafka 0.11 may still be."""
    records = [record for record in batch if record.offset >= first]
    return Columns(
        [record.value for record in records],
        [record.offset for record in records],
        [record.key for record in records],
        [() for _ in records],
        [-1 if record.timestamp is None else record.timestamp for record in records],
    )
