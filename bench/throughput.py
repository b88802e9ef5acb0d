"""From Kafka to counted, against a bare loop of kafka-python's `poll` and `orjson.loads` over the same topic.

Each turn is a process of its own that reads the whole topic once; ours is the App as `run` makes it, its ticks and
saves included.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from bench.broker import broker, fill
from bench.data import LABELLED, LABELS, PARTITIONS, SECOND, TOPIC, World, events, predictions, write
from bench.report import Figure, Section, middle
from bench.turns import turn
from tests.services.kafka import Kafka

PER_SECOND = 500  # events of one second of event time
TAILS = 20_000


@dataclass(frozen=True)
class Reading:
    """Events and seconds from the first poll that brought any to the last event, and the processor's seconds of the
    whole process meanwhile."""

    events: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds

    @property
    def work(self) -> float:
        """Seconds of the processor an event."""
        return self.cpu / self.events


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def bare(servers: str, topic: str, count: int) -> Reading:
    """kafka-python as it comes but for the exporter's fetch sizes, and polls as large as there are records."""
    from kafka import KafkaConsumer, TopicPartition

    from exporter.sources.kafka_connection import DEFAULTS

    sizes = {name: DEFAULTS[name] for name in ("fetch_max_bytes", "max_partition_fetch_bytes", "max_poll_records")}
    consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, **sizes)
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    done = first = 0
    began = cpu = 0.0
    while done < count:
        for records in consumer.poll(timeout_ms=500).values():
            for record in records:
                orjson.loads(record.value)
            done += len(records)
        if done and not began:
            first, began, cpu = done, time.perf_counter(), _cpu()
    found = Reading(done - first, time.perf_counter() - began, _cpu() - cpu)
    consumer.close()
    return found


def ours(config_path: str, state: str, count: int, profile: bool) -> tuple[Reading, dict[str, float], bytes]:
    """The reading, seconds by stage (where asked for), and the last page."""
    from exporter.app import App
    from exporter.config import load
    from exporter.references import load_references
    from exporter.run import kafka_source
    from exporter.state import RocksStore

    path = Path(config_path)
    config = load(path, purpose="run")
    app = App(config, kafka_source(config), RocksStore(Path(state)), load_references(config, path))
    stages = Stages(app) if profile else None
    while not (first := _read(app)):
        app.step()
    began, cpu = time.perf_counter(), _cpu()
    if stages is not None:
        stages.seconds.clear()
    while _read(app) < count:
        app.step()
    app.finish()
    found = Reading(_read(app) - first, time.perf_counter() - began, _cpu() - cpu)
    app.close()
    return found, dict(stages.seconds) if stages is not None else {}, app.snapshot.text


def _read(app: Any) -> int:
    return int(app.counters.get("drift_exporter_records_total", TOPIC))


class Stages:
    """Seconds spent in each stage of a turn, less those of the stages within it. Measured once a batch, so that
    measuring costs nothing."""

    def __init__(self, app: Any) -> None:
        from exporter import app as turn
        from exporter import windows
        from exporter.decode.typed import TypedDecoder
        from exporter.metrics import Snapshot
        from exporter.summaries.block import Layout

        self.seconds: dict[str, float] = {}
        self._open: list[float] = []
        self._wrap(app.source, "poll", "poll")
        for decoder in app._decoders.values():
            self._wrap(decoder, "decode", "decode: the rest")
        self._wrap(TypedDecoder, "take", "decode: bytes to structs")
        self._wrap(TypedDecoder, "batch", "decode: structs to columns")
        self._wrap(Layout, "encode", "encode: cells to bins")
        self._wrap(app.join, "predictions", "join: predictions that wait")
        self._wrap(app.join, "expire", "join: what expires")
        self._wrap(windows.Delta, "__init__", "observe: sums of a batch")
        self._wrap(windows.RollingWindow, "add", "observe: sums to windows")
        self._wrap(app, "evaluate", "evaluate")
        self._wrap(app, "_view", "evaluate")
        self._wrap(turn, "render", "render")
        self._wrap(Snapshot, "of", "render")
        self._wrap(app, "save", "save")
        self._wrap(app, "step", "the turn itself")

    def _wrap(self, owner: Any, name: str, stage: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **named: Any) -> Any:
            self._open.append(0.0)
            began = time.perf_counter()
            try:
                found = inner(*args, **named)
                return list(found) if isinstance(found, Iterable) and name == "poll" else found
            finally:
                whole = time.perf_counter() - began
                within = self._open.pop()
                self.seconds[stage] = self.seconds.get(stage, 0.0) + whole - within
                if self._open:
                    self._open[-1] += whole

        setattr(owner, name, timed)


