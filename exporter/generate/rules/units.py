"""rules_test.yaml: promtool tries each alert where it must fire and where it must not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from exporter.generate.rules.rule import Alert, Case

# Seconds between the scrapes of a test. No window is a multiple of it, so it does not matter whether a range includes
# its left end, as it did until Prometheus 3.
STEP = "37s"

Annotate = Callable[[Alert, Case], dict[str, str]]


def units(alerts: Iterable[Alert], annotations: Annotate) -> dict[str, Any]:
    """`annotations`: those of an alert as they read in a case."""
    return {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [test for alert in alerts for test in _tests(alert, annotations)],
    }


def _tests(alert: Alert, annotations: Annotate) -> Iterator[dict[str, Any]]:
    fires = {
        "exp_labels": ({"job": "drift-exporter"} | alert.firing.labels | alert.labels | {"severity": alert.severity}),
        "exp_annotations": annotations(alert, alert.firing),
    }
    yield _test(alert, alert.firing, "fires", [fires])
    for number, case in enumerate(alert.silent, 1):
        yield _test(alert, case, f"is silent, {number}" if len(alert.silent) > 1 else "is silent", [])


def _test(alert: Alert, case: Case, what: str, expected: list[dict[str, Any]]) -> dict[str, Any]:
    models = sorted({*alert.labels.values()})
    told = f" ({', '.join((*models, alert.severity))})" if models else ""
    looked = {"eval_time": case.at, "alertname": alert.name}
    return {
        "name": f"{alert.name} {what}{told}",
        "interval": STEP,
        "input_series": [{"series": series, "values": values} for series, values in case.inputs.items()],
        "alert_rule_test": [looked | ({"exp_alerts": expected} if expected else {})],
    }
