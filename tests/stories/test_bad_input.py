"""What producers really send: each event that cannot be read is counted by reason, and the stream goes on."""

import json
import math
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.sources import Partition, Records
from exporter.sources.memory import MemorySource
from exporter.state import MemoryStore
from tests.stories.world import PREDICTIONS, World, json_line, samples, series

START = 1_364_774_400
NOW = START * 10**9
LABELS = Partition("labels", 0)
CONFIG = """
topics:
  predictions: {role: predictions}
  labels: {role: labels}
models:
  m:
    task: binary
    classes: ["no", "yes"]
    threshold: 0.25
    reference: m.reference.json
  s:
    task: multiclass
    classes: [b, a, c]
    reference: s.reference.json
  r:
    task: regression
    reference: r.reference.json
windows: [1h]
"""
QUOTED = 'a "quoted"\nback\\slash'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("bad"))
    world.configure(CONFIG)
    random = np.random.default_rng(1)
    features = [
        {"x": float(x), QUOTED: float(x), "c": ["other", "unseen", "red", QUOTED][i % 4]}
        for i, x in enumerate(random.normal(0, 1, 200))
    ]
    world.reference("m", [row | {"prediction": "yes"} for row in features])
    world.reference("s", [row | {"prediction": "a"} for row in features])
    world.reference("r", [row | {"prediction": row["x"]} for row in features])
    return world


class Stream:
    """Values through an App whose records are held against a clock, as a live one's are."""

    def __init__(self, world: World, *values: bytes | None, labels: tuple[bytes | None, ...] = ()) -> None:
        self.app = world.app(MemorySource([]), MemoryStore(), now=NOW)
        self.app._clock = lambda: NOW  # type: ignore[method-assign]
        for partition, found in ((PREDICTIONS, values), (LABELS, labels)):
            self.app.absorb(Records(partition, found, range(len(found)), len(found)))
        self.app.tick()
        self.found = samples(self.app.snapshot.text.decode())

    @property
    def rejected(self) -> dict[str, float]:
        """By reason, those that were."""
        name = "drift_exporter_rejected_records_total"
        return {dict(labels)["reason"]: n for (found, labels), n in self.found.items() if found == name and n}

    def of(self, name: str, model: str = "m", version: str = "none", **labels: str) -> float | None:
        return self.found.get(series(name, model=model, model_version=version, **labels))

    @property
    def counted(self) -> float | None:
        return self.of("model_predictions_total")


IDS = count(1)


def event(model: str = "m", **changes: Any) -> dict[str, Any]:
    """Each with an id of its own: an exact repeat would be a duplicate."""
    made = {"prediction_id": str(next(IDS)), "timestamp": START, "model": model, "features": {"x": 0.5}, "score": 0.5}
    return made | changes


GOOD, ANOTHER = json_line(event()), json_line(event())  # the first is "1"

REJECTED = {
    "empty": [b""],
    "not_json": [
        b" ", b"\n", b"{", b'{"a":1}x', b"[1]", b'"text"', b"1", b"null", b"\xff\xfe", b'{"model":"\xff"}', b"{'a':1}",
        b"[" * 100_000, b'{"a":' * 100_000, b"\x00", b'{"model": nan}', "{'é'".encode("utf-16"),
    ],
    "too_large": [json_line(event(features={"x": "y" * 1_000_001}))],
    "no_id": [json_line(event(prediction_id=i)) for i in (None, "", {}, [1], math.nan)],
    "no_model": [json_line(event(model=m)) for m in (None, {}, ["m"], math.nan)],
    "unknown_model": [json_line(event(model=m)) for m in ("M", "", 1, True, "\ud800", "m\n", "x" * 100_000)],
    "bad_time": [
        json_line(event(timestamp=t))
        for t in (None, "", "yesterday", "2013-04-01", "12:00", "1364774400", -1, math.nan, math.inf, True, [START], {},
                  "2013-02-30T00:00:00Z", "1969-12-31T23:59:59Z", "2262-04-12T00:00:00Z", "9999-12-31T23:59:59Z", 1e300,
                  10**30, 2**63, "0001-01-01T00:00:00+23:59", "2013-04-01T25:00:00Z", "x" * 100_000)
    ],
    "future": [json_line(event(timestamp=t)) for t in (START + 301, "2013-04-01T00:05:01Z", (START + 301) * 1000)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "value"),
    [pytest.param(r, value, id=f"{r} {i}") for r, found in REJECTED.items() for i, value in enumerate(found)],
)
def test_what_cannot_be_read_is_rejected_by_reason_and_the_stream_goes_on(
    world: World, reason: str, value: bytes
) -> None:
    stream = Stream(world, GOOD, value, ANOTHER)
    assert stream.rejected == {reason: 1}
    assert stream.counted == 2
    assert stream.found[series("drift_exporter_records_total", topic="predictions")] == 3


