"""Every query of every panel, asked of a real Prometheus: a replayed year, and an exporter that runs."""

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter import config
from exporter.config import Listen
from exporter.generate import dashboards as uids
from exporter.sources import Partition
from exporter.sources.memory import MemorySource
from exporter.state import RocksStore
from exporter.web import Server, Site
from tests.grafana import Target, asked_for, dashboards, filled, selectors, targets, variables
from tests.services.need import need
from tests.services.prometheus import Prometheus, StartPrometheus
from tests.stories.world import World, json_line

DAY = 86_400
FIRST, LAST = datetime(2013, 10, 1, tzinfo=UTC), datetime(2013, 12, 31, tzinfo=UTC)
START = int(datetime(2013, 4, 5, tzinfo=UTC).timestamp())
BOARDS = dashboards()
# Unasked it deletes what is older than 15 days, and takes a sample of five minutes ago for gone.
KEEP = ("--storage.tsdb.retention.time=100y", "--query.lookback-delta=1h")

CONFIG = """
topics:
  flights.predictions: {role: predictions}
  flights.labels: {role: labels}
  small:
    role: predictions
    fields: {id: id, time: timestamp, label: label, baselines: {expert: expert_says}}
models:
  flight-delay:
    task: binary
    threshold: %(threshold)s
    reference: %(reference)s
    timezone: America/New_York
    slices: [origin, {long_haul: "distance >= 1500"}]
    targets: [{name: accuracy, metric: accuracy, min: 0.80}]
    labels: {horizon: 2d}
  fraud: {task: binary, reference: fraud.reference.json, slices: [region]}
  fare: {task: regression, reference: fare.reference.json, slices: [region]}
windows: [7d, 28d]
pane: %(pane)s
"""


def small(random: np.random.Generator, model: str, shift: float) -> dict[str, Any]:
    """A row of a model that says what the flights' does not: a regression, and second opinions."""
    amount = float(random.normal(10 + shift, 3))
    features = {"amount": amount, "region": "nesw"[int(random.integers(0, 4))]}
    if model == "fraud":
        score = round(float(random.beta(2, 4)), 3)
        says = {"score": score, "prediction": int(score >= 0.5), "label": int(random.random() < score)}
        return {"features": features} | says | {"expert_says": int(random.random() < score)}
    said = {"prediction": 2 * amount, "label": 2 * amount + float(random.normal(0, 1))}
    return {"features": features} | said | {"expert_says": 2 * amount + 1}


def events(random: np.random.Generator, start: float, count: int, every: float) -> Iterator[dict[str, Any]]:
    """Of both small models, a change in the middle, now and then one that cannot be read."""
    for i in range(count):
        at = start + i * every
        for model in ("fraud", "fare"):
            yield {
                "id": f"{model}{i}",
                "timestamp": at,
                "model": model if random.random() < 0.99 else "unknown",
                "model_version": "1",
            } | small(random, model, 3.0 if i > count / 2 else 0.0)


@pytest.fixture(scope="module")
def world(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("dashboards"))
    demo = config.load(prepared / "config.yaml", environ={})
    world.configure(
        CONFIG
        % {
            "threshold": demo.models["flight-delay"].threshold,
            "reference": prepared / "flight-delay.reference.json",
            "pane": demo.pane,
        }
    )
    random = np.random.default_rng(1)
    for model in ("fraud", "fare"):
        rows = [small(random, model, 0.0) for _ in range(2000)]
        world.reference(model, (row.pop("features") | row for row in rows if row.pop("expert_says") is not None))
    return world


