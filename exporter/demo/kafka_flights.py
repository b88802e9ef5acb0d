"""The flights of 2013 as if they were of now: moved by whole weeks, so that weekday and hour stay what they were."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import orjson
from kafka import KafkaAdminClient, KafkaProducer

from exporter.demo.prepare import LABELS, PREDICTIONS

# Topic → partitions: several, so that the page has more than one lag to show.
TOPICS = {Path(PREDICTIONS).stem: 3, Path(LABELS).stem: 2}
_WEEK = timedelta(weeks=1)


class Event(NamedTuple):
    """`value` carries the moved time too."""

    time: datetime
    topic: str
    id: str
    value: bytes


def shift(folder: Path, now: datetime) -> timedelta:
    """The least whole number of weeks that brings the last flight to now, or beyond: those are still to come."""
    with (folder / PREDICTIONS).open("rb") as lines:
        [last] = deque(lines, maxlen=1)
    return -((_time(orjson.loads(last)) - now) // _WEEK) * _WEEK


def events(folder: Path, by: timedelta) -> Iterator[Event]:
    """Predictions and labels in the order of their times, moved by `by`."""
    return merge(*(_of(folder / name, by) for name in (PREDICTIONS, LABELS)), key=attrgetter("time"))


def _of(path: Path, by: timedelta) -> Iterator[Event]:
    with path.open("rb") as lines:
        for line in lines:
            event = orjson.loads(line)
            moved = _time(event) + by
            event["timestamp"] = moved.strftime("%Y-%m-%dT%H:%M:%SZ")
            yield Event(moved, path.stem, event["prediction_id"], orjson.dumps(event))


def _time(event: dict[str, str]) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def create_topics(address: str) -> None:
    """Those of the flights, at a broker that has just started."""
    with KafkaAdminClient(bootstrap_servers=address) as admin:
        admin.create_topics({name: {"num_partitions": n, "replication_factor": 1} for name, n in TOPICS.items()})


@contextmanager
def publishing(address: str) -> Iterator[Callable[[Event], None]]:
    """What sends an event, soon; at the latest when the block ends. A record has the time of its event."""
    producer = KafkaProducer(bootstrap_servers=address, linger_ms=100, batch_size=1 << 18, compression_type="lz4")

    def send(event: Event) -> None:
        partition = crc32(event.id.encode()) % TOPICS[event.topic]
        at = int(event.time.timestamp() * 1000)
        producer.send(event.topic, event.value, event.id.encode(), partition=partition, timestamp_ms=at)

    try:
        yield send
    finally:
        producer.close(timeout=2)
