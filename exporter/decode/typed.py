"""The fast path of `format: json`: a decoder typed from the reference's features.

msgspec fills a struct with just the fields that count in 3 µs for 50 features, where orjson builds a dictionary in 4–5
and columns cost 2.5 more (ARCHITECTURE). An event that does not fit (text where a number belongs, another version, an
odd time, a feature that nobody knows) is left to the generic path, which knows what to say of it; a batch comes out the
same either way. Unknown features that most events have are learned, so that they do not keep the fast path from being
taken.
"""

import re
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import starmap
from math import isfinite, nan
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
import numpy as np
import orjson
from msgspec.structs import astuple
from numpy.typing import NDArray

from exporter.batch import Batch, Column, Numbers
from exporter.config import Field, Topic
from exporter.decode import Schema
from exporter.decode.columns import canonical, texts
from exporter.decode.outputs import outputs, per_class, told
from exporter.decode.times import MOST_SECONDS, SECOND, SHORTEST, parse_time

_Category = str | int | float | bool | None
_NUMBER = float | None
# What is only looked at for being there.
_THERE = msgspec.Raw
_ABSENT = msgspec.Raw(b"")
_PLAIN = frozenset((str, int, bool, type(None)))
_UNFITTING = (msgspec.DecodeError, TypeError, RecursionError, UnicodeDecodeError)
# Events decoded at a time: that saves 0.4 µs each, and as few are decoded twice where one does not fit.
SOME = 64
# Unknown features that a decoder learns at the most.
MOST_STRANGERS = 64


@dataclass(frozen=True, slots=True)
class Taken:
    """Events that fit: `rows` are their places among the values, `times` int64 nanoseconds."""

    rows: NDArray[np.intp]
    times: NDArray[np.int64]
    events: list[Any]


@dataclass
class _Node:
    """An object on the way to a field. `leaves`: (JSON name, type, default), the features first. `optional`: only
    labels and second opinions are in it, which most events may be without."""

    leaves: list[tuple[str, Any, Any]] = field(default_factory=list)
    children: dict[str, "_Node"] = field(default_factory=dict)
    optional: bool = True


# What msgspec does not take in the name of a field.
_UNFIT = re.compile(r'[\x00-\x1f"\\\ud800-\udfff]')


def can_name(name: str) -> bool:
    """Whether a feature of this name can be in a struct."""
    return _UNFIT.search(name) is None


def fits(topic: Topic) -> bool:
    """Whether every field of the topic's events is in the value itself."""
    fields = topic.fields
    said = (fields.prediction, fields.score, fields.label, *fields.baselines.values())
    places = (fields.id, fields.time, fields.model, fields.version, *said)
    inside = all(place is None or place.kind in ("path", "const") for place in places)
    return topic.role == "predictions" and inside and fields.features is not None


