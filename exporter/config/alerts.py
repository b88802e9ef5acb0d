"""When somebody is told, and the operator's own rules."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, Strict, ValidationInfo, field_validator

from exporter.catalogue import METRICS
from exporter.config.errors import Location, near, refusal, refuse, repeated, shown
from exporter.config.model import LABEL_NAME
from exporter.config.section import Length, Name, Section, Severity, Tolerance, Wait
from exporter.config.values import Duration

Bound = Annotated[float, Strict()]
Change = Annotated[float, Strict(), Field(ge=0)]
FIND_METRICS = "docs/metrics.md lists them"


class Rule(Section):
    """An alert of the operator's own."""

    name: Name
    """The alert's name."""
    metric: Name
    """One of docs/metrics.md."""
    window: Name | None = None
    """Which window's value, without it each one's; of a counter, how much it rose within, without it in 1h."""
    below: Bound | None = None
    """Fires while the value is below this."""
    above: Bound | None = None
    """Fires while the value is above this."""
    falls: Change | None = None
    """Fires while the value is more than this below the reference's."""
    rises: Change | None = None
    """Fires while the value is more than this above the reference's; a rule has one of the four."""
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
        if METRICS[metric].kind == "histogram":
            raise refusal(f"{metric} is a histogram, which has no one value", "choose a counter or gauge")
        return metric

    @field_validator("window")
    @classmethod
    def _where_the_metric_has_one(cls, window: str | None, info: ValidationInfo) -> str | None:
        metric = METRICS.get(info.data.get("metric", ""))
        if window is not None and metric is not None and metric.kind != "counter" and "window" not in metric.labels:
            raise refusal(f"{metric.name} has no windows", "remove it, or choose a metric that has")
        return window

    @field_validator("falls", "rises")
    @classmethod
    def _where_the_reference_has_it(cls, change: float | None, info: ValidationInfo) -> float | None:
        metric = info.data.get("metric")
        if change is not None and metric is not None and reference_of(metric) is None:
            raise refusal(f"the reference has no {metric}", "write below or above, or choose another metric")
        return change

    @field_validator("rises")
    @classmethod
    def _one_bound(cls, rises: float | None, info: ValidationInfo) -> float | None:
        if not {"below", "above", "falls"} <= info.data.keys():
            return rises  # one of them is wrong by itself
        given = [name for name in ("below", "above", "falls") if info.data[name] is not None]
        given += ["rises"] if rises is not None else []
        if not given:
            raise refusal("the rule has no bound", "write one of below, above, falls, rises")
        if len(given) > 1:
            raise refusal(f"the rule has {' and '.join(given)}", "write one of them")
        return rises

    @property
    def change(self) -> bool:
        """Whether the bound is on the difference from the reference."""
        return self.falls is not None or self.rises is not None

    @property
    def less(self) -> bool:
        """Whether it fires below the bound."""
        return self.below is not None or self.falls is not None

    @property
    def bound(self) -> float:
        """Of the value, or of its difference from the reference's."""
        if self.falls is not None:
            return -self.falls
        return next(bound for bound in (self.below, self.above, self.rises) if bound is not None)


def reference_of(metric: str) -> str | None:
    """The metric that says the same of the reference, if there is one."""
    for prefix in ("model_estimated_", "model_matured_", "model_slice_", "model_"):
        if metric.startswith(prefix):
            found = f"model_reference_{metric.removeprefix(prefix)}"
            return found if found in METRICS else None
    return None


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
