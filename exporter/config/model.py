"""One model: its task, its reference, and what to watch about it."""

import re
from collections.abc import Sequence
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator

from exporter.catalogue import METRICS
from exporter.config.errors import Location, near, refusal, refuse, repeated, shown
from exporter.config.section import (
    Count,
    Length,
    References,
    Section,
    Severity,
    Share,
    Slice,
    Switch,
    Text,
    Tolerance,
    Zone,
)
from exporter.config.target import Target, unfit
from exporter.config.values import Condition, Duration

Task = Literal["binary", "multiclass", "regression"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # Prometheus' data model
_POSITIVE = ("1", "true", "yes")


def default_positive(classes: Sequence[str]) -> str | None:
    """The positive one of two classes: "1", "true" or "yes" where exactly one of them is that, else None."""
    candidates = [name for name in classes if name in _POSITIVE]
    return candidates[0] if len(candidates) == 1 else None


class Feature(Section):
    """What differs from what the reference says about a feature."""

    ignore: Switch = False
    """Not looked at."""
    kind: Literal["numeric", "categorical"] | None = None
    """Codes that look like numbers are categorical."""
    categories: Literal["show", "hash", "hide"] = "show"
    """Whether the names of categories may leave the house: as they are, hashed, or not at all."""
    tolerance: Tolerance | None = None
    """How large a change does not matter, as total variation distance; without it that of `alerts.tolerance`."""
    page: Switch = True
    """Whether the model's verdict counts it; a known shift is shown, but wakes nobody."""

    @field_validator("categories")
    @classmethod
    def _of_a_categorical(cls, categories: str, info: ValidationInfo) -> str:
        if categories != "show" and info.data.get("kind") == "numeric":
            raise refusal("a numeric feature has no categories", "remove it, or write kind: categorical")
        return categories


class Labels(Section):
    """How long, and how many, predictions wait for their label."""

    horizon: Length = Duration.parse("7d")
    """A label that comes later finds nothing; as long as the slowest labels take."""
    capacity: Count = 5_000_000
    """How many predictions wait at most; the oldest go first."""


# What tells one alert of a model from another, and which one silences which: a rule's label overwrites that of the
# series, and many alerts would be one. The first four come from the scrape.
_OF_SERIES = {"cluster", "namespace", "job", "instance"}.union(
    *(metric.labels for metric in METRICS.values() if "model" in metric.labels)
)


class ModelAlerts(Section):
    """How this model's alerts are routed."""

    severity: Severity = "page"
    """page wakes somebody, ticket waits for the morning."""
    labels: dict[str, Text] = Field(default_factory=dict)
    """Labels that every alert of this model carries; none that its series have."""

    @field_validator("labels")
    @classmethod
    def _names_prometheus_takes(cls, labels: dict[str, str]) -> dict[str, str]:
        found: list[tuple[Location, str, str]] = []
        for name in labels:
            if name in ("alertname", "severity"):
                found.append(((name,), "is set by the rules themselves", "remove it; severity is alerts.severity"))
            elif name in _OF_SERIES:
                problem = "is a label that alerts have from their series, and would be overwritten"
                found.append(((name,), problem, f"choose another name, such as owners_{name}"))
            elif not LABEL_NAME.fullmatch(name) or name.startswith("__"):
                found.append(((name,), "is no name of a label", "use letters, digits and _, a letter first"))
        refuse(found)
        return labels


class Model(Section):
    """One model."""

    task: Task
    """What the model says: one of two classes, one of several, or a number."""
    classes: tuple[Text, ...] | None = None
    """The classes; without it those of the reference's labels and predictions."""
    positive: Text | None = None
    """Binary: the class the score is of; without it "1", "true" or "yes", where exactly one of the two is that."""
    threshold: Share | None = None
    """Binary: the prediction is positive from this score on, where an event has a score only; without it 0.5."""
    reference: References
    """What normal was: a path, or one for each version, `"*"` for all others."""
    timezone: Zone = ZoneInfo("UTC")
    """Whose hours and weekends the seasons go by."""
    weekend: tuple[Weekday, ...] = ("saturday", "sunday")
    """The days that are unlike the others."""
    features: dict[str, Feature] = Field(default_factory=dict)
    """What differs from what the reference says, by feature."""
    slices: tuple[Slice, ...] = ()
    """Performance also per value of these features, or of {name: condition}."""
    labels: Labels = Labels()
    """How long, and how many, predictions wait for their label."""
    targets: tuple[Target, ...] = ()
    """What the owner calls good enough; each becomes a score and a rule."""
    alerts: ModelAlerts = ModelAlerts()
    """How this model's alerts are routed."""

    @field_validator("classes")
    @classmethod
    def _fit_the_task(cls, classes: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if classes is None:
            return None
        task = info.data.get("task")
        if task == "regression":
            raise refusal("a regression has no classes", "remove it, or correct the task")
        refuse(repeated(classes))
        if task == "binary" and len(classes) != 2:
            raise refusal(f"{len(classes)} classes where task: binary has two", "name two, or write task: multiclass")
        if len(classes) < 2:
            raise refusal("fewer than two classes", "name every class the model can say")
        return classes

    @field_validator("positive")
    @classmethod
    def _one_of_the_classes(cls, positive: str | None, info: ValidationInfo) -> str | None:
        task, classes = info.data.get("task"), info.data.get("classes")
        if positive is not None and task in ("multiclass", "regression"):
            raise refusal(f"task: {task} has no positive class", "remove it, or correct the task")
        if task != "binary" or classes is None:
            return positive
        if positive is None:
            positive = default_positive(classes)
            if positive is None:
                first, second = classes
                raise refusal(
                    f"either of {shown(first)} and {shown(second)} may be the positive class",
                    f"write positive: {shown(first)} or positive: {shown(second)}",
                )
        if positive not in classes:
            hint = near(positive, classes, otherwise=f"choose one of {', '.join(classes)}")
            raise refusal(f"{shown(positive)} is not one of the classes", hint)
        return positive

    @field_validator("threshold")
    @classmethod
    def _of_a_binary_model(cls, threshold: float | None, info: ValidationInfo) -> float | None:
        task = info.data.get("task")
        if threshold is not None and task in ("multiclass", "regression"):
            raise refusal(f"task: {task} has no threshold", "remove it, or correct the task")
        return 0.5 if threshold is None and task == "binary" else threshold

    @field_validator("weekend")
    @classmethod
    def _days_once(cls, days: tuple[str, ...]) -> tuple[str, ...]:
        refuse(repeated(days))
        return days

    @field_validator("slices")
    @classmethod
    def _names_once(cls, slices: tuple[str | Condition, ...]) -> tuple[str | Condition, ...]:
        refuse(repeated([part.name if isinstance(part, Condition) else part for part in slices]))
        return slices

    @field_validator("targets")
    @classmethod
    def _fit_the_model(cls, targets: tuple[Target, ...], info: ValidationInfo) -> tuple[Target, ...]:
        refuse(unfit(targets, info.data.get("task"), info.data.get("classes")))
        return targets