@pytest.mark.parametrize("label", [{}, {"a": 1}, [], [1]])
def test_a_label_that_is_an_object_or_array_is_rejected(world: World, label: Any) -> None:
    value = json_line({"prediction_id": "1", "timestamp": START, "label": label})
    assert Stream(world, GOOD, labels=(value,)).rejected == {"bad_label": 1}


@pytest.mark.parametrize("label", [None, 1, 0.5, True, "yes", ""])
def test_any_other_label_is_none_or_one(world: World, label: Any) -> None:
    value = json_line({"prediction_id": "1", "timestamp": START, "label": label})
    assert Stream(world, GOOD, labels=(value,)).rejected == {}


def test_a_label_needs_an_id_and_a_model_it_names_must_be_known(world: World) -> None:
    labels = (
        json_line({"timestamp": START, "label": 1}),
        json_line({"prediction_id": "1", "timestamp": START, "model": "z"}),
    )
    assert Stream(world, labels=labels).rejected == {"no_id": 1, "unknown_model": 1}


def test_a_tombstone_is_counted_as_a_record_and_passed_over(world: World) -> None:
    stream = Stream(world, None, GOOD, None)
    assert stream.found[series("drift_exporter_records_total", topic="predictions")] == 3
    assert stream.rejected == {}
    assert stream.counted == 1


def test_five_minutes_ahead_of_now_is_still_now(world: World) -> None:
    assert Stream(world, json_line(event(timestamp=START + 300))).rejected == {}


def test_a_replay_has_no_now(world: World) -> None:
    path = world.lines("events.jsonl", [json_line(event(timestamp="2261-01-01T00:00:00Z")), b"", b"nonsense"])
    found = world.replay(f"predictions={path}").samples
    assert found[series("model_predictions_total", model="m", model_version="none")] == 1
    for reason, wanted in (("future", 0), ("empty", 1), ("not_json", 1)):
        assert found[series("drift_exporter_rejected_records_total", topic="predictions", reason=reason)] == wanted


@pytest.mark.parametrize(
    "time",
    [
        START, float(START), START + 0.5, START * 1000, START * 10**6, START * 10**9, "2013-04-01T00:00:00Z",
        "2013-04-01T00:00:00", "2013-04-01 00:00:00", "2013-04-01T02:00:00+02:00", "2013-03-31T19:00:00.000001-05:00",
        "2013-04-01T00:00:00.123456789Z", "2013-04-01t00:00:00z",
    ],
)  # fmt: skip
def test_one_moment_written_in_any_unit_is_one_moment(world: World, time: Any) -> None:
    assert Stream(world, json_line(event(timestamp=time))).of(
        "model_last_prediction_timestamp_seconds"
    ) == pytest.approx(START, abs=1)


@pytest.mark.parametrize(("time", "seconds"), [(0, 0), (1, 1), (9_223_372_036, None), (100_000_000_000, 100_000_000)])
def test_the_unit_of_an_epoch_number_is_told_by_its_magnitude(world: World, time: int, seconds: int | None) -> None:
    stream = Stream(world, json_line(event(timestamp=time)))
    assert stream.of("model_last_prediction_timestamp_seconds") == seconds
    assert stream.rejected == ({"future": 1} if seconds is None else {})


def test_of_a_key_that_comes_twice_the_last_counts(world: World) -> None:
    value = GOOD.replace(b'"x": 0.5', b'"x": 0.5, "x": null')
    assert Stream(world, value).of("model_feature_missing_ratio", feature="x", window="1h") == 1


def x_is(written: bytes) -> bytes:
    return GOOD.replace(b'"x": 0.5', b'"x": ' + written)


@pytest.mark.parametrize("written", [b"null", b"NaN"])
def test_null_and_nan_are_missing(world: World, written: bytes) -> None:
    assert Stream(world, x_is(written)).of("model_feature_missing_ratio", feature="x", window="1h") == 1


@pytest.mark.parametrize(
    "written",
    [b'"0.5"', b'""', b"true", b"false", b"[0.5]", b"{}", b"Infinity", b"-Infinity", b"1e999", b"9" * 400, b"8" * 5000,
     b"[" * 900 + b"]" * 900],
    ids=lambda written: written[:12].decode(),
)  # fmt: skip
def test_what_is_no_number_is_invalid_for_its_feature_alone(world: World, written: bytes) -> None:
    stream = Stream(world, x_is(written))
    assert stream.rejected == {}
    assert stream.of("model_feature_invalid_ratio", feature="x", window="1h") == 1
    assert stream.of("model_feature_missing_ratio", feature="c", window="1h") == 1
    assert stream.of("model_output_mean", output="score", window="1h") == 0.5


