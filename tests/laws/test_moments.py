"""Sums that are the same in any order: mean and deviation of the very values, however they came."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from exporter.summaries.moments import Moments, Scale
from tests.laws.awkward import COLUMNS, columns

SCALES = [(0.0, 1.0), (1e6, 1e-3), (-3.0, 1e300), (0.0, 5e-324), (1.0, 0.0), (0.0, 0.0), (1e308, 1e308)]
scales = st.sampled_from(SCALES)


def moments(values: NDArray[np.float64], mean: float, deviation: float) -> Moments:
    found = Moments(Scale.of([mean], [deviation]))
    found.observe(values[None, :])
    return found


def state(found: Moments) -> tuple[object, ...]:
    return found.n.tolist(), found.sums.tolist(), found.far


def exact(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and population deviation by rational arithmetic, in units in which nothing is too large to be squared."""
    unit = math.frexp(float(np.abs(values).max()))[1]
    rational = [Fraction(x) / Fraction(2) ** unit for x in values.tolist()]
    mean = sum(rational) / len(rational)
    variance = sum((x - mean) ** 2 for x in rational) / len(rational)
    return math.ldexp(float(mean), unit), math.ldexp(math.sqrt(variance), unit)


@given(columns, scales, st.integers(1, 50), st.randoms(use_true_random=False))
def test_order_and_batches_make_no_difference_to_the_last_bit(
    values: NDArray[np.float64], scale: tuple[float, float], size: int, random: object
) -> None:
    shuffled = values.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    parts = [moments(shuffled[i : i + size], *scale) for i in range(0, len(shuffled), size)]
    merged = Moments(Scale.of([scale[0]], [scale[1]]))
    for part in reversed(parts):
        merged.merge(part)
    assert state(merged) == state(moments(values, *scale))


@given(columns, columns, scales)
def test_what_was_added_is_taken_away_without_a_trace(
    values: NDArray[np.float64], others: NDArray[np.float64], scale: tuple[float, float]
) -> None:
    found = moments(values, *scale)
    before = state(found)
    other = moments(others, *scale)
    found.merge(other)
    found.merge(other, -1)
    assert state(found) == before


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=100).map(np.array))
def test_mean_and_deviation_are_those_of_the_values(values: NDArray[np.float64]) -> None:
    """To 1e-9 of the reference's deviation, which is what places the grid."""
    [mean], [deviation] = moments(values, 10.0, 1000.0).mean_and_deviation()
    expected = exact(values)
    assert mean == pytest.approx(expected[0], rel=1e-12, abs=1e-9)
    assert deviation == pytest.approx(expected[1], rel=1e-9, abs=1e-3)


@pytest.mark.parametrize("name", COLUMNS)
def test_awkward_columns_keep_their_mean_and_deviation(name: str) -> None:
    values = COLUMNS[name]
    valid = values[np.isfinite(values)]
    middle = float(np.median(valid)) if len(valid) else 0.0
    spread = float(np.median(np.abs(valid - middle))) if len(valid) and np.abs(valid).max() < 1e300 else 1.0
    [mean], [deviation] = moments(values, middle, spread or 1.0).mean_and_deviation()
    if not len(valid):
        assert math.isnan(mean)
        assert math.isnan(deviation)
        return
    expected = exact(valid)
    if math.isnan(mean):
        assert name == "largest"
        return
    assert mean == pytest.approx(expected[0], rel=1e-9, abs=1e-9 * (spread or 1.0))
    assert deviation == pytest.approx(expected[1], rel=1e-6, abs=1e-6 * (spread or 1.0))


@given(columns, scales)
def test_what_is_not_finite_is_passed_over(values: NDArray[np.float64], scale: tuple[float, float]) -> None:
    assert state(moments(values, *scale)) == state(moments(values[np.isfinite(values)], *scale))


@given(columns, scales)
def test_no_value_raises_and_what_no_double_holds_is_absent(
    values: NDArray[np.float64], scale: tuple[float, float]
) -> None:
    [mean], [deviation] = moments(values, *scale).mean_and_deviation()
    assert not math.isinf(mean)
    assert not math.isinf(deviation)
    assert math.isnan(mean) == math.isnan(deviation)


def test_a_constant_has_no_deviation() -> None:
    [mean], [deviation] = moments(np.full(1000, 0.1), 0.1, 0.0).mean_and_deviation()
    assert (mean, deviation) == (0.1, 0.0)


def test_digits_survive_a_large_mean() -> None:
    values = 1e6 + np.random.default_rng(1).normal(0, 1e-3, 10_000)
    [_], [deviation] = moments(values, 1e6, 1e-3).mean_and_deviation()
    assert deviation == pytest.approx(float(np.std(values - 1e6)), rel=1e-9)


def test_columns_are_apart() -> None:
    found = Moments(Scale.of([0.0, 5.0], [1.0, 2.0]))
    found.observe(np.array([[1.0, 2.0, np.nan], [np.inf, 5.0, 1e300]]))
    means, _ = found.mean_and_deviation()
    assert means.tolist() == [1.5, 5e299]
    assert found.n.tolist() == [2, 2]
