"""`format: json`: one JSON object a record (INTERFACE §2)."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, NoReturn

import numpy as np
import orjson
from numpy.typing import NDArray

from exporter.batch import Batch
from exporter.config import Topic
from exporter.decode import (
    FUTURE,
    MOST_BYTES,
    NO_VERSION,
    Decoded,
    Half,
    Labels,
    Reason,
    Reject,
    Schema,
    SchemaOf,
    Truth,
    Whole,
)
from exporter.decode.columns import canonical, column
from exporter.decode.outputs import outputs, per_class, told
from exporter.decode.places import Places
from exporter.decode.times import parse_time
from exporter.decode.typed import MOST_STRANGERS, Taken, TypedDecoder, can_name, fits
from exporter.sources import Partition, Records

_EXAMPLE_LENGTH = 200
_KINDS = {str: "text", bool: "boolean", dict: "object", list: "array"}


class Unreadable(Exception):
    """An event is rejected: reason, detail, and what the event holds in that place."""

    def __init__(self, reason: Reason, detail: str, held: str = "") -> None:
        super().__init__(reason, detail)
        self.reason: Reason = reason
        self.detail = detail
        self.held = held[:_EXAMPLE_LENGTH]


@dataclass
class _Rows:
    """Accepted events of one version, row by row, before they become columns."""

    schema: Schema
    rows: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    features: list[dict[str, Any]] = field(default_factory=list)
    predictions: list[Any] = field(default_factory=list)
    scores: list[Any] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    baselines: list[dict[str, Any]] = field(default_factory=list)


def _others(count: int, taken: Taken | None) -> Iterable[int]:
    """The places among `count` values that the typed decoder did not take."""
    if taken is None:
        return range(count)
    left = np.ones(count, dtype=bool)
    left[taken.rows] = False
    return map(int, np.flatnonzero(left))


@dataclass
class _Found:
    """What the generic path made of some records; `rows` and `times` of all accepted events."""

    latest: int | None
    rows: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    versions: dict[tuple[str, str], _Rows] = field(default_factory=dict)
    rejects: dict[Reason, Reject] = field(default_factory=dict)
    labels: list[tuple[int, str, Truth, str | None, str | None]] = field(default_factory=list)
    halves: list[Half] = field(default_factory=list)

    def reject(self, refused: Unreadable, offset: int) -> None:
        before = self.rejects.get(refused.reason)
        if before is None:
            self.rejects[refused.reason] = Reject(refused.reason, 1, offset, refused.detail, refused.held)
        else:
            self.rejects[refused.reason] = replace(before, count=before.count + 1)


class JsonDecoder:
    """`labelled`: labels will look for these events by id, so an event without one is rejected."""

    def __init__(self, topic: Topic, schema_of: SchemaOf, labelled: bool) -> None:
        self._topic = topic
        self._schema_of = schema_of
        self._needs_id = labelled or topic.role != "predictions"
        self._places = Places(topic)
        self._typed: TypedDecoder | None = None

    def decode(self, records: Records, now: int | None) -> Decoded:
        latest = None if now is None else now + FUTURE
        taken = None
        if self._typed is not None:
            taken = self._typed.take(records.values, MOST_BYTES, latest)
        found = _Found(latest)
        for i in _others(len(records.values), taken):
            value = records.values[i]
            if value is None:
                continue
            try:
                self._accept(value, records, i, found)
            except Unreadable as refused:
                found.reject(refused, records.offsets[i])
        if records.corrupt:
            detail = "the log holds records that cannot be unpacked"
            found.rejects["corrupt"] = Reject("corrupt", records.corrupt, records.next_offset, detail)
        return self._decoded(records, found, taken)

    def _decoded(self, records: Records, found: "_Found", taken: Taken | None) -> Decoded:
        """Both paths' events in the order of the log."""
        rows = np.array(found.rows, dtype=np.intp)
        times = np.array(found.times, dtype=np.int64)
        batches = []
        if taken is not None and self._typed is not None and len(taken.events):
            rows, times = np.concatenate([rows, taken.rows]), np.concatenate([times, taken.times])
        order = np.argsort(rows, kind="stable")
        rows, times = rows[order], times[order]
        if taken is not None and self._typed is not None and len(taken.events):
            position = np.searchsorted(rows, taken.rows)
            batches.append(self._typed.batch(taken, position))
        for (model, version), part in found.versions.items():
            position = np.searchsorted(rows, part.rows)
            batches.append(_batch(model, version, part, position, times[position]))
        self._expect_more_of(batches)
        return Decoded(
            times, rows, tuple(batches), tuple(found.rejects.values()), _labels(found.labels), tuple(found.halves)
        )

    def _expect_more_of(self, batches: list[Batch]) -> None:
        """The version that most events were of gets the typed decoder for the next records."""
        if not batches or not fits(self._topic):
            return
        most = max(batches, key=lambda batch: len(batch.time))
        schema = self._schema_of(most.model, most.version)
        if schema is None or not schema.features or not all(map(can_name, (*schema.features, *schema.ignored))):
            self._typed = None
            return
        known = self._typed
        same = known is not None and (known.model, known.version, known.schema) == (most.model, most.version, schema)
        strangers = known.strangers if known is not None and same else frozenset()
        often = {
            name
            for name, n in Counter(name for _, name in most.unexpected).items()
            if 8 * n > len(most.time) and can_name(name)
        }
        wanted = strangers | often
        if same and (often <= strangers or len(wanted) > MOST_STRANGERS):
            return
        args = (self._topic, most.model, most.version, schema, self._needs_id)
        self._typed = TypedDecoder(*args, wanted if len(wanted) <= MOST_STRANGERS else frozenset())

    def _accept(self, value: bytes, records: Records, i: int, found: "_Found") -> None:
        event = parse(value)
        id_ = canonical(self._places.id(event, records, i))
        if not id_ and self._needs_id:
            raise Unreadable("no_id", "the event has no id that a label could name")
        model = canonical(self._places.model(event, records, i))
        if model is None and self._topic.role == "predictions":
            raise Unreadable("no_model", "the event names no model")
        written = canonical(self._places.version(event, records, i))
        version = clean(written or NO_VERSION)
        schema = None if model is None else self._schema_of(model, version)
        if schema is None and model is not None:
            raise Unreadable("unknown_model", f"the configuration has no model {clean(model[:_EXAMPLE_LENGTH])!r}")
        time = self._time_of(event, records, i, found.latest)
        truth = truth_of(self._places.label(event, records, i))
        found.rows.append(i)
        found.times.append(time)
        position = len(found.rows) - 1
        if self._topic.role == "labels" and truth is not None:
            found.labels.append((position, id_ or "", truth, model, clean(written) if written else None))
        elif self._topic.role in ("inputs", "outputs"):
            found.halves.append(self._half(event, records, i, Half(position, id_ or "", time, model, written or None)))
        if model is None or schema is None or self._topic.role != "predictions":
            return
        part = found.versions.setdefault((model, version), _Rows(schema))
        part.rows.append(i)
        part.ids.append(id_ or "")
        part.features.append(self._places.features(event))
        part.predictions.append(self._places.prediction(event, records, i))
        part.scores.append(self._places.score(event, records, i))
        part.labels.append(truth)
        part.baselines.append(self._baselines(event, records, i))

    def _baselines(self, event: dict[str, Any], records: Records, i: int) -> dict[str, Any]:
        return {name: get(event, records, i) for name, get in self._places.baselines.items()}

    def _half(self, event: dict[str, Any], records: Records, i: int, half: Half) -> Half:
        if self._topic.role == "inputs":
            return replace(half, features=self._places.features(event))
        places = self._places
        said, score = places.prediction(event, records, i), places.score(event, records, i)
        return replace(half, said=(said, score, truth_of(places.label(event, records, i)),
                                   self._baselines(event, records, i)))  # fmt: skip

    def _time_of(self, event: dict[str, Any], records: Records, i: int, latest: int | None) -> int:
        written = self._places.time(event, records, i)
        if written is None and records.timestamps is not None:
            time: int | None = records.timestamps[i] * 1_000_000
        else:
            time = parse_time(written)
        if time is None or time < 0:
            kind = "no time" if written is None else f"a {_KINDS.get(type(written), 'number')}"
            raise Unreadable("bad_time", f"{kind} where RFC 3339 or an epoch number belongs", str(written or ""))
        if latest is not None and time > latest:
            raise Unreadable("future", "the time is over 5 minutes ahead of now", str(written or ""))
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
            event = json.loads(value, parse_int=_integer)
        except (ValueError, RecursionError):
            raise Unreadable("not_json", str(strict)[:_EXAMPLE_LENGTH]) from None
    if not isinstance(event, dict):
        raise Unreadable("not_json", f"JSON, but no object: {type(event).__name__}")
    return event


