"""What a tick costs, and with what it grows: features and windows, not rows."""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.data import MODEL, SECOND, VERSION, World, write
from bench.report import Figure, Section, middle
from bench.turns import turn

WINDOWS = ["1h", "24h", "7d"]
NOW = 1_700_000_000 * SECOND


def filled(config_path: Path, world: World, rows: int, store: Any = None) -> Any:
    """An App that has counted so many rows of the last hour, put in behind the decoder."""
    from exporter.app import App
    from exporter.config import load
    from exporter.references import load_references
    from exporter.sources.memory import MemorySource
    from exporter.state import MemoryStore

    config = load(config_path, purpose="run")
    app = App(config, MemorySource([]), store or MemoryStore(), load_references(config, config_path))
    version = app.versions.take_place(MODEL, VERSION)
    each = max(1, min(rows, 2_000_000 // world.features))
    for seed, start in enumerate(range(0, rows, each)):
        count = min(each, rows - start)
        times = NOW - 3600 * SECOND + (start + np.arange(count, dtype=np.int64)) * (3600 * SECOND // rows)
        version.series.absorb(batch(world, times, seed + 1))
    version.series.advance(NOW)
    app.counters.add("model_predictions_total", MODEL, VERSION, by=rows)
    return app


def batch(world: World, times: "np.ndarray[Any, np.dtype[np.int64]]", seed: int) -> Any:
    from exporter.batch import Batch

    features, outputs = world.columns(world.draw(len(times), seed))
    return Batch(MODEL, VERSION, times, np.arange(len(times)), features, outputs)


def ticks(folder: str, features: int, windows: int, rows: int, turns: int) -> tuple[list[float], list[float], int]:
    """Seconds of each evaluation and of each whole tick (evaluation, saving, rendering, compressing), and how many
    samples there are of rows."""
    world = World(features * 4 // 5, features // 5)
    config = write(Path(folder), world, windows=WINDOWS[:windows], limits={"series": 10_000_000})
    app = filled(config, world, rows)
    app.tick()  # the first one also writes every name
    evaluations, whole = [], []
    for _ in range(turns):
        began = time.perf_counter()
        app.evaluate()
        evaluations.append(time.perf_counter() - began)
        began = time.perf_counter()
        app.tick()
        whole.append(time.perf_counter() - began)
    page = app.snapshot.text.decode()
    found = sum(int(float(line.split()[-1])) for line in page.splitlines() if line.startswith("model_window_rows{"))
    return evaluations, whole, found


def measure(quick: bool = False) -> Section:
    section = Section("Evaluation")
    turns = 3 if quick else 9
    cases = {
        "1,000 features, 3 windows": (1_000, 3, 10_000),
        "1,000 features, 1 window": (1_000, 1, 10_000),
        "100 features, 3 windows": (100, 3, 10_000),
        "1,000 features, 3 windows, 5 times the rows": (1_000, 3, 50_000),
    }
    if not quick:
        cases["10,000 features, 3 windows"] = (10_000, 3, 10_000)
    seconds: dict[str, float] = {}
    whole: dict[str, float] = {}
    with TemporaryDirectory() as name:
        for case, (features, windows, rows) in cases.items():
            evaluations, tick, found = turn(ticks, f"{name}/{case}", features, windows, rows, turns)
            section.count(f"rows with {case}", found, rows * windows)
            seconds[case], whole[case] = middle(evaluations), middle(tick)
    first = "1,000 features, 3 windows"
    section.figures += [
        Figure(first, seconds[first] * 1e3, "ms", 100),
        Figure("the whole tick: also saved, rendered and compressed", whole[first] * 1e3, "ms"),
        Figure("a window costs, 3 / 1", seconds[first] / seconds["1,000 features, 1 window"] / 3, "", 1.1),
        Figure("a feature costs, 1,000 / 100", seconds[first] / seconds["100 features, 3 windows"] / 10, "", 1.1),
    ]
    if not quick:
        grown = seconds["10,000 features, 3 windows"] / seconds[first] / 10
        section.figures.append(Figure("a feature costs, 10,000 / 1,000", grown, "", 1.1))
    rows = seconds["1,000 features, 3 windows, 5 times the rows"] / seconds[first]
    section.figures.append(Figure("with 5 times the rows it takes", rows, "times", 1.1))
    return section


if __name__ == "__main__":
    done = measure("--quick" in sys.argv)
    print(done.text(), *done.wrong, sep="\n")
    sys.exit(bool(done.wrong))
