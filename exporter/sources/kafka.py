"""Records from Kafka: all partitions of the topics by `assign`, positions kept by us, nothing that stops or blocks.

`kafka_connection` opens and closes, `kafka_fetcher` reads past what is corrupt, `kafka_batches` unpacks; here is where
reading begins and goes on, and what an operator should know.
"""

import logging
import random
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from kafka.errors import KafkaError, LogTruncationError, TopicAuthorizationFailedError

from exporter.config.kafka import Kafka
from exporter.sources import Partition, Records
from exporter.sources import kafka_problems as problems
from exporter.sources.kafka_batches import Columns, join
from exporter.sources.kafka_connection import Connection, Waiting, check_options, quiet
from exporter.sources.kafka_fetcher import Bounds
from exporter.sources.kafka_tokens import tokens

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds without an answer before it is said; a broker answers twice a second, records or not
ANEW = 60.0  # seconds of silence of all brokers before the configured ones are asked again: all may have been replaced
RETRY = (1.0, 30.0)  # seconds to the next attempt after a refusal: the first, doubling up to the second
REPEAT = 60.0  # seconds before corrupt records of the same partition are logged again


class KafkaSource:
    """A live `Source`. Everything happens inside `poll`, which raises nothing and returns in time.

    A partition is told when it is found, by Records without values, so that its position is saved before its first
    record; likewise when the position moved past control records alone. A value is None for a tombstone. A timestamp
    of -1 is one the producer did not set.
    """

    recorded = False

    def __init__(self, config: Kafka, topics: Collection[str], since_ns: int) -> None:
        """`since_ns`: what `start: auto` means, in ns since the epoch.

        Raises ValueError for an option in `kafka.extra` that kafka-python does not have.
        """
        check_options(config)
        self._config = config
        self._topics = sorted(topics)
        self._since_ms: int | None = None
        if isinstance(config.start, datetime):
            self._since_ms = int(config.start.timestamp() * 1000)
        elif config.start == "auto":
            self._since_ms = max(0, since_ns // 1_000_000)
        self._connection: Connection | None = None
        self._search: tuple[set[Partition], Waiting] | None = None
        self._next_search = 0.0
        self._positions: dict[Partition, int] = {}
        self._saved: set[str] = set()  # topics of which a position was saved
        self._first: set[Partition] = set()  # those of the other topics at the start, to which `kafka.start` applies
        self._lag: dict[Partition, int] = {}  # of the partitions that are being read
        self._start_ends: dict[Partition, int] = {}
        self._missing: set[str] = set()
        self._ids: dict[str, object] = {}
        self._refusals = 0
        self._refusal: Exception | None = None
        self._tokens = tokens(config.sasl)
        self._next_attempt = 0.0
        self._polled = self._next_look = time.monotonic()
        self._problems: dict[str, str] = {}
        self._flaw_told: dict[Partition, float] = {}
        quiet()

    def seek(self, positions: Mapping[Partition, int]) -> None:
        self._positions = {partition: at for partition, at in positions.items() if partition.topic in self._topics}
        self._saved = {partition.topic for partition in self._positions}

    def poll(self, timeout: float) -> list[Records]:
        now = time.monotonic()
        if now - self._polled > 1 and self._connection is not None:
            self._connection.forgive(now - self._polled)
        try:
            records = self._turn(now + timeout)
        except Exception as error:  # nothing may stop the stream, and a consumer that raised is never polled again
            log.debug("closing the connection to Kafka", exc_info=True)
            self._disconnect(error)
            records = []
        self._polled = time.monotonic()
        if self._polled >= self._next_look:
            self._next_look = self._polled + 1
            before, self._problems = self._problems, dict(self._troubles())
            problems.tell(log, before, self._problems)
        return records

    def commit(self, positions: Mapping[Partition, int]) -> None:
        if self._connection is not None:
            self._connection.commit(positions)

    def lag(self) -> Mapping[Partition, int]:
        """Records up to the last that may be read now, so those of an open transaction do not count.

        A partition that does not answer, or was not reached yet, has at least 1: nobody may take it for read to its
        end. Before a topic's partitions are known, its first stands for all.
        """
        lag = {partition: max(int(self._silent(partition)), behind) for partition, behind in self._lag.items()}
        for partition in [*self._positions, *(Partition(topic, 0) for topic in self._topics if topic not in self._ids)]:
            if partition.topic not in self._missing:
                lag.setdefault(partition, 1)
        return lag

    def start_ends(self) -> Mapping[Partition, int]:
        """Where each partition ended when it was found."""
        return self._start_ends

    def ended(self) -> bool:
        return False

    def problems(self) -> tuple[str, ...]:
        """What keeps records from coming, and the remedy, a sentence each."""
        return tuple(self._problems.values())

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._tokens is not None:
            self._tokens.close()

    # The connection

    def _turn(self, deadline: float) -> list[Records]:
        connection = self._connect(deadline)
        if connection is None:
            return []
        records = self._place(connection, deadline)
        if not self._lag:
            time.sleep(max(0.0, deadline - time.monotonic()))
            return records
        try:
            polled = connection.poll(0.0 if records else deadline)
        except LogTruncationError as error:
            polled = {}
            for partition, parting in error.divergent_offsets.items():
                self._part(Partition(*partition), None if parting is None else parting.offset)
        if all(self._silence(partition) > ANEW for partition in self._lag):
            raise KafkaError(f"no broker has answered for {ANEW:.0f} seconds")
        return records + self._collect(connection, polled)

    def _connect(self, deadline: float) -> Connection | None:
        if self._connection is None:
            time.sleep(max(0.0, min(self._next_attempt, deadline) - time.monotonic()))
            if time.monotonic() < self._next_attempt:
                return None
            self._connection = Connection(self._config, self._topics, self._tokens)
        return self._connection if self._connection.wait(deadline) else None

    def _disconnect(self, reason: Exception) -> None:
        if self._connection is not None:
            self._connection.close(wait=False)
        self._connection = self._search = None
        self._lag.clear()
        self._refusal = reason
        wait = min(RETRY[1], RETRY[0] * 2 ** min(self._refusals, 10)) * random.uniform(0.5, 1.5)
        self._refusals += 1
        self._next_attempt = time.monotonic() + wait

    # Where to read

    def _find(self, connection: Connection) -> set[Partition]:
        """Partitions that are there and have to be placed; drops those that are gone, or not where we thought."""
        found: set[Partition] = set()
        for topic in self._topics:
            partitions = connection.partitions(topic)
            if partitions is None:
                self._missing.add(topic)
                self._drop(partition for partition in self._lag if partition.topic == topic)
                continue
            self._missing.discard(topic)
            if topic not in self._ids and topic not in self._saved:
                self._first |= partitions
            identity = connection.topic_id(topic)
            if self._ids.setdefault(topic, identity) != identity:
                log.warning("topic %s was deleted and created anew: reading the new one from its start", topic)
                self._ids[topic] = identity
                self._drop(partition for partition in self._lag if partition.topic == topic)
                self._positions = {p: at for p, at in self._positions.items() if p.topic != topic}
                self._first = {partition for partition in self._first if partition.topic != topic}
            found |= partitions
        fetcher = connection.fetcher
        self._drop(Partition(*partition) for partition in fetcher.lost)
        fetcher.lost.clear()
        for partition in found:
            fetcher.heard.setdefault(partition, time.monotonic())
        return found - self._lag.keys()

    def _part(self, partition: Partition, offset: int | None) -> None:
        """A leader that had less was elected: from this offset on, if that is known, its log is not what we read."""
        at = self._positions.get(partition)
        if at is not None and offset is not None:
            if offset >= at:
                return  # told before
            log.warning("%s: its log lost what was from offset %d to %d", problems.named([partition]), offset, at)
            self._positions[partition] = offset
        self._drop([partition])

    def _drop(self, partitions: Iterable[Partition]) -> None:
        for partition in tuple(partitions):
            self._lag.pop(partition, None)
            if self._connection is not None:
                self._connection.fetcher.heard.pop(partition, None)
                self._connection.fetcher.refused.pop(partition, None)

    def _place(self, connection: Connection, deadline: float) -> list[Records]:
        """Look up where new partitions begin and end; once that is known, read them too."""
        unplaced = self._find(connection)
        if self._search is None:
            wanted = {partition for partition in unplaced if connection.led(partition)}
            if not wanted or time.monotonic() < self._next_search:
                return []
            self._search = wanted, connection.bounds(wanted, self._since_ms)
        wanted, waiting = self._search
        if not waiting.done(0.0 if self._lag else deadline):
            return []
        self._search = None
        self._next_search = time.monotonic() + 1
        if waiting.future.exception is not None:
            connection.fetcher.refused |= dict.fromkeys(wanted, waiting.future.exception)
            return []
        bounds: Bounds = waiting.future.value
        self._find(connection)  # the look-up asked for the topics too: one may turn out to be another
        placed = [self._begin(partition, bounds) for partition in sorted(wanted) if partition in bounds.ends]
        connection.read_from({p: self._positions[p] for p in self._lag}, [records.partition for records in placed])
        return placed

    def _begin(self, partition: Partition, bounds: Bounds) -> Records:
        """Where to read this partition from, and what was lost before that."""
        start, end = bounds.starts[partition], bounds.ends[partition]
        at = self._positions.get(partition)
        skipped = 0
        if at is None and partition not in self._first:
            at = start  # it is new: nothing of it was seen
        elif at is None:
            at = start if self._config.start == "earliest" else bounds.times.get(partition, end)
        elif at < start:
            skipped = start - at
            log.warning("%s: %d records were deleted before they were read", problems.named([partition]), skipped)
            at = start
        elif at > end:
            # The same topic was cut short, by the election of a leader that had less: what it has we have counted.
            # A topic of an earlier run cannot be told from one that was created anew.
            same = partition in self._start_ends
            why = "its log lost its end" if same else "the topic was created anew"
            log.warning("%s: offset %d is beyond the end %d: %s", problems.named([partition]), at, end, why)
            at = end if same else start
        self._positions[partition] = at
        self._start_ends[partition] = end
        self._lag[partition] = max(0, end - at)
        return Records(partition, [], [], at, skipped=skipped)

    # What came

    def _collect(self, connection: Connection, polled: Mapping[Any, list[Columns]]) -> list[Records]:
        """`polled` has kafka-python's TopicPartition as keys, a tuple that equals ours."""
        fetcher, records = connection.fetcher, []
        for partition in self._lag:
            at = fetcher.position(partition)
            corrupt = fetcher.corrupt.pop(partition, 0)
            if at != self._positions[partition] or partition in polled or corrupt:
                c = join(polled.get(partition, [Columns()]))
                self._positions[partition] = at
                records.append(
                    Records(partition, c.values, c.offsets, at, c.keys, c.headers, c.timestamps, corrupt=corrupt)
                )
            if corrupt and time.monotonic() - self._flaw_told.get(partition, -REPEAT) >= REPEAT:
                self._flaw_told[partition] = time.monotonic()
                flaw = fetcher.flaws[partition]
                log.error("%s: passed over %d corrupt records, %s", problems.named([partition]), corrupt, flaw)
            self._lag[partition] = max(0, fetcher.ends.get(partition, self._start_ends[partition]) - at)
        return records

    # What is wrong

    def _silence(self, partition: Partition) -> float:
        """Seconds since a broker answered for this partition, as of the last poll."""
        established = self._connection is not None and self._connection.established
        heard = self._connection.fetcher.heard if self._connection is not None and established else {}
        return self._polled - heard.get(partition, float("-inf"))

    def _silent(self, partition: Partition) -> bool:
        return self._silence(partition) > PATIENCE

    def _troubles(self) -> Iterator[tuple[str, str]]:
        """A key and a sentence for everything that is wrong now."""
        connection = self._connection
        established = connection is not None and connection.established
        heard = connection.fetcher.heard if connection is not None and established else {}
        silent = [partition for partition in heard if self._silent(partition)]
        if len(silent) < len(heard):
            self._refusals, self._refusal = 0, None
        waiting = not established and connection is not None and self._polled - connection.opened > PATIENCE
        if self._refusal or waiting or (silent and len(silent) == len(heard)):
            trouble = None if connection is None else connection.trouble
            yield "away", problems.away(self._config.bootstrap_servers, self._refusal, trouble)
        elif silent:
            yield "silent", problems.silent(silent)
        if connection is None or not established:
            return
        for topic in sorted(self._missing):
            yield topic, (problems.forbidden if connection.forbidden(topic) else problems.missing)(topic)
        for partition, error in connection.fetcher.refused.items():
            if isinstance(error, TopicAuthorizationFailedError):
                yield partition.topic, problems.forbidden(partition.topic)
            else:
                yield str(partition), problems.unreadable(Partition(*partition), error)
        if connection.uncommitted:
            yield "commit", problems.uncommitted(self._config.group_id, connection.uncommitted)
