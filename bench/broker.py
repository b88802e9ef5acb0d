"""The real broker of the tests, filled with events."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaProducer

from bench.data import PARTITIONS
from tests.services.kafka import CACHE, Kafka
from tests.services.need import need

ROOT = Path(__file__).parent.parent


@contextmanager
def broker(folder: Path) -> Iterator[Kafka]:
    """Apache Kafka with its data in `folder`; ends with an exception where Java or Maven are not there."""
    subprocess.run([ROOT / "scripts" / "kafka-jars.sh"], check=True)
    if not CACHE.exists():
        need("mvn", "maven")
    folder.mkdir(parents=True)
    kafka = Kafka(folder, CACHE)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.kill()


def fill(kafka: Kafka, topic: str, values: Iterator[bytes]) -> None:
    """A new topic with these events by turns in its partitions, in batches as producers send them by default."""
    kafka.create(topic, partitions=PARTITIONS)
    with KafkaProducer(bootstrap_servers=kafka.servers, linger_ms=20, acks=1) as producer:
        for i, value in enumerate(values):
            producer.send(topic, value, partition=i % PARTITIONS)
        producer.flush()