def _integer(written: str) -> int | float:
    """As orjson reads it, so that a number is one category whatever else the event holds."""
    value = int(written) if len(written) <= len(str(-(2**63))) else 2**64
    return value if -(2**63) <= value < 2**64 else float(written)


def time_of(topic: Topic) -> Callable[[bytes], int | None]:
    """The event time of a recorded line, by which files are merged; None where it has none."""
    getter = Places(topic).time
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


def _labels(found: Sequence[tuple[int, str, Truth, str | None, str | None]]) -> Labels | None:
    if not found:
        return None
    position, ids, truths, models, versions = zip(*found, strict=True)
    return Labels(np.array(position, dtype=np.intp), ids, truths, models, versions)


def truth_of(written: Any) -> Truth | None:
    """A label as it is kept, None where it is none; raises Unreadable for what no label can be."""
    if written is None or written != written:
        return None
    if isinstance(written, int | float) and not isinstance(written, bool):
        return number if isfinite(number := _in_range(written)) else _no_label(written)
    text = canonical(written)
    return _no_label(written) if text is None else clean(text)


def _in_range(value: int | float) -> int | float:
    """An integer that 64 bits cannot hold is a number like any other: JSON readers differ in what they make of it."""
    return _integer(str(value)) if isinstance(value, int) else value


