"""The same turn over recorded events, as fast as they can be read (INTERFACE §3)."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import numpy as np

from exporter.app import App
from exporter.catalogue import METRICS
from exporter.metrics import Samples
from exporter.sources import Records
from exporter.watermark import NEVER

# What depends on the clock, the machine or the store, so that the same files give the same bytes.
VOLATILE = ("process_", "drift_exporter_last_", "drift_exporter_config_last_reload_")
VOLATILE_NAMES = ("drift_exporter_evaluation_duration_seconds", "drift_exporter_state_bytes")
SAVE_EVERY = 500_000


def replay(app: App, progress: Callable[[int], None], history: "History | None" = None) -> str:
    """Absorb everything, and return the final page less what is volatile. `progress`: events since the last call."""
    if history is not None:
        history.begin(app.watermark.closed)
    unsaved = 0
    while not app.source.ended():
        before = sum(app.positions.values())
        if history is None:
            app.take(app.source.poll(0))
        else:
            app.take(app.source.poll(0), partial(history.follow, app))
        read = sum(app.positions.values()) - before
        unsaved += read
        if unsaved >= SAVE_EVERY:
            unsaved = 0
            app.save()
        progress(read)
    app.finish()
    if history is not None and app.watermark.closed is not None:
        history.write(app.watermark.closed, app.evaluate().samples)
    return stable(app.snapshot.text.decode())


def stable(page: str) -> str:
    """The page less what depends on the clock, the machine or the store."""
    # Not splitlines: a label's value may hold line breaks of other kinds.
    return "".join(f"{line}\n" for line in page.removesuffix("\n").split("\n") if not _volatile(line))


def _volatile(line: str) -> bool:
    name = line.split(" ")[2] if line.startswith("#") else line.split("{")[0].split(" ")[0]
    return name.startswith(VOLATILE) or name in VOLATILE_NAMES


class History:
    """Every evaluation as OpenMetrics with timestamps, for `promtool tsdb create-blocks-from openmetrics`.

    The format wants all samples of a metric together, so each metric has a file of its own until the end.
    """

    def __init__(self, path: Path, every: int) -> None:
        self._every = every
        self._reached = NEVER // every
        self._path = path
        self._folder = TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.")
        self._files: dict[str, IO[str]] = {}

    def begin(self, closed: int | None) -> None:
        """`closed`: the end of the last closed pane in the state from which the replay goes on."""
        self._reached = (NEVER if closed is None else closed) // self._every

    def follow(self, app: App, records: Records) -> Iterator[Records]:
        """The same records in runs; between them the last closed pane reaches a multiple of `every`, and exactly the
        events before are counted: that moment is written."""
        closed = app.closed_before(records)
        reached = closed // self._every
        places = np.flatnonzero(np.diff(reached, prepend=self._reached)).tolist()
        for run, place in zip_longest(records.cut(places), places):
            yield run
            if place is not None:
                self._reached = int(reached[place])
                self.write(self._reached * self._every, app.evaluate().samples)

    def write(self, moment: int, samples: Samples) -> None:
        """Samples as of `moment`, in nanoseconds."""
        at = f" {moment / 1e9:.3f}\n"
        for name, found in samples.items():
            lines = [start + repr(value) + at for start, value in found if value == value]
            if lines:
                self._file(name).writelines(lines)

    def _file(self, name: str) -> IO[str]:
        if name not in self._files:
            self._files[name] = (Path(self._folder.name) / name).open("w+")
        return self._files[name]

    def close(self) -> None:
        """Put the metrics together into the file that was asked for."""
        with self._path.open("w") as out:
            for name, metric in METRICS.items():
                if name in self._files:
                    family = name.removesuffix("_total") if metric.kind == "counter" else name
                    out.write(f"# HELP {family} {metric.help}\n# TYPE {family} {metric.kind}\n")
                    lines = self._files[name]
                    lines.seek(0)
                    _by_series(lines, out)
            out.write("# EOF\n")
        for file in self._files.values():
            file.close()
        self._folder.cleanup()


def _by_series(lines: IO[str], out: IO[str]) -> None:
    """The samples of each series in one run, as OpenMetrics wants them."""
    series: dict[str, list[str]] = {}
    for line in lines:
        series.setdefault(line.rsplit(" ", 2)[0], []).append(line)
    for found in series.values():
        out.writelines(found)
