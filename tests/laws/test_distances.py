"""Distances: equal to scipy's on the same bins, feature by feature, however many features stand beside."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from exporter.statistics import distances
from exporter.statistics.tables import Tables
from tests.laws.ragged import Feature, features, tables

FOR_ALL = [
    distances.psi,
    distances.jensen_shannon_distance,
    distances.hellinger_distance,
    distances.total_variation_distance,
]
FOR_NUMBERS = [distances.kolmogorov_smirnov_statistic, distances.wasserstein_distance]
EVERY = [*FOR_ALL, *FOR_NUMBERS]
BOUNDED = [*FOR_ALL[1:], distances.kolmogorov_smirnov_statistic]

Distance = Callable[[Tables], np.ndarray]

NO_WINDOW = Feature([0, 0, 0], [3, 4, 5], [1.0, 2.0], 1.0)
NO_REFERENCE = Feature([3, 4, 5], [0, 0, 0], [1.0, 2.0], 1.0)
WITHOUT_NUMBERS = Feature([0, 0, 5], [3, 4, 0], [1.0, 2.0], 1.0)
CONSTANT = Feature([7, 0, 1], [9, 0, 0], [4.0], 0.0)
APART = Feature([5, 0, 0, 0], [0, 0, 0, 10**9], [-1.0, 0.0, 1.0, 2.0], 1.0)
UNBALANCED = Feature([1, 0], [10**9, 10**9])


@given(features())
@example(WITHOUT_NUMBERS)
@example(CONSTANT)
@example(APART)
@example(UNBALANCED)
def test_a_distance_equals_scipys_on_the_same_bins(feature: Feature) -> None:
    assume(sum(feature.window) and sum(feature.reference))
    for of, scipys in SCIPYS.items():
        np.testing.assert_allclose(of(tables(feature))[0], scipys(feature), rtol=1e-9, atol=1e-9, err_msg=of.__name__)


def scipys_psi(feature: Feature) -> float:
    kept = np.add(feature.window, feature.reference) > 0
    p, r = np.array(feature.window)[kept] + 0.5, np.array(feature.reference)[kept] + 0.5
    return stats.entropy(p, r) + stats.entropy(r, p)


def scipys_jensen_shannon_distance(feature: Feature) -> float:
    return distance.jensenshannon(feature.window, feature.reference, base=2)


def scipys_hellinger_distance(feature: Feature) -> float:
    p, r = shares(feature.window, feature.reference)
    return distance.euclidean(np.sqrt(p), np.sqrt(r)) / np.sqrt(2)


def scipys_total_variation_distance(feature: Feature) -> float:
    return distance.cityblock(*shares(feature.window, feature.reference)) / 2


def scipys_kolmogorov_smirnov_statistic(feature: Feature) -> float:
    window, reference = feature.valid
    if not window.sum() or not reference.sum():
        return np.nan
    bins = range(len(window))
    p, r = shares(window, reference)
    return distance.chebyshev(
        stats.rv_discrete(values=(bins, p)).cdf(bins), stats.rv_discrete(values=(bins, r)).cdf(bins)
    )


def scipys_wasserstein_distance(feature: Feature) -> float:
    window, reference = feature.valid
    if not window.sum() or not reference.sum() or not feature.deviation > 0:
        return np.nan
    return stats.wasserstein_distance(feature.values, feature.values, window, reference) / feature.deviation


def shares(window: Sequence[int], reference: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.divide(window, np.sum(window)), np.divide(reference, np.sum(reference))


SCIPYS: dict[Distance, Callable[[Feature], float]] = {
    distances.psi: scipys_psi,
    distances.jensen_shannon_distance: scipys_jensen_shannon_distance,
    distances.hellinger_distance: scipys_hellinger_distance,
    distances.total_variation_distance: scipys_total_variation_distance,
    distances.kolmogorov_smirnov_statistic: scipys_kolmogorov_smirnov_statistic,
    distances.wasserstein_distance: scipys_wasserstein_distance,
}


@given(features(largest=50))
def test_kolmogorov_smirnov_equals_scipys_on_the_rows_themselves(feature: Feature) -> None:
    window, reference = feature.valid
    assume(window.sum() and reference.sum())
    assume(window.sum() + reference.sum() > 2)  # scipy's p-value, of no interest here, divides by 0 at one row a side
    rows = np.repeat(feature.values, window), np.repeat(feature.values, reference)
    expected = stats.ks_2samp(*rows, method="asymp").statistic
    assert distances.kolmogorov_smirnov_statistic(tables(feature))[0] == pytest.approx(expected, abs=1e-9)


@given(st.lists(features(), min_size=2, max_size=8))
@example([NO_WINDOW, APART, CONSTANT, NO_REFERENCE, UNBALANCED, WITHOUT_NUMBERS])
def test_a_distance_does_not_depend_on_the_neighbours(batch: list[Feature]) -> None:
    together, alone = tables(*batch), [tables(feature) for feature in batch]
    for of in EVERY:
        np.testing.assert_array_equal(of(together), np.concatenate([of(one) for one in alone]), of.__name__)


@given(features(), st.integers(1, 1000))
def test_the_same_shares_are_at_distance_zero(feature: Feature, times: int) -> None:
    same = tables(replace(feature, reference=feature.window))
    more = tables(replace(feature, reference=[times * count for count in feature.window]))
    assert distances.psi(same)[0] == 0 or not sum(feature.window)
    for of in EVERY[1:]:  # PSI's half rows are a larger share of the fewer rows
        found = of(more)[0]
        assert found == 0 or np.isnan(found), of


@given(features(), st.randoms(use_true_random=False))
def test_the_order_of_the_bins_does_not_matter(feature: Feature, random: Random) -> None:
    order = random.sample(range(len(feature.window)), len(feature.window))
    shuffled = tables(Feature([feature.window[i] for i in order], [feature.reference[i] for i in order]))
    for of in FOR_ALL:
        np.testing.assert_allclose(of(shuffled), of(tables(feature)), rtol=1e-9, atol=1e-9, err_msg=of.__name__)


@given(features())
def test_a_bin_empty_on_both_sides_changes_nothing(feature: Feature) -> None:
    longer = tables(Feature([*feature.window, 0, 0], [*feature.reference, 0, 0]))
    for of in FOR_ALL:
        np.testing.assert_allclose(of(longer), of(tables(feature)), rtol=1e-9, atol=1e-9, err_msg=of.__name__)


@given(features())
@example(APART)
@example(UNBALANCED)
def test_a_distance_stays_within_its_range(feature: Feature) -> None:
    for of in EVERY:
        found = of(tables(feature))[0]
        assert np.isnan(found) or 0 <= found <= (1 if of in BOUNDED else np.finfo(float).max), of


@pytest.mark.parametrize("of", BOUNDED)
def test_nothing_in_common_is_at_distance_one(of: Distance) -> None:
    assert of(tables(APART))[0] == pytest.approx(1, abs=1e-15)


def test_wasserstein_counts_the_way_in_deviations_of_the_reference() -> None:
    everything_moved_by_three = Feature([0, 9, 4], [2, 0, 0], [1.0, 4.0], deviation=1.5)
    assert distances.wasserstein_distance(tables(everything_moved_by_three))[0] == 2.0


def test_psi_adds_half_a_row_to_each_bin_that_is_not_empty_on_both_sides() -> None:
    p, r = np.array([2.5, 0.5]) / 3, np.array([3.5, 6.5]) / 10
    expected = np.sum((p - r) * np.log(p / r))
    assert distances.psi(tables(Feature([2, 0, 0], [3, 6, 0])))[0] == pytest.approx(expected, rel=1e-12)


def test_psi_of_a_single_bin_is_zero() -> None:
    assert distances.psi(tables(Feature([5, 0], [9, 0])))[0] == 0


@pytest.mark.parametrize("of", EVERY)
@pytest.mark.parametrize("feature", [NO_WINDOW, NO_REFERENCE])
def test_without_rows_on_both_sides_there_is_no_distance(of: Distance, feature: Feature) -> None:
    assert np.isnan(of(tables(feature))[0])


@pytest.mark.parametrize("of", FOR_NUMBERS)
@pytest.mark.parametrize("feature", [Feature([1, 2], [2, 1]), WITHOUT_NUMBERS])
def test_without_valid_numbers_there_is_no_distance_of_numbers(of: Distance, feature: Feature) -> None:
    assert np.isnan(of(tables(feature))[0])


def test_a_constant_reference_has_no_deviation_to_measure_by() -> None:
    assert np.isnan(distances.wasserstein_distance(tables(CONSTANT))[0])
    assert distances.kolmogorov_smirnov_statistic(tables(CONSTANT))[0] == 0


def test_missing_values_are_no_part_of_the_distances_of_numbers() -> None:
    feature = Feature([3, 5, 90], [4, 4, 0], [1.0, 2.0], 0.5)
    without = Feature([3, 5, 0], [4, 4, 0], [1.0, 2.0], 0.5)
    for of in FOR_NUMBERS:
        assert of(tables(feature))[0] == of(tables(without))[0]
