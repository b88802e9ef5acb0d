"""From the score to somebody's phone: the real exporter on a real Kafka, real Prometheus and Alertmanager.

All lengths of the rules are a sixtieth of what they are (minutes become seconds), and so is the pane.
"""

import json
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
import yaml

from tests.services.alertmanager import StartAlertmanager, Told
from tests.services.kafka import Kafka
from tests.services.prometheus import Prometheus, StartPrometheus
from tests.services.sidecar import Sidecar
from tests.stories.world import World

ROOT = Path(__file__).parent.parent.parent
FEATURES = ("age", "balance", "visits", "height", "weight", "income")
SHIFTED = FEATURES[:3]
PER_SECOND = 200
CONFIG = """
kafka: {{bootstrap_servers: [{servers}], start: earliest}}
topics: {{{topic}: {{role: predictions}}}}
models: {{churn: {{task: binary, classes: ["0", "1"], reference: churn.reference.json}}}}
windows: [1m, 5m]
pane: 1s
lateness: 1s
evaluate_every: 1s
"""


def features(chance: random.Random, shift: float) -> dict[str, float]:
    return {name: round(chance.gauss(shift if name in SHIFTED else 0.0, 1.0), 3) for name in FEATURES}


class Traffic:
    """A steady stream of events as of now; `shift` moves three of the features, in standard deviations."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.shift = 0.0
        self._kafka, self._topic = kafka, topic
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        chance, sent, began = random.Random(3), 0, time.time()
        while not self._stop.wait(0.1):
            values = []
            while sent < (time.time() - began) * PER_SECOND:
                event = {"timestamp": began + sent / PER_SECOND, "prediction_id": str(sent), "model": "churn"}
                event |= {"features": features(chance, self.shift), "score": round(chance.random(), 3)}
                values.append(json.dumps(event).encode())
                sent += 1
            self._kafka.produce(self._topic, values)


def hurried(text: str) -> str:
    """The rules with a sixtieth of each length."""
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

    def shorter(match: "re.Match[str]") -> str:
        length = int(match[2]) * seconds[match[3]]
        return f"{match[1]}{max(1, length // 60)}s{match[4]}"

    text = re.sub(r"(\[)(\d+)([smhdw])([\]:])", shorter, text)
    text = re.sub(r"(:)(\d+)([smhdw])(\])", shorter, text)
    text = re.sub(r"(offset )(\d+)([smhdw])()", shorter, text)
    return re.sub(r"((?:for|keep_firing_for): )(\d+)([smhdw])(\n)", shorter, text)


@pytest.fixture
def sidecar(kafka: Kafka, tmp_path: Path) -> Iterator[Sidecar]:
    kafka.create("alert-story")
    world = World(tmp_path)
    world.configure(CONFIG.format(servers=kafka.servers, topic="alert-story"))
    chance = random.Random(1)
    world.reference("churn", [{**features(chance, 0.0), "score": chance.random()} for _ in range(5000)])
    one = Sidecar(world.config)
    one.start()
    yield one
    one.kill()


def test_a_shift_in_three_features_is_one_message_that_names_them_and_its_end_is_told(
    sidecar: Sidecar,
    kafka: Kafka,
    prometheus: StartPrometheus,
    alertmanager: StartAlertmanager,
    told: Told,
    tmp_path: Path,
) -> None:
    address = alertmanager(ROOT / "prometheus/alertmanager.example.yaml", told)
    rules = tmp_path / "rules.yaml"
    rules.write_text(hurried((ROOT / "prometheus/rules.yaml").read_text()))
    assert yaml.safe_load(rules.read_text())["groups"]
    with Traffic(kafka, "alert-story") as traffic:
        server: Prometheus = prometheus([sidecar.address], rules=rules, alertmanager=address)
        server.wait_for("model_drift_score < 1")

        time.sleep(25)  # undrifted traffic
        assert told.messages == []

        traffic.shift = 1.5
        path, message = told.wait_for(lambda one: one["status"] == "firing", 60)
        assert path == "/pager"
        [alert] = message["alerts"]
        assert alert["labels"]["alertname"] == "ModelDrift"
        assert alert["labels"]["model"] == "churn"
        assert alert["labels"]["severity"] == "page"
        said = alert["annotations"]["description"]
        assert re.search(r"churn version none: drift score \d\.\d\d, and 1 is the line", said)
        assert {name for name in FEATURES if f"- {name}: " in said} == set(SHIFTED)
        assert re.search(r"since 20\d\d-", said)
        assert (ROOT / alert["annotations"]["runbook_url"]).name == "ModelDrift.md"
        assert "/d/" in alert["annotations"]["dashboard_url"]
        assert message["groupLabels"] == {"job": "test", "model": "churn"}

        traffic.shift = 0.0
        told.wait_for(lambda one: one["status"] == "resolved", 120)
    fired = [one for where, one in told.messages if one["status"] == "firing" and where == "/pager"]
    assert len(fired) == 1, "one incident, one message"
    named = {alert["labels"]["alertname"] for _, one in told.messages for alert in one["alerts"]}
    assert named == {"ModelDrift"}, "features are inhibited, and nothing else was wrong"
