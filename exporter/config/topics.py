"""Which topics there are, what each carries, and where in an event it is."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field as PydanticField
from pydantic import ValidationInfo, field_validator

from exporter.config.errors import Location, refusal, refuse
from exporter.config.section import Section, Text
from exporter.config.values import Field, Written

Role = Literal["predictions", "inputs", "outputs", "labels"]

_IDENTITY = {"id": "prediction_id", "time": "timestamp", "model": "model", "version": "model_version"}
_INPUTS = {"features": "features"}
_OUTPUTS = {"prediction": "prediction", "score": "score"}
_LABEL = {"label": "label"}
DEFAULT_FIELDS: dict[Role, dict[str, str]] = {
    "predictions": _IDENTITY | _INPUTS | _OUTPUTS | _LABEL,
    "inputs": _IDENTITY | _INPUTS,
    "outputs": _IDENTITY | _OUTPUTS | _LABEL,
    "labels": _IDENTITY | _LABEL,
}
_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")  # kafka: org.apache.kafka.common.internals.Topic

Place = Annotated[
    Field,
    Written(
        Field.parse,
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "header": {"type": "string"},
                        "key": {"const": True},
                        "const": {"type": ["string", "number", "boolean"]},
                    },
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ]
        },
        Field.written,
    ),
]


class Fields(Section):
    """Where each value is: a dotted path into the event, {header: NAME}, {key: true} or {const: VALUE}. What is not
    given is where INTERFACE §1 shows it; `null` says there is no such field.
    """

    id: Place | None = None
    """What a label finds its prediction by."""
    time: Place | None = None
    """RFC 3339, or epoch s, ms, us or ns; without it the record's own timestamp counts."""
    model: Place | None = None
    """The model's name, a key of `models`."""
    version: Place | None = None
    """The model's version; without it `none`."""
    features: Place | None = None
    """An object of features; `.` means the event itself, less the other fields."""
    prediction: Place | None = None
    """What the model said: a class or a number."""
    score: Place | None = None
    """Binary: the probability of the positive class; multiclass: {class: probability}."""
    label: Place | None = None
    """What was true."""
    baselines: dict[Text, Place] = PydanticField(default_factory=dict)
    """Second opinions to agree or disagree with, by name."""

    @field_validator("id", "time", "model", "version", "prediction", "score", "label")
    @classmethod
    def _not_the_whole_event(cls, place: Field | None) -> Field | None:
        if place is not None and place.kind == "path" and not place.path:
            raise refusal("'.' is the whole event, which only features can be", "write the name of a field")
        return place

    @field_validator("features")
    @classmethod
    def _an_object(cls, place: Field | None) -> Field | None:
        if place is not None and place.kind != "path":
            raise refusal("features are an object in the event", "write a dotted path, or . for the event itself")
        return place


class Topic(Section):
    """One Kafka topic."""

    role: Role
    """predictions (features and prediction in one event), inputs and outputs (the two halves), or labels."""
    format: Literal["json"] = "json"
    """How events are encoded."""
    fields: Annotated[Fields, PydanticField(default_factory=dict)]
    """Where each value is; what is not given is at its usual place."""

    @field_validator("fields", mode="before")
    @classmethod
    def _usual_places(cls, fields: Any, info: ValidationInfo) -> Any:
        role: Role | None = info.data.get("role")
        if role is None or not isinstance(fields, dict):
            return fields
        usual = DEFAULT_FIELDS[role]
        allowed = {*usual, "baselines"} if "prediction" in usual else set(usual)
        refuse(
            ((name,), f"means nothing in a topic of {role}", "remove it, or correct the role")
            for name, place in fields.items()
            if place and name in Fields.model_fields and name not in allowed
        )
        return {**usual, **fields}


def contradictions(topics: dict[str, Topic]) -> Iterator[tuple[Location, str, str]]:
    """What is wrong with the topics together; locations from `topics` on."""
    if not topics:
        yield (), "names no topic", "write {TOPIC: {role: predictions}}"
        return
    for name in topics:
        if not _TOPIC_NAME.fullmatch(name) or name in (".", ".."):
            yield (name,), "is no name a topic can have", "use letters, digits, '.', '_' and '-' only, at most 249"
    by_role: dict[Role, list[str]] = {role: [] for role in DEFAULT_FIELDS}
    for name, topic in topics.items():
        by_role[topic.role].append(name)
    pairs: tuple[tuple[Role, Role], ...] = (("inputs", "outputs"), ("outputs", "inputs"))
    for role, other in pairs:
        if by_role[role] and not by_role[other]:
            yield (by_role[role][0], "role"), f"there are {role} but no {other}", f"add a topic with role: {other}"
    if not by_role["predictions"] and not by_role["inputs"] and not by_role["outputs"]:
        yield (), "no topic has predictions", "add a topic with role: predictions, or one of inputs and one of outputs"
    for name, topic in topics.items():
        if topic.role != "predictions" and topic.fields.id is None:
            yield (name, "fields", "id"), f"{topic.role} without an id belong to no prediction", "say where the id is"
    for name in by_role["labels"]:
        if topics[name].fields.label is None:
            yield (name, "fields", "label"), "labels without a label say nothing", "say where the label is"
    predicted = [*by_role["predictions"], *by_role["inputs"]]
    if by_role["labels"] and predicted and all(topics[name].fields.id is None for name in predicted):
        yield (
            (predicted[0], "fields", "id"),
            "without ids no label finds its prediction",
            ("say where the id is, or remove the topics of labels"),
        )
    yield from _models(topics, by_role)


def _models(topics: dict[str, Topic], by_role: dict[Role, list[str]]) -> Iterator[tuple[Location, str, str]]:
    hint = "say where the model's name is, or write {const: NAME}"
    for name in by_role["predictions"]:
        if topics[name].fields.model is None:
            yield (name, "fields", "model"), "predictions without a model count nowhere", hint
    halves = [*by_role["inputs"], *by_role["outputs"]]
    if halves and all(topics[name].fields.model is None for name in halves):
        yield (halves[0], "fields", "model"), "neither inputs nor outputs name their model", hint
