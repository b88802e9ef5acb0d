"""A sidecar, the topics it reads, and everything that was written to them."""

import time
from collections.abc import Mapping
from pathlib import Path

from tests.services.kafka import Kafka
from tests.services.resumed import assert_as_replayed
from tests.services.sidecar import Scraper, Sidecar
from tests.services.traffic import events, logs, publish, world
from tests.stories.world import Series


class Story:
    """Two topics, TOPIC.a and TOPIC.b, with events of the last five hours. The sidecar is not started yet."""

    def __init__(self, kafka: Kafka, folder: Path, topic: str, partitions: Mapping[str, int], **config: str) -> None:
        self.made = world(folder, kafka.servers, topic, **config)
        self.sidecar = Sidecar(self.made.config)
        self.written = 0
        self._kafka, self._topic, self._partitions = kafka, topic, partitions
        for letter, number in partitions.items():
            kafka.create(f"{topic}.{letter}", number)

    def publish(self, count: int, in_time: bool = False) -> None:
        """`count` more events, other ones each time. `in_time`: none is late, where it is all that is published."""
        self.written += count
        written = [*events(self.written, count, time.time() - 5 * 3600, 5.0, in_time)]
        publish(self._kafka.servers, self._topic, written, self._partitions)

    def some_read(self) -> dict[Series, float]:
        return self.sidecar.until_metrics(lambda found: records(found) > 0)

    def all_read(self) -> dict[Series, float]:
        return self.sidecar.until_metrics(lambda found: records(found) == self.written)

    def assert_nothing_lost(self, scraper: Scraper, in_time: bool = False) -> None:
        """It reads the rest and leaves: every figure is that of a replay, and no counter ever stepped back. `in_time`:
        all was published so, and the scores are compared too."""
        self.all_read()
        assert self.sidecar.end() == 0
        assert scraper.steps_back == []
        topics = [f"{self._topic}.{letter}" for letter in self._partitions]
        assert_as_replayed(self.made, logs(self._kafka.servers, topics), in_time)


def records(found: Mapping[Series, float]) -> float:
    return sum(value for key, value in found.items() if key[0] == "drift_exporter_records_total")
