"""Significance: the p-value and the limit of PSI keep what the papers and an exact count promise."""

from collections.abc import Mapping
from itertools import product
from math import comb, prod

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import special, stats

from exporter.statistics.distances import psi
from exporter.statistics.significance import PSI_OF_A_TENTH, conditional_moments, p_value, psi_limit
from exporter.statistics.tables import Tables
from tests.laws.ragged import Feature, category_column, category_counts, comparison_with, features, tables

SPARSE_AND_ONE = Feature([1, 0, 0, 6, 9], [0, 2, 1, 40, 60])
ALL_SPARSE = Feature([1, 1, 1, 0], [30, 30, 30, 30])
EQUALS_TO_TAKE = Feature([1, 3, 8, 0, 5], [0, 17, 12, 20, 15])


@given(features())
@example(SPARSE_AND_ONE)
@example(ALL_SPARSE)
@example(EQUALS_TO_TAKE)
def test_the_p_value_is_that_of_scipys_statistic_on_the_pooled_columns(feature: Feature) -> None:
    window, reference = pooled(feature)
    found = p_value(tables(feature))[0]
    if len(window) < 2:
        assert np.isnan(found)
        return
    x2 = stats.chi2_contingency([window, reference], correction=False).statistic
    n, m, columns = sum(window), sum(reference), np.add(window, reference)
    mean, variance = haldane_dawson(n, m, columns)
    expected = stats.gamma.sf(x2, mean**2 / variance, scale=variance / mean)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


def pooled(feature: Feature) -> tuple[list[int], list[int]]:
    """The rule of the handbook, word by word."""
    n, m = sum(feature.window), sum(feature.reference)
    columns = sorted(zip(feature.window, feature.reference, strict=True), key=sum)
    columns = [column for column in columns if sum(column)]
    pool = [column for column in columns if sum(column) * min(n, m) < n + m]
    apart = columns[len(pool) :]
    while pool and apart and sum(map(sum, pool)) * min(n, m) < n + m:
        pool.append(apart.pop(0))
    if pool:
        apart.append((sum(x for x, _ in pool), sum(c for _, c in pool)))
    if not n or not m:
        return [], []
    return [x for x, _ in apart], [c for _, c in apart]


def haldane_dawson(n: int, m: int, columns: np.ndarray) -> tuple[float, float]:
    mean, variance = conditional_moments(
        np.array([float(n)]),
        np.array([float(m)]),
        np.array([len(columns)]),
        np.array([np.sum(1 / columns)]),
    )
    return mean[0], variance[0]


@pytest.mark.parametrize(("n", "columns"), [(2, (2, 2)), (4, (3, 3, 4)), (5, (1, 2, 4, 5)), (3, (9, 1, 1))])
def test_the_moments_equal_those_counted_over_every_table_with_these_margins(n: int, columns: tuple[int, ...]) -> None:
    rows = sum(columns)
    chance, x2 = [], []
    for window in product(*[range(column + 1) for column in columns]):
        if sum(window) == n:
            chance.append(prod(comb(c, x) for c, x in zip(columns, window, strict=True)) / comb(rows, n))
            reference = np.subtract(columns, window)
            x2.append(stats.chi2_contingency([window, reference], correction=False).statistic)
    mean = np.dot(chance, x2)
    variance = np.dot(chance, (x2 - mean) ** 2)
    assert sum(chance) == pytest.approx(1)
    assert haldane_dawson(n, rows - n, np.array(columns)) == pytest.approx((mean, variance), rel=1e-12)


@pytest.mark.parametrize("n", [30, 300])
def test_the_p_value_of_a_sparse_feature_is_that_of_shuffled_rows(n: int) -> None:
    random = np.random.default_rng(20131101)
    shares = 1 / np.arange(1, 61)
    columns = random.multinomial(n + 1000, shares / shares.sum())
    shuffled = random.multivariate_hypergeometric(columns, n, size=20_000)
    found = p_value(tables(*[Feature(window, columns - window) for window in shuffled]))
    for level in (0.05, 0.2, 0.5):
        share = np.mean(found <= level)
        assert share == pytest.approx(level, rel=0.15)


