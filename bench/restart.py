"""From the start of the process to the page with everything that was counted, over a saved state that is full."""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from bench.data import LABELLED, MODEL, SECOND, VERSION, World, write
from bench.evaluation import batch
from bench.report import Figure, Section, middle
from bench.sidecar import Sidecar
from bench.turns import turn
from exporter.batch import Batch, Numbers, Texts

WORLD = World(800, 200)
HOUR = 3600 * SECOND


def fill(config_path: str, rows: int, waiting: int) -> tuple[int, int]:
    """Save a state in which each block of each window has about `rows` rows, and `waiting` predictions wait for their
    label; rows of the longest window, and bytes."""
    from exporter.app import App
    from exporter.config import load
    from exporter.references import load_references
    from exporter.sources.memory import MemorySource
    from exporter.state import RocksStore

    path = Path(config_path)
    config = load(path, purpose="run")
    app = App(config, MemorySource([]), RocksStore(config.state.path), load_references(config, path))
    series = app.versions.take_place(MODEL, VERSION).series
    now = time.time_ns() // (24 * 60 * SECOND) * 24 * 60 * SECOND
    series.advance(now)  # so that each row goes to the windows that reach back to it, and to no other
    app.watermark.closed = now
    seed = 0
    for window in reversed(series.windows):  # the longest first: what comes later is in the shorter ones too
        step, length = window.span.step * series.pane, window.span.panes * series.pane
        shorter = max(
            (w.span.panes * series.pane for w in series.windows if w.span.panes < window.span.panes), default=0
        )
        for start in range(now - length, now - shorter, step):
            seed += 1
            times = start + np.sort(np.random.default_rng(seed).integers(0, step, rows))
            series.absorb(batch(WORLD, times, seed))
            app.save()
    app.counters.add("model_predictions_total", MODEL, VERSION, by=seed * rows)
    _wait(app, waiting, now)
    app.tick()
    counted = series.view()[-1].block.rows
    size = app.store.bytes_used()
    app.close()
    return counted, size


def _wait(app: Any, count: int, now: int) -> None:
    """As predictions of the last week whose features are in the windows already."""
    times = now - np.linspace(6 * 24 * HOUR, HOUR, count).astype(np.int64)
    for start in range(0, count, 4096):
        some = times[start : start + 4096]
        said = Texts(np.ones(len(some), dtype=np.int32), ("0", "1"))
        outputs = {"score": Numbers(np.full(len(some), 0.7)), "prediction": said}
        ids = [f"2024-{i:012d}" for i in range(start, start + len(some))]
        part = Batch(MODEL, VERSION, some, np.arange(len(some)), outputs=outputs, ids=ids)
        kind, slices = app._kind((MODEL, VERSION), part)
        app._joined(kind, part, slices, some, np.zeros(len(some), dtype=np.int64))
        if app.join.unsaved() > 50_000:
            app.save()


def measure(quick: bool = False) -> Section:
    section = Section("Restart with a state of 1,000 features, windows of 7 days full, a million predictions waiting")
    with TemporaryDirectory() as name:
        config = write(Path(name), WORLD, limits={"series": 200_000}, topics=LABELLED)
        waiting = 20_000 if quick else 1_000_000
        counted, size = turn(fill, str(config), 50 if quick else 1_000, waiting)
        seconds = []
        for _ in range(1 if quick else 3):
            began = time.perf_counter()
            running = Sidecar([str(Path(sys.executable).with_name("drift-exporter")), "run", "--config", str(config)])
            listening = time.perf_counter() - began
            found, waits = _rows(running.port)
            seconds.append(time.perf_counter() - began)
            running.stop()
            section.count("rows in 7d after the restart", found, counted)
            section.count("waiting after the restart", waits, waiting)
    section.figures += [
        Figure("until the page has everything", middle(seconds), "s", 2),
        Figure("until it listens", listening, "s"),
        Figure("size of the state", size / 2**20, "MB"),
    ]
    return section


def _rows(port: int) -> tuple[float, float]:
    """Of the longest window, and that wait, once the page has them."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        lines = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text.splitlines()
        rows = [line for line in lines if line.startswith("model_window_rows{") and 'window="7d"' in line]
        waiting = [line for line in lines if line.startswith("model_predictions_waiting{")]
        if rows and waiting:
            return float(rows[0].split()[-1]), float(waiting[0].split()[-1])
        time.sleep(0.02)
    return 0.0, 0.0


if __name__ == "__main__":
    done = measure("--quick" in sys.argv)
    print(done.text(), *done.wrong, sep="\n")
    sys.exit(bool(done.wrong))
