"""The sidecar: serve first, then open the state, then turn until told to stop."""

import gc
import logging
import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import yaml

from exporter.app import App
from exporter.config import Config, ConfigError, ConfigErrors, load
from exporter.health import Health
from exporter.metrics import Snapshot, process_metrics, render
from exporter.reference import Reference
from exporter.references import load_references
from exporter.sources import Source
from exporter.state import RocksStore, Store
from exporter.statistics import STATISTIC_NAMES
from exporter.view import PageView
from exporter.web import Admin, Rules, Server, Site

log = logging.getLogger(__name__)

MakeSource = Callable[[Config], Source]
# How long a POST /-/reload waits for the turn that is under way.
RELOAD_SECONDS = 30.0
# After how long the turn lets go of the interpreter where a scrape waits for it, as it does several times a scrape.
# With the usual 5 ms the slowest of a hundred took 53 ms, so it takes 8; the turn is no slower (bench/scrape.py).
SWITCH_SECONDS = 0.001


def kafka_source(config: Config) -> Source:
    """All partitions of the configured topics; without saved positions from as far back as windows and labels need.

    Raises ConfigErrors for an option that kafka-python does not have.
    """
    from exporter.sources.kafka import KafkaSource

    assert config.kafka is not None, "a configuration is loaded for `run` only with it"
    back = max(window.ns for window in config.windows)
    if config.labelled:
        back = max(back, *(model.labels.horizon.ns for model in config.models.values()))
    try:
        return KafkaSource(config.kafka, config.topics, time.time_ns() - back)
    except ValueError as error:
        path, told = str(error).split(": ", 1)
        raise ConfigErrors([ConfigError(path, *told.split("; ", 1))]) from None


class Sidecar:
    """One process: a web server that answers from the start, and one App after another as the configuration changes."""

    def __init__(self, path: Path, config: Config, make_source: MakeSource, payloads: bool) -> None:
        self._path = path
        self._config = config
        self._make_source = make_source
        self._payloads = payloads
        self._app: App | None = None
        self._stop = Event()
        # Who asked for the configuration to be read again, each waiting for what is wrong with it.
        self._asked: SimpleQueue[Future[list[str]]] = SimpleQueue()
        started = Health(started=time.time_ns(), last_reload=time.time_ns())
        names = STATISTIC_NAMES
        self._first_page = Snapshot.of([render(started.samples(names)), process_metrics()])
        self._first_view = PageView(time.time_ns(), "", (), {}, {}, {}, {}, None, caught_up=False)
        self._turned = self._next_look = time.monotonic()
        self._seen = self._stamps()

    def site(self) -> Site:
        web = self._config.web
        return Site(
            snapshot=lambda: self._app.snapshot if self._app else self._first_page,
            view=lambda: self._app.page_view() if self._app else self._first_view,
            turned=lambda: self._app.turned if self._app else self._turned,
            ready=lambda: self._app is not None,
            admin=Admin(self._reload, self._shown, (*web.hosts, web.listen.host.lower())) if web.admin else None,
        )

    def _ask(self) -> "Future[list[str]]":
        asked: Future[list[str]] = Future()
        self._asked.put(asked)
        return asked

    def _reload(self) -> list[str]:
        try:
            return self._ask().result(timeout=RELOAD_SECONDS)
        except TimeoutError:
            return [f"the loop did not come to it within {RELOAD_SECONDS:.0f} s"]

    def _shown(self) -> str:
        return yaml.safe_dump(self._config.redacted(), sort_keys=False, allow_unicode=True)

    def run(self, references: Mapping[str, Mapping[str, Reference]]) -> None:
        """Leaves after SIGTERM or SIGINT, everything saved. Raises WebError, StateError or ConfigErrors where it cannot
        start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        signal.signal(signal.SIGHUP, lambda *_: self._ask())
        server = Server(self.site(), self._config.web.listen, self._config.web.config_file)
        log.info("listening on %s", server.start())
        store = RocksStore(self._config.state.path)
        try:
            self._app = App(self._config, self._make_source(self._config), store, references, payloads=self._payloads)
            # What is there by now stays: the collector need not look at it again and again.
            gc.freeze()
            sys.setswitchinterval(SWITCH_SECONDS)
            while not self._stop.is_set():
                self._app.health.web_problem = server.problem
                self._app.step()
                self._look_for_changes()
                if not self._asked.empty():
                    wrong = self._read_again(store)
                    while not self._asked.empty():
                        self._asked.get().set_result(wrong)
            self._app.tick()
        finally:
            if self._app is not None:
                self._app.source.close()
            store.close()
            server.stop()
        if self._app.health.save_problem:
            log.error("the last save failed, so the next start reads from the one before")
        log.info("stopped")

    def _look_for_changes(self) -> None:
        """With `reload.auto`: whether the files are others than when they were last read."""
        if not self._config.reload.auto or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + self._config.reload.interval.ns / 1e9
        stamps = self._stamps()
        if stamps != self._seen:
            self._seen = stamps
            self._ask()

    def _stamps(self) -> list[object]:
        """Changes with every file the configuration is read from; a ConfigMap changes by moving a link."""
        paths = [self._path, *(path for model in self._config.models.values() for path in model.reference.values())]
        return [(path.resolve(), path.stat().st_mtime_ns) if path.exists() else None for path in paths]

    def _read_again(self, store: Store) -> list[str]:
        """Configuration and references between two turns; on an error, which is returned, the old ones stay."""
        assert self._app is not None, "only a running app is reloaded"
        before = self._app.health
        try:
            config = load(self._path, purpose="run")
            references = load_references(config, self._path)
            source = self._make_source(config)
        except ConfigErrors as errors:
            before.reloaded = False
            for error in errors.errors:
                log.error("not reloaded, the old configuration stays: %s", error)
            return list(map(str, errors.errors))
        for name, changed in (
            ("web", config.web != self._config.web),
            ("state.path", config.state.path != self._config.state.path),
        ):
            if changed:
                log.warning("%s has changed, which takes a restart", name)
        self._app.tick()
        if before.save_problem is not None:
            source.close()
            before.reloaded = False
            log.error("not reloaded, because the state cannot be saved")
            return [before.save_problem]
        self._app.source.close()
        self._config = config
        app = App(config, source, store, references, payloads=self._payloads)
        app.health.save_failures = before.save_failures
        app.health.statistic_failures = before.statistic_failures
        app.tick()
        self._app = app  # it has a page, so none without counters is served in between
        log.info("configuration and references are read again")
        return _wrong_web_file(config)


def _wrong_web_file(config: Config) -> list[str]:
    """It is read by itself when it changes; who asks for everything to be read again is told what is wrong there."""
    try:
        Rules.read(config.web.config_file)
    except ConfigErrors as errors:
        return list(map(str, errors.errors))
    return []