@given(st.lists(features(), min_size=2, max_size=8))
def test_neither_depends_on_the_neighbours(batch: list[Feature]) -> None:
    tolerance = np.linspace(0, 0.3, len(batch))
    alone = [tables(feature) for feature in batch]
    np.testing.assert_array_equal(p_value(tables(*batch)), np.concatenate([p_value(one) for one in alone]))
    np.testing.assert_array_equal(
        psi_limit(tables(*batch), tolerance),
        np.concatenate([psi_limit(one, tolerance[i : i + 1]) for i, one in enumerate(alone)]),
    )


@given(features())
def test_a_p_value_is_between_zero_and_one(feature: Feature) -> None:
    found = p_value(tables(feature))[0]
    assert np.isnan(found) or 0 <= found <= 1


@given(features(), st.integers(1, 1000))
def test_the_same_shares_have_p_value_one(feature: Feature, times: int) -> None:
    found = p_value(tables(Feature(feature.window, [times * count for count in feature.window])))[0]
    assert np.isnan(found) or found == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("feature", [Feature([0, 0], [3, 4]), Feature([3, 4], [0, 0])])
def test_without_rows_on_both_sides_there_is_neither(feature: Feature) -> None:
    assert np.isnan(p_value(tables(feature))[0])
    assert np.isnan(psi_limit(tables(feature), np.array([0.1]))[0])


def test_with_one_bin_left_psi_is_zero_and_there_is_neither() -> None:
    one_bin = tables(Feature([5, 0], [9, 0]))
    assert psi(one_bin)[0] == 0
    assert np.isnan(p_value(one_bin)[0])
    assert np.isnan(psi_limit(one_bin, np.array([0.1]))[0])


ALIKE = dict.fromkeys([f"{i:02}" for i in range(40)], 250)
ONE_STANDS_OUT = {**ALIKE, "JFK": 400}


def as_tested(reference: Mapping[str, int], window: Mapping[str, int]) -> Tables:
    column = category_column(reference)
    comparison = comparison_with(column)
    return comparison.tested(comparison.tables(category_counts(column, window)))


def test_a_category_that_has_its_bin_by_chance_is_tested_as_other() -> None:
    found = as_tested(ONE_STANDS_OUT, ONE_STANDS_OUT)
    # JFK, 31 of the 40 that are alike, other, unseen, missing, invalid
    assert found.window.tolist() == [400] + [0] * 31 + [10_000, 0, 0, 0]
    assert found.reference.tolist() == found.window.tolist()


def test_what_is_tested_as_other_is_measured_by_itself() -> None:
    column = category_column(ONE_STANDS_OUT)
    comparison = comparison_with(column)
    found = comparison.tables(category_counts(column, ONE_STANDS_OUT))
    comparison.tested(found)
    assert found.window.tolist() == [400] + [250] * 31 + [2250, 0, 0, 0]


def test_where_each_category_has_a_bin_all_that_cannot_be_absent_by_chance_keep_it() -> None:
    found = as_tested({"EWR": 5000, "JFK": 3000, "LGA": 20, "TEB": 5}, {"EWR": 5000, "JFK": 3000, "LGA": 20, "HPN": 5})
    # EWR, JFK, LGA, TEB, other, unseen, missing, invalid
    assert found.window.tolist() == [5000, 3000, 20, 0, 5, 0, 0, 0]
    assert found.reference.tolist() == [5000, 3000, 20, 0, 5, 0, 0, 0]


def test_a_category_that_grew_stands_out_by_that() -> None:
    window = {**ALIKE, "07": 750}
    found = as_tested(ALIKE, window)
    assert found.window[7] == 750
    assert p_value(found)[0] < 1e-6


