"""Predictions that wait for labels: how fast the two meet from a file, what two million that wait cost, and how long
the longest stop is when they expire."""

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.data import LABELLED, LABELS, MODEL, SECOND, TOPIC, VERSION, World, head, label, predictions, write
from bench.report import Figure, Section
from bench.sidecar import resident
from bench.turns import turn

MB = float(1 << 20)
# As small as a model's events are where labels are many: what is measured is the join, not features.
WORLD = World(8, 2)
START = 1_700_000_000 * SECOND
PER_SECOND = 500  # predictions of one second of event time
DELAY = 600 * SECOND  # of labels, on average
TAILS = 5_000


def _app(config_path: str, source: Any, state: str) -> Any:
    from exporter.app import App
    from exporter.config import load
    from exporter.references import load_references
    from exporter.state import RocksStore

    path = Path(config_path)
    config = load(path, {}, "replay")
    return App(config, source, RocksStore(Path(state)), load_references(config, path))


def joined(config_path: str, state: str, folder: str, count: int) -> tuple[float, float, dict[str, int]]:
    """Replay files of predictions and labels: seconds, the processor's seconds, and what was counted."""
    from exporter.config import load
    from exporter.decode.json import time_of
    from exporter.replay import replay
    from exporter.sources.files import FileSource

    config = load(Path(config_path), {}, "replay")
    files = [(topic, f"{folder}/{topic}.jsonl") for topic in LABELLED]
    source = FileSource(files, {name: time_of(topic) for name, topic in config.topics.items()})
    app = _app(config_path, source, state)
    began, cpu = time.perf_counter(), _cpu()
    replay(app, lambda events: None)
    found = time.perf_counter() - began, _cpu() - cpu, _counts(app)
    app.close()
    return found


def waits(config_path: str, state: str, count: int) -> dict[str, float]:
    """Let `count` predictions wait, then expire: bytes of memory and disk, the longest stop, and the processor's
    seconds of a prediction."""
    source = Feed(count)
    app = _app(config_path, source, state)
    while not (first := source.given):
        app.step()
    app.tick()
    before, cpu, polled = resident(), _cpu(), source.seconds
    while source.given < count:
        app.step()
    app.tick()
    found = {
        "cpu": (_cpu() - cpu - (source.seconds - polled)) / (count - first),
        "memory": float(resident() - before),
        "waiting": float(sum(app.join.waiting().values())),
        "disk": float(app.store.bytes_used()),
    }
    source.later = 30 * 24 * 3600 * SECOND
    stops = Stops(app)
    while sum(app.join.waiting().values()):
        app.step()
    app.tick()
    expired = app.counters.get("model_predictions_expired_total", MODEL, VERSION, "horizon")
    found |= {"stop": stops.longest, "work": stops.work, "expired": float(expired), "after": float(resident() - before)}
    app.close()
    return found


class Stops:
    """The longest time that a turn spends on what expires: by the clock, on which a loaded machine's other work is too,
    and by the processor."""

    def __init__(self, app: Any) -> None:
        self.longest = self.work = 0.0
        inner = app._expire

        def timed(*args: Any) -> None:
            began, cpu = time.perf_counter(), time.thread_time()
            inner(*args)
            self.longest = max(self.longest, time.perf_counter() - began)
            self.work = max(self.work, time.thread_time() - cpu)

        app._expire = timed


class Feed:
    """A live source of predictions without labels. `later`: nanoseconds that its clock is ahead of the events."""

    recorded = False

    def __init__(self, count: int) -> None:
        from exporter.sources import Partition

        self.count, self.given, self.later, self.seconds = count, 0, 0, 0.0
        self._events = predictions(WORLD.tails(TAILS, seed=1), count, START, PER_SECOND)
        self._partition, self._labels = Partition(TOPIC, 0), Partition(LABELS, 0)

    def seek(self, positions: Any) -> None:
        """From the start."""

    def poll(self, timeout: float) -> Iterator[Any]:
        from exporter.sources import Records

        began = _cpu()
        values = [event for _, event in zip(range(min(8192, self.count - self.given)), self._events, strict=False)]
        start, self.given = self.given, self.given + len(values)
        self.seconds += _cpu() - began
        if values:
            yield Records(self._partition, values, range(start, self.given), self.given)
        elif self.later:
            for place, partition in enumerate((self._partition, self._labels)):
                value = head(START + self.later).replace(b"{", b'{"prediction_id":"end","label":1,"model":"m",') + b"}"
                yield Records(partition, [value], [self.count + place], self.count + place + 1)

    def commit(self, positions: Any) -> None:
        """Nobody else looks."""

    def lag(self) -> dict[Any, int]:
        return {self._partition: 1, self._labels: 1}

    def start_ends(self) -> dict[Any, int]:
        return {}

    def ended(self) -> bool:
        return False

    def problems(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        """Nothing to give back."""


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _counts(app: Any) -> dict[str, int]:
    names = {"predictions": "model_predictions_total", "matched": "model_labels_matched_total"}
    return {short: app.counters.get(name, MODEL, VERSION) for short, name in names.items()}


def measure(quick: bool = False) -> Section:
    section = Section("Labels: the join, and predictions that wait")
    with TemporaryDirectory() as name:
        folder = Path(name)
        config = str(write(folder, WORLD, topics=LABELLED))
        count = 40_000 if quick else 400_000
        _files(folder, count)
        seconds, cpu, counts = turn(joined, config, f"{folder}/joined", name, count)
        section.count("predictions", counts["predictions"], count)
        section.count("matched", counts["matched"], count)
        waiting = 100_000 if quick else 2_000_000
        found = turn(waits, config, f"{folder}/waiting", waiting)
        section.count("waiting", found["waiting"], waiting)
        section.count("expired", found["expired"], waiting)
    section.figures += [
        Figure("predictions with their labels, from files", count / seconds, "a second", 20_000, more=True),
        Figure("the processor's time of a prediction with its label", cpu / count * 1e6, "µs", 50),
        Figure("the processor's time of a prediction that waits, 10 features", found["cpu"] * 1e6, "µs"),
        Figure(f"{waiting:,} waiting: disk", found["disk"] / MB, "MB", 400),
        Figure(f"{waiting:,} waiting: memory", found["memory"] / MB, "MB", 150),
        Figure("longest stop by expiry", found["stop"] * 1e3, "ms", 50),
        Figure("the same by the processor's time", found["work"] * 1e3, "ms", 50),
        Figure("memory once all have expired", found["after"] / MB, "MB", 150),
    ]
    return section


def _files(folder: Path, count: int) -> None:
    tails = WORLD.tails(TAILS, seed=1)
    with (folder / f"{TOPIC}.jsonl").open("wb") as out:
        out.writelines(event + b"\n" for event in predictions(tails, count, START, PER_SECOND))
    random = np.random.default_rng(1)
    delays = (random.random(count) * 2 * DELAY).astype(np.int64)
    times = START + np.arange(count) * SECOND // PER_SECOND + delays
    with (folder / f"{LABELS}.jsonl").open("wb") as out:
        out.writelines(label(i, int(times[i])) + b"\n" for i in np.argsort(times).tolist())


if __name__ == "__main__":
    done = measure("--quick" in sys.argv)
    print(done.text(), *done.wrong, sep="\n")
    sys.exit(bool(done.wrong))