@pytest.fixture(scope="module")
def past(prepared: Path, world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blocks of nine months, a sample a day."""
    found = events(np.random.default_rng(2), FIRST.timestamp(), 3000, (LAST - FIRST).total_seconds() / 3000)
    lines = world.lines("small.jsonl", map(json_line, found))
    history = world.folder / "history.om"
    done = world.replay(
        "--history", history, "--every", "24h",
        f"flights.predictions={prepared / 'flights.predictions.jsonl'}",
        f"flights.labels={prepared / 'flights.labels.jsonl'}",
        f"small={lines}",
    )  # fmt: skip
    assert done.code == 0, done.errors
    scraped = world.folder / "scraped.om"
    scraped.write_text(as_scraped(history.read_text()))
    blocks = tmp_path_factory.mktemp("blocks")
    promtool = need("promtool", "prometheus")
    # In blocks of two hours, which is what it does unasked, it would be three thousand of them.
    words = ["--max-block-duration=9000h", scraped, blocks]
    done = subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", *words], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return blocks


def as_scraped(history: str) -> str:
    """With the labels that a scrape adds, and what Prometheus itself would have noted of an alert that fired."""
    target = 'job="drift",instance="replayed:9877"'
    lines = [re.sub(r"^(\w+)\{", rf"\1{{{target},", line) for line in history.splitlines()[:-1]]
    lines = [line if line.startswith("#") or "{" in line else line.replace(" ", f"{{{target}}} ", 1) for line in lines]
    alert = 'ALERTS{alertname="ModelDrift",alertstate="firing",severity="page",model="flight-delay",model_version="1"}'
    days = range(int(FIRST.timestamp()), int(LAST.timestamp()) + 1, DAY)
    return "\n".join([*lines, "# TYPE ALERTS gauge", *(f"{alert} 1 {day}" for day in days), "# EOF", ""])


@pytest.fixture
def exporter(world: World, tmp_path: Path) -> Iterator[str]:
    """The address of one that runs: it counts, rejects, saves and evaluates."""
    now = time.time()
    found = events(np.random.default_rng(3), now - 7200, 400, 15.0)
    source = MemorySource([(Partition("small", 0), json_line(event)) for event in found])
    world.configure(world.config.read_text() + "evaluate_every: 1s\n")
    app = world.app(source, RocksStore(tmp_path / "state"))
    stop = threading.Event()

    def turn() -> None:
        while not stop.is_set():
            app.step()

    site = Site(lambda: app.snapshot, app.page_view, lambda: app.turned, lambda: True)
    server = Server(site, Listen("127.0.0.1", 0))
    address = server.start().removeprefix("http://").rstrip("/")
    thread = threading.Thread(target=turn)
    thread.start()
    yield address
    stop.set()
    thread.join()
    server.stop()
    app.close()


@dataclass
class Asking:
    """Queries with their variables filled in, at moments of a range."""

    prometheus: Prometheus
    start: int
    end: int
    step: int

    def values(self, uid: str) -> list[dict[str, str]]:
        """Every choice that the dashboard's variables allow, each looked up as Grafana does."""
        chosen: list[dict[str, str]] = [{}]
        for name, variable in variables(BOARDS[uid]).items():
            if variable["type"] == "query":
                chosen = [{**one, name: value} for one in chosen for value in self._values(variable, one)]
        return chosen

    def _values(self, variable: Any, before: dict[str, str]) -> list[str]:
        if variable["multi"]:
            return [variable["allValue"]]
        series, label = asked_for(variable)
        words = {"match[]": filled(series, before), "start": self.start, "end": self.end}
        found = self.prometheus.ask(f"label/{label}/values", **words)
        assert found, f"nothing to choose from: {words}"
        return list(found)

    def has_data(self, target: Target, choices: list[dict[str, str]]) -> bool:
        """Whether there is anything to draw, for one of the choices at least; a refused query fails."""
        moments = [self.end] if not target.instant else list(range(self.end, self.start, -28 * self.step))[:5]
        return any(self._ask(target, choice, moment) for choice, moment in product(choices, moments))

    def _ask(self, target: Target, choice: dict[str, str], moment: int) -> bool:
        spans = {
            "__rate_interval": f"{4 * self.step}s",
            "__range": f"{self.end - self.start}s",
            "__interval": f"{self.step}s",
        }
        query = filled(target.expr, choice | spans)
        assert "$" not in query
        if target.instant:
            found = self.prometheus.ask("query", query=query, time=moment)
        else:
            found = self.prometheus.ask("query_range", query=query, start=self.start, end=self.end, step=self.step)
        return bool(found["result"])


def names(target: Target) -> set[str]:
    return {re.sub("_bucket$", "", selector.name) for selector, _ in selectors(target.expr)}


def test_every_query_has_data_in_a_replayed_year_and_the_exporters_own_while_it_runs(
    past: Path, prometheus: StartPrometheus, exporter: str
) -> None:
    server = prometheus([exporter], past, KEEP)
    year = Asking(server, START, int(LAST.timestamp()), DAY)
    server.wait_for("count_over_time(drift_exporter_caught_up[1m]) > 15")
    now = int(time.time())
    live = Asking(server, now - 10, now, 1)

    lacking = []
    for uid, board in BOARDS.items():
        asking = {True: live, False: year}
        choices = {own: one.values(uid) for own, one in asking.items() if uid in (uids.OWN, uids.FLEET) or not own}
        for target in targets(board):
            own = all(name.startswith(("drift_exporter_", "process_")) for name in names(target))
            found = asking[own].has_data(target, choices[own])
            if not found:
                lacking.append(str(target))
    assert not lacking, "\n".join(lacking)


def test_every_annotation_finds_the_alert(past: Path, prometheus: StartPrometheus) -> None:
    server = prometheus([], past, KEEP)
    year = Asking(server, int(FIRST.timestamp()), int(LAST.timestamp()), DAY)
    for uid in (uids.FLEET, uids.MODEL, uids.FEATURE):
        [alerts] = BOARDS[uid]["annotations"]["list"]
        target = Target(uid, "annotations", alerts["expr"], False, "time_series")
        assert year.has_data(target, year.values(uid)), target