def test_where_no_category_stands_out_there_is_no_p_value() -> None:
    assert np.isnan(p_value(as_tested(ALIKE, ALIKE))[0])


def test_new_categories_are_drift_where_they_are_more_than_the_rare_ones_were() -> None:
    assert p_value(as_tested(ALIKE, {**ALIKE, "new": 500}))[0] < 1e-6


def test_new_categories_are_no_drift_where_as_many_rows_of_the_reference_were_of_rare_ones() -> None:
    before = {"EWR": 5000, "JFK": 3000} | {f"N{i}": 1 for i in range(2000)}
    after = {"EWR": 5000, "JFK": 3000} | {f"M{i}": 1 for i in range(2000)}
    assert p_value(as_tested(before, after))[0] == pytest.approx(1)


@pytest.mark.parametrize("n", [300, 10_000, 1_000_000])
@pytest.mark.parametrize("power", [1.0, 1.5, 3.0])
def test_an_undrifted_window_is_called_drifted_one_time_in_twenty_however_many_categories(n: int, power: float) -> None:
    """With Zipf ^3 the rarest of 500 categories are absent, with the others there are far more than bins."""
    random = np.random.default_rng(20131101)
    shares = np.arange(1.0, 501) ** -power
    shares /= shares.sum()
    names = [f"{i}" for i in range(500)]
    columns, windows = [], []
    for _ in range(400):
        columns.append(category_column(dict(zip(names, random.multinomial(3000, shares).tolist(), strict=True))))
        window = dict(zip(names, random.multinomial(n, shares).tolist(), strict=True))
        windows.append(category_counts(columns[-1], window))
    comparison = comparison_with(*columns)
    found = p_value(comparison.tested(comparison.tables(np.concatenate(windows))))
    assert np.mean(found < 0.05) == pytest.approx(0.05, abs=0.033)  # three standard errors


@pytest.mark.parametrize("bins", [2, 5, 20, 36])
@pytest.mark.parametrize("noncentrality", [1e-3, 0.3, 10, 1e3, 3e4, 1e6])
def test_psi_passes_its_limit_once_in_a_thousand_at_the_tolerance(bins: int, noncentrality: float) -> None:
    """The tail of the noncentral chi-square, summed over its Poisson mixture, is .001 at limit/w."""
    rows = 1000
    width = 2 / rows
    tolerance = 0.10 * np.sqrt(noncentrality * width / PSI_OF_A_TENTH)
    even = Feature([rows // bins] * (bins - 1) + [rows - rows // bins * (bins - 1)], [0] * (bins - 1) + [rows])
    limit = psi_limit(tables(even), np.array([tolerance]))[0]
    half = noncentrality / 2
    terms = np.arange(max(0, int(half - 12 * np.sqrt(half) - 40)), int(half + 12 * np.sqrt(half) + 60))
    tail = np.sum(stats.poisson.pmf(terms, half) * special.gammaincc((bins - 1) / 2 + terms, limit / width / 2))
    assert tail == pytest.approx(0.001, rel=1e-6)


def test_without_tolerance_the_limit_is_a_plain_chi_square_quantile_times_the_width() -> None:
    feature = Feature([50, 50, 0], [100, 100, 0])
    expected = (1 / 100 + 1 / 200) * stats.chi2.ppf(0.999, 1)
    assert psi_limit(tables(feature), np.array([0.0]))[0] == pytest.approx(expected, rel=1e-9)


def test_the_limit_falls_towards_the_tolerances_own_psi_as_rows_grow() -> None:
    sizes = [10**k for k in range(2, 10)]
    limits = psi_limit(tables(*[Feature([n, n], [n, n]) for n in sizes]), np.full(len(sizes), 0.2))
    assert np.all(np.diff(limits) < 0)
    assert limits[-1] == pytest.approx(PSI_OF_A_TENTH * 4, rel=0.001)
