"""What several models write to several topics: out of order, with everything that events may have wrong."""

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.stories.world import World

COLOURS = ["red", "green", "blue", "white", "black", "amber"]
CONFIG = """
kafka: {{bootstrap_servers: [{servers}], start: earliest, extra: {extra}}}
topics:
  {topic}.a: {{role: predictions}}
  {topic}.b: {{role: predictions}}
models:
  churn: {{task: binary, classes: ["0", "1"], reference: {{"1": churn.reference.json, "*": churn.reference.json}}}}
  price: {{task: regression, reference: price.reference.json}}
windows: [{windows}]
lateness: 1m
evaluate_every: {every}
state: {{path: {state}}}
"""


class Event(NamedTuple):
    topic: str  # a or b
    partition: int
    value: bytes | None


def world(
    folder: Path,
    servers: str,
    topic: str,
    *,
    windows: str = "1h, 6h",
    every: str = "1s",
    extra: str = "{}",
    state: str = "state",
) -> World:
    """A folder with a configuration of two models on TOPIC.a and TOPIC.b, and their references."""
    made = World(folder)
    made.configure(CONFIG.format(servers=servers, topic=topic, windows=windows, every=every, extra=extra, state=state))
    chance = random.Random(1)
    made.reference("churn", [{**_features(chance), "score": chance.random()} for _ in range(300)])
    made.reference("price", [{**_features(chance), "prediction": chance.gauss(9, 3)} for _ in range(300)])
    return made


def _features(chance: random.Random) -> dict[str, Any]:
    return {
        "age": round(chance.gauss(40, 12), 1),
        "balance": round(chance.lognormvariate(7, 2), 2) * chance.choice([1, 1, -1]),
        "visits": chance.randrange(9),
        "colour": chance.choice(COLOURS[:5]),
    }


def events(seed: int, count: int, start: float, hours: float, in_time: bool = False) -> Iterator[Event]:
    """`count` events, `start` in epoch seconds; their times advance over `hours`, up to half an hour out of order.

    `in_time`: less out of order than the lateness, so that none is late, in whichever order partitions are read.
    """
    chance = random.Random(seed)
    for i in range(count):
        behind = [0, 0, 0, 1, 30, 59] if in_time else [0, 0, 0, 1, 30, 300, 1800]
        time = start + hours * 3600 * i / count - chance.choice(behind) * chance.random()
        yield Event(chance.choice("ab"), chance.randrange(6), _value(chance, i, round(time, 3)))


def _value(chance: random.Random, number: int, time: float) -> bytes | None:
    """One in forty is no event at all, and one in ten of the others is odd."""
    hostile = chance.random() * 40
    if hostile < 1:
        broken = [b"{", b"\xff\xfe", b"[1]", b"{}", b'{"model": "unknown", "timestamp": 1}']
        return chance.choice([None, b"", *broken, b'{"model":"churn","timestamp":"never"}'])
    features = _features(chance)
    if chance.random() < 0.1:
        odd: list[tuple[str, Any]] = [
            ("age", None), ("age", "old"), ("age", 1e308), ("balance", float("nan")), ("balance", 1e-300),
            ("visits", -1), ("colour", "unseen before"), ("colour", ["red"]), ("colour", 5), (f"new {number % 7}", 1),
        ]  # fmt: skip
        name, value = chance.choice(odd)
        features[name] = value
        if chance.random() < 0.3:
            del features["visits"]
    event = {"timestamp": time, "prediction_id": str(number), "features": features}
    if chance.random() < 0.7:
        event |= {"model": "churn", "model_version": chance.choice(["1", "2", 3]), "score": round(chance.random(), 6)}
    else:
        event |= {"model": "price", "prediction": round(chance.gauss(10, 4), 3)}
    return json.dumps(event).encode()


def publish(
    servers: str, topic: str, written: Sequence[Event], partitions: Mapping[str, int], seconds: float = 0.0
) -> None:
    """All of them acknowledged when this returns, spread over `seconds`, whatever the broker does meanwhile.

    `partitions`: how many TOPIC.a and TOPIC.b have. Batches are small, so that reading stops within many places.
    """
    patience = {"delivery_timeout_ms": 120_000, "request_timeout_ms": 5_000, "retry_backoff_ms": 100}
    with KafkaProducer(bootstrap_servers=servers, acks="all", batch_size=4000, linger_ms=20, **patience) as producer:
        sent = []
        for event in written:
            number = event.partition % partitions[event.topic]
            sent.append(producer.send(f"{topic}.{event.topic}", event.value, b"key", partition=number))
            if seconds and len(sent) % 20 == 0:
                time.sleep(seconds * 20 / len(written))
        producer.flush()
        for future in sent:
            future.get(0)


def logs(servers: str, topics: Sequence[str]) -> dict[TopicPartition, list[bytes | None]]:
    """Everything that is in these topics, by a consumer that knows nothing of ours."""
    with KafkaConsumer(bootstrap_servers=servers, consumer_timeout_ms=10_000) as consumer:
        partitions = [TopicPartition(topic, n) for topic in topics for n in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: dict[TopicPartition, list[bytes | None]] = {partition: [] for partition in partitions}
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for partition, records in consumer.poll(1000).items():
                found[partition] += [record.value for record in records]
    return found


def files(folder: Path, found: Mapping[TopicPartition, Sequence[bytes | None]]) -> list[str]:
    """The same as files to replay, each a partition. A line cannot be a tombstone: how many there were is not told."""
    words = []
    for (topic, number), values in found.items():
        path = folder / f"{topic}.{number}.jsonl"
        path.write_bytes(b"".join(value + b"\n" for value in values if value is not None))
        words.append(f"{topic}={path}")
    return words