@pytest.mark.parametrize(
    "written",
    [b"1.7976931348623157e308", b"-1.7976931348623157e308", b"1e308", b"5e-324", b"-0.0", b"1" * 300],
    ids=lambda written: written[:8].decode() + written[-3:].decode(),
)
@pytest.mark.parametrize("model", ["m", "r"])
def test_the_ends_of_the_doubles_harm_nobody(world: World, written: bytes, model: str) -> None:
    value = x_is(written).replace(b'"m"', f'"{model}"'.encode()).replace(b'"score": 0.5', b'"prediction": ' + written)
    calm = ANOTHER.replace(b'"m"', f'"{model}"'.encode())
    again = value.replace(b'"prediction_id": "1"', b'"prediction_id": "again"')
    stream = Stream(world, value, again, calm)
    assert stream.of("model_predictions_total", model) == 3
    assert stream.of("model_feature_missing_ratio", model, feature="x", window="1h") == 0
    assert stream.of("model_feature_invalid_ratio", model, feature="x", window="1h") == 0
    assert stream.of("model_feature_mean", model, feature=QUOTED, window="1h") is None
    failures = {key: n for key, n in stream.found.items() if key[0] == "drift_exporter_statistic_failures_total" and n}
    assert failures == {}
    assert all(math.isfinite(value) for value in stream.found.values())


def test_one_absurd_number_does_not_silence_the_other_features(world: World) -> None:
    value = json_line(event(features={"x": 1.7e308, QUOTED: 3.0}))
    stream = Stream(world, value)
    assert stream.of("model_feature_mean", feature=QUOTED, window="1h") == 3


def test_names_and_categories_are_escaped_as_prometheus_reads_them(world: World) -> None:
    stream = Stream(world, json_line(event(features={QUOTED: 2.0, "c": QUOTED}, model_version=QUOTED)))
    assert stream.of("model_feature_mean", version=QUOTED, feature=QUOTED, window="1h") == 2
    assert stream.of("model_feature_category_ratio", version=QUOTED, feature="c", category=QUOTED, window="1h") == 1


def test_a_category_that_is_called_other_or_unseen_shares_that_series(world: World) -> None:
    values = [json_line(event(features={"c": c})) for c in ("other", "unseen", "never seen", "red")]
    stream = Stream(world, *values)
    shares = {
        c: stream.of("model_feature_category_ratio", feature="c", category=c, window="1h")
        for c in ("other", "unseen", "red")
    }
    assert shares == {"other": 0.25, "unseen": 0.5, "red": 0.25}
    assert stream.of("model_feature_unseen_ratio", feature="c", window="1h") == 0.25


@pytest.mark.parametrize("place", ["feature", "category", "version", "prediction", "id", "new name"])
def test_half_a_surrogate_pair_is_only_odd_text(world: World, place: str) -> None:
    odd = "\ud800 half"
    values = {
        "feature": event(features={odd: 1}),
        "category": event(features={"c": odd}),
        "version": event(model_version=odd),
        "prediction": event(prediction=odd),
        "id": event(prediction_id=odd),
        "new name": event(features={"x": 1, odd: odd}),
    }
    stream = Stream(world, json_line(values[place]), GOOD)
    assert stream.rejected == {}
    assert stream.app.health.save_problem is None
    stream.app.save()