def _no_label(written: Any) -> NoReturn:
    what = "an object" if isinstance(written, dict) else "an array" if isinstance(written, list) else "no finite number"
    raise Unreadable("bad_label", f"the label is {what}, where one value belongs")


def batches_of(wholes: Sequence[Whole], schema_of: SchemaOf) -> tuple[Batch, ...]:
    """Predictions that came in two halves, as if each had been one event."""
    versions: dict[tuple[str, str], tuple[_Rows, list[int]]] = {}
    for whole in sorted(wholes, key=lambda whole: whole.position):
        schema = schema_of(whole.model, whole.version)
        assert schema is not None, "a half of an unknown model is rejected"
        part, times = versions.setdefault((whole.model, whole.version), (_Rows(schema), []))
        said, score, label, baselines = whole.said
        part.rows.append(whole.position)
        part.ids.append(whole.id)
        part.features.append(whole.features)
        part.predictions.append(said)
        part.scores.append(score)
        part.labels.append(label)
        part.baselines.append(baselines)
        times.append(whole.time)
    return tuple(
        _batch(*key, part, np.array(part.rows, dtype=np.intp), np.array(times, dtype=np.int64))
        for key, (part, times) in versions.items()
    )


def _batch(model: str, version: str, part: _Rows, position: NDArray[np.intp], time: NDArray[np.int64]) -> Batch:
    rule = part.schema.outputs
    said = outputs(rule, part.predictions, part.scores)
    names = dict.fromkeys(name for baselines in part.baselines for name in baselines)
    return Batch(
        model=model,
        version=version,
        time=time,
        position=position,
        features={name: column(part.features, name, numeric) for name, numeric in part.schema.features.items()},
        outputs=said,
        unexpected=_unexpected(part),
        ids=part.ids,
        label=told(rule, part.labels) if any(truth is not None for truth in part.labels) else None,
        baselines={name: told(rule, [b.get(name) for b in part.baselines]) for name in names},
        probabilities=per_class(rule, said["prediction"], part.scores),
    )


def _unexpected(rows: _Rows) -> tuple[tuple[int, str], ...]:
    """(row, name) of features that the reference does not know; a version without a reference expects everything."""
    if not rows.schema.features:
        return ()
    strangers: dict[tuple[str, ...], list[str]] = {}
    found = []
    for row, features in enumerate(rows.features):
        names = tuple(features)
        new = strangers.get(names)
        if new is None:
            new = strangers[names] = [clean(name) for name in names if name not in rows.schema.expected]
        found += [(row, name) for name in new]
    return tuple(found)