class TypedDecoder:
    """Of the events of one version of one model. `needs_id`: an event without one is left to the generic path.
    `strangers`: features that events are known to have and the reference does not."""

    def __init__(
        self,
        topic: Topic,
        model: str,
        version: str,
        schema: Schema,
        needs_id: bool,
        strangers: frozenset[str] = frozenset(),
    ) -> None:
        self.model, self.version, self.schema, self.strangers = model, version, schema, strangers
        self._needs_id = needs_id
        self._numeric = [name for name, numeric in schema.features.items() if numeric]
        self._pack = struct.Struct(f"={len(self._numeric)}d").pack
        self._categorical = [name for name, numeric in schema.features.items() if not numeric]
        root = _Node()
        assert topic.fields.features is not None, "`fits` was asked"
        holder = topic.fields.features.path
        kinds: list[tuple[str, Any, Any]] = [(name, _NUMBER, nan) for name in self._numeric]
        kinds += [(name, _Category, None) for name in self._categorical]
        kinds += [(name, _THERE, _ABSENT) for name in sorted(schema.ignored | strangers)]
        _node(root, holder).leaves += kinds
        score = dict[str, float] | float | None if schema.outputs.task == "multiclass" else _NUMBER
        said = _NUMBER if schema.outputs.task == "regression" else _Category
        self._id = _leaf(root, topic.fields.id, str | int | None) if needs_id else _constant(None)
        self._time = _leaf(root, topic.fields.time, str | int | float | None)
        self._model = _leaf(root, topic.fields.model, _Category)
        self._version = _leaf(root, topic.fields.version, _Category)
        self._prediction = _leaf(root, topic.fields.prediction, said)
        self._score = _leaf(root, topic.fields.score, score)
        self._label = _optional(root, topic.fields.label)
        self._baselines = {name: _optional(root, place) for name, place in topic.fields.baselines.items()}
        self._features = _path(holder)
        self._strange = [(name, attrgetter(_identifier(name))) for name in sorted(strangers)]
        self._decode = msgspec.json.Decoder(_struct(root, _node(root, holder))).decode

    def take(self, values: Sequence[bytes | None], longest: int, latest: int | None) -> Taken:
        """The events that fit, none over `longest` bytes, none after `latest` (nanoseconds)."""
        rows, events = self._fitting(values, longest)
        names = set(zip(map(self._model, events), map(self._version, events), strict=True))
        mine = {pair for pair in names if canonical(pair[0]) == self.model and _version(pair[1]) == self.version}
        fitting = np.ones(len(events), dtype=bool)
        if names != mine:
            fitting &= [pair in mine for pair in zip(map(self._model, events), map(self._version, events), strict=True)]
        times = _times(list(map(self._time, events)))
        fitting &= times >= 0
        if latest is not None:
            fitting &= times <= latest
        truths = list(map(self._label, events))
        if not _PLAIN.issuperset(map(type, truths)):
            fitting &= [type(truth) in _PLAIN or (isinstance(truth, float) and isfinite(truth)) for truth in truths]
        if self._needs_id:
            fitting &= np.array([bool(id_) or id_ == 0 for id_ in map(self._id, events)], dtype=bool)
        if not fitting.all():
            events = [event for event, fit in zip(events, fitting.tolist(), strict=True) if fit]
        return Taken(np.array(rows, dtype=np.intp)[fitting], times[fitting], events)

    def _fitting(self, values: Sequence[bytes | None], longest: int) -> tuple[list[int], list[Any]]:
        """The events whose JSON is that of the structs, with their places: some at a time, and one by one where not all
        of these are."""
        rows: list[int] = []
        events: list[Any] = []
        for start in range(0, len(values), SOME):
            some = values[start : start + SOME]
            try:
                found = list(map(self._decode, some))  # type: ignore[arg-type]  # a tombstone is a TypeError
                all_fit = all(map(bytes.isascii, some)) and max(map(len, some)) <= longest  # type: ignore[arg-type]
            except _UNFITTING:
                all_fit = False
            if all_fit:
                rows += range(start, start + len(some))
                events += found
                continue
            for row, value in enumerate(some, start):
                with suppress(*_UNFITTING):
                    event = self._decode(value)  # type: ignore[arg-type]
                    value.decode()  # type: ignore[union-attr]  # what is skipped is not looked at
                    if len(value) <= longest:  # type: ignore[arg-type]
                        rows.append(row)
                        events.append(event)
        return rows, events

    def batch(self, taken: Taken, position: NDArray[np.intp]) -> Batch:
        """`position`: of each event among all that were decoded."""
        events = taken.events
        features = list(map(self._features, events))
        unexpected = [
            (row, name)
            for name, getter in self._strange
            for row, found in enumerate(map(getter, features))
            if len(memoryview(found))
        ]
        rule = self.schema.outputs
        scores = list(map(self._score, events))
        said = outputs(rule, list(map(self._prediction, events)), scores)
        labels = list(map(self._label, events))
        return Batch(
            self.model,
            self.version,
            taken.times,
            position,
            self._columns(list(map(astuple, features))),
            said,
            tuple(unexpected),
            list(map(_id_text, map(self._id, events))) if self._needs_id else None,
            told(rule, labels) if any(truth is not None for truth in labels) else None,
            {name: told(rule, list(map(get, events))) for name, get in self._baselines.items()},
            per_class(rule, said["prediction"], scores),
        )

    def _columns(self, cells: list[tuple[Any, ...]]) -> dict[str, Column]:
        """Each event's cells as a tuple: the numeric features, the categorical ones, then what else stands there."""
        width = len(self._numeric)
        rows = cells if cells and len(cells[0]) == width else list(map(itemgetter(slice(width)), cells))
        try:  # 5 ns a cell, where np.fromiter takes 14
            flat = np.frombuffer(b"".join(starmap(self._pack, rows)), dtype=np.float64)
        except struct.error:  # a null among them
            flat = np.array(rows, dtype=np.float64)
        by_column = np.ascontiguousarray(flat.reshape(len(rows), width).T)
        columns: dict[str, Column] = {name: Numbers(by_column[i]) for i, name in enumerate(self._numeric)}
        for i, name in enumerate(self._categorical, start=width):
            columns[name] = texts(list(map(itemgetter(i), cells)))
        return columns


