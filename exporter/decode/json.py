"""`format: json`: one JSON object a record (INTERFACE §2)."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from exporter.batch import Batch
from exporter.config import Field, Topic
from exporter.decode import FUTURE, MOST_BYTES, Decoded, Reason, Reject, Schema, SchemaOf
from exporter.decode.columns import canonical, column
from exporter.decode.outputs import outputs
from exporter.decode.times import parse_time
from exporter.sources import Partition, Records

_EXAMPLE_LENGTH = 200
NO_VERSION = "none"


class Unreadable(Exception):
    """An event is rejected: reason and detail."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason: Reason = reason
        self.detail = detail


@dataclass
class _Rows:
    """Accepted events of one version, row by row, before they become columns."""

    schema: Schema
    position: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    features: list[dict[str, Any]] = field(default_factory=list)
    predictions: list[Any] = field(default_factory=list)
    scores: list[Any] = field(default_factory=list)


Getter = Callable[[dict[str, Any], Records, int], Any]


class JsonDecoder:
    """`labelled`: labels will look for these events by id, so an event without one is rejected."""

    def __init__(self, topic: Topic, schema_of: SchemaOf, labelled: bool) -> None:
        self._topic = topic
        self._schema_of = schema_of
        self._needs_id = labelled or topic.role != "predictions"
        fields = topic.fields
        self._id = _getter(fields.id)
        self._time = _getter(fields.time)
        self._model = _getter(fields.model)
        self._version = _getter(fields.version)
        self._prediction = _getter(fields.prediction)
        self._score = _getter(fields.score)
        self._features = _features_getter(topic)

    def decode(self, records: Records, now: int | None) -> Decoded:
        times: list[int] = []
        versions: dict[tuple[str, str], _Rows] = {}
        rejects: dict[Reason, Reject] = {}
        latest = None if now is None else now + FUTURE
        for i, value in enumerate(records.values):
            if value is None:
                continue
            try:
                self._accept(value, records, i, latest, times, versions)
            except Unreadable as refused:
                before = rejects.get(refused.reason)
                rejects[refused.reason] = Reject(
                    refused.reason,
                    before.count + 1 if before else 1,
                    before.offset if before else records.offsets[i],
                    before.detail if before else refused.detail,
                )
        if records.corrupt:
            detail = "the log holds records that cannot be unpacked"
            rejects["corrupt"] = Reject("corrupt", records.corrupt, records.next_offset, detail)
        stamped = np.array(times, dtype=np.int64)
        batches = tuple(_batch(*name, rows, stamped) for name, rows in versions.items())
        return Decoded(stamped, batches, tuple(rejects.values()))

    def _accept(
        self,
        value: bytes,
        records: Records,
        i: int,
        latest: int | None,
        times: list[int],
        versions: dict[tuple[str, str], _Rows],
    ) -> None:
        event = parse(value)
        id_ = canonical(self._id(event, records, i))
        if not id_ and self._needs_id:
            raise Unreadable("no_id", "the event has no id that a label could name")
        model = canonical(self._model(event, records, i))
        if model is None and self._topic.role == "predictions":
            raise Unreadable("no_model", "the event names no model")
        version = clean(canonical(self._version(event, records, i)) or NO_VERSION)
        rows = versions.get((model, version)) if model is not None else None
        if rows is None and model is not None:
            schema = self._schema_of(model, version)
            if schema is None:
                raise Unreadable("unknown_model", f"the configuration has no model {clean(model)!r}")
            rows = _Rows(schema)
        times.append(self._time_of(event, records, i, latest))
        if rows is None or self._topic.role != "predictions":
            return
        versions[model, version] = rows  # type: ignore[index]  # rows are there only with a model
        rows.position.append(len(times) - 1)
        rows.ids.append(id_ or "")
        rows.features.append(self._features(event))
        rows.predictions.append(self._prediction(event, records, i))
        rows.scores.append(self._score(event, records, i))

    def _time_of(self, event: dict[str, Any], records: Records, i: int, latest: int | None) -> int:
        written = self._time(event, records, i)
        if written is None and records.timestamps is not None:
            time: int | None = records.timestamps[i] * 1_000_000
        else:
            time = parse_time(written)
        if time is None or time < 0:
            shown = "no time" if written is None else f"the time {str(written)[:_EXAMPLE_LENGTH]!r}"
            raise Unreadable("bad_time", f"{shown}, where RFC 3339 or an epoch number belongs")
        if latest is not None and time > latest:
            raise Unreadable("future", f"the time {str(written)[:_EXAMPLE_LENGTH]!r} is over 5 minutes ahead of now")
        return time


