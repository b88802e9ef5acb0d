"""The sidecar: serve first, then open the state, then turn until told to stop."""

import logging
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event

from exporter.app import App
from exporter.config import Config, ConfigErrors, load
from exporter.health import Health
from exporter.metrics import Snapshot, process_metrics, render
from exporter.reference import Reference
from exporter.references import load_references
from exporter.sources import Source
from exporter.state import RocksStore, Store
from exporter.statistics import STATISTICS
from exporter.view import PageView
from exporter.web import Server, Site

log = logging.getLogger(__name__)

MakeSource = Callable[[Config], Source]


def kafka_source(config: Config) -> Source:
    """All partitions of the configured topics; without saved positions from as far back as windows and labels need."""
    from exporter.sources.kafka import KafkaSource

    assert config.kafka is not None, "a configuration is loaded for `run` only with it"
    back = max(window.ns for window in config.windows)
    if any(topic.role == "labels" for topic in config.topics.values()):
        back = max(back, *(model.labels.horizon.ns for model in config.models.values()))
    return KafkaSource(config.kafka, config.topics, time.time_ns() - back)


class Sidecar:
    """One process: a web server that answers from the start, and one App after another as the configuration changes."""

    def __init__(self, path: Path, config: Config, make_source: MakeSource, payloads: bool) -> None:
        self._path = path
        self._config = config
        self._make_source = make_source
        self._payloads = payloads
        self._app: App | None = None
        self._stop = Event()
        self._reload = Event()
        started = Health(started=time.time_ns(), last_reload=time.time_ns())
        names = [statistic.name for statistic in STATISTICS]
        self._first_page = Snapshot.of([render(started.samples(names)), process_metrics()])
        self._first_view = PageView(time.time_ns(), "", (), {}, {}, {}, {}, None, caught_up=False)
        self._turned = time.monotonic()

    def site(self) -> Site:
        return Site(
            snapshot=lambda: self._app.snapshot if self._app else self._first_page,
            view=lambda: self._app.page_view() if self._app else self._first_view,
            turned=lambda: self._app.turned if self._app else self._turned,
            ready=lambda: self._app is not None,
        )

    def run(self, references: Mapping[str, Mapping[str, Reference]]) -> None:
        """Raises WebError or StateError where it cannot start; leaves after SIGTERM or SIGINT, everything saved."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        signal.signal(signal.SIGHUP, lambda *_: self._reload.set())
        server = Server(self.site(), self._config.web.listen)
        log.info("listening on %s", server.start())
        store = RocksStore(self._config.state.path)
        try:
            self._app = App(self._config, self._make_source(self._config), store, references, payloads=self._payloads)
            while not self._stop.is_set():
                self._app.step()
                if self._reload.is_set():
                    self._reload.clear()
                    self._read_again(store)
            self._app.finish()
        finally:
            if self._app is not None:
                self._app.source.close()
            store.close()
            server.stop()
        if self._app.health.save_problem:
            log.error("the last save failed, so the next start reads from the one before")
        log.info("stopped")

    def _read_again(self, store: Store) -> None:
        """Configuration and references between two turns; on an error the old ones stay."""
        assert self._app is not None, "only a running app is reloaded"
        health = self._app.health
        try:
            config = load(self._path, purpose="run")
            references = load_references(config, self._path)
        except ConfigErrors as errors:
            for error in errors.errors:
                log.error("not reloaded, the old configuration stays: %s", error)
            health.reloaded = False
            return
        for name, changed in (
            ("web.listen", config.web.listen != self._config.web.listen),
            ("state.path", config.state.path != self._config.state.path),
        ):
            if changed:
                log.warning("%s has changed, which takes a restart", name)
        self._app.tick()
        if self._app.health.save_problem is not None:
            log.error("not reloaded, because the state cannot be saved")
            health.reloaded = False
            return
        source = self._app.source
        if (config.kafka, config.topics) != (self._config.kafka, self._config.topics):
            source.close()
            source = self._make_source(config)
        self._config = config
        self._app = App(config, source, store, references, payloads=self._payloads)
        self._app.tick()
        log.info("configuration and references are read again")
