"""When somebody is told, and the operator's own rules."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, Strict, ValidationInfo, field_validator

from exporter.catalogue import METRICS
from exporter.config.errors import Location, near, refusal, refuse, repeated, shown
from exporter.config.model import LABEL_NAME
from exporter.config.section import Length, Name, Section, Severity, Tolerance, Wait
from exporter.config.values import Duration

FIND_METRICS = "docs/metrics.md lists them"


class Rule(Section):
    """An alert of the operator's own."""

    name: Name
    """The alert's name."""
    metric: Name
    """One of docs/metrics.md."""
    window: Name | None = None
    """Which window's value, where the metric has windows; without it each one's."""
    below: Annotated[float, Strict()] | None = None
    """Fires while the value is below this."""
    above: Annotated[float, Strict()] | None = None
    """Fires while the value is above this; a rule has one of the two."""
    for_: Annotated[Wait, Field(alias="for")] = Duration.parse("10m")
    """For how long before it fires."""
    severity: Severity = "ticket"
    """page wakes somebody, ticket waits for the morning."""

    @field_validator("name")
    @classmethod
    def _a_name_prometheus_takes(cls, name: str) -> str:
        if not LABEL_NAME.fullmatch(name):
            raise refusal(f"{shown(name)} is no name of an alert", "use letters, digits and _, a letter first")
        return name

    @field_validator("metric")
    @classmethod
    def _published(cls, metric: str) -> str:
        if metric not in METRICS:
            raise refusal(f"{shown(metric)} is no metric", near(metric, METRICS, otherwise=FIND_METRICS))
        return metric

    @field_validator("window")
    @classmethod
    def _where_the_metric_has_one(cls, window: str | None, info: ValidationInfo) -> str | None:
        metric = METRICS.get(info.data.get("metric", ""))
        if window is not None and metric is not None and "window" not in metric.labels:
            raise refusal(f"{metric.name} has no windows", "remove it, or choose a metric that has")
        return window

    @field_validator("above")
    @classmethod
    def _one_bound(cls, above: float | None, info: ValidationInfo) -> float | None:
        if "below" in info.data and (above is None) == (info.data["below"] is None):
            found = "neither below nor above" if above is None else "both below and above"
            raise refusal(f"the rule has {found}", "write one of the two")
        return above


class Alerts(Section):
    """When somebody is told."""

    false_page_budget: Length = Duration.parse("90d")
    """At most one false page of a model version in this time, on average."""
    tolerance: Tolerance = 0.10
    """How large a change does not matter, as total variation distance: 0.10 is a tenth of the rows elsewhere."""
    runbook_url: Name | None = None
    """Where an alert sends the one it woke."""
    dashboard_url: Name | None = None
    """Where an alert shows what happened."""
    rules: tuple[Rule, ...] = ()
    """Alerts of your own, beside the generated ones."""

    @field_validator("rules")
    @classmethod
    def _names_once(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        refuse(((*at, "name"), problem, hint) for at, problem, hint in repeated([rule.name for rule in rules]))
        return rules


def unknown_windows(alerts: Alerts, windows: list[str]) -> Iterator[tuple[Location, str, str]]:
    """Rules about windows that are not configured."""
    for index, rule in enumerate(alerts.rules):
        if rule.window is not None and rule.window not in windows:
            hint = near(rule.window, windows, otherwise=f"choose one of {', '.join(windows)}")
            yield ("rules", index, "window"), f"{shown(rule.window)} is not one of the windows", hint
