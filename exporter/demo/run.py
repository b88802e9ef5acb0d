"""`drift-exporter demo`: serve first, then prepare, then let nine months go by."""

from __future__ import annotations

import os
import signal
import sys
import time
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import orjson
from rich.console import Console

from exporter import __version__, config
from exporter.app import App
from exporter.config import Config, Listen
from exporter.decode.json import time_of
from exporter.demo.days import Days
from exporter.demo.prepare import CONFIG, LABELS, MARKER, MODEL, PREDICTIONS, VERSION, DemoError, prepare
from exporter.demo.show import (
    Drift,
    Quality,
    drift_table,
    labels_line,
    month_line,
    preparing,
    quality_table,
    story_table,
    watching,
)
from exporter.demo.story import Story, look
from exporter.metrics import Snapshot, process_metrics
from exporter.references import load_references
from exporter.sources.files import FileSource
from exporter.state import RocksStore, StateError, Store, destroy
from exporter.view import PageView, VersionView, WindowView
from exporter.web import Server, Site, WebError

_DAY_SECONDS = 60 / 275  # all of them in a minute, for a person to watch
_CURSOR_BACK = b"\x1b[?25h\r\n"  # a bar hides it
_MONTH = "28d"  # the window that is read at a month's end
_LATE = "1"
_WEEK, _WEEK_DAYS = "7d", 7  # the one that a fixed PSI is taken of


def run(cache: Path, listen: Listen, leave: bool) -> None:
    """Until the year is over where `leave`, else until SIGINT or SIGTERM. Raises DemoError.

    Where either comes before there is anything to save, the process ends there and then, with status 0.
    """
    demo = Demo(leave)
    server, why = Server(demo.site(), listen), ""
    try:
        address = server.start()
    except WebError as error:
        # A newcomer wants a page, at whatever port.
        server, why = Server(demo.site(), Listen(listen.host, 0)), f" (port {listen.port} is not free)"
        try:
            address = server.start()
        except WebError:
            raise DemoError(str(error)) from None
    try:
        demo.run(cache, address, why)
    finally:
        server.stop()