def _node(root: _Node, path: Sequence[str], optional: bool = False) -> _Node:
    for name in path:
        root = root.children.setdefault(name, _Node())
        root.optional &= optional
    return root


Getter = Callable[[Any], Any]


def _optional(root: _Node, place: Field | None) -> Getter:
    """A label or a second opinion; what is also a feature that nobody looks at is read where it stands."""
    getter = _leaf(root, place, _Category, optional=True)

    def read(event: Any) -> Any:
        found = getter(event)
        if isinstance(found, msgspec.Raw):
            return orjson.loads(memoryview(found)) if len(memoryview(found)) else None
        return found

    if place is None or place.kind != "path":
        return getter
    leaves = _node(root, place.path[:-1], optional=True).leaves
    return read if (place.path[-1], _THERE) in [(name, kind) for name, kind, _ in leaves] else getter


def _leaf(root: _Node, place: Field | None, kind: Any, optional: bool = False) -> Getter:
    """Add a field to the structs; returns what reads it."""
    if place is None:
        return _constant(None)
    if place.kind == "const":
        return _constant(place.value)
    node = _node(root, place.path[:-1], optional)
    if all(name != place.path[-1] for name, _, _ in node.leaves) and place.path[-1] not in node.children:
        node.leaves.append((place.path[-1], kind, _ABSENT if kind is _THERE else None))
    return _path(place.path)


def _constant(value: Any) -> Getter:
    return lambda event: value


def _identifier(name: str) -> str:
    """A Python name for any JSON name."""
    return "f_" + name.encode("utf-8", "surrogatepass").hex()


def _path(path: Sequence[str]) -> Getter:
    return attrgetter(".".join(map(_identifier, path))) if path else lambda event: event


def _struct(node: _Node, holder: _Node) -> type[msgspec.Struct]:
    """An object that is absent is no fit, so its struct is required; a leaf that is absent is missing. Where the
    features are (`holder`), a name that is not expected is no fit either."""
    names = {_identifier(name): name for name, _, _ in node.leaves} | {_identifier(n): n for n in node.children}
    fields: list[Any] = [(_identifier(name), kind, default) for name, kind, default in node.leaves]
    for name, child in node.children.items():
        made = _struct(child, holder)
        absent = msgspec.field(default_factory=made) if child.optional else msgspec.NODEFAULT
        fields.append((_identifier(name), made, absent))
    strict = node is holder
    return msgspec.defstruct("Event", fields, rename=names, gc=False, kw_only=True, forbid_unknown_fields=strict)


def _id_text(value: str | int) -> str:
    return canonical(value) or ""


def _version(written: Any) -> str:
    return canonical(written) or "none"


def _times(written: list[Any]) -> NDArray[np.int64]:
    """int64 nanoseconds, −1 for what only the generic path can judge."""
    kinds = set(map(type, written))
    if kinds == {str}:
        try:
            moments = list(map(datetime.fromisoformat, written))
            if all(map(attrgetter("tzinfo"), moments)) and min(map(len, written)) >= SHORTEST:
                seconds = np.fromiter(map(datetime.timestamp, moments), dtype=np.float64, count=len(moments))
                if seconds.max() < MOST_SECONDS:
                    return np.rint(seconds * 1e6).astype(np.int64) * 1_000
        except ValueError:
            pass  # one of them is no time: one by one below
    if kinds == {int} and max(written) < MOST_SECONDS and min(written) >= 0:
        return np.array(written, dtype=np.int64) * SECOND
    parsed = [-1 if time is None else time for time in map(parse_time, written)]
    return np.array(parsed, dtype=np.int64)
