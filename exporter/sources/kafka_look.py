"""One look at Kafka, for `check --connect` and `peek`: what `run` would meet now, in a few seconds and for once."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka.errors import KafkaError, TopicAuthorizationFailedError

from exporter.config.kafka import Kafka
from exporter.sources import Partition, Records
from exporter.sources import kafka_problems as problems
from exporter.sources.kafka_batches import Columns, join
from exporter.sources.kafka_connection import Connection, check_options, quiet
from exporter.sources.kafka_fetcher import Bounds
from exporter.sources.kafka_tokens import tokens

PATIENCE = 10.0  # seconds for each answer; a broker that is well gives all of them within one
PLAIN = 2.0  # seconds to try all brokers, where one has said what keeps us out


class Unreachable(Exception):
    """What keeps records from coming: `problems`, a sentence with its remedy each."""

    def __init__(self, *told: str) -> None:
        super().__init__("\n".join(told))
        self.problems = told


def check(config: Kafka, topics: Collection[str]) -> dict[str, int]:
    """Partitions of each topic, all of which can be read. Raises Unreachable with everything that cannot."""
    with _connected(config, topics) as connection:
        partitions = {p for topic in topics for p in connection.partitions(topic) or ()}
        told = [*_absent(connection, topics), *_unread(connection, partitions)]
    if told:
        raise Unreachable(*told)
    return {topic: sum(partition.topic == topic for partition in partitions) for topic in topics}


def newest(config: Kafka, topic: str, count: int) -> list[Records]:
    """The topic's last `count` records over all partitions, by their Kafka timestamps, one in each Records.

    Fewer where there are no more, or corrupt ones among them. Raises Unreachable.
    """
    with _connected(config, [topic]) as connection:
        if told := list(_absent(connection, [topic])):
            raise Unreachable(*told)
        led = {partition for partition in connection.partitions(topic) or () if connection.led(partition)}
        bounds = _bounds(connection, led)
        if bounds is None:
            raise Unreachable(problems.silent(led))
        back = count
        while True:
            starts = {p: max(bounds.starts[p], bounds.ends[p] - back) for p in led if p in bounds.ends}
            found = [
                (columns.timestamps[i], partition, columns, i)
                for partition, columns in _between(connection, starts, bounds).items()
                for i in range(len(columns.values))
            ]
            # Marks of transactions, and what these took back, have offsets and are no records.
            if len(found) >= count or all(starts[partition] == bounds.starts[partition] for partition in starts):
                break
            back *= 8
        found.sort(key=lambda one: (one[0], one[1], one[2].offsets[one[3]]))
        return [_one(partition, columns, i) for _, partition, columns, i in found[-count:]]


@contextmanager
def _connected(config: Kafka, topics: Collection[str]) -> Iterator[Connection]:
    quiet()
    servers = config.bootstrap_servers
    connection = None
    proof = tokens(config.sasl)
    try:
        check_options(config)
    except ValueError as error:
        raise Unreachable(str(error)) from None
    try:
        try:
            connection = Connection(config, topics, proof)
            _await(connection, servers)
        except Unreachable:
            raise
        except Exception as error:  # kafka-python's own, the system's, and those of what proves who we are
            raise Unreachable(problems.away(servers, error)) from None
        yield connection
    except KafkaError as error:
        raise Unreachable(problems.away(servers, error)) from None
    finally:
        if proof is not None:
            proof.close()
        if connection is not None:
            connection.close()


def _await(connection: Connection, servers: Collection[str]) -> None:
    """Until a broker has told about the topics. Raises Unreachable: soon where the reason is plain, for trying again
    would change nothing.
    """
    began = time.monotonic()
    while not connection.wait(time.monotonic() + 0.2):
        waited, trouble = time.monotonic() - began, connection.trouble
        plain = (
            trouble is not None and problems.security(trouble) is not None and not getattr(trouble, "waiting", False)
        )
        if waited > (PLAIN if plain else PATIENCE):
            raise Unreachable(problems.away(servers, trouble=trouble))


def _absent(connection: Connection, topics: Collection[str]) -> Iterator[str]:
    for topic in topics:
        if connection.partitions(topic) is None:
            yield (problems.forbidden if connection.forbidden(topic) else problems.missing)(topic)


def _bounds(connection: Connection, partitions: Collection[Partition]) -> Bounds | None:
    """None where nobody answers; raises Unreachable where somebody refuses."""
    waiting = connection.bounds(partitions, None)
    if not waiting.done(time.monotonic() + PATIENCE):
        return None
    refusal = waiting.future.exception
    if refusal is not None:
        raise Unreachable(*_refusals(dict.fromkeys(partitions, refusal)))
    bounds: Bounds = waiting.future.value
    return bounds


def _unread(connection: Connection, partitions: Collection[Partition]) -> Iterator[str]:
    """Why these cannot be read, if so: `Describe` alone lets a topic be seen, so its records have to be asked for."""
    try:
        bounds = _bounds(connection, {partition for partition in partitions if connection.led(partition)})
    except Unreachable as refusal:
        yield from refusal.problems
        return
    ends = {} if bounds is None else {Partition(*partition): end for partition, end in bounds.ends.items()}
    connection.read_from(ends, ends)
    fetcher = connection.fetcher
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not ends.keys() <= fetcher.ends.keys() | fetcher.refused.keys():
        connection.poll(min(deadline, time.monotonic() + 0.2))
    yield from _refusals(fetcher.refused)
    if silent := set(partitions) - fetcher.ends.keys() - fetcher.refused.keys():
        yield problems.silent(silent)


def _refusals(refused: Mapping[Any, KafkaError]) -> list[str]:
    """A sentence for each topic that is forbidden, and for each partition (ours, or kafka-python's) that fails."""
    told = {
        problems.forbidden(topic)
        if isinstance(error, TopicAuthorizationFailedError)
        else problems.unreadable(Partition(topic, number), error)
        for (topic, number), error in refused.items()
    }
    return sorted(told)


def _between(connection: Connection, starts: Mapping[Partition, int], bounds: Bounds) -> dict[Partition, Columns]:
    """Everything from `starts` to the ends. Raises Unreachable where that cannot be had."""
    connection.read_from(starts, starts)
    fetcher = connection.fetcher
    found = {partition: Columns() for partition in starts}
    deadline = time.monotonic() + PATIENCE
    while unread := [p for p in starts if fetcher.position(p) < bounds.ends[p]]:
        if fetcher.refused:
            raise Unreachable(*_refusals(fetcher.refused))
        if time.monotonic() >= deadline:
            raise Unreachable(problems.silent(unread))
        for partition, batches in connection.poll(min(deadline, time.monotonic() + 0.2)).items():
            found[Partition(*partition)] = join([found[Partition(*partition)], *batches])
    return found


def _one(partition: Partition, columns: Columns, i: int) -> Records:
    at = columns.offsets[i]
    values, keys, headers = [columns.values[i]], [columns.keys[i]], [columns.headers[i]]
    return Records(partition, values, [at], at + 1, keys, headers, [columns.timestamps[i]])