@pytest.mark.parametrize("breaker", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00", "\t"], ids=ascii)
def test_a_version_with_a_line_break_of_another_kind_stays_on_its_line(world: World, breaker: str) -> None:
    name = f"a{breaker}#{breaker}process_{breaker}b"
    path = world.lines("events.jsonl", [json_line(event(model_version=name))])
    found = world.replay(f"predictions={path}").samples
    assert found[series("model_predictions_total", model="m", model_version=name)] == 1


@pytest.mark.parametrize(
    ("version", "label"),
    [
        (None, "none"),
        ("", "none"),
        (1, "1"),
        (1.0, "1"),
        ("1.0", "1.0"),
        (True, "true"),
        (1.5, "1.5"),
        ([], "none"),
        (10**25, "10000000000000000905969664"),
    ],
)
def test_versions_compare_by_canonical_text(world: World, version: Any, label: str) -> None:
    assert Stream(world, json_line(event(model_version=version))).of("model_predictions_total", version=label) == 1


# What the model said


@pytest.mark.parametrize(
    ("score", "said"),
    [(0.25, "yes"), (0.2499999, "no"), (0, "no"), (1, "yes"), (1.0000001, None), (-0.1, None), ("0.5", None),
     (True, None), (None, None), (math.nan, None), ([0.5], None)],
)  # fmt: skip
def test_a_prediction_comes_from_score_and_threshold_where_the_score_is_one(
    world: World, score: Any, said: str | None
) -> None:
    stream = Stream(world, json_line(event(score=score)))
    ratios = {c: stream.of("model_class_ratio", class_=c, window="1h") for c in ("no", "yes", "other")}
    assert ratios == {c: None if said is None else float(c == said) for c in ratios}
    assert stream.rejected == {}


def test_a_class_that_the_model_does_not_have_counts_as_other(world: World) -> None:
    stream = Stream(world, *(json_line(event(prediction=p)) for p in ("yes", "maybe", 1, None)))
    ratios = [stream.of("model_class_ratio", class_=c, window="1h") for c in ("no", "yes", "other")]
    assert ratios == [0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("changes", "said", "score"),
    [
        ({"score": {"a": 0.2, "b": 0.3, "c": 0.5}}, "c", 0.5),
        ({"score": {"a": 0.4, "b": 0.4, "c": 0.2}}, "b", 0.4),
        ({"score": {"d": 0.9, "a": 0.1}}, "other", 0.9),
        ({"score": {"a": 0.2, "b": 0.8}, "prediction": "a"}, "a", 0.2),
        ({"score": {"a": 0.2}, "prediction": "c"}, "c", None),
        ({"score": {"a": None, "b": 0.1}}, "b", 0.1),
        ({"score": {"a": 1.5, "b": 0.1}, "prediction": "a"}, "a", None),
        ({"score": {}, "prediction": "a"}, "a", None),
        ({"score": {}}, None, None),
        ({"score": None}, None, None),
    ],
)
def test_a_multiclass_event_has_the_probability_of_the_class_it_says(
    world: World, changes: dict[str, Any], said: str | None, score: float | None
) -> None:
    stream = Stream(world, json_line(event("s", **changes)))
    ratios = {c: stream.of("model_class_ratio", "s", class_=c, window="1h") for c in ("a", "b", "c", "other")}
    assert ratios == {c: None if said is None else float(c == said) for c in ratios}
    assert stream.of("model_output_mean", "s", output="score", window="1h") == pytest.approx(score)


def test_a_regression_has_numbers_for_predictions_and_no_classes(world: World) -> None:
    stream = Stream(world, *(json_line(event("r", prediction=p)) for p in (1.5, "2", None, True, 2.5)))
    assert stream.of("model_output_mean", "r", output="prediction", window="1h") == 2
    assert stream.of("model_output_mean", "r", output="score", window="1h") is None
    assert not [key for key in stream.found if key[0] == "model_class_ratio" and ("model", "r") in key[1]]


# What the operator is told


def test_a_rejection_is_logged_once_a_minute_a_reason_with_its_place_and_without_its_payload(
    world: World, caplog: Any
) -> None:
    stream = Stream(world, b"secret nonsense", b"more", GOOD)
    stream.app.absorb(Records(PREDICTIONS, [b"again"], [3], 4))
    lines = [record.getMessage() for record in caplog.records if "rejected" in record.getMessage()]
    [line] = lines
    assert "rejected as not_json" in line
    assert "topic predictions, partition 0, offset 0; 2 in this read" in line
    assert "secret" not in line


def test_payloads_are_logged_where_asked(world: World) -> None:
    path = world.lines("events.jsonl", [GOOD, b"secret nonsense"])
    assert "secret nonsense" in world.replay("--log.payloads", f"predictions={path}").errors
    assert "secret" not in world.replay(f"predictions={path}").errors


def test_a_file_cut_short_is_told_with_its_line(world: World) -> None:
    import gzip

    path = world.folder / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join([GOOD] * 1000))[:-20])
    done = world.replay(f"predictions={path}")
    assert done.code == 1
    assert str(path) in done.errors
    assert "line" in done.errors


def test_threshold_zero_is_a_threshold(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.configure(CONFIG.replace("threshold: 0.25", "threshold: 0.0"))
    world.reference("m", [{"x": 1.0, "prediction": "yes"}])
    text = json.loads((tmp_path / "m.reference.json").read_text())
    assert text["rows"] == 1
    world.configure(world.config.read_text().partition("  s:")[0] + "windows: [1h]\n")
    assert Stream(world, json_line(event(score=0.1))).of("model_class_ratio", class_="yes", window="1h") == 1
