"""Rows that remember longer than a pane are not taken for a shift, and a shift is not taken for a memory."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm

from exporter.detectors.evidence import Budget
from exporter.detectors.shift import ShiftDetector
from exporter.detectors.verdict import judge
from exporter.detectors.wandering import Wandering

BUDGET = Budget(panes=129_600, detectors=50)
BINS = 20
EDGES = norm.ppf(np.arange(1, BINS) / BINS)
SCORES = norm.ppf((np.arange(BINS) + 0.5) / BINS)


def remembering(memory: float, panes: int, rows: int, features: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """int64[panes, features, BINS]: an AR(1) in bins of equal mass, moved by `shift` in the second half."""
    noise = np.random.default_rng(seed).standard_normal((features, panes * rows))
    noise[:, 0] /= np.sqrt(1 - memory**2)
    values = lfilter([np.sqrt(1 - memory**2)], [1.0, -memory], noise) + shift * (
        np.arange(panes * rows) >= panes // 2 * rows
    )
    codes = np.searchsorted(EDGES, values).reshape(features, panes, rows)
    return (codes[..., None] == np.arange(BINS)).sum(axis=2).swapaxes(0, 1)


def wandering(features: int) -> Wandering:
    return Wandering(np.tile(SCORES, (features, 1)), np.full((features, BINS), 1 / BINS))


def phi(counts: np.ndarray) -> np.ndarray:
    return wandering(counts.shape[1]).learn(counts.astype(float))


def detector(features: int) -> ShiftDetector:
    return ShiftDetector(
        np.full((1, features * BINS), 500),
        np.arange(features) * BINS,
        np.ones(features * BINS, dtype=bool),
        np.full(features, 0.1),
        BUDGET.cap,
    )


def told(counts: np.ndarray) -> np.ndarray:
    """bool[T, K]"""
    course = detector(counts.shape[1]).feed(counts.reshape(len(counts), -1), np.arange(len(counts)))
    return judge(course.log_r, course.effect, BUDGET.log_a0).scores >= 1


def test_rows_that_remember_longer_than_a_pane_alarm_nowhere() -> None:
    """Without it 25 of 100 features did within the hour."""
    assert not told(remembering(0.9, 480, 20, features=50, seed=1)).any()


def test_a_shift_of_such_rows_is_told_all_the_same() -> None:
    counts = remembering(0.9, 1200, 20, features=20, seed=2, shift=2.0)
    found = told(counts)
    assert not found[:600].any()
    assert found[600:].any(axis=0).all()


def test_how_far_the_mean_wanders_is_found() -> None:
    """Var(mean of the second 80 rows − mean of the first) of an AR(1), over that of independent rows."""
    counts = remembering(0.9, 2000, 20, features=20, seed=3)
    lags = np.abs(np.subtract.outer(np.arange(160), np.arange(160)))
    sign = np.repeat([-1, 1], 80) / 80
    expected = sign @ 0.9**lags @ sign / (2 / 80)
    sure = 1 - np.sqrt(2 / 250)
    assert phi(counts)[-1].mean() == pytest.approx(expected * sure, rel=0.06)


@pytest.mark.parametrize("rows", [1, 2, 20, 100])
def test_independent_rows_do_not_wander_however_few_they_are(rows: int) -> None:
    found = phi(remembering(0.0, 800, rows, features=40, seed=4))
    assert found[-1].mean() < 1.03
    assert found[-1].max() < 1.25


def test_nothing_is_said_before_five_pairs() -> None:
    found = phi(remembering(0.95, 12, 20, features=40, seed=5))
    assert (found[:10] == 1).all()
    assert (found[10] > 1).any()


def test_a_shift_is_no_memory() -> None:
    still, moved = (remembering(0.0, 483, 200, features=20, seed=6, shift=shift) for shift in (0.0, 3.0))
    assert (phi(moved)[-1] - phi(still)[-1]).max() < 0.1


def test_where_there_is_no_order_there_is_no_direction() -> None:
    counts = remembering(0.9, 100, 20, features=2, seed=7).astype(float)
    found = Wandering(np.zeros((2, BINS)), np.zeros((2, BINS))).learn(counts)
    assert (found == 1).all()


def test_panes_without_such_rows_are_no_pair() -> None:
    counts = remembering(0.9, 200, 20, features=3, seed=8)
    gaps = counts.copy()
    gaps[np.arange(200) % 4 == 1, 1] = 0
    whole, gapped = phi(counts), phi(gaps)
    np.testing.assert_array_equal(gapped[:, [0, 2]], whole[:, [0, 2]])
    assert np.isfinite(gapped).all()
    assert gapped[-1, 1] > 1


def test_a_clock_is_no_wandering() -> None:
    """All rows of an hour are alike; the step to the next is small in a day."""
    counts = np.zeros((24 * 60, 1, BINS))
    counts[np.arange(24 * 60), 0, np.arange(24 * 60) * BINS // (24 * 60)] = 3.0
    assert phi(counts).max() < 1.3


def test_every_pane_of_one_value_is_no_wandering() -> None:
    counts = np.zeros((60, 1, BINS))
    counts[:, :, 7] = 20.0
    assert (phi(counts) == 1).all()
