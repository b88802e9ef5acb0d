"""The real process against the real broker, killed at random moments: in the end every figure is that of a replay.

`make chaos` kills a hundred times; DRIFT_EXPORTER_SEED repeats a run whose seed was printed.
"""

import os
import random
import time
from pathlib import Path
from threading import Thread

import pytest

from tests.services.kafka import Kafka
from tests.services.resumed import assert_as_replayed
from tests.services.sidecar import Scraper, Sidecar
from tests.services.traffic import Event, events, logs, publish, world
from tests.stories.world import World

KILLS = int(os.environ.get("DRIFT_EXPORTER_KILLS", "20"))
SEED = int(os.environ.get("DRIFT_EXPORTER_SEED", str(time.time_ns() % 1_000_000)))
PARTITIONS = {"a": 3, "b": 2}
TOPICS = ["killed.a", "killed.b"]
START_CPU = 2.0  # seconds until the page answers, of a processor: what else the machine does is not counted
# On every page of a state that is open.
COUNTED = "drift_exporter_records_total"


class Chaos:
    """One story of kills. The broker is away at one start, and killed and started again beneath a process later."""

    def __init__(self, kafka: Kafka, made: World, chance: random.Random) -> None:
        self.kafka, self.chance = kafka, chance
        self.sidecar = Sidecar(made.config)
        self.cpu: list[float] = []
        self.clock: list[float] = []

    def run(self) -> None:
        for number in range(KILLS):
            if number == KILLS // 3:
                self.kafka.kill()
            began = time.monotonic()
            self.sidecar.start()
            if self.chance.random() < 0.7 or number == KILLS // 3:
                self.sidecar.until(lambda: self.sidecar.get("/metrics"))
                self.cpu.append(self.sidecar.cpu_seconds())
                self.clock.append(time.monotonic() - began)
            if number == KILLS // 3:
                self.sidecar.until_metrics(lambda found: COUNTED in {name for name, _ in found})
                self.kafka.start()
            if number == 2 * KILLS // 3:
                self.kafka.kill()
                self.kafka.start()
            time.sleep(self.chance.uniform(0, 2))
            self.sidecar.kill()


@pytest.fixture
def written() -> list[Event]:
    """Of the last five hours, so that windows end meanwhile and the clock closes panes."""
    return [*events(SEED, 300 * KILLS, time.time() - 5 * 3600, 5.0)]


@pytest.mark.timeout(60 + 10 * KILLS)
def test_killed_at_any_moment_it_counts_every_event_once(kafka: Kafka, tmp_path: Path, written: list[Event]) -> None:
    print(f"DRIFT_EXPORTER_SEED={SEED}")
    made = world(tmp_path, kafka.servers, "killed", extra="{fetch_max_bytes: 20000, max_partition_fetch_bytes: 8000}")
    for name, number in PARTITIONS.items():
        kafka.create(f"killed.{name}", number)
    chaos = Chaos(kafka, made, random.Random(SEED))
    writer = Thread(target=publish, args=(kafka.servers, "killed", written, PARTITIONS, 2.5 * KILLS), daemon=True)
    with Scraper(chaos.sidecar) as scraper:
        writer.start()
        try:
            chaos.run()
            writer.join()
            read = logs(kafka.servers, TOPICS)
            chaos.sidecar.start()
            expected = {("drift_exporter_records_total", (("topic", topic),)): 0.0 for topic in TOPICS}
            for (topic, _), values in read.items():
                expected["drift_exporter_records_total", (("topic", topic),)] += len(values)
            chaos.sidecar.until_read(expected)
            assert chaos.sidecar.end() == 0
        finally:
            chaos.sidecar.kill()
    clock, cpu = max(chaos.clock), max(chaos.cpu)
    print(f"{scraper.pages} pages; answered within {clock:.2f} s, {cpu:.2f} s of a processor")
    assert sum(map(len, read.values())) >= len(written)
    assert scraper.pages > KILLS
    assert scraper.steps_back == []
    assert cpu < START_CPU
    assert_as_replayed(made, read)
