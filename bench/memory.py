"""How much is resident, whether it grows, and whether `check` had said so."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.broker import broker, fill
from bench.data import LABELLED, MODEL, SECOND, TOPIC, World, events, write
from bench.report import Figure, Section
from bench.sidecar import Sidecar, Stream, peak, sidecar

MB = float(1 << 20)
HUNDRED, THOUSAND = World(80, 20), World(800, 200)
# The pool of events is in the measured process too: a few megabytes, as much as a fetch from Kafka.
STREAM = Stream(HUNDRED, 3_000_000, per_second=200, report=100_000, tails=1_000)
WIDE = Stream(THOUSAND, 100_000, per_second=200, report=10_000, tails=200)


def measure(quick: bool = False) -> Section:
    section = Section("Memory: three windows, the whole process")
    with TemporaryDirectory() as name:
        folder = Path(name)
        stream = Stream(HUNDRED, 200_000, 200, 20_000, 1_000) if quick else STREAM
        _over_time("100 features", folder / "hundred", stream, section)
        _waiting(folder / "waiting", stream, section)
        _, most, predicted = _fed(
            folder / "thousand", Stream(THOUSAND, 20_000, 200, 5_000, 200) if quick else WIDE, section
        )
        section.figures += [
            Figure("1,000 features: most ever resident", most / MB, "MB", 400),
            _foretold("1,000 features", predicted, most),
        ]
        most = _from_kafka(folder, 20_000 if quick else 300_000, section)
        section.figures.append(Figure("100 features read from Kafka: most ever resident", most / MB, "MB", 150))
    return section


def _waiting(folder: Path, stream: Stream, section: Section) -> None:
    """The same, where every second prediction has its label two hours of the four later, and the others go at a horizon
    of three: what waits, what has its label, and what expires all come to their full number on the way."""
    seconds = stream.events // stream.per_second
    horizon = seconds * 3 // 4
    stream = replace(stream, delay=seconds // 2)
    _over_time("100 features, with predictions that wait", folder, stream, section, horizon)


def _over_time(what: str, folder: Path, stream: Stream, section: Section, horizon: int | None = None) -> None:
    resident, most, predicted = _fed(folder, stream, section, horizon)
    early = min(events for events in resident if events >= 100_000)
    section.figures += [
        Figure(f"{what}: most ever resident", most / MB, "MB", 150),
        Figure(f"the same: growth from event {early:,} to {max(resident):,}",
               (resident[max(resident)] - resident[early]) / MB, "MB", 2),
        _foretold(what, predicted, most),
    ]  # fmt: skip
    section.notes.append(_course(what, resident))


def _foretold(what: str, predicted: float, most: float) -> Figure:
    return Figure(f"{what}: what `check` says is off by", abs(predicted / most - 1) * 100, "%", 20)


def _fed(
    folder: Path, stream: Stream, section: Section, horizon: int | None = None
) -> tuple[dict[int, int], int, float]:
    """Resident bytes by events, the most ever, and what `check` said. `horizon`: of predictions that wait, in
    seconds."""
    changes: dict[str, object] = {"limits": {"series": 200_000}}
    if horizon is not None:
        model = {"task": "binary", "reference": "m.reference.json", "labels": {"horizon": f"{horizon}s"}}
        changes |= {"topics": LABELLED, "models": {MODEL: model}}
    config = write(folder, stream.world, **changes)  # type: ignore[arg-type]
    predicted = _predicted(config)
    with sidecar(config, stream) as running:
        resident = {}
        for told in running.told():
            resident[told["events"]] = told["rss"]
            if told["events"] >= stream.events:
                break
        found = _wait_for(running, stream.events, section)
        if horizon is not None:
            _check_labels(found, stream, horizon, section)
        return resident, peak(running.pid), predicted


def _check_labels(found: dict[str, float], stream: Stream, horizon: int, section: Section) -> None:
    """`found`: samples of the page by name and labels. When what expires was looked at last is the clock's business."""

    def of(name: str) -> float:
        return sum(value for sample, value in found.items() if sample.startswith(name))

    labelled = stream.labelled(stream.events)
    matched, waiting = of("model_labels_matched_total"), of("model_predictions_waiting")
    expired = of('model_predictions_expired_total{model="m",model_version="1",reason="horizon"}')
    section.count("labels matched", matched, labelled)
    section.count("matched, waiting and expired", matched + waiting + expired, stream.events)
    section.count("expired", expired, (stream.events - horizon * stream.per_second) / 2, 300 * stream.per_second)
    section.count("expired for want of room", of("model_predictions_expired_total") - expired, 0)


def _predicted(config_path: Path) -> float:
    from exporter.check import base, expected
    from exporter.config import load
    from exporter.references import load_references

    config = load(config_path, purpose="run")
    return base(config) + sum(version.bytes for version in expected(config, load_references(config, config_path)))


def _wait_for(running: Sidecar, count: int, section: Section) -> dict[str, float]:
    """Until the page has all events; then hold its counts against them, and return its samples."""
    deadline = time.monotonic() + 180
    wanted = f'drift_exporter_records_total{{topic="{TOPIC}"}} {float(count)}'
    while time.monotonic() < deadline:
        page = httpx.get(f"http://127.0.0.1:{running.port}/metrics", timeout=30).text
        if wanted in page:
            break
        time.sleep(0.5)
    found = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in page.splitlines() if line[0] != "#"}
    section.count("records", found.get(f'drift_exporter_records_total{{topic="{TOPIC}"}}', 0), count)
    rejected = sum(value for name, value in found.items() if name.startswith("drift_exporter_rejected_records_total"))
    section.count("rejects", rejected, 0)
    rows = sum(value for name, value in found.items() if name.startswith("model_window_rows") and 'window="7d"' in name)
    section.count("rows in 7d", rows, count)
    return found


def _from_kafka(folder: Path, count: int, section: Section) -> int:
    with broker(folder / "kafka") as kafka:
        first = time.time_ns() - (count // 200 + 60) * SECOND
        fill(kafka, TOPIC, events(HUNDRED.tails(5_000, seed=1), count, first, 200))
        config = write(folder / "run", HUNDRED, kafka.servers)
        running = Sidecar([str(Path(sys.executable).with_name("drift-exporter")), "run", "--config", str(config)])
        try:
            _wait_for(running, count, section)
            return peak(running.pid)
        finally:
            running.stop()


def _course(what: str, resident: dict[int, int]) -> str:
    told = sorted(resident)
    shown = told[:: max(1, len(told) // 10)]
    return f"Resident, {what}: " + ", ".join(f"{resident[n] / MB:.0f} MB after {n:,}" for n in shown) + "."


if __name__ == "__main__":
    done = measure("--quick" in sys.argv)
    print(done.text(), *done.wrong, sep="\n")
    sys.exit(bool(done.wrong))
