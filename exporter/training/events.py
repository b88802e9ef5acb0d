"""Recorded events as a training table: features, outputs and labels of each prediction in one flat JSON line.

They are read and joined as a replay reads and joins them, but nothing expires: so it is only the times that decide.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import numpy as np
import orjson

from exporter.batch import Batch
from exporter.config import Config
from exporter.counters import Counters
from exporter.decode import Decoded, Schema, Truth, Whole, decoders
from exporter.decode.json import batches_of, parse, time_of, truth_of
from exporter.decode.outputs import OutputRule
from exporter.decode.places import Places
from exporter.labels import Kind, LabelJoin, Rule
from exporter.labels.rows import pack, text_of, unpack
from exporter.sources import Records
from exporter.sources.files import FileSource
from exporter.state import RocksStore
from exporter.training.errors import TrainingError

# Meanings in the table, under names that no feature has.
MEANT = {meaning: f"\x1f{meaning}" for meaning in ("prediction", "score", "label", "timestamp")}

_MOST_UNSAVED = 50_000
_NEVER = np.iinfo(np.int64).min
# Features are told as they stand in the event: nobody knows them yet.
_SCHEMA = Schema({}, frozenset(), OutputRule("regression"))


@dataclass(frozen=True, slots=True)
class _Label:
    time: int
    truth: Truth
    model: str | None
    version: str | None


def write_table(config: Config, model: str, files: Sequence[tuple[str, str]], out: IO[bytes]) -> None:
    """One JSON line for each prediction of `model` in the files (topic, path), with its label where it has one.

    Two halves are one prediction, and a repeat is none. Labels are held in memory meanwhile. Raises TrainingError where
    there is no prediction.
    """
    roles = {config.topics[topic].role for topic, _ in files}
    labels: dict[str, list[_Label]] = {}
    for _, decoded in _read(config, [file for file in files if config.topics[file[0]].role == "labels"]):
        _keep(labels, decoded, model)
    written = 0
    horizon = config.models[model].labels.horizon.ns
    others = [file for file in files if config.topics[file[0]].role != "labels"]
    with TemporaryDirectory() as folder, closing(RocksStore(Path(folder))) as store:
        for prediction in _predictions(config, others, store):
            if prediction.model == model:
                out.write(_line(prediction, _truth(prediction, labels.get(prediction.id, ()), horizon)))
                written += 1
    if not written:
        names = ", ".join(path for _, path in files)
        alone = len(roles & {"inputs", "outputs"}) == 1
        hint = "give the files of both topics, inputs and outputs" if alone else "check the mapping with `peek`"
        raise TrainingError(Path(names), f"holds no prediction of model {model}", hint)


def _read(config: Config, files: Sequence[tuple[str, str]]) -> Iterator[tuple[Records, Decoded]]:
    """All events in the order of a replay; what cannot be read is passed over, as there."""
    ways = decoders(config, lambda model, version: _SCHEMA if model in config.models else None)
    source = FileSource(files, {name: time_of(topic) for name, topic in config.topics.items()})
    source.seek({})
    while not source.ended():
        for records in source.poll(0):
            yield records, ways[records.partition.topic].decode(records, None)
    source.close()


def _keep(found: dict[str, list[_Label]], decoded: Decoded, model: str) -> None:
    if decoded.labels is None:
        return
    told = decoded.labels
    times = decoded.time[told.position].tolist()
    for id_, *label in zip(told.ids, times, told.truths, told.models, told.versions, strict=True):
        kept = _Label(*label)
        if kept.model in (None, model):
            found.setdefault(id_, []).append(kept)


def _truth(prediction: Whole, labels: Sequence[_Label], horizon: int) -> Truth | None:
    """What is known of it: the latest of its labels, its own among them (INTERFACE §2)."""
    own = prediction.said[2]
    near = [] if own is None else [_Label(prediction.time, own, None, None)]
    near += [
        label
        for label in labels
        if label.version in (None, prediction.version) and abs(label.time - prediction.time) <= horizon
    ]
    return max(near, key=lambda label: (label.time, text_of(label.truth))).truth if near else None


def _predictions(config: Config, files: Sequence[tuple[str, str]], store: RocksStore) -> Iterator[Whole]:
    """Each prediction once; `position` has no meaning. What waits for a second half, and the ids that tell repeats, are
    in the store."""
    # However many there are: what is thrown out for want of room would be missing from the reference.
    rules = {name: Rule(one.labels.horizon.ns, 1 << 62) for name, one in config.models.items()}
    join = LabelJoin(rules, store, Counters(), lambda *key: key, lambda *key: key, waits=False)
    places = {topic: Places(config.topics[topic]) for topic, _ in files}
    labelled = config.labelled
    for records, decoded in _read(config, files):
        topic = records.partition.topic
        never = np.full(len(decoded.time), _NEVER)
        if decoded.halves:
            wholes = join.halves(decoded.halves, topic, never)
            by_key: dict[tuple[str, str], list[Whole]] = {}
            for whole in sorted(wholes, key=lambda whole: whole.position):
                by_key.setdefault((whole.model, whole.version), []).append(whole)
            for batch in batches_of(wholes, lambda model, version: _SCHEMA):
                fresh = _fresh(join, batch)
                yield from (whole for whole, new in zip(by_key[batch.model, batch.version], fresh, strict=True) if new)
        for batch in decoded.batches:
            fresh = _fresh(join, batch) if labelled else [True] * len(batch.time)
            yield from _told(batch, fresh, records, decoded, places[topic])
        if join.unsaved() > _MOST_UNSAVED:
            store.write(join.rows())
            join.saved()


def _fresh(join: LabelJoin, batch: Batch) -> list[bool]:
    """Of each prediction, whether it is no repeat."""
    rows = len(batch.time)
    kind = Kind(batch.model, batch.version, "regression", (), "")
    nowhere, never = np.zeros((0, rows), dtype=np.int16), np.full(rows, _NEVER)
    fresh: list[bool] = join.predictions(replace(batch, label=None), kind, nowhere, never).tolist()
    return fresh


def _told(batch: Batch, fresh: Sequence[bool], records: Records, decoded: Decoded, places: Places) -> Iterator[Whole]:
    """Whole predictions, with features and outputs as they stand in the events."""
    times, rows = batch.time.tolist(), decoded.rows[batch.position].tolist()
    ids = batch.ids or [""] * len(rows)
    for i, id_, time, new in zip(rows, ids, times, fresh, strict=True):
        if not new:
            continue
        event = parse(records.values[i] or b"")
        truth = truth_of(places.label(event, records, i))
        said, score = places.prediction(event, records, i), places.score(event, records, i)
        yield Whole(i, id_, time, batch.model, batch.version, places.features(event), (said, score, truth, {}))


def _line(prediction: Whole, truth: Truth | None) -> bytes:
    row: Mapping[str, Any] = prediction.features | {
        MEANT["prediction"]: prediction.said[0],
        MEANT["score"]: prediction.said[1],
        MEANT["label"]: truth,
        MEANT["timestamp"]: prediction.time,
    }
    try:
        return orjson.dumps(row) + b"\n"
    except TypeError:  # half a surrogate pair, which JSON may smuggle in
        return orjson.dumps(unpack(pack(row))) + b"\n"
