"""What the owner of a model calls good enough."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, Strict, ValidationInfo, field_validator

from exporter.config.errors import Location, near, refusal, repeated, shown
from exporter.config.section import Section, Text


class Target(Section):
    """What the owner calls good enough."""

    name: Text
    """The label `target` of its score."""
    metric: Literal["accuracy", "precision", "recall", "mean_absolute_error"]
    """What is measured."""
    class_: Annotated[Text | None, Field(alias="class")] = None
    """The class that precision or recall is of."""
    min: Annotated[float, Strict(), Field(gt=0, le=1)] | None = None
    """The least that is good enough, for accuracy, precision and recall."""
    max: Annotated[float, Strict(), Field(gt=0)] | None = None
    """The most that is good enough, for mean_absolute_error."""

    @field_validator("class_")
    @classmethod
    def _where_the_metric_has_one(cls, of: str | None, info: ValidationInfo) -> str | None:
        metric = info.data.get("metric")
        if of is None and metric in ("precision", "recall"):
            raise refusal(f"{metric} is that of a class", "name the class: class: ...")
        if of is not None and metric in ("accuracy", "mean_absolute_error"):
            raise refusal(f"{metric} is not that of a class", "remove class, or measure precision or recall")
        return of

    @field_validator("min")
    @classmethod
    def _where_more_is_better(cls, least: float | None, info: ValidationInfo) -> float | None:
        metric = info.data.get("metric")
        if least is None and metric in ("accuracy", "precision", "recall"):
            raise refusal(f"{metric} needs the least that is good enough", "write min, such as min: 0.8")
        if least is not None and metric == "mean_absolute_error":
            raise refusal("a small mean_absolute_error is good", "write max instead of min")
        return least

    @field_validator("max")
    @classmethod
    def _where_less_is_better(cls, most: float | None, info: ValidationInfo) -> float | None:
        metric = info.data.get("metric")
        if most is None and metric == "mean_absolute_error":
            raise refusal(f"{metric} needs the most that is good enough", "write max, in the label's unit")
        if most is not None and metric in ("accuracy", "precision", "recall"):
            raise refusal(f"a large {metric} is good", "write min instead of max")
        return most


def unfit(
    targets: tuple[Target, ...], task: str | None, classes: tuple[str, ...] | None
) -> Iterator[tuple[Location, str, str]]:
    """What is wrong with a model's targets together, or for its task and classes."""
    for (index,), problem, hint in repeated([target.name for target in targets]):
        yield (index, "name"), problem, hint
    for index, target in enumerate(targets):
        if task is not None and (task == "regression") != (target.metric == "mean_absolute_error"):
            fitting = "mean_absolute_error" if task == "regression" else "accuracy, precision or recall"
            yield (index, "metric"), f"task: {task} has no {target.metric}", f"measure {fitting}"
        if classes is not None and target.class_ is not None and target.class_ not in classes:
            hint = near(target.class_, classes, otherwise=f"choose one of {', '.join(classes)}")
            yield (index, "class"), f"{shown(target.class_)} is not one of the classes", hint
