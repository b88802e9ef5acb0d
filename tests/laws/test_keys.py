"""Keys of sparse tables: buckets of numbers in their order, and hashes of texts."""

from bisect import bisect_left

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from exporter.summaries import keys
from exporter.summaries.keys import DISTINCT, Buckets, Hashes, bounds, bucket, hash_of, middles
from tests.laws.awkward import COLUMNS, MAX

numbers = st.floats(allow_nan=False, allow_infinity=False)
some = st.lists(numbers, max_size=50).map(lambda found: np.array(found, dtype=np.float64))
# Below, doubles lose digits one by one, and buckets with them.
NORMAL = 2.0**-1016


def keys_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return bucket(values).astype(np.int64)


@given(some)
def test_buckets_ascend_with_the_values(values: NDArray[np.float64]) -> None:
    assert (np.diff(bucket(np.sort(values))) >= 0).all()


@given(some)
def test_the_middle_of_a_bucket_is_within_a_hundredth_of_all_that_is_in_it(values: NDArray[np.float64]) -> None:
    values = values[(np.abs(values) >= NORMAL) | (values == 0)]
    found = middles(keys_of(values))
    assert np.isfinite(found).all()
    assert (np.abs(found - values) <= 0.01 * np.abs(values)).all()


@given(some)
def test_the_bounds_of_a_bucket_hold_what_is_in_it_and_nothing_else(values: NDArray[np.float64]) -> None:
    low, high = bounds(keys_of(values))
    assert ((low <= values) & (values <= high)).all()
    with np.errstate(over="ignore"):
        below, above = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
    assert (keys_of(below) < keys_of(values))[np.isfinite(below)].all()
    assert (keys_of(above) > keys_of(values))[np.isfinite(above)].all()


def test_both_zeros_are_zero() -> None:
    assert middles(keys_of(np.array([0.0, -0.0]))).tolist() == [0, 0]


@pytest.mark.parametrize("value", [MAX, -MAX, 5e-324, 1.0, -1.0])
def test_the_ends_of_the_doubles_have_finite_middles(value: float) -> None:
    assert np.isfinite(middles(keys_of(np.array([value])))).all()


@given(st.lists(st.tuples(st.integers(0, 2), some), max_size=8))
def test_a_bucket_of_a_feature_has_one_column_for_ever(steps: list[tuple[int, NDArray[np.float64]]]) -> None:
    registry = Buckets(3)
    known: dict[tuple[int, int], int] = {}
    for feature, values in steps:
        found = bucket(values)
        for key, column in zip(found.tolist(), registry.columns(feature, found).tolist(), strict=True):
            assert known.setdefault((feature, key), column) == column
    assert sorted(known.values()) == list(range(len(registry)))
    order, features, ordered = registry.in_order()
    assert list(zip(features.tolist(), ordered.tolist(), strict=True)) == sorted(known)
    assert [known[at] for at in sorted(known)] == order.tolist()


def test_beyond_its_number_of_buckets_a_value_takes_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "BUCKETS", 6)
    registry = Buckets(1)
    first = bucket(np.array([-4.0, -2.0, 1.0, 2.0, 4.0, 8.0]))
    columns = dict(zip(first.tolist(), registry.columns(0, first).tolist(), strict=True))
    probes = np.array([-1e9, -2.1, -1e-9, 1e-9, 1.1, 3.9, 1e9])
    found = registry.columns(0, bucket(probes)).tolist()
    nearest = [-4.0, -2.0, -2.0, 1.0, 1.0, 4.0, 8.0]
    assert found == [columns[int(key)] for key in bucket(np.array(nearest))]
    assert len(registry) == 6


@pytest.mark.parametrize("name", COLUMNS)
def test_a_rank_among_buckets_is_the_rank_among_the_values(name: str) -> None:
    values = COLUMNS[name][np.isfinite(COLUMNS[name])]
    ordered = np.sort(values)
    found = np.sort(keys_of(values))
    assert np.array_equal(found, keys_of(ordered))
    for place in range(0, len(ordered), max(1, len(ordered) // 20)):
        assert bisect_left(found.tolist(), found[place]) <= place


# Texts

RED = 0xA3480A2FAF17E90D


def test_a_hash_is_the_same_in_every_process() -> None:
    assert hash_of("red") == RED
    assert len({hash_of(text) for text in ("", "a", "b", "\ud800", "a\x00")}) == 5


@given(st.lists(st.tuples(st.integers(0, 1), st.lists(st.text(max_size=3), max_size=10)), max_size=6))
def test_few_texts_are_counted_exactly(steps: list[tuple[int, list[str]]]) -> None:
    registry, counts = Hashes(2), np.zeros(100, dtype=np.int64)
    seen: list[set[str]] = [set(), set()]
    for feature, texts in steps:
        np.add.at(counts, np.array(registry.columns(feature, map(hash_of, texts)), dtype=np.intp), 1)
        seen[feature].update(texts)
    assert registry.estimate(counts[: len(registry)]).tolist() == [len(seen[0]), len(seen[1])]


def test_many_texts_are_estimated_and_take_bounded_room() -> None:
    registry, counts = Hashes(2), np.zeros(0, dtype=np.int64)
    for start in range(0, 50_000, 1_000):
        columns = [c for c in registry.columns(0, (hash_of(str(i)) for i in range(start, start + 1_000))) if c >= 0]
        counts = np.concatenate([counts, np.zeros(max(0, len(registry) - len(counts)), dtype=np.int64)])
        np.add.at(counts, columns, 1)
        if registry.crowded():
            counts[registry.shrink(counts > 0)] = 0
    few = registry.columns(1, [hash_of("only one")])
    counts = np.concatenate([counts, np.zeros(max(0, len(registry) - len(counts)), dtype=np.int64)])
    counts[few] += 1
    many, one = registry.estimate(counts)
    assert one == 1
    assert many == pytest.approx(50_000, rel=4 / np.sqrt(2048))
    assert len(registry) <= DISTINCT + 1_001


def test_what_is_in_no_window_any_more_gives_its_room_back_before_anything_is_estimated() -> None:
    registry = Hashes(1)
    old = registry.columns(0, map(hash_of, map(str, range(DISTINCT - 100))))
    alive = registry.columns(0, map(hash_of, map(str, range(10**6, 10**6 + 200))))
    counts = np.zeros(len(registry), dtype=np.int64)
    counts[alive] = 1
    assert registry.crowded()
    freed = registry.shrink(counts > 0)
    assert sorted(freed.tolist()) == sorted(old)
    assert registry.level == [0]
    assert registry.estimate(counts).tolist() == [200]
