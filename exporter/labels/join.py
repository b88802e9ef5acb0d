"""Predictions wait, by id, for their label; labels wait for predictions that come after them.

Whether the two meet is decided by their times alone: they are no further apart than the horizon. So it does not
matter which came first, nor in how many pieces the log was read.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, islice, repeat
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from exporter.batch import Batch, Outcomes
from exporter.counters import Counters
from exporter.decode import NO_VERSION, Half, Labels, Truth, Whole
from exporter.labels.delays import Delays
from exporter.labels.due import Line
from exporter.labels.found import Found, said_of, scores_of, truths_of
from exporter.labels.kinds import Kind, Kinds
from exporter.labels.rows import (
    PREFIX,
    Label,
    Prediction,
    Row,
    StoredHalf,
    decode,
    encode,
    keys_of,
    pack,
    text_of,
    unpack,
)
from exporter.state import Store

log = logging.getLogger(__name__)

META = b"labels"
# Of one id. Whoever gives everything the same id must not make a row that grows without end.
MOST_OF_AN_ID = 100
_CHUNK = 512
# Of what is kept but does not wait (labels, halves, predictions that have their label) there is room for as many as may
# wait, and for so many at least.
ROOM = 100_000
# Spans of a horizon, and how wide one is at the most: so many keys of each line are in memory, and so few entries are
# read and sorted at a time, a burst's too.
_SPANS = 1024
_WIDEST = 60 * 1_000_000_000
_UNREAD: Any = object()
_ALL = 2**62


@dataclass(frozen=True)
class Rule:
    """Of one model: `horizon` in nanoseconds; `capacity`, how many predictions wait at the most."""

    horizon: int
    capacity: int


class LabelJoin:
    """`rules` by model. `counted`: (model, version) → under which name it counts; `alone`: the same for half
    a prediction whose other half never came. `waits`: whether any topic has labels; without one predictions wait for
    nothing."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        store: Store,
        counters: Counters,
        counted: Callable[[str, str], tuple[str, str]],
        alone: Callable[[str, str], tuple[str, str]],
        waits: bool,
    ) -> None:
        self._rules = rules
        self._store = store
        self._counters = counters
        self._counted = counted
        self._alone = alone
        self._waits = waits
        self._only = next(iter(rules)) if len(rules) == 1 else None
        self._longest = max(rule.horizon for rule in rules.values())
        self._room = sum(rule.capacity for rule in rules.values())
        self._changed: dict[bytes, bytes | None] = {}
        self.found = Found()
        self._load()

    def _load(self) -> None:
        saved = orjson.loads(self._store.get(META) or b"{}")
        self._run: int = saved.get("run", 0)
        self.kinds = Kinds.unpack(saved["kinds"]) if saved else Kinds()
        self._topics: list[str] = saved.get("topics", [])
        self._labels: int = saved.get("labels", 0)
        self._halves: dict[str, int] = saved.get("halves", {})
        # Where in each line the search for the oldest goes on: a time, and how many of that time were looked at.
        self._cursors = {(line, what): (time, passed) for line, what, time, passed in saved.get("cursors", [])}
        # A line a model, and one for what names no model: labels.
        self._names: list[str] = saved.get("lines", [])
        self._lines: dict[str, Line] = {}
        for name in [*self._names, *sorted({"", *self._rules} - set(self._names))]:
            self._line(name).load()
            if name and name not in self._rules and len(self._line(name)):
                log.warning("model %s is no longer configured: its predictions that wait are dropped", name)

    def _line(self, name: str) -> Line:
        if name not in self._lines:
            if name not in self._names:
                self._names.append(name)
            horizon = self._rules[name].horizon if name in self._rules else self._longest
            self._lines[name] = Line(self._names.index(name), min(horizon // _SPANS, _WIDEST), self._store)
        return self._lines[name]

    def _horizon(self, model: str) -> int:
        """Negative where the model is no longer configured."""
        rule = self._rules.get(model)
        return -_ALL if rule is None else rule.horizon

    # What comes

    def predictions(
        self, batch: Batch, kind: Kind, slices: NDArray[np.int16], before: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Take up the predictions of one version; returns bool[n], which of them are no duplicates.

        `slices`: int16[slices, n]. `before`: int64[n], until when everything had expired when the row came.
        """
        assert batch.ids is not None, "an event without an id is rejected where labels are configured"
        number = self.kinds.number(kind)
        keys = keys_of(batch.ids)
        read = self._read(keys)
        fields = _fields(batch, kind, number, slices)
        fresh = np.ones(len(keys), dtype=bool)
        none_yet = len(read) == len(keys) and not any(read.values())
        in_time = bool((batch.time + self._horizon(kind.model) >= before).all())
        if none_yet and in_time and self._waits and batch.label is None:
            # As nearly always: no id was ever seen, and nothing can be met.
            self._changed.update(zip(keys, [encode(((row,),)) for row in fields], strict=True))
            self.kinds.waiting[number] += len(keys)
        else:
            truths: list[Truth | None] = [None] * len(keys) if batch.label is None else truths_of(batch.label)
            made = [Prediction(*row) for row in fields]
            for i, (key, prediction, truth, passed) in enumerate(zip(keys, made, truths, before.tolist(), strict=True)):
                data = self._changed[key] if key in self._changed else read.get(key)
                row = Row([]) if data is None else decode(data)
                fresh[i] = self._take_up(row, prediction, truth, passed)
                self._put(key, row)
        digests = [key[len(PREFIX) :] for key in compress(keys, fresh.tolist())]
        self._line(kind.model).add(batch.time[fresh], b"".join(digests))
        self._bound(kind.model, int(batch.time.min()))
        return fresh

    def _take_up(self, row: Row, prediction: Prediction, truth: Truth | None, passed: int) -> bool:
        """Whether it is no duplicate. Versions come one after the other, not in the order of the log: so what has
        expired by now is passed over, not removed."""
        self.found.closed = passed
        kind = self.kinds.kinds[prediction.kind]
        horizon = self._horizon(kind.model)
        model, version = self._identity(prediction)
        labels = [label for label in row.labels if self._counts(row, label, passed)]
        if self._is_there(row, model, version, prediction.time, passed):
            self._count("model_predictions_duplicate_total", kind)
            return False
        for half in [half for half in row.halves if half.met and (half.model, _version(half)) == (model, version)]:
            self._forget_half(row, half, "half")
        prediction.settled = not self._waits
        row.predictions.append(prediction)
        (self.kinds.waiting if prediction.waits else self.kinds.settled)[prediction.kind] += 1
        if truth is not None:
            self._meet(prediction, prediction.time, truth)
        for label in sorted(labels, key=lambda label: (label.time, text_of(label.truth))):
            self._try(prediction, label)
        if prediction.time + horizon < passed:
            self._drop(row, prediction, "horizon")
        if len(row.predictions) > MOST_OF_AN_ID:
            self._drop(row, min(row.predictions, key=lambda p: p.time), "capacity")
        return True

    def _identity(self, prediction: Prediction) -> tuple[str, str]:
        kind = self.kinds.kinds[prediction.kind]
        return kind.model, prediction.version or kind.version

    def told(self, batch: Batch, kind: Kind, slices: NDArray[np.int16], before: NDArray[np.int64]) -> None:
        """Predictions that carry their label, where none waits for another. `slices`: int16[slices, n]; `before`:
        int64[n], the end of the last closed pane when each came."""
        if batch.label is None:
            return
        number = self.kinds.number(kind)
        truths = truths_of(batch.label)
        made = (Prediction(*row) for row in _fields(batch, kind, number, slices))
        for prediction, truth, passed in zip(made, truths, before.tolist(), strict=True):
            if truth is not None:
                self.found.closed = passed
                prediction.settled = True
                self._meet(prediction, prediction.time, truth)

    def labels(self, labels: Labels, time: NDArray[np.int64], topic: str, before: NDArray[np.int64]) -> None:
        """Take up labels. `time` and `before`: int64[n], their own times, and until when everything had expired when
        each came."""
        number = self._topic(topic)
        keys = keys_of(labels.ids)
        read = self._read(keys)
        made = map(Label, time.tolist(), labels.truths, [number] * len(keys), labels.models, labels.versions)
        for key, label, passed in zip(keys, made, before.tolist(), strict=True):
            data = self._changed.get(key, _UNREAD)
            if data is _UNREAD:
                data = read.get(key)
            row = Row([]) if data is None else decode(data)
            self.found.closed = passed
            for prediction in row.predictions:
                if prediction.time + self._horizon(self._identity(prediction)[0]) >= passed:
                    self._try(prediction, label)
            row.labels.append(label)
            self._labels += 1
            if not self._counts(row, label, passed):
                self._forget(row, label)
            if len(row.labels) > MOST_OF_AN_ID:
                self._forget(row, min(row.labels, key=lambda label: label.time))
            self._put(key, row)
        self._line("").add(time, b"".join(key[len(PREFIX) :] for key in keys))
        self._bound_one("", "labels", int(time.min()))

    def _counts(self, row: Row, label: Label, passed: int) -> bool:
        """Whether a prediction that comes now may still have it: within its horizon, and after that while inputs wait
        that came by then. Their second half may come a whole horizon after them, and they a whole one after the label.

        It goes by times alone, for expiry may lag behind. Where inputs end, by their horizon or because they became a
        prediction that has one, their row is looked at again, so no label outlasts what it waits for."""
        until = label.time + self._longest
        return until >= passed or any(
            half.inputs
            and half.came <= until
            and half.time + self._horizon_of(half) >= passed
            and abs(half.time - label.time) <= self._horizon_of(half)
            and _may_name(label.model, half.model)
            and _may_name(label.version, half.version)
            for half in row.halves
        )

    def _topic(self, name: str) -> int:
        if name not in self._topics:
            self._topics.append(name)
        return self._topics.index(name)

    def _try(self, prediction: Prediction, label: Label) -> None:
        model, version = self._identity(prediction)
        if label.model not in (None, model) or label.version not in (None, version):
            return
        if abs(label.time - prediction.time) <= self._horizon(model):
            label.met = True
            self._meet(prediction, label.time, label.truth)

    def _meet(self, prediction: Prediction, time: int, truth: Truth) -> None:
        """A label of the prediction: its first, a better one, or one that comes too late to count."""
        kind = self.kinds.kinds[prediction.kind]
        delays = self.kinds.delays.setdefault((kind.model, kind.version), Delays())
        if prediction.truth is None:
            self._count("model_labels_matched_total", kind)
            if prediction.waits:
                self.kinds.waiting[prediction.kind] -= 1
                self.kinds.settled[prediction.kind] += 1
            delays.add(time - prediction.time)
            prediction.labelled, prediction.truth, prediction.first = time, truth, time
            self.found.add(prediction, 1, first=True)
            return
        self._count("model_labels_replaced_total", kind)
        if time < prediction.first:
            delays.add(prediction.first - prediction.time, -1)
            delays.add(time - prediction.time)
            prediction.first = time
        if (time, text_of(truth)) > (prediction.labelled, text_of(prediction.truth)):
            self.found.add(prediction, -1, first=False)
            prediction.labelled, prediction.truth = time, truth
            self.found.add(prediction, 1, first=False)

    def halves(self, halves: Sequence[Half], topic: str, before: NDArray[np.int64]) -> list[Whole]:
        """Take up halves; returns the predictions that are whole now. They must be given to `predictions` next.

        `before`: int64[n], until when everything had expired when each came.
        """
        number = self._topic(topic)
        keys = keys_of([half.id for half in halves])
        read = self._read(keys)
        found: list[Whole] = []
        for key, half, passed in zip(keys, halves, before.tolist(), strict=True):
            data = self._changed.get(key, _UNREAD)
            if data is _UNREAD:
                data = read.get(key)
            row = Row([]) if data is None else decode(data)
            inputs = half.features is not None
            body = pack(half.features if inputs else half.said)
            stored = StoredHalf(inputs, half.time, number, half.model or self._only, half.version, body, came=passed)
            found += self._pair(row, stored, half, passed)
            self._put(key, row)
            self._line(stored.model or "").add(np.array([half.time]), key[len(PREFIX) :])
        for name in {half.model or self._only or "" for half in halves}:
            self._bound_one(name, "halves", min(half.time for half in halves))
        return found

    def _pair(self, row: Row, mine: StoredHalf, half: Half, passed: int) -> Iterator[Whole]:
        if self._repeated(row, mine, passed):
            self._counters.add("model_predictions_duplicate_total", *self._counted(mine.model or "", _version(mine)))
            return
        row.halves.append(mine)
        self._halves[mine.model or ""] = self._halves.get(mine.model or "", 0) + 1
        for other in row.halves:
            model, version = mine.model or other.model, mine.version or other.version or NO_VERSION
            if other.inputs == mine.inputs or model is None or not _compatible(mine, other):
                continue
            horizon = self._horizon(model)
            if abs(mine.time - other.time) > horizon or other.time + horizon < passed:
                continue
            inputs, outputs = (mine, other) if mine.inputs else (other, mine)
            if self._is_there(row, model, version, inputs.time, passed):
                continue
            mine.met = other.met = True
            said, score, label, baselines = unpack(outputs.body)
            features = unpack(inputs.body)
            yield Whole(half.position, half.id, inputs.time, model, version, features, (said, score, label, baselines))
        if mine.time + self._horizon_of(mine) < passed:
            self._forget_half(row, mine, "half")
        elif len(row.halves) > MOST_OF_AN_ID:
            self._forget_half(row, min(row.halves, key=lambda half: half.time), "capacity")

    def _repeated(self, row: Row, half: StoredHalf, passed: int) -> bool:
        """Whether the same half is there already, or the prediction that it was half of."""
        horizon = self._horizon_of(half)
        return self._is_there(row, half.model, _version(half), half.time, passed) or any(
            (other.inputs, other.model, other.version) == (half.inputs, half.model, half.version)
            and abs(other.time - half.time) <= horizon
            and other.time + horizon >= passed
            for other in row.halves
        )

    def _is_there(self, row: Row, model: str | None, version: str, time: int, passed: int) -> bool:
        """Whether a prediction of this identity is, within the horizon."""
        if model is None:
            return False
        horizon = self._horizon(model)
        return any(
            self._identity(other) == (model, version)
            and abs(other.time - time) <= horizon
            and other.time + horizon >= passed
            for other in row.predictions
        )

    def _horizon_of(self, half: StoredHalf) -> int:
        return self._longest if half.model is None else self._horizon(half.model)

    def _forget_half(self, row: Row, half: StoredHalf, reason: str) -> None:
        row.halves.remove(half)
        self._halves[half.model or ""] -= 1
        if half.met or (half.model is not None and half.model not in self._rules):
            return
        if half.model is None:
            # It never learned whose it is, and so there is no model in whose figures it could be.
            self._counters.add("drift_exporter_rejected_records_total", self._topics[half.topic], "no_model")
        else:
            key = self._alone(half.model, _version(half))
            self._counters.add("model_predictions_expired_total", *key, reason)

    def outcomes(self) -> Iterator[tuple[Kind, Outcomes]]:
        """What was found since the last call."""
        return self.found.take(self.kinds.kinds)

    # What goes

    def expire(self, before: int, most: int = _ALL) -> int:
        """Let go of what had its horizon before `before`, `most` ids at the most; returns how many were looked at."""
        done = 0
        for name, line in list(self._lines.items()):
            horizon = self._longest if name == "" else self._horizon(name)
            while done < most and (digests := line.take(before - horizon, min(_CHUNK, most - done))):
                for key, row in self._rows(digests):
                    self._expire(row, before)
                    self._put(key, row)
                done += len(digests)
        return done

    def _expire(self, row: Row, before: int) -> None:
        for prediction in row.predictions[:]:
            if prediction.time + self._horizon(self.kinds.kinds[prediction.kind].model) < before:
                self._drop(row, prediction, "horizon")
        for half in row.halves[:]:
            if half.time + self._horizon_of(half) < before:
                self._forget_half(row, half, "half")
        for label in row.labels[:]:
            if not self._counts(row, label, before):
                self._forget(row, label)

    def _drop(self, row: Row, prediction: Prediction, reason: str) -> None:
        row.predictions.remove(prediction)
        kind = self.kinds.kinds[prediction.kind]
        if prediction.waits:
            self.kinds.waiting[prediction.kind] -= 1
            if kind.model in self._rules:
                self._count("model_predictions_expired_total", kind, reason)
        else:
            self.kinds.settled[prediction.kind] -= 1

    def _forget(self, row: Row, label: Label) -> None:
        row.labels.remove(label)
        self._labels -= 1
        if not label.met:
            self._counters.add("drift_exporter_labels_unmatched_total", self._topics[label.topic])

    def _bound(self, model: str, oldest: int) -> None:
        """At most so many of a model as it has room for wait; as many may be kept that have their label. `oldest`: of
        those that have just come."""
        self._bound_one(model, "waiting", oldest)
        self._bound_one(model, "settled", oldest)

    def _bound_one(self, line: str, what: str, oldest: int) -> None:
        if oldest <= self._cursors.get((line, what), (0, 0))[0]:
            self._cursors[line, what] = (oldest, 0)
        room = self._rules[line].capacity if line else self._room
        if what != "waiting":
            room = max(room, ROOM)
        while (over := self._kept(line, what) - room) > 0 and self._evict(line, what, over):
            pass

    def _kept(self, line: str, what: str) -> int:
        if what == "labels":
            return self._labels
        if what == "halves":
            return self._halves.get(line, 0)
        return self.kinds.kept(line, self.kinds.waiting if what == "waiting" else self.kinds.settled)

    def _evict(self, line: str, what: str, most: int) -> bool:
        """Drop the oldest, `most` of them at the most, of the next few that were not looked at; False where there are
        none."""
        since = self._cursors.get((line, what), (0, 0))
        entries = list(islice(self._line(line).walk(since), max(_CHUNK, min(most, 8 * _CHUNK))))
        if not entries:
            return False
        for (time, _), (key, row) in zip(entries, self._rows([digest for _, digest in entries]), strict=True):
            before = most
            if what == "labels":
                for label in [label for label in row.labels if label.time == time][:most]:
                    self._forget(row, label)
                    most -= 1
            elif what == "halves":
                for half in [h for h in row.halves if h.time == time and (h.model or "") == line][:most]:
                    self._forget_half(row, half, "capacity")
                    most -= 1
            else:
                for p in [p for p in row.predictions if p.time == time and p.waits == (what == "waiting")][:most]:
                    if self.kinds.kinds[p.kind].model == line:
                        self._drop(row, p, "capacity")
                        most -= 1
            if before != most:
                self._put(key, row)
            if most <= 0:
                break  # there may be more of the same entry: the next time begins with it
            since = (time, since[1] + 1 if time == since[0] else 1)
        self._cursors[line, what] = since
        return True

    # Rows

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, bytes | None]:
        """Of those that have not changed since the last save, what is stored."""
        missing = [key for key in keys if key not in self._changed]
        return dict(zip(missing, self._store.get_many(missing), strict=True))

    def _rows(self, digests: Sequence[bytes]) -> Iterator[tuple[bytes, Row]]:
        keys = [PREFIX + digest for digest in digests]
        read = self._read(keys)
        for key in keys:
            data = self._changed[key] if key in self._changed else read[key]
            yield key, Row([]) if data is None else decode(data)

    def _put(self, key: bytes, row: Row) -> None:
        self._changed[key] = encode(row) if row.predictions or row.labels or row.halves else None

    def _count(self, name: str, kind: Kind, *more: str) -> None:
        self._counters.add(name, *self._counted(kind.model, kind.version), *more)

    # What is published and saved

    def waiting(self) -> dict[tuple[str, str], int]:
        """How many predictions wait, by (model, version)."""
        return dict(self.kinds.of_versions())

    def delays(self) -> dict[tuple[str, str], Delays]:
        """How long first labels took, by (model, version)."""
        return self.kinds.delays

    def forget(self, model: str, version: str) -> None:
        """Drop what was counted of it; what waits goes on waiting."""
        self.kinds.delays.pop((model, version), None)

    def unsaved(self) -> int:
        """Rows that have changed since the last save."""
        return len(self._changed)

    def rows(self) -> dict[bytes, bytes | None]:
        """What must be written for the store to agree."""
        meta = {
            "run": self._run + 1,
            "kinds": self.kinds.pack(),
            "topics": self._topics,
            "labels": self._labels,
            "halves": self._halves,
            "lines": self._names,
            "cursors": [[*of, *cursor] for of, cursor in self._cursors.items()],
        }
        rows: dict[bytes, bytes | None] = {META: orjson.dumps(meta)}
        for line in self._lines.values():
            rows |= line.rows(self._run + 1)
        return rows | self._changed

    def saved(self) -> None:
        """`rows` were written."""
        self._run += 1
        self.kinds.tidy()
        self._changed.clear()
        for line in self._lines.values():
            line.saved()


def _fields(batch: Batch, kind: Kind, number: int, slices: NDArray[np.int16]) -> Iterator[tuple[Any, ...]]:
    """The first fields of `Prediction` of each row; the others are those of one that waits."""
    n, width = len(batch.time), slices.itemsize * len(slices)
    codes = np.ascontiguousarray(slices.T).tobytes()
    places = [codes[i : i + width] for i in range(0, n * width, width)] if width else [b""] * n
    version = batch.version if batch.version != kind.version else ""
    said, scores = said_of(batch.outputs["prediction"]), scores_of(batch)
    return zip(repeat(number, n), batch.time.tolist(), said, scores, places, repeat(version, n), strict=True)


def _version(half: StoredHalf) -> str:
    return half.version or NO_VERSION


def _compatible(one: StoredHalf, other: StoredHalf) -> bool:
    """Whether they name the same model and version, or one of them leaves that to the other."""
    return _may_name(one.model, other.model) and _may_name(one.version, other.version)


def _may_name(mine: str | None, theirs: str | None) -> bool:
    return mine is None or theirs is None or mine == theirs


def kept(store: Store) -> Iterator[tuple[tuple[str, str], int, int]]:
    """(model, version) of a saved state, how many of its predictions wait, and how many are kept with their label."""
    saved = orjson.loads(store.get(META) or b"{}")
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for _, model, version, _, _, _, waiting, settled in saved["kinds"]["kinds"] if saved else ():
        before = found.get((model, version), (0, 0))
        found[model, version] = before[0] + waiting, before[1] + settled
    return ((key, *counts) for key, counts in sorted(found.items()))