class Demo:
    """A page that answers from the start, and behind it, once all is prepared, the App."""

    def __init__(self, leave: bool) -> None:
        self._leave = leave
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._stop = _Stop()
        self._app: App | None = None
        self._story = Story()
        self._days = self._counted = 0
        self._drifts: dict[str, Sequence[Drift]] = {}
        self._quality: dict[str, Quality] = {}
        self._first_page = Snapshot.of([process_metrics()])
        self._first_view = PageView(time.time_ns(), __version__, (), {}, {}, {}, {}, None, caught_up=False, every=1.0)

    def site(self) -> Site:
        return Site(
            snapshot=lambda: self._app.snapshot if self._app else self._first_page,
            view=self._view,
            turned=lambda: self._app.turned if self._app else time.monotonic(),
            ready=lambda: self._app is not None,
        )

    def _view(self) -> PageView:
        if self._app is None:
            return self._first_view
        return replace(self._app.page_view(), story=self._story.view(_WEEK))

    def run(self, cache: Path, address: str, why: str) -> None:
        """See `run` above. `why`: the address is another than was asked for."""
        say = self._console.print
        say(f"Open {address}{why} to watch a model's inputs drift through 2013.")
        with preparing(self._console) as tell:
            try:
                folder = prepare(cache, tell)
            except OSError as error:
                why_not = f"{error.filename or cache} cannot be written ({error.strerror})"
                raise DemoError(f"{why_not}; choose another folder with --cache") from None
        facts = orjson.loads((folder / MARKER).read_bytes())["facts"]
        settings = config.load(folder / CONFIG, environ={}, purpose="replay")
        self._stop.at_once = False  # from now on there is a state to be saved first
        days = _days(folder, settings, 0 if self._leave else _DAY_SECONDS)
        store = _empty_store(settings.state.path)
        self._app = App(settings, days, store, load_references(settings, folder / CONFIG))
        try:
            self._watch(self._app, days, facts["predictions"])
            self._app.finish()
            if self._drifts:
                say("")
                say(drift_table(self._drifts))
                say(story_table(self._story, _WEEK))
                say(quality_table(self._quality))
                say(_labels(self._app))
            if not (self._leave or self._stop.asked):
                say(f"This was 2013. {address} and its /metrics stay until Ctrl-C.")
            while not (self._leave or self._stop.asked):
                self._app.step()
        finally:
            self._app.close()

    def _watch(self, app: App, days: Days, flights: int) -> None:
        """Let the days go by, with a look at the end of each."""
        self._console.print("\nWhat moved most by the end of each month, PSI beside its limit:")
        with watching(self._console, flights) as tell:
            while not self._stop.asked and not days.ended():
                app.step()
                if app.health.save_problem is not None:
                    raise DemoError(app.health.save_problem)
                if (day := days.day) is None:
                    continue
                counted = app.counters.get("model_predictions_total", MODEL, VERSION)
                tell(counted, day)
                if counted > self._counted:  # somebody flew
                    self._counted = counted
                    [version] = app.evaluate().views
                    self._look(app, day.date(), version)

    def _look(self, app: App, day: date, version: VersionView) -> None:
        """When a day is over."""
        unpaged = frozenset(name for name, one in app.config.models[MODEL].features.items() if not one.page)
        self._story.add(look(version, day, self._days >= _WEEK_DAYS, unpaged))
        self._days += 1
        if day.day == monthrange(day.year, day.month)[1]:
            month = f"{day:%Y-%m}"
            [window] = [window for window in version.windows if window.name == _MONTH]
            self._drifts[month] = _drifts(window)
            self._console.print(month_line(month, self._drifts[month]))
            if (found := window.performance) is not None:
                rows = version.reference.rows if version.reference else 0
                self._quality["reference"] = Quality(rows, None, found.reference, found.reference_by_class[_LATE])
                self._quality[month] = Quality(window.rows, found.coverage, found.figures, found.by_class[_LATE])


def _labels(app: App) -> str:
    samples = app.evaluate().samples
    [median] = [value for series, value in samples["model_label_delay_seconds"] if 'q="0.5"' in series]
    unlabelled = app.counters.get("model_predictions_expired_total", MODEL, VERSION, "horizon")
    return labels_line(median, unlabelled, app.counters.get("model_predictions_total", MODEL, VERSION))


def _drifts(window: WindowView) -> Sequence[Drift]:
    return [
        Drift(column.name, column.figures["psi"], column.figures.get("psi_limit"))
        for column in window.columns
        if not column.output and "psi" in column.figures
    ]


def _days(folder: Path, settings: Config, seconds: float) -> Days:
    times = {name: time_of(topic) for name, topic in settings.topics.items()}
    files = FileSource([(Path(name).stem, str(folder / name)) for name in (PREDICTIONS, LABELS)], times)
    return Days(files, times, settings.models[MODEL].timezone, seconds)


def _empty_store(path: Path) -> Store:
    """Each demo starts with the first flight."""
    try:
        destroy(path)
        return RocksStore(path)
    except StateError as error:
        raise DemoError(f"{error}; another demo has a folder of its own with --cache") from None


class _Stop:
    """Whether SIGINT or SIGTERM came.

    As long as `at_once` the process ends with it. A KeyboardInterrupt would not do: one that comes while pandas or
    scikit-learn are imported is at times swallowed, or becomes an ImportError.
    """

    def __init__(self) -> None:
        self.asked = False
        self.at_once = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        self.asked = True
        if self.at_once:
            if sys.stdout.isatty():
                os.write(sys.stdout.fileno(), _CURSOR_BACK)  # past the buffer, which may be being written to
            os._exit(0)
