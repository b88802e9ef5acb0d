"""What kind of change it was, STATISTICS §6."""

from itertools import combinations

import numpy as np
import pytest
from scipy.special import xlogy
from scipy.stats import norm

from exporter.detectors.pattern import Pattern, pattern, segments

EDGES = norm.ppf(np.arange(21) / 20)
PANES = 72


def law(deviations: float) -> np.ndarray:
    return np.diff(norm.cdf(EDGES - deviations))


def mixed(share: np.ndarray) -> np.ndarray:
    """[T, B] laws: that share of each pane's traffic has moved by a standard deviation."""
    return np.outer(1 - share, law(0)) + np.outer(share, law(1))


def spans(*ranges: range) -> np.ndarray:
    share = np.zeros(PANES)
    for span in ranges:
        share[list(span)] = 1
    return share


RAMP = np.clip((np.arange(PANES) - 25) / 20, 0, 1)

STORIES = {
    Pattern.NONE: mixed(spans()),
    Pattern.SUDDEN: mixed(spans(range(40, 72))),
    Pattern.BLIP: mixed(spans(range(40, 44))),
    Pattern.RECURRING: mixed(spans(range(10, 18), range(30, 38), range(50, 58))),
    Pattern.GRADUAL: mixed(RAMP),
    Pattern.INCREMENTAL: np.array([law(step) for step in RAMP]),
}


@pytest.mark.parametrize("story", Pattern)
def test_a_story_is_told_as_what_it_is(story: Pattern) -> None:
    rng = np.random.default_rng(1)
    assert all(pattern(rng.multinomial(2000, STORIES[story]), 0.10) == story for _ in range(5))


@pytest.mark.parametrize("story", Pattern)
def test_three_rows_a_pane_are_too_little_to_say(story: Pattern) -> None:
    assert pattern(np.random.default_rng(2).multinomial(3, STORIES[story]), 0.10) == Pattern.NONE


def test_a_change_within_the_tolerance_is_none_however_certain() -> None:
    panes = np.array([law(0.2 if pane > 40 else 0.0) for pane in range(PANES)])
    counts = np.random.default_rng(3).multinomial(1_000_000, panes)
    assert pattern(counts, 0.10) == Pattern.NONE
    assert pattern(counts, 0.05) == Pattern.SUDDEN


def test_panes_without_rows_and_bins_without_rows_change_nothing() -> None:
    counts = np.random.default_rng(4).multinomial(2000, STORIES[Pattern.RECURRING])
    gaps = np.insert(np.insert(counts, [5, 5, 40], 0, axis=0), 3, 0, axis=1)
    assert pattern(gaps, 0.10) == Pattern.RECURRING


@pytest.mark.parametrize("counts", [np.zeros((0, 3)), np.zeros((72, 3)), np.ones((1, 3)), np.ones((72, 1))])
def test_nothing_to_compare_is_none(counts: np.ndarray) -> None:
    assert pattern(counts.astype(np.int64), 0.10) == Pattern.NONE


def test_clumps_are_not_taken_for_changes() -> None:
    counts = 20 * np.random.default_rng(5).multinomial(10, STORIES[Pattern.NONE])
    assert len(segments(counts.astype(np.float64), phi=1.0)) > 1
    assert len(segments(counts.astype(np.float64), phi=20.0)) == 1


def test_no_other_cut_is_better() -> None:
    rng = np.random.default_rng(6)
    laws = np.array([[0.8, 0.1, 0.1]] * 3 + [[0.1, 0.8, 0.1]] * 2 + [[0.3, 0.3, 0.4]] * 4)
    panes = rng.multinomial(30, laws).astype(np.float64)
    t, b = panes.shape

    def price(cuts: tuple[int, ...]) -> float:
        sums = np.add.reduceat(panes, cuts, axis=0)
        likelihood = xlogy(sums, sums / sums.sum(axis=1, keepdims=True)).sum()
        return float(len(cuts) * ((b - 1) / 2 + 3) * np.log(t) - likelihood)

    every = [(0, *rest) for size in range(t) for rest in combinations(range(1, t), size)]
    assert tuple(segments(panes)) == min(every, key=price)
