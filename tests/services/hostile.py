"""Records as no producer should send them, each with what is to become of it."""

import itertools
import json
import math
import random
from typing import Any, NamedTuple

from hypothesis import strategies as st

NOW = 1_364_774_400  # epoch seconds; the clock of these tests stands still
FUTURE = NOW + 300  # the last moment that is not in the future
JUST_NOW = NOW - 1200
IDS = itertools.count(1)  # a prediction whose id has come before is a repeat, and counts nowhere else


class Sent(NamedTuple):
    """`became`: a reason of rejection, `tombstone`, or the version of model `m` that it counts for.
    `x`: what feature x of such an event is: valid, missing or invalid."""

    value: bytes | None
    became: str
    x: str = "valid"


def event(**changes: Any) -> dict[str, Any]:
    """One that is sound, of version `odd`, with an id of its own."""
    features = {"x": 1.0, "c": "red"}
    known = {"prediction_id": str(next(IDS)), "timestamp": JUST_NOW, "model": "m", "model_version": "odd"}
    return known | {"features": features, "score": 0.5} | changes


def written(**changes: Any) -> bytes:
    return json.dumps(event(**changes)).encode()


def with_x(text: bytes) -> bytes:
    """An event whose feature x stands there as `text`."""
    return written().replace(b'"x": 1.0', b'"x": ' + text)


def rejected(reason: str, values: st.SearchStrategy[bytes]) -> st.SearchStrategy[Sent]:
    return values.map(lambda value: Sent(value, reason))


def odd_x(kind: str, texts: st.SearchStrategy[bytes]) -> st.SearchStrategy[Sent]:
    return texts.map(lambda text: Sent(with_x(text), "odd", kind))


def digits(count: int) -> bytes:
    return b"9" * count


scalar = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
anything = st.recursive(
    scalar, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=9
)
no_number = anything.filter(lambda value: isinstance(value, str | list | dict))
GOOD = written()

NOT_JSON = st.one_of(
    st.binary(min_size=1, max_size=300).filter(lambda value: b"{" not in value),
    st.integers(1, len(GOOD) - 1).map(lambda end: GOOD[:end]),
    st.integers(GOOD.index(b"red"), GOOD.index(b"red") + 3).map(lambda at: GOOD[:at] + b"\xff" + GOOD[at:]),
    scalar.map(lambda value: json.dumps(value).encode()),
    st.lists(anything).map(lambda value: json.dumps(value).encode()),
    st.integers(1000, 300_000).map(lambda depth: b"[" * depth),
    st.integers(1000, 80_000).map(lambda depth: b'{"features":' * depth),
)
NO_TIME = st.one_of(
    st.text(max_size=15), st.booleans(), st.lists(st.integers()), st.integers(max_value=-1),
    st.integers(2**63, 10**40), st.floats(max_value=-1.0), st.just(math.nan), st.just(math.inf),
    st.dates().map(str), st.datetimes().map(lambda at: f"{at:%d.%m.%Y %H:%M}"),
)  # fmt: skip
LATER = st.integers(FUTURE + 1, 9_000_000_000).flatmap(
    lambda at: st.sampled_from([at, at + 0.5, at * 1000, at * 10**6, at * 10**9])
)
NO_TEXT = st.sampled_from([None, {}, [], ["m"], math.nan, math.inf])

predictions: st.SearchStrategy[Sent] = st.one_of(
    rejected("not_json", NOT_JSON),
    st.just(Sent(b"", "empty")),
    st.just(Sent(None, "tombstone")),
    rejected("no_id", (NO_TEXT | st.just("")).map(lambda id_: written(prediction_id=id_))),
    rejected("no_model", NO_TEXT.map(lambda model: written(model=model))),
    rejected("unknown_model", st.text().filter(lambda model: model != "m").map(lambda model: written(model=model))),
    rejected("bad_time", NO_TIME.map(lambda time: written(timestamp=time))),
    rejected("future", LATER.map(lambda time: written(timestamp=time))),
    odd_x("missing", st.sampled_from([b"null", b"NaN", b'"text", "x": null', b'1, "x": NaN'])),
    odd_x("invalid", st.sampled_from([b'"1"', b"true", b"[]", b"{}", b"Infinity", b"-Infinity", b"1e999"])),
    odd_x("invalid", st.sampled_from([b'1, "x": "text"', b'null, "x": {}'])),
    odd_x("invalid", st.integers(321, 4000).map(digits)),
    odd_x("invalid", st.integers(2, 900).map(lambda depth: b"[" * depth + b"]" * depth)),
    odd_x("invalid", (no_number | st.booleans()).map(json.dumps).map(str.encode)),
    odd_x("valid", st.floats(allow_nan=False, allow_infinity=False).map(repr).map(str.encode)),
    odd_x("valid", st.integers(1, 300).map(digits)),
    anything.map(lambda value: Sent(written(score=value, prediction=value), "odd")),
    st.dictionaries(st.text(max_size=9).filter(lambda name: name != "x"), anything).map(
        lambda features: Sent(written(features=features), "odd", "missing")
    ),
    anything.filter(lambda value: not isinstance(value, dict)).map(
        lambda value: Sent(written(features=value), "odd", "missing")
    ),
    st.integers(0, 10**6).map(lambda time: Sent(written(timestamp=time, model_version="of 1970"), "of 1970")),
)  # fmt: skip

labels: st.SearchStrategy[Sent] = st.one_of(
    rejected("not_json", NOT_JSON),
    st.just(Sent(b"", "empty")),
    st.just(Sent(None, "tombstone")),
    rejected("no_id", (NO_TEXT | st.just("")).map(lambda id_: label(prediction_id=id_))),
    rejected("bad_time", NO_TIME.map(lambda time: label(timestamp=time))),
    rejected("future", LATER.map(lambda time: label(timestamp=time))),
    rejected("bad_label", no_number.filter(lambda x: not isinstance(x, str)).map(lambda value: label(label=value))),
)


def label(**changes: Any) -> bytes:
    return json.dumps({"prediction_id": "1", "timestamp": JUST_NOW, "label": 1} | changes).encode()


def large_or_new(chance: random.Random, number: int, now: float) -> bytes:
    """Each the first of its version, category, id and unknown feature; one in sixty as large as it can be."""
    new = f"{chance.getrandbits(64):x}"
    match number % 300:
        case 0:
            return chance.randbytes(2_000_000)
        case 60:
            return written(timestamp=now, model_version=new * 50_000)
        case 120:
            return written(timestamp=now, features={f"{new}{i}": 1 for i in range(3000)})
        case 180:
            return written(timestamp=now, prediction_id=new * 30_000, features={"c": new * 20_000})
        case 240:
            return b"[" * 900_000
    x = chance.uniform(-1, 1) * 10.0 ** chance.randrange(-300, 300)
    return written(
        timestamp=now - chance.random() * 10 ** chance.randrange(1, 9),
        model_version=chance.choice(["1", new]),
        prediction_id=new,
        features={"x": x, "c": new, new: new},
    )
