"""Many detectors under one budget, STATISTICS §4–5."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from exporter.detectors.evidence import Budget, Mixture
from exporter.detectors.groups import Groups
from exporter.detectors.packing import UnfitState
from exporter.detectors.rates import RateDetector
from exporter.detectors.shift import ShiftDetector
from exporter.detectors.verdict import judge

LOG_A0 = np.log(129_600.0)
evidences = arrays(np.float64, st.integers(1, 12), elements=st.floats(-5, 40))


@given(evidences)
def test_as_many_are_told_as_the_rule_of_benjamini_and_hochberg_allows(log_r: np.ndarray) -> None:
    descending = sorted(log_r, reverse=True)
    k = len(log_r)
    allowed = [n for n in range(1, k + 1) if descending[n - 1] >= LOG_A0 + np.log(k / n)]
    verdict = judge(log_r, np.full(k, 2.0), LOG_A0)
    assert verdict.told == (max(allowed) if allowed else 1)
    assert (verdict.scores >= 1).sum() == (max(allowed) if allowed else 0)


@given(evidences, st.floats(0, 5))
def test_a_score_passes_the_line_only_with_both_evidence_and_effect(log_r: np.ndarray, effect: float) -> None:
    verdict = judge(log_r, np.full(len(log_r), effect), LOG_A0)
    evidence = log_r / (LOG_A0 + np.log(len(log_r) / verdict.told))
    np.testing.assert_array_equal(verdict.scores >= 1, (evidence >= 1) & (effect >= 1))
    assert (verdict.scores >= 0).all()
    assert (verdict.scores <= effect).all()


def test_many_weak_signs_are_told_together_though_none_is_told_alone() -> None:
    weak = LOG_A0 + np.log(10 / 8) + 0.1
    assert judge(np.array([weak, *[-1.0] * 9]), np.full(10, 3.0), LOG_A0).told == 1
    assert judge(np.array([*[weak] * 8, -1.0, -1.0]), np.full(10, 3.0), LOG_A0).told == 8


def test_the_model_is_told_by_the_mean_of_all() -> None:
    effect = np.array([4.0, 2.0, 7.0])
    alone = np.array([LOG_A0 + np.log(3) + 0.01, -np.inf, -np.inf])
    assert judge(alone, effect, LOG_A0).model == 4.0
    assert judge(alone - 0.02, effect, LOG_A0).model == pytest.approx(1 - 0.01 / LOG_A0)


def test_before_the_first_bet_every_score_is_zero() -> None:
    verdict = judge(np.full(3, -np.inf), np.full(3, 9.0), LOG_A0)
    assert verdict.model == 0
    assert (verdict.scores == 0).all()


def test_a_group_with_a_share_of_the_budget_pages_as_much_more_rarely() -> None:
    assert Budget(100, 1, share=0.25).log_a0 == pytest.approx(np.log(400))


def test_the_mean_time_to_a_false_alarm_keeps_the_budget() -> None:
    # Bets that pay 3 or 0 at random are fair, and as wild as a bet can be.
    panes, runs = 50, 4000
    mixture = Mixture(np.full((1, runs), 1.0), cap=100.0)
    rng = np.random.default_rng(1)
    alarm = np.zeros(runs, dtype=bool)
    with np.errstate(divide="ignore"):
        for _ in range(panes // 25):
            log_e = np.log(3.0 * (rng.random((5, 1, runs)) < 1 / 3))
            log_r = mixture.grow(log_e, np.full(5, True), np.full((5, runs), False), np.arange(5))
            alarm |= (log_r >= np.log(panes)).any(axis=0)
    assert alarm.mean() <= 1 / 5


def group() -> Groups:
    """Two features; the first has a rate besides (its missing values)."""
    budget = Budget(129_600, 3, share=0.5)
    reference = np.array([[500] * 4 + [20, 500, 500, 0]])
    shift = ShiftDetector(reference, np.array([0, 5]), np.zeros(8, dtype=bool), np.full(2, 0.1), budget.cap)
    rates = RateDetector(np.array([0.01]), np.array([0.015]), budget.cap)
    return Groups(shift, rates, owner=np.array([0]), group=np.array([0, 0]), budgets=[budget])


def feed(to: Groups, missing: float, moved: float, panes: range) -> None:
    rng = np.random.default_rng(panes.start)
    for pane in panes:
        first = rng.multinomial(400, [*[(1 - missing) / 4] * 4, missing])
        second = rng.multinomial(400, [0.5 - moved, 0.5 + moved, 0.0])
        to.feed(np.array([[*first, *second]]), first[None, 4:], np.array([400]), np.array([pane]))


def test_a_group_is_quiet_until_something_moves() -> None:
    g = group()
    assert (g.scores() == 0).all()
    feed(g, 0.01, 0.0, range(200))
    assert (g.scores() < 1).all()
    assert g.models()[0] < 1
    assert list(g.changed_since()) == [-1, -1]


def test_a_feature_is_as_high_as_the_highest_of_its_detectors_and_says_which() -> None:
    g = group()
    feed(g, 0.01, 0.0, range(100))
    feed(g, 0.06, 0.0, range(100, 110))
    assert g.scores()[0] > 1 > g.scores()[1]
    assert list(g.carriers()) == [0, -1]
    feed(g, 0.06, 0.25, range(110, 140))
    assert (g.scores() > 1).all()
    assert list(g.carriers()) == [0, -1]
    began = g.changed_since()
    assert 99 <= began[0] <= 103
    assert 109 <= began[1] <= 112
    assert g.models()[0] == pytest.approx(g.scores().max())


def test_a_restart_keeps_the_verdict() -> None:
    g, restarted = group(), group()
    feed(g, 0.06, 0.1, range(30))
    restarted.unpack(g.pack())
    assert restarted.pack() == g.pack()
    assert list(restarted.scores()) == list(g.scores())
    assert restarted.models()[0] == g.models()[0]
    with pytest.raises(UnfitState):
        restarted.unpack(b"nothing of the kind")
