"""The process of `drift-exporter run` over an endless stream from memory: `python -m bench.sidecar CONFIG …`

Everything but the source is the sidecar's own; kafka-python is loaded too, for its weight. Says on stdout how it goes,
a line of JSON every so many events: `events`, `at` (monotonic seconds), `rss` (bytes).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.data import LABELS, PARTITIONS, SECOND, TOPIC, World, head, label, nameless, prediction
from exporter.sources import Partition, Records

_FETCH = 1 << 20  # bytes a partition brings a poll, as Kafka does with the exporter's settings


@dataclass(frozen=True)
class Stream:
    """`events` of `world`, `per_second` of them in a second of event time, the last of them about now; a line every
    `report` events. `tails`: how many different ones there are. `delay`: seconds after which every second prediction
    has its label, all others have none; None: there is no topic of labels."""

    world: World
    events: int
    per_second: int
    report: int
    tails: int
    delay: int | None = None

    def labelled(self, events: int) -> int:
        """How many predictions have their label when so many events have come."""
        return 0 if self.delay is None else (max(0, events - self.delay * self.per_second) + 1) // 2


class Feed:
    """A live source that always has more, until all is delivered."""

    recorded = False

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        tails = stream.world.tails(stream.tails, seed=1)
        self._tails = tails if stream.delay is None else list(map(nameless, tails))
        self._poll = max(1, _FETCH // (len(self._tails[0]) + 50))
        self._first = time.time_ns() - stream.events * SECOND // stream.per_second
        self._step = SECOND // stream.per_second
        self._done = self._told = self._labels = 0

    def seek(self, positions: Mapping[Partition, int]) -> None:
        self._done = PARTITIONS * min(positions.get(Partition(TOPIC, n), 0) for n in range(PARTITIONS))
        self._labels = positions.get(Partition(LABELS, 0), 0)

    def poll(self, timeout: float) -> Iterator[Records]:
        stream, start = self._stream, self._done
        if start // stream.report > self._told:
            self._told = start // stream.report
            print(json.dumps({"events": start, "at": time.monotonic(), "rss": resident()}), flush=True)
        if start >= stream.events:
            time.sleep(timeout)
            return
        each = min(self._poll, (stream.events - start) // PARTITIONS)
        for number in range(PARTITIONS):
            places = range(start + number, start + number + each * PARTITIONS, PARTITIONS)
            offsets = range(start // PARTITIONS, start // PARTITIONS + each)
            self._done += each
            yield Records(Partition(TOPIC, number), list(map(self._event, places)), offsets, offsets.stop)
        offsets = range(self._labels, stream.labelled(self._done))
        if offsets:
            self._labels = offsets.stop
            yield Records(Partition(LABELS, 0), list(map(self._label, offsets)), offsets, offsets.stop)

    def _event(self, i: int) -> bytes:
        at, tail = self._first + i * self._step, self._tails[i % len(self._tails)]
        return head(at) + tail if self._stream.delay is None else prediction(i, at, tail)

    def _label(self, offset: int) -> bytes:
        return label(2 * offset, self._first + 2 * offset * self._step + (self._stream.delay or 0) * SECOND)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Nobody else looks."""

    def lag(self) -> Mapping[Partition, int]:
        left = (self._stream.events - self._done) // PARTITIONS
        found = {Partition(TOPIC, number): left for number in range(PARTITIONS)}
        if self._stream.delay is not None:
            found[Partition(LABELS, 0)] = self._stream.labelled(self._stream.events) - self._labels
        return found

    def start_ends(self) -> Mapping[Partition, int]:
        return {Partition(TOPIC, number): self._stream.events // PARTITIONS for number in range(PARTITIONS)}

    def ended(self) -> bool:
        return False

    def problems(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        """Nothing to give back."""


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak(pid: int) -> int:
    """The most bytes that were ever resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


class Sidecar:
    """A running one. `told`: what it said so far."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "listening on http" in line:
                self.port = int(line.split("listening on ")[1].strip().strip('"').rsplit(":", 1)[1])
                break
        else:
            raise RuntimeError(f"the sidecar ended: {self._process.wait()}")

    def told(self) -> Iterator[dict[str, Any]]:
        assert self._process.stdout is not None
        yield from map(json.loads, self._process.stdout)

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=60)


@contextmanager
def sidecar(config: Path, stream: Stream) -> Iterator[Sidecar]:
    running = Sidecar([sys.executable, "-m", "bench.sidecar", str(config), json.dumps(asdict(stream))])
    try:
        yield running
    finally:
        running.stop()


def main(config_path: Path, said: dict[str, Any]) -> None:
    import exporter.sources.kafka  # noqa: F401  # what `run` has in memory
    from exporter import log
    from exporter.config import load
    from exporter.references import load_references
    from exporter.run import Sidecar

    log.set_up("info", "logfmt")
    stream = Stream(**{**said, "world": World(**said["world"])})
    config = load(config_path, purpose="run")
    Sidecar(config_path, config, lambda _: Feed(stream), payloads=False).run(load_references(config, config_path))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
