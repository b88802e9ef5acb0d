"""Recorded events as a training table: features, outputs and labels of each event in one flat JSON line."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import orjson

from exporter.config import Config, Topic
from exporter.decode.columns import canonical
from exporter.decode.json import Unreadable, parse
from exporter.decode.places import Places
from exporter.decode.times import parse_time
from exporter.sources import Records
from exporter.sources.files import FileSource
from exporter.training.errors import TrainingError

# Meanings in the table, under names that no feature has.
MEANT = {meaning: f"\x1f{meaning}" for meaning in ("prediction", "score", "label", "timestamp")}


def write_table(config: Config, model: str, files: Sequence[tuple[str, str]], out: IO[bytes]) -> None:
    """One JSON line for each event of `model` with features in the files (topic, path), with its label where a topic
    of labels has one. Labels are held in memory meanwhile. Raises TrainingError where there is no such event."""
    labels: dict[str, tuple[int, Any]] = {}
    for topic, path in files:
        if config.topics[topic].role == "labels":
            labels |= _labels(config.topics[topic], topic, path)
    written = 0
    for topic, path in files:
        if config.topics[topic].role == "predictions":
            for line in _rows(config.topics[topic], topic, path, model, labels):
                out.write(line)
                written += 1
    if not written:
        names = ", ".join(path for _, path in files)
        raise TrainingError(Path(names), f"holds no event of model {model}", "check the mapping with `peek`")


def _events(topic: Topic, name: str, path: str) -> Iterator[tuple[Places, dict[str, Any], Records, int]]:
    """Every readable event: (where its fields are, the event, its records, its place among them)."""
    places = Places(topic)
    source = FileSource([(name, path)], {})
    source.seek({})
    while not source.ended():
        for records in source.poll(0):
            for i, value in enumerate(records.values):
                try:
                    yield places, parse(value or b""), records, i
                except Unreadable:
                    continue
    source.close()


def _labels(topic: Topic, name: str, path: str) -> dict[str, tuple[int, Any]]:
    """id → the label with the latest time of its own."""
    found: dict[str, tuple[int, Any]] = {}
    for places, event, records, i in _events(topic, name, path):
        id_, label = canonical(places.id(event, records, i)), places.label(event, records, i)
        time = parse_time(places.time(event, records, i)) or 0
        if id_ is not None and label is not None and (id_ not in found or time >= found[id_][0]):
            found[id_] = (time, label)
    return found


def _rows(topic: Topic, name: str, path: str, model: str, labels: Mapping[str, tuple[int, Any]]) -> Iterator[bytes]:
    for places, event, records, i in _events(topic, name, path):
        if canonical(places.model(event, records, i)) != model:
            continue
        row = dict(places.features(event))
        label = places.label(event, records, i)
        if label is None:
            label = labels.get(canonical(places.id(event, records, i)) or "", (0, None))[1]
        row[MEANT["prediction"]] = places.prediction(event, records, i)
        row[MEANT["score"]] = places.score(event, records, i)
        row[MEANT["label"]] = label
        row[MEANT["timestamp"]] = places.time(event, records, i)
        yield orjson.dumps(row) + b"\n"
