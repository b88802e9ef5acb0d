"""The rules: made from the catalogue, taken by promtool, each seen firing and silent."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from exporter.catalogue import METRICS
from exporter.generate.rules.files import Rules, write
from exporter.generate.rules.rule import names
from tests.config.folder import Folder
from tests.services.need import need

ROOT = Path(__file__).parent.parent
RULES = Rules()
RECORDED = {one.name for one in RULES.recordings}
OWN_LABELS = {"job", "instance", "le"}

CONFIG = """
kafka: {bootstrap_servers: [localhost:9092]}
topics: {p: {role: predictions}, l: {role: labels}}
models:
  churn:
    task: binary
    reference: r.json
    features: {age: {page: false}}
    targets: [{name: accuracy, metric: accuracy, min: 0.8}]
    alerts: {severity: ticket, labels: {team: growth}}
  "a.b (old)": {task: regression, reference: r.json}
windows: [30m, 12h, 3d]
alerts:
  runbook_url: https://runbooks.example/{alert}
  dashboard_url: https://grafana.example
  rules:
    - {name: LowAccuracy, metric: model_accuracy_ratio, window: 12h, below: 0.75, for: 10m, severity: page}
    - {name: MoreMissing, metric: model_feature_missing_ratio, window: 30m, rises: 0.1}
    - {name: Late, metric: drift_exporter_late_events_total, above: 100}
"""


def promtool(*words: object) -> str:
    done = subprocess.run(
        [need("promtool", "prometheus"), *map(str, words)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_committed_rules_are_what_generate_rules_writes(tmp_path: Path) -> None:
    for made in write(tmp_path):
        committed = ROOT / "prometheus" / made.name
        assert committed.read_text() == made.read_text(), "drift-exporter generate rules"


@pytest.mark.parametrize("config", [None, CONFIG], ids=["for any model", "of a configuration"])
def test_promtool_takes_the_rules_and_sees_each_alert_fire_and_stay_silent(tmp_path: Path, config: str | None) -> None:
    loaded = None if config is None else Folder(tmp_path).load(config, purpose="read")
    rules, tests = write(tmp_path / "made", loaded)
    assert f"SUCCESS: {rules.read_text().count('expr:')} rules found" in promtool("check", "rules", rules)
    promtool("test", "rules", tests)


@pytest.mark.parametrize("alert", RULES.alerts, ids=lambda alert: alert.name)
def test_an_alert_waits_keeps_firing_and_is_tried_both_ways(alert: object) -> None:
    assert re.fullmatch(r"(Model|DriftExporter)[A-Za-z]+", alert.name)  # type: ignore[attr-defined]
    assert alert.silent, "a case in which it stays silent"  # type: ignore[attr-defined]
    assert alert.wait != "0s"  # type: ignore[attr-defined]
    assert alert.keep != "0s"  # type: ignore[attr-defined]
    assert alert.summary.endswith(".")  # type: ignore[attr-defined]
    assert "{{" not in alert.summary, "a summary never changes"  # type: ignore[attr-defined]


def test_rules_ask_for_metrics_and_labels_that_are_published() -> None:
    written = yaml.safe_load((ROOT / "prometheus/rules.yaml").read_text())
    for group in written["groups"]:
        for rule in group["rules"]:
            texts = [rule["expr"], *rule.get("annotations", {}).values()]
            asked_for = {name for text in texts for name in names(text)} - {"model_version"}
            assert asked_for <= METRICS.keys() | RECORDED
            for name, matchers in re.findall(r"\b((?:model|drift_exporter)_\w+)\{([^}%]*)\}", rule["expr"]):
                asked = set(re.findall(r"(\w+)\s*[=!]~?\s*\"", matchers))
                assert asked <= set(METRICS[name].labels) | OWN_LABELS, (name, asked)


def test_a_models_severity_and_labels_are_its_owners(tmp_path: Path) -> None:
    made = Rules(Folder(tmp_path).load(CONFIG, purpose="read"))
    drift = [alert for alert in made.alerts if alert.name == "ModelDrift"]
    assert [(alert.severity, alert.labels) for alert in drift] == [("ticket", {"team": "growth"}), ("page", {})]
    assert 'model="churn"' in drift[0].expr
    custom = [alert for alert in made.alerts if alert.name in ("LowAccuracy", "MoreMissing", "Late")]
    assert len({alert.name for alert in custom}) == 3


def test_no_label_of_a_models_alert_can_be_overwritten_by_its_owners(tmp_path: Path) -> None:
    """Two alerts of series that differ in such a label alone would be one, or silence what is not theirs."""
    every = [name for name, metric in METRICS.items() if "model" in metric.labels and metric.kind != "histogram"]
    rules = "".join(f"\n    - {{name: Of_{name}, metric: {name}, above: 1}}" for name in every)
    text = CONFIG.partition("  runbook_url")[0] + f"  rules:{rules}\n"
    made = Rules(Folder(tmp_path).load(text, purpose="read"))
    of_models = [alert for alert in (*made.models, *made.custom) if "model" in alert.expr]
    assert len(of_models) > len(every)
    carried = {"alertname", "severity"}.union(*(alert.firing.labels for alert in of_models))
    for alert in of_models:
        for labels in re.findall(r"\bby \(([\w, ]+)\)", alert.expr):
            carried.update(labels.split(", "))
    assert {"job", "model", "model_version", "window", "feature", "slice_value"} <= carried
    owners = ", ".join(f"{name}: x" for name in sorted(carried))
    said = Folder(tmp_path).complaints(CONFIG.replace("team: growth", f"team: growth, {owners}"))
    assert [line.split(": ")[1] for line in said] == [f"models.churn.alerts.labels.{name}" for name in sorted(carried)]


def test_amtool_takes_the_example_and_sends_each_alert_where_it_belongs() -> None:
    config = ROOT / "prometheus/alertmanager.example.yaml"
    amtool = need("amtool", "prometheus-alertmanager")

    def said(*words: str) -> str:
        done = subprocess.run([amtool, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "SUCCESS" in said("check-config", str(config))
    wanted = {"page": "pager", "ticket": "tickets"}
    for alert in RULES.alerts:
        labels = (f"alertname={alert.name}", f"severity={alert.severity}", "model=m", "job=j")
        found = said("config", "routes", "test", f"--config.file={config}", *labels).strip()
        assert found == wanted[alert.severity], alert.name


def test_the_alerts_that_the_example_names_are_there() -> None:
    config = yaml.safe_load((ROOT / "prometheus/alertmanager.example.yaml").read_text())
    alerts = [alert.name for alert in RULES.alerts]
    for rule in config["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            label, sign, value = re.fullmatch(r'(\w+) (=~?) "(.+)"', matcher).groups()  # type: ignore[union-attr]
            assert label != "alertname" or any(
                re.fullmatch(value if sign == "=~" else re.escape(value), name) for name in alerts
            ), matcher
