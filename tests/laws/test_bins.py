from collections import Counter
from itertools import pairwise
from math import inf, isinf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from exporter.batch import INVALID_CODE, MISSING_CODE, Numbers, Texts
from exporter.summaries.bins import Bin, CategoryBins, NumericBins, category_bins, in_order_of, numeric_bins
from tests.laws.awkward import COLUMNS, columns

Interval = tuple[float, float]


def brute_force(valid: list[float]) -> tuple[set[float], list[Interval]]:
    """STATISTICS §1, word for word: the values with a bin of their own, and the intervals for the rest."""
    wanted = 10 if len(valid) < 1_000 else 20
    share = Counter(valid)
    atoms = {value for value, count in share.items() if count / len(valid) >= 1 / (2 * wanted)}
    rest = [value for value in valid if value not in atoms]
    if not rest:
        return atoms, [(-inf, inf)]
    k = max(1, round(wanted * (len(rest) / len(valid))))
    edges = sorted({float(np.quantile(rest, i / k, method="inverted_cdf")) for i in range(k + 1)})
    return atoms, list(pairwise(edges)) or [(edges[0], edges[0])]


def bin_of(value: float, valid: list[float]) -> object:
    """The one bin in which a cell belongs, by comparing it with each.

    A number beside all intervals, where only values with a bin of their own lie in the reference, belongs to the
    nearest interval.
    """
    if isnan(value):
        return "missing"
    if isinf(value):
        return "invalid"
    if not valid:
        return 0
    if value < min(valid):
        return "below"
    if value > max(valid):
        return "above"
    atoms, intervals = brute_force(valid)
    if value in atoms:
        return value
    for place, (low, high) in enumerate(intervals):
        if value <= high and (low < value or place == 0):
            return place
    return len(intervals) - 1


def told(bins: NumericBins, code: int) -> object:
    """A code in the words of `bin_of`."""
    states = {bins.missing: "missing", bins.invalid: "invalid", bins.below: "below", bins.above: "above"}
    if code in states:
        return states[code]
    b = bins.bins[code]
    return b.low if b.atom else bins.intervals.index(code)


def bins_of(column: NDArray[np.float64]) -> NumericBins:
    return numeric_bins(np.sort(column[np.isfinite(column)]))


def assert_as_defined(column: NDArray[np.float64], probes: NDArray[np.float64]) -> None:
    bins = bins_of(column)
    valid = column[np.isfinite(column)].tolist()
    codes = bins.codes(Numbers(probes))
    expected = {value: bin_of(value, valid) for value in set(probes.tolist())}
    for probe, code in zip(probes.tolist(), codes.tolist(), strict=True):
        wanted = bin_of(probe, valid) if isnan(probe) else expected[probe]
        assert told(bins, code) == wanted, probe


@given(columns, columns)
def test_a_number_is_in_the_bin_that_the_definition_gives_it(
    reference: NDArray[np.float64], window: NDArray[np.float64]
) -> None:
    assert_as_defined(reference, np.concatenate([reference, window]))


