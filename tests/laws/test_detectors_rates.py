"""One-sided detectors of rates, STATISTICS §8."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from exporter.detectors.evidence import Budget
from exporter.detectors.rates import RARE_TOLERANCE, RateDetector, bound
from exporter.detectors.verdict import judge

BUDGET = Budget(panes=129_600, detectors=100)
ONE = np.ones(1)


def detector(*reference: tuple[int, int]) -> RateDetector:
    events, rows = np.array(reference, dtype=np.float64).T
    return RateDetector(events / rows, bound(events, rows, RARE_TOLERANCE), BUDGET.cap)


def feed(d: RateDetector, events: np.ndarray, rows: np.ndarray, pane: int, phi: np.ndarray) -> None:
    """One pane."""
    d.feed(events[None], rows, np.array([pane]), np.stack([phi, phi]))


def score(d: RateDetector) -> float:
    return float(judge(d.log_r, d.effect, BUDGET.log_a0).scores[0])


@given(st.integers(1, 10_000).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))))
def test_the_bound_allows_the_tolerance_and_what_the_reference_does_not_know(reference: tuple[int, int]) -> None:
    k, m = reference
    allowed = bound(np.array([float(k)]), np.array([float(m)]), 0.02)[0]
    uncertain = beta.ppf(0.999, k + 1, m - k) if k < m else 1.0
    assert allowed == pytest.approx(max(k / m + 0.02, uncertain))


def test_a_rate_at_its_bound_makes_no_bet_pay() -> None:
    d = detector((10, 1000))
    p0 = bound(np.array([10.0]), np.array([1000.0]), RARE_TOLERANCE)[0]
    n = 30
    chance = [math.comb(n, s) * p0**s * (1 - p0) ** (n - s) for s in range(n + 1)]
    e = [np.exp(s * d._event + (n - s) * d._other) for s in range(n + 1)]
    np.testing.assert_allclose(sum(c * bets for c, bets in zip(chance, e, strict=True)), 1.0)


def test_the_detector_does_what_the_text_says() -> None:
    events, rows, tolerance = 20, 10_000, RARE_TOLERANCE
    d = detector((events, rows))
    p_ref = events / rows
    p0 = max(p_ref + tolerance, beta.ppf(0.999, events + 1, rows - events))
    bets = [min(p0 + step, 0.999) for step in (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)]
    log_r = [-math.inf] * 8
    halves = [[0.0, 0.0, 0.0] for _ in range(3)]
    phi, x2, df, pairs, first = 1.0, 0.0, 0, 0, None
    rng = np.random.default_rng(1)
    for pane in range(60):
        n = int(rng.integers(50, 150))
        s = 3 * int(rng.binomial(n // 3, 0.002 if pane < 30 else 0.03))
        feed(d, np.array([s]), np.array([n]), pane, ONE)
        if pairs >= 5:
            for j, p1 in enumerate(bets):
                log_e = (s * math.log(p1 / p0) + (n - s) * math.log((1 - p1) / (1 - p0))) / phi
                one_plus = 0.0 if log_r[j] == -math.inf else math.log1p(math.exp(log_r[j]))
                log_r[j] = min(log_e + one_plus, 1.5 * math.log(129_600 * 100))
        if first is None:
            first = (s, n - s)
        else:
            table = np.array([first, (s, n - s)], dtype=np.float64)
            table = table[:, table.sum(axis=0) > 0]
            expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
            x2 += ((table - expected) ** 2 / expected).sum()
            df += table.shape[1] - 1
            pairs, first = pairs + 1, None
            phi = max(1.0, x2 / df) if df else 1.0
        usable = None
        for half, life in zip(halves, (4, 30, 240), strict=True):
            keep = 2 ** (-1 / life)
            half[:] = [keep * half[0] + s, keep * half[1] + n, keep**2 * half[2] + n]
            n_eff = half[1] ** 2 / half[2]
            if usable is None and math.sqrt(phi * p0 * (1 - p0) / n_eff) <= (p0 - p_ref) / 2:
                usable = half
        s_h, n_h, _ = usable or halves[-1]
        effect = max(0.0, (s_h / n_h - p_ref) / (p0 - p_ref))
        if effect < 0.5:
            log_r = [min(value, 0.0) for value in log_r]
        assert d.effect[0] == pytest.approx(effect)
        mean = sum(math.exp(value) for value in log_r) / 8
        assert d.log_r[0] == pytest.approx(math.log(mean) if mean else -math.inf)
    assert score(d) > 1


def test_a_rate_that_falls_is_no_alarm() -> None:
    d = detector((500, 10_000))
    for pane in range(300):
        feed(d, np.array([0]), np.array([200]), pane, ONE)
    assert score(d) == 0


def test_a_rate_that_was_always_there_cannot_rise() -> None:
    d = detector((1000, 1000))
    for pane in range(300):
        feed(d, np.array([200]), np.array([200]), pane, ONE)
    assert score(d) == 0


def test_five_percent_missing_is_told_within_five_panes() -> None:
    d = detector((10, 10_000))
    rng = np.random.default_rng(2)
    for pane in range(245):
        feed(d, rng.binomial(200, [0.001 if pane < 240 else 0.05]), np.array([200]), pane, ONE)
    assert score(d) > 1
    assert 239 <= d.rising_since[0] <= 242


def test_traffic_known_to_be_clumped_weighs_less() -> None:
    independent, clumped = detector((10, 10_000)), detector((10, 10_000))
    rng = np.random.default_rng(3)
    for pane in range(18):
        events, rows = rng.binomial(200, [0.03]), np.array([200])
        feed(independent, events, rows, pane, ONE)
        feed(clumped, events, rows, pane, 5 * ONE)
    assert independent.log_r[0] > 2 * clumped.log_r[0]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=20))
def test_neither_the_runs_nor_the_neighbours_matter(runs: list[int]) -> None:
    together, alone = detector((10, 10_000), (300, 10_000)), detector((10, 10_000))
    rng = np.random.default_rng(4)
    pane = 0
    for run in runs:
        rows = rng.integers(1, 200, run)
        events = rng.binomial(rows[:, None], [0.02, 0.03])
        course = together.feed(events, rows, np.arange(pane, pane + run))
        for t in range(run):
            feed(alone, events[t, :1], rows[t : t + 1], pane + t, ONE)
            assert course.log_r[t, 0] == alone.log_r[0]
            assert course.effect[t, 0] == alone.effect[0]
        pane += run


def test_a_restart_at_any_pane_changes_nothing() -> None:
    d, restarted = detector((10, 10_000)), detector((10, 10_000))
    rng = np.random.default_rng(5)
    for pane in range(40):
        events = rng.binomial(100, [0.01 if pane < 20 else 0.03])
        for each in (d, restarted):
            feed(each, events, np.array([100]), pane, ONE)
        saved, restarted = restarted.pack(), detector((10, 10_000))
        restarted.unpack(saved)
    assert d.pack() == restarted.pack()