def parse(value: bytes) -> dict[str, Any]:
    """One event; raises Unreadable. Bare NaN and Infinity, which many producers write, are let in."""
    if not value:
        raise Unreadable("empty", "the value is empty")
    if len(value) > MOST_BYTES:
        raise Unreadable("too_large", f"the value has {len(value)} bytes, over {MOST_BYTES}")
    try:
        event = orjson.loads(value)
    except orjson.JSONDecodeError as strict:
        try:
            event = json.loads(value)
        except (ValueError, RecursionError):
            raise Unreadable("not_json", str(strict)[:_EXAMPLE_LENGTH]) from None
    if not isinstance(event, dict):
        raise Unreadable("not_json", f"JSON, but no object: {type(event).__name__}")
    return event


def time_of(topic: Topic) -> Callable[[bytes], int | None]:
    """The event time of a recorded line, by which files are merged; None where it has none."""
    getter = _getter(topic.fields.time)
    nothing = Records(Partition("", 0), (), (), 0)

    def of(line: bytes) -> int | None:
        try:
            return parse_time(getter(parse(line.rstrip()), nothing, 0))
        except Unreadable:
            return None

    return of


def clean(text: str) -> str:
    """Text that can be written as UTF-8: JSON may smuggle in half a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def _getter(place: Field | None) -> Getter:
    if place is None:
        return lambda event, records, i: None
    match place.kind:
        case "const":
            return lambda event, records, i: place.value
        case "key":
            return lambda event, records, i: _text(records.keys[i]) if records.keys else None
        case "header":
            return lambda event, records, i: _header(records, i, place.name)
    if len(place.path) == 1:
        name = place.path[0]
        return lambda event, records, i: event.get(name)
    return lambda event, records, i: _at(event, place.path)


def _at(event: Any, path: Sequence[str]) -> Any:
    for name in path:
        if not isinstance(event, dict):
            return None
        event = event.get(name)
    return event


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")


def _header(records: Records, i: int, name: str) -> str | None:
    for key, raw in (records.headers[i] if records.headers else ()) or ():
        if key == name:
            return _text(raw)
    return None


def _features_getter(topic: Topic) -> Callable[[dict[str, Any]], dict[str, Any]]:
    place = topic.fields.features
    if place is None:
        return lambda event: {}
    if place.path:
        path = place.path

        def nested(event: dict[str, Any]) -> dict[str, Any]:
            found = _at(event, path)
            return found if isinstance(found, dict) else {}

        return nested
    others = {f.path[0] for f in _other_fields(topic) if f.kind == "path" and f.path}
    return lambda event: {name: value for name, value in event.items() if name not in others}


def _other_fields(topic: Topic) -> list[Field]:
    fields = topic.fields
    named = (fields.id, fields.time, fields.model, fields.version, fields.prediction, fields.score, fields.label)
    return [place for place in (*named, *fields.baselines.values()) if place is not None]


def _batch(model: str, version: str, rows: _Rows, times: np.ndarray[Any, np.dtype[np.int64]]) -> Batch:
    position = np.array(rows.position, dtype=np.intp)
    known = rows.schema.features
    return Batch(
        model=model,
        version=version,
        time=times[position],
        position=position,
        features={name: column(rows.features, name, numeric) for name, numeric in known.items()},
        outputs=outputs(rows.schema.outputs, rows.predictions, rows.scores),
        unexpected=_unexpected(rows),
        ids=rows.ids,
    )


def _unexpected(rows: _Rows) -> tuple[tuple[int, str], ...]:
    """(row, name) of features that the reference does not know; a version without a reference expects everything."""
    expected = rows.schema.features.keys() | rows.schema.ignored
    if not rows.schema.features:
        return ()
    strangers: dict[tuple[str, ...], list[str]] = {}
    found = []
    for row, features in enumerate(rows.features):
        names = tuple(features)
        new = strangers.get(names)
        if new is None:
            new = strangers[names] = [clean(name) for name in names if name not in expected]
        found += [(row, name) for name in new]
    return tuple(found)