def profile(seconds: dict[str, float], reading: Reading) -> str:
    each = reading.seconds / reading.events * 1e6
    lines = [f"Where the time of an event goes ({reading.rate:,.0f} events/s, {each:.1f} µs):", ""]
    rest = reading.seconds - sum(seconds.values())
    for stage, spent in sorted({**seconds, "not measured": rest}.items(), key=lambda item: -item[1]):
        lines.append(f"    {stage:28} {spent / reading.events * 1e6:6.2f} µs {spent / reading.seconds:6.1%}")
    return "\n".join(lines)


def measure(quick: bool = False) -> Section:
    section = Section("From Kafka to counted: 50 features, 800 bytes an event, 4 partitions")
    count, turns = (60_000, 1) if quick else (600_000, 3)
    with TemporaryDirectory() as name:
        folder = Path(name)
        with broker(folder / "kafka") as kafka:
            _compare(section, kafka, folder / "mixed", "40 numbers, 10 texts", World(40, 10), count, turns)
            kafka.delete(TOPIC)
            _compare(section, kafka, folder / "numbers", "50 numbers", World(50), count // 2, max(1, turns - 1))
            kafka.delete(TOPIC)
            kafka.create(LABELS, partitions=1)
            _compare(section, kafka, folder / "labels", "40 numbers, 10 texts, all waiting for labels", World(40, 10),
                     count // 2, max(1, turns - 1), labelled=True)  # fmt: skip
    return section


def _compare(
    section: Section,
    kafka: Kafka,
    folder: Path,
    label: str,
    world: World,
    count: int,
    turns: int,
    labelled: bool = False,
) -> None:
    first = time.time_ns() - (count // PER_SECOND + 60) * SECOND
    made = (predictions if labelled else events)(world.tails(TAILS, seed=1), count, first, PER_SECOND)
    fill(kafka, TOPIC, made)
    config = str(write(folder, world, kafka.servers, **({"topics": LABELLED} if labelled else {})))
    bares, own = [], []
    for i in range(turns):
        bares.append(turn(bare, kafka.servers, TOPIC, count))
        reading, _, page = turn(ours, config, str(folder / f"state{i}"), count, False)
        own.append(reading)
        _check(section, page, world, count, labelled)
    reading, stages, page = turn(ours, config, str(folder / "profiled"), count, True)
    _check(section, page, world, count, labelled)
    ratios = [mine.rate / other.rate for mine, other in zip(own, bares, strict=True)]
    work = [other.work / mine.work for mine, other in zip(own, bares, strict=True)]
    section.figures += [
        Figure(f"{label}: ours / bare loop", middle(ratios), goal=0.6 if labelled else 0.75, more=True),
        Figure(f"{label}: the same by processor seconds", middle(work)),
        Figure(f"{label}: ours", middle([mine.rate for mine in own]), "events/s"),
        Figure(f"{label}: bare loop", middle([other.rate for other in bares]), "events/s"),
    ]
    section.notes.append(f"{label}, ratios {', '.join(f'{r:.3f}' for r in ratios)}. {profile(stages, reading)}")


def _check(section: Section, page: bytes, world: World, count: int, labelled: bool) -> None:
    """Every event is counted, in every window, every cell of it."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[tuple[str, str, str], float] = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            key = (sample.name, sample.labels.get("feature", ""), sample.labels.get("window", ""))
            found[key] = found.get(key, 0.0) + sample.value
    section.count("records", found["drift_exporter_records_total", "", ""], count)
    section.count("rejects", found["drift_exporter_rejected_records_total", "", ""], 0)
    section.count("predictions", found["model_predictions_total", "", ""], count)
    section.count("waiting", found.get(("model_predictions_waiting", "", ""), 0), count if labelled else 0)
    for window in ("24h", "7d"):
        section.count(f"rows in {window}", found["model_window_rows", "", window], count)
    drawn = world.draw(TAILS, seed=1)
    for name, x in zip(world.numbers(), drawn.numbers, strict=True):
        mean = float(x[: count % TAILS].sum() + count // TAILS * x.sum()) / count
        section.count(f"mean of {name}", found["model_feature_mean", name, "7d"], mean, 1e-9 * max(1.0, abs(mean)))
        section.count(f"missing in {name}", found["model_feature_missing_ratio", name, "7d"], 0)


if __name__ == "__main__":
    done = measure("--quick" in sys.argv)
    print(done.text(), *done.wrong, sep="\n")
    sys.exit(bool(done.wrong))
