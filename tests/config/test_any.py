"""Any configuration at all, right or wrong."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.catalogue import METRICS
from exporter.config import (
    Duration,
)
from tests.config.folder import Folder

ROOT = Path(__file__).parent.parent.parent
MANUAL = (ROOT / "config.yaml").read_text()


TEXTS = st.text(
    st.characters(categories=("L", "N", "P", "S"), include_characters=" ", exclude_characters="$"), min_size=1
)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
SECONDS = st.integers(1, 10**6).map(lambda seconds: Duration.from_ns(seconds * 1_000_000_000).text)
SHARES = st.floats(0, 0.99)
OWN_LABELS = NAMES.map("my_{}".format)  # none that series have
PLACES = st.one_of(
    st.lists(NAMES, min_size=1, max_size=3).map(".".join),
    st.fixed_dictionaries({"header": NAMES}),
    st.just({"key": True}),
    st.fixed_dictionaries({"const": st.one_of(TEXTS, st.integers(), st.booleans())}),
)
CONDITIONS = st.builds(
    "{} {} {}".format, NAMES, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.floats(-1e9, 1e9).map(str)
)


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these keys, or none."""
    return st.fixed_dictionaries({}, optional=keys)


def windows_of(pane: int) -> st.SearchStrategy[dict[str, Any]]:
    lengths = st.lists(st.integers(1, 200), min_size=1, max_size=4, unique=True)
    return lengths.map(
        lambda counts: {
            "pane": Duration.from_ns(pane * 1_000_000_000).text,
            "windows": [Duration.from_ns(count * 60 * pane * 1_000_000_000).text for count in counts],
        }
    )


MODELS = some(
    classes=st.lists(TEXTS, min_size=2, max_size=5, unique=True),
    timezone=st.sampled_from(["UTC", "America/New_York"]),
    weekend=st.lists(st.sampled_from(["friday", "saturday", "sunday"]), unique=True),
    features=st.dictionaries(TEXTS, some(ignore=st.booleans(), tolerance=SHARES, page=st.booleans()), max_size=3),
    slices=st.lists(NAMES, unique=True, max_size=3).map(lambda names: [*names, {"a slice": "x > 1"}]),
    labels=some(horizon=SECONDS, capacity=st.integers(1, 10**9)),
    alerts=some(severity=st.sampled_from(["page", "ticket"]), labels=st.dictionaries(OWN_LABELS, TEXTS, max_size=2)),
).map(lambda keys: {"task": "multiclass", "reference": "r.json"} | keys)
FIELDS = some(
    id=PLACES,
    time=PLACES,
    version=PLACES,
    score=PLACES,
    label=st.none(),
    baselines=st.dictionaries(NAMES, PLACES, max_size=2),
)
CONFIGURATIONS = st.builds(
    lambda required, optional, windows: required | optional | windows,
    st.fixed_dictionaries(
        {
            "topics": FIELDS.map(
                lambda fields: {"p": {"role": "predictions", "fields": fields}, "l": {"role": "labels"}}
            ),
            "models": st.dictionaries(TEXTS, MODELS, min_size=1, max_size=2),
        }
    ),
    some(
        kafka=some(group_id=TEXTS, start=st.sampled_from(["auto", "2013-04-01T00:00:00Z"])).map(
            lambda keys: {"bootstrap_servers": ["a:1"]} | keys
        ),
        lateness=SECONDS,
        alerts=some(false_page_budget=SECONDS, tolerance=SHARES, runbook_url=TEXTS),
        reload=some(auto=st.booleans(), interval=SECONDS),
        state=some(path=NAMES),
        limits=some(series=st.integers(1, 10**6), classes=st.integers(1, 100)),
        metrics=some(disable=st.lists(st.sampled_from(sorted(METRICS)))),
        web=some(listen=st.sampled_from([":1", "[::1]:2", "a:3"]), admin=st.booleans()),
    ),
    st.integers(1, 3600).flatmap(windows_of),
)


def as_yaml(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False)  # JSON is YAML in which every text is quoted


@given(CONFIGURATIONS)
def test_a_configuration_written_out_in_full_says_the_same(folder: Folder, data: dict[str, Any]) -> None:
    config = folder.load(as_yaml(data))
    assert folder.load(as_yaml(config.redacted())) == config


FREE = {"topics", "models", "features", "baselines", "extra", "reference"}  # whose keys are anybody's names


def places(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every key and item of some data."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(data: Any, path: tuple[str | int, ...], change: Any) -> Any:
    """A copy in which `change` was applied to the container of a place and its key."""
    copy = json.loads(json.dumps(data))
    holder = copy
    for part in path[:-1]:
        holder = holder[part]
    change(holder, path[-1])
    return copy


MANUAL_DATA = yaml.safe_load(MANUAL)
OUR_KEYS = [
    path
    for path in places(MANUAL_DATA)
    if isinstance(path[-1], str)
    and FREE.isdisjoint(path[-2:-1])
    and "slices" not in path
    and path[-3:-1] != ("alerts", "labels")
]


def test_one_mangled_key_anywhere_is_named(folder: Folder) -> None:
    def mangle(holder: Any, key: Any) -> None:
        holder[f"{key}x"] = holder.pop(key)

    assert len(OUR_KEYS) > 80
    for path in OUR_KEYS:
        lines = folder.complaints(as_yaml(changed(MANUAL_DATA, path, mangle)))
        assert any(f"{path[-1]}x: is no known key; did you mean '{path[-1]}'?" in line for line in lines), (path, lines)


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just("${"), st.just("1h")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=4,
)
LIBRARY_WORDS = re.compile(r"Input should|pydantic|Extra inputs|Field required|Traceback|object at 0x", re.IGNORECASE)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(places(MANUAL_DATA))), JUNK)
def test_whatever_stands_anywhere_loads_or_is_refused_in_plain_words(
    folder: Folder, path: tuple[str | int, ...], junk: Any
) -> None:
    def put(holder: Any, key: Any) -> None:
        holder[key] = junk

    for line in folder.complaints(as_yaml(changed(MANUAL_DATA, path, put))):
        assert re.fullmatch(r"config\.yaml: (.+: )?.+; .+", line), line
        assert line.isprintable()
        assert not LIBRARY_WORDS.search(line)


@settings(max_examples=300)
@given(st.integers(0, len(MANUAL) - 1), st.integers(0, 40), st.text(max_size=3))
def test_a_file_damaged_anywhere_loads_or_is_refused_in_plain_words(
    folder: Folder, start: int, length: int, instead: str
) -> None:
    damaged = MANUAL[:start] + instead + MANUAL[start + length :]
    for line in folder.complaints(damaged):
        assert re.fullmatch(r"config\.yaml: (.+: )?.+; .+", line), line
        assert not LIBRARY_WORDS.search(line)


@given(st.text())
def test_no_text_at_all_breaks_the_reader(folder: Folder, text: str) -> None:
    assert folder.complaints(text)