@pytest.mark.parametrize("name", COLUMNS)
def test_awkward_columns_are_binned_as_defined(name: str) -> None:
    column = COLUMNS[name]
    edges = np.array(bins_of(column).edges() or [0.0])
    beside = [np.nextafter(edges, 0), edges, np.array([0.0, 1e307, -1e307])]
    sampled = column[:: max(1, len(column) // 60)]
    assert_as_defined(column, np.concatenate([sampled, *beside]))


@pytest.mark.parametrize("name", COLUMNS)
def test_a_value_with_a_bin_of_its_own_has_half_a_bins_share_and_no_other_has(name: str) -> None:
    valid = COLUMNS[name][np.isfinite(COLUMNS[name])]
    wanted = 10 if len(valid) < 1_000 else 20
    atoms = {b.low for b in bins_of(valid).bins if b.atom}
    assert atoms == {v for v, n in Counter(valid.tolist()).items() if n * 2 * wanted >= len(valid)}


@pytest.mark.parametrize("name", COLUMNS)
def test_intervals_stand_in_ascending_order_and_leave_no_gap(name: str) -> None:
    bins = bins_of(COLUMNS[name])
    intervals = [bins.bins[code] for code in bins.intervals]
    assert intervals
    assert all(a.high == b.low for a, b in pairwise(intervals))


@given(columns, columns)
def test_every_cell_has_exactly_one_code(reference: NDArray[np.float64], window: NDArray[np.float64]) -> None:
    bins = bins_of(reference)
    codes = bins.codes(Numbers(window))
    assert codes.shape == window.shape
    assert np.bincount(codes, minlength=bins.size).shape == (bins.size,)
    assert np.array_equal(codes == bins.missing, np.isnan(window))
    assert np.array_equal(codes == bins.invalid, np.isinf(window))


@given(columns)
def test_no_value_of_the_reference_is_outside_its_range(reference: NDArray[np.float64]) -> None:
    bins = bins_of(reference)
    codes = bins.codes(Numbers(reference))
    assert not np.isin(codes, [bins.below, bins.above]).any()


def test_minus_zero_is_zero() -> None:
    bins = numeric_bins(np.sort(COLUMNS["both zeros"]))
    codes = bins.codes(Numbers(np.array([0.0, -0.0])))
    assert codes[0] == codes[1]


def test_without_a_value_one_interval_takes_every_number() -> None:
    bins = numeric_bins(np.array([]))
    assert bins.bins == (Bin(-inf, inf, atom=False),)
    assert bins.codes(Numbers(np.array([-1e308, 0, 1e308]))).tolist() == [0, 0, 0]


def test_a_sample_keeps_the_range_of_all_rows() -> None:
    bins = numeric_bins(np.arange(100.0), least=-50, greatest=200)
    codes = bins.codes(Numbers(np.array([-51.0, -50, 200, 201])))
    assert codes.tolist() == [bins.below, bins.intervals[0], bins.intervals[-1], bins.above]


@given(columns, st.randoms())
def test_reordered_bins_hold_the_same_values(column: NDArray[np.float64], random: object) -> None:
    bins = bins_of(column)
    means = [random.random() for _ in bins.bins]  # type: ignore[attr-defined]
    ordered, order = in_order_of(bins, means)
    assert [means[place] for place in order] == sorted(means)
    before, after = bins.codes(Numbers(column)), ordered.codes(Numbers(column))
    moved = np.append(order, np.arange(bins.values, bins.size))
    assert np.array_equal(moved[after], before)


texts = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "", "other", "ü"]), max_size=60)


@given(texts, texts, st.integers(1, 4))
def test_a_text_is_counted_by_its_rank_in_the_reference(known: list[str], seen: list[str], top: int) -> None:
    counts = Counter(known)
    bins = category_bins(counts.items(), top)
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    assert bins.categories == tuple(ranked[:top])
    distinct = tuple(dict.fromkeys(seen))
    column = Texts(np.array([distinct.index(text) for text in seen], dtype=np.int32), distinct)
    for text, code in zip(seen, bins.codes(column).tolist(), strict=True):
        place = ranked.index(text) if text in counts else None
        assert code == (bins.unseen if place is None else min(place, bins.other))


def test_missing_and_invalid_texts_have_codes_of_their_own() -> None:
    bins = CategoryBins(("a",))
    column = Texts(np.array([0, MISSING_CODE, INVALID_CODE, 1], dtype=np.int32), ("a", "z"))
    assert bins.codes(column).tolist() == [0, bins.missing, bins.invalid, bins.unseen]


def test_where_the_vocabulary_was_cut_an_unknown_text_may_be_one_that_was_left_out() -> None:
    bins = category_bins([(f"{i:05}", 1) for i in range(10_001)])
    assert not bins.complete
    assert len(bins.rest) == 10_000 - 32
    assert bins.code_of("10000") == bins.code_of("never seen") == bins.other
