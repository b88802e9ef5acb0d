"""Decoding says the same of an event whatever came before it, beside it or after it, and never raises."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.batch import Column, Numbers
from exporter.config import Topic
from exporter.decode import Decoded, Schema
from exporter.decode.json import JsonDecoder
from exporter.decode.outputs import OutputRule
from exporter.sources import Partition, Records

TIME = 1_364_774_400
NOW = TIME * 10**9
SCHEMA = Schema(
    {"x": True, "größe": True, "c": False}, frozenset({"secret"}), OutputRule("binary", ("0", "1"), "1", "0")
)
TOPIC = Topic.model_validate({"role": "predictions"})


def decoder(labelled: bool = False, topic: Topic = TOPIC, schema: Schema = SCHEMA) -> JsonDecoder:
    return JsonDecoder(topic, lambda model, version: schema if model == "m" else None, labelled)


def records(values: list[bytes | None]) -> Records:
    return Records(Partition("t", 0), values, range(len(values)), len(values))


def event(**changes: Any) -> dict[str, Any]:
    features = {"x": 0.5, "größe": 1, "c": "red", "secret": 1}
    return {
        "prediction_id": "a",
        "timestamp": TIME,
        "model": "m",
        "model_version": 1,
        "features": features,
        "score": 0.5,
    } | changes


GOOD = json.dumps(event()).encode()


def told(decoded: Decoded, labelled: bool = False) -> list[Any]:
    """Every event by its place in the log, with all that is known of it; then the rejects."""
    found: dict[int, Any] = {}
    for batch in decoded.batches:
        strangers: dict[int, set[str]] = {}
        for row, name in batch.unexpected:
            strangers.setdefault(row, set()).add(name)
        columns = [
            (name, cells(c))
            for name, c in sorted({**batch.features, **{f"→{n}": c for n, c in batch.outputs.items()}}.items())
        ]
        columns += [(f"→baseline {name}", cells(c)) for name, c in batch.baselines.items()]
        if batch.label is not None:
            columns += [("→label", [None if cell in ("missing", -1) else cell for cell in cells(batch.label)])]
        if batch.probabilities is not None:
            columns += [(f"→p{i}", cells(Numbers(row))) for i, row in enumerate(batch.probabilities)]
        assert list(batch.time) == [decoded.time[position] for position in batch.position]
        for row, position in enumerate(batch.position.tolist()):
            own = {name: column[row] for name, column in columns if name != "→label" or column[row] is not None}
            if labelled:
                assert batch.ids is not None
                own["→id"] = batch.ids[row]
            found[position] = (batch.model, batch.version, int(batch.time[row]), own, strangers.get(row, set()))
    assert sorted(found) == list(range(len(decoded.time)))
    return [*(found[i] for i in sorted(found)), sorted((r.reason, r.count, r.offset) for r in decoded.rejects)]


def cells(column: Column) -> list[Any]:
    if isinstance(column, Numbers):
        return ["missing" if x != x else x for x in column.values.tolist()]
    return [column.texts[code] if code >= 0 else code for code in column.codes.tolist()]


cell = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.integers(-(2**70), 2**70),
    st.sampled_from([10**30, 2**63, 2**64, -(2**63) - 1, 1e308, "\ud800", "", "red", -0.0, 1.0, float("nan"),
                     float("inf")]),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip
time = st.one_of(
    st.just(TIME), st.sampled_from([TIME * 1000, TIME + 0.25, "2013-04-01T00:00:00Z", "2013-04-01T02:00:00+02:00",
     "2013-04-01T00:00:00", "2013-04-01", TIME + 301, -1, 0, 2**63, "2013-04-01t00:00:00.5z"]), cell,
)  # fmt: skip
events = st.fixed_dictionaries(
    {"timestamp": time, "model": st.one_of(st.just("m"), st.just("m"), cell), "features": st.one_of(
        st.dictionaries(st.sampled_from(["x", "größe", "c", "secret", "new", "y\n", "X"]), cell, max_size=6), cell)},
    optional={"model_version": cell, "prediction_id": cell, "score": cell, "prediction": cell, "label": cell,
              "more": cell},
)  # fmt: skip
mangled = st.tuples(
    st.integers(0, 200),
    st.sampled_from([b"\xff", b"\xed\xa0\x80", b'"', b"{", b"\x00", b"0", b",", b"\\u0041", b"1e999", b"\\"]),
)


@st.composite
def value(draw: st.DrawFn) -> bytes | None:
    written = json.dumps(draw(events), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 5)) == 0:
        place, odd = draw(mangled)
        written = written[:place] + odd + written[place:]
    return draw(st.sampled_from([written] * 12 + [None, b"", b"null", b"[]"]))


ODD = [
    GOOD.replace(b'"score"', b'"more":"\xff","score"'),
    GOOD.replace(b'"score"', b'"\xff":1,"score"'),
    GOOD.replace(b"1364774400", b'"\xed\xa0\x80"'),
    GOOD.replace(b'"red"', b"1" * 40),
    GOOD.replace(b'"red"', b"1" * 400),
    GOOD.replace(b'"a"', b"1" * 40),
]
# Beyond what 64 bits of nanoseconds hold, and shorter than RFC 3339 has it.
NO_TIMES = [
    GOOD.replace(b"1364774400", written) for written in (b"19364774400", b'"9999-12-31T23:59:59Z"', b'"20130401T00Z"')
]


@given(st.lists(value(), max_size=6), st.booleans())
@example(NO_TIMES[:1], False)
@example(NO_TIMES[1:2], False)
@example(NO_TIMES[2:], False)
@example(ODD, False)
@example(ODD, True)
@example([b""], True)
def test_an_event_is_decoded_alike_before_and_after_many_others(values: list[bytes | None], labelled: bool) -> None:
    """The first records go the generic way; after them, a decoder typed from the features takes what fits."""
    warm = decoder(labelled)
    warm.decode(records([GOOD] * 3), NOW)
    assert warm._typed is not None
    assert told(warm.decode(records(values), NOW), labelled) == told(
        decoder(labelled).decode(records(values), NOW), labelled
    )


LABELLED = {
    "beside": {"label": "label", "baselines": {"expert": "expert"}},
    "within": {"label": "truth.late.label", "baselines": {"expert": "truth.expert", "other": "features.secret"}},
    "unknown": {"label": "features.new", "baselines": {"c": "features.c", "x": "features.x"}},
    "dot": {"features": ".", "label": "truth.label", "baselines": {"expert": "expert"}},
    "with the score": {"score": "out.score", "label": "out.label"},
}
MULTICLASS = Schema({"x": True, "c": False}, frozenset({"secret"}), OutputRule("multiclass", ("red", "0", "blue")))
REGRESSION = Schema({"x": True, "c": False}, frozenset({"secret"}), OutputRule("regression"))
truths = st.one_of(cell, st.sampled_from([0, 1, "1", True, 1.5]))
late = st.one_of(truths, st.fixed_dictionaries({}, optional={"label": truths}))
within = st.fixed_dictionaries({}, optional={"label": truths, "expert": truths, "late": late})
shares = st.dictionaries(st.sampled_from(["red", "0", "blue", "new"]), st.floats(0, 1.1))
labelled_features = st.fixed_dictionaries(
    {"x": st.just(0.5)}, optional={"c": st.just("red"), "new": truths, "secret": truths}
)
labelled_events = st.fixed_dictionaries(
    {"timestamp": st.just(TIME), "model": st.just("m"), "features": labelled_features},
    optional={
        "label": truths,
        "expert": truths,
        "x": st.just(1),
        "out": st.fixed_dictionaries({"score": st.just(0.5)}, optional={"label": truths}),
        "truth": st.one_of(truths, within),
        "prediction": st.one_of(st.sampled_from(["red", "blue", 0, 7]), cell),
        "score": st.one_of(st.just(0.5), shares, cell),
    },
)


@given(
    st.lists(labelled_events.map(lambda e: json.dumps(e).encode("utf-8", "surrogatepass")), max_size=6),
    st.sampled_from([SCHEMA, MULTICLASS, REGRESSION]),
    st.sampled_from(list(LABELLED)),
)
def test_labels_and_second_opinions_are_read_alike_by_both_decoders(
    values: list[bytes | None], schema: Schema, where: str
) -> None:
    topic = Topic.model_validate({"role": "predictions", "fields": LABELLED[where]})
    plain = {"timestamp": TIME, "model": "m", "features": {"x": 1}, "x": 1, "out": {"score": 0.5}}
    warm = decoder(topic=topic, schema=schema)
    for _ in range(2):  # the second time it has learned which features are new
        warm.decode(records([json.dumps(plain | {"features": {"x": 1, "new": 1}}).encode()] * 3), NOW)
    assert warm._typed is not None
    bare = records([json.dumps(plain).encode()])
    assert len(warm._typed.take(bare.values, 10**6, None).rows) == 1, "events without a label are read fast"
    expected = decoder(topic=topic, schema=schema).decode(records(values), NOW)
    assert told(warm.decode(records(values), NOW)) == told(expected)


@given(st.lists(value(), max_size=6))
def test_an_event_is_decoded_alike_alone_and_among_others(values: list[bytes | None]) -> None:
    *together, rejects = told(decoder().decode(records(values), NOW))
    alone = [told(decoder().decode(records([one]), NOW)) for one in values]
    assert [event for *events, _ in alone for event in events] == together
    counts: dict[str, int] = {}
    for *_, mine in alone:
        for reason, count, _ in mine:
            counts[reason] = counts.get(reason, 0) + count
    assert counts == {reason: count for reason, count, _ in rejects}


@pytest.mark.parametrize("place", ["features", "payload.features", "."])
def test_features_are_found_where_the_topic_says(place: str) -> None:
    topic = Topic.model_validate({"role": "predictions", "fields": {"features": place, "id": "meta.id"}})
    features = {"x": 1.5, "c": "red", "new": 1}
    written = {"timestamp": TIME, "model": "m", "model_version": "1", "score": 0.5, "meta": {"id": "i"}}
    written |= (
        features
        if place == "."
        else {"features": features}
        if place == "features"
        else {"payload": {"features": features}}
    )
    values: list[bytes | None] = [json.dumps(written).encode()] * 2
    one = decoder(topic=topic)
    for _ in range(3):
        found = told(one.decode(records(values), NOW))
        assert (
            found[0]
            == found[1]
            == (
                "m",
                "1",
                TIME * 10**9,
                {"c": "red", "größe": "missing", "x": 1.5, "→prediction": "1", "→score": 0.5},
                {"new"},
            )
        )


@pytest.mark.parametrize(
    "name",
    [
        '"',
        "\\",
        "\n",
        "\x00",
        "\ud800",
        "a.b",
        "",
        "self",
        "__init__",
        "1",
        "class",
        "x y",
        "_",
        "é",
        "\x7f",
        "x" * 5000,
    ],
)
def test_a_feature_may_have_any_name(name: str) -> None:
    schema = Schema({name: True, "x": False}, frozenset(), OutputRule("regression"))
    one = decoder(schema=schema)
    values: list[bytes | None] = [json.dumps(event(features={name: 2.5, "x": "a"}, prediction=1)).encode()] * 2
    for _ in range(3):
        for row in told(one.decode(records(values), NOW))[:2]:
            assert row[3] == {name: 2.5, "x": "a", "→prediction": 1.0}
            assert row[4] == set()


@pytest.mark.parametrize("name", ['"', "\\", "\n", "\x00", "\ud800", "a.b", "", "self", "x y"])
def test_a_feature_that_the_reference_does_not_know_may_have_any_name(name: str) -> None:
    one = decoder()
    values: list[bytes | None] = [json.dumps(event(features={name: 2.5})).encode()] * 2
    clean = name.encode("utf-8", "replace").decode()
    for _ in range(3):
        assert [row[4] for row in told(one.decode(records(values), NOW))[:2]] == [{clean}, {clean}]


def test_values_from_header_key_and_constant_count_as_if_they_stood_in_the_event() -> None:
    fields = {"id": {"key": True}, "model": {"const": "m"}, "version": {"header": "v"}}
    topic = Topic.model_validate({"role": "predictions", "fields": fields})
    found = decoder(labelled=True, topic=topic).decode(
        Records(
            Partition("t", 0),
            [b'{"features":{"x":1}}'] * 2,
            [4, 9],
            10,
            [b"k", None],
            [[("v", b"7")], []],
            [TIME * 1000] * 2,
        ),
        NOW,
    )
    [(model, version, at, cells, _), rejects] = told(found)
    assert (model, version, at, cells["x"]) == ("m", "7", TIME * 10**9, 1.0)
    assert rejects == [("no_id", 1, 9)]


def test_records_that_could_not_be_unpacked_are_rejected_as_corrupt() -> None:
    found = decoder().decode(Records(Partition("t", 0), [GOOD], [0], 5, corrupt=3), NOW)
    assert [(reject.reason, reject.count) for reject in found.rejects] == [("corrupt", 3)]
    assert len(found.time) == 1
    assert found.time.dtype == np.int64
