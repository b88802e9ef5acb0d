"""Where in a record each value is, as the configuration says."""

from collections.abc import Callable, Sequence
from typing import Any

from exporter.config import Field, Topic
from exporter.sources import Records

# (event, its records, its place among them) → the value as it stands there, None where there is none.
Getter = Callable[[dict[str, Any], Records, int], Any]


class Places:
    """Reads the fields of a topic's events."""

    def __init__(self, topic: Topic) -> None:
        fields = topic.fields
        self.id = _getter(fields.id)
        self.time = _getter(fields.time)
        self.model = _getter(fields.model)
        self.version = _getter(fields.version)
        self.prediction = _getter(fields.prediction)
        self.score = _getter(fields.score)
        self.label = _getter(fields.label)
        self.baselines = {name: _getter(place) for name, place in fields.baselines.items()}
        self.features = _features_getter(topic)


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
