"""The e-detector of STATISTICS §4: fair, as written, and all features at once."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from exporter.detectors.evidence import Budget
from exporter.detectors.huber import limits, log_likelihood_ratio
from exporter.detectors.law import Law, Ragged
from exporter.detectors.packing import UnfitState
from exporter.detectors.shift import ShiftDetector, _alone
from exporter.detectors.verdict import judge

BUDGET = Budget(panes=129_600, detectors=100)


@dataclass(frozen=True)
class Feature:
    """Reference counts; the first `ordered` bins have an order."""

    reference: tuple[int, ...]
    ordered: int = 0
    tolerance: float = 0.10


NUMBERS = Feature((500,) * 20 + (30, 0), ordered=20)
COLOURS = Feature((4000, 3000, 2000, 900, 100, 0, 40, 0), tolerance=0.15)
SPARSE = Feature((90, 5, 5, 0), ordered=3, tolerance=0.2)


def detector(*features: Feature, budget: Budget = BUDGET) -> ShiftDetector:
    sizes = [len(feature.reference) for feature in features]
    return ShiftDetector(
        np.concatenate([feature.reference for feature in features])[None].astype(np.int64),
        np.cumsum([0, *sizes[:-1]]),
        np.concatenate([np.arange(len(f.reference)) < f.ordered for f in features]),
        np.array([feature.tolerance for feature in features]),
        budget.cap,
    )


def moved(feature: Feature, deviations: float) -> np.ndarray:
    """The law of a normal feature whose mean has moved by so many standard deviations; of one without an order, of
    which that share of a fifth went from the first bin to the third."""
    law = np.array(feature.reference) / sum(feature.reference)
    if not feature.ordered:
        law[[0, 2]] += np.array([-0.2, 0.2]) * deviations
        return law
    ordered = law[: feature.ordered]
    edges = norm.ppf(np.clip(np.cumsum([0, *ordered]) / ordered.sum(), 0, 1))
    law[: feature.ordered] = np.diff(norm.cdf(edges - deviations)) * ordered.sum()
    return law


def stream(
    features: tuple[Feature, ...], panes: int, rows: int, seed: int, deviations: float = 0.0, since: int = 0
) -> Iterator[np.ndarray]:
    """The counts of each pane; the first feature moves."""
    rng = np.random.default_rng(seed)
    for pane in range(panes):
        sizes = [deviations if pane >= since else 0.0, *[0.0] * (len(features) - 1)]
        yield np.concatenate([rng.multinomial(rows, moved(f, size)) for f, size in zip(features, sizes, strict=True)])


def feed(d: ShiftDetector, x: np.ndarray, pane: int, slot: int = 0) -> None:
    """One pane; one without rows is not fed."""
    if x.any():
        d.feed(x[None], np.array([pane]), slot)


def seen(d: ShiftDetector) -> tuple[np.ndarray, ...]:
    return d.log_r, d.effect, d.phi, d.rising_since


# -- one feature, plainly, from the text --------------------------------------------------------------------------


@dataclass
class ByTheText:
    """STATISTICS §4 for one feature, sentence by sentence, with loops and nothing computed ahead."""

    feature: Feature
    budget: Budget
    log_r: list[float] = field(default_factory=lambda: [-math.inf] * 14)
    halves: list[dict] = field(default_factory=list)
    first_of_pair: np.ndarray | None = None
    panes: list[np.ndarray] = field(default_factory=list)
    wandered: dict[int, list[float]] = field(default_factory=lambda: {1: [], 2: [], 4: []})
    x2: float = 0.0
    df: int = 0
    pairs: int = 0
    effect: float = 0.0

    def __post_init__(self) -> None:
        bins = len(self.feature.reference)
        self.m = sum(self.feature.reference)
        self.r = [(c + 0.5) / (self.m + 0.5 * bins) for c in self.feature.reference]
        self.halves = [
            {"life": life, "O": [0.0] * bins, "E": [0.0] * bins, "N1": 0.0, "N2": 0.0} for life in (4, 30, 240)
        ]
        self.error = self.sampling_error()

    def sampling_error(self) -> float:
        """The .999 quantile of ½ Σ|Z_i|, simulated: the detector matches a gamma to it."""
        rng = np.random.default_rng(0)
        truth = np.array(self.r)
        drawn = rng.multinomial(self.m, truth, size=400_000) / self.m
        return float(np.quantile(np.abs(drawn - truth).sum(axis=1) / 2, 0.999))

    @property
    def phi(self) -> float:
        found = [self.x2 / self.df if self.df else 1.0]
        known = [squares for squares in self.wandered.values() if len(squares) >= 5]
        found += [sum(squares) / len(squares) * (1 - math.sqrt(2 / len(squares))) for squares in known]
        return max(1.0, *found)

    def scores(self) -> list[float]:
        """Φ⁻¹ of the mid-quantiles of the bins that have an order."""
        ordered = self.feature.ordered
        share = sum(self.r[:ordered])
        return [float(norm.ppf((sum(self.r[:i]) + self.r[i] / 2) / share)) for i in range(ordered)]

    def wander(self, x: np.ndarray) -> None:
        """Between two stretches of panes: the mean score's difference squared, over what independent rows give."""
        self.panes.append(x[: self.feature.ordered])
        of_reference = np.array(self.r[: self.feature.ordered]) / sum(self.r[: self.feature.ordered])
        spread = of_reference @ np.square(self.scores()) - (of_reference @ self.scores()) ** 2
        for length, squares in self.wandered.items():
            if len(self.panes) % (2 * length):
                continue
            stretches = (self.panes[-2 * length : -length], self.panes[-length:])
            closed = self.panes[: len(self.panes) // (2 * length) * 2 * length]
            so_far = np.repeat(self.scores(), sum(closed))
            before, after = (np.repeat(self.scores(), sum(panes)) for panes in stretches)
            if len(before) and len(after):
                width = max(np.var(so_far, ddof=1), spread) * (1 / len(before) + 1 / len(after))
                phi = max(1.0, sum(squares) / len(squares)) if squares else 1.0
                squares.append(min((after.mean() - before.mean()) ** 2 / width, 6.6 * phi))

    def log_likelihood_ratio(self, p: list[float], epsilon: float) -> list[float]:
        down = sorted(range(len(p)), key=lambda i: -p[i] / self.r[i])
        high = max(
            sum(p[i] for i in down[:k]) / (sum(self.r[i] for i in down[:k]) + epsilon) for k in range(1, len(down) + 1)
        )
        up = down[::-1]
        lows = []
        for k in range(1, len(up) + 1):
            below = sum(self.r[i] for i in up[:k])
            if below > epsilon:
                lows.append(sum(p[i] for i in up[:k]) / (below - epsilon))
        if sum(abs(a - b) for a, b in zip(p, self.r, strict=True)) / 2 <= epsilon:
            return [0.0] * len(p)
        return [math.log(min(max(a / b, min(lows)), high)) for a, b in zip(p, self.r, strict=True)]

    def bets(self) -> list[tuple[float, list[float], float]]:
        """Weight, law and radius of the ball of each."""
        bins, ordered, half_tolerance = len(self.r), self.feature.ordered, self.feature.tolerance / 2
        found, alone = [], []
        for half in self.halves:
            share = [
                r * (o + 2 * bins * r) / (e + 2 * bins * r)
                for r, o, e in zip(self.r, half["O"], half["E"], strict=True)
            ]
            found.append((1 / 12 if ordered else 1 / 6, [a / sum(share) for a in share], half_tolerance + self.error))
            most = max(
                range(bins),
                key=lambda i, h=half: (h["O"][i] - h["E"][i]) ** 2 / (h["E"][i] + 2 * bins * self.r[i]),
            )
            p, r = share[most], self.r[most]
            law = [p if i == most else a * (1 - p) / (1 - r) for i, a in enumerate(self.r)]
            wide = half_tolerance + 2 * math.sqrt(r * (1 - r) / self.m)
            alone.append((1 / 12 if ordered else 1 / 6, law, max(wide, self.error)))
        found += alone
        if not ordered:
            return found
        share, z = sum(self.r[:ordered]), self.scores()
        tilts = [lambda x, a=a: math.exp(a * x) for a in (-1, -0.5, -0.25, 0.25, 0.5, 1)]
        tilts += [lambda x, b=b: math.exp(b * (x * x - 1)) for b in (-0.35, 0.35)]
        for tilt in tilts:
            p = [r * tilt(x) for r, x in zip(self.r[:ordered], z, strict=True)]
            law = [a * share / sum(p) for a in p] + self.r[ordered:]
            found.append((1 / 16, law, max(half_tolerance, self.error)))
        return found

    def feed(self, x: np.ndarray) -> None:
        n = int(x.sum())
        if n == 0:
            return
        bets = self.bets()
        enough = self.pairs >= 15 or self.halves[-1]["N1"] >= 600
        if self.pairs >= 5 and enough:
            for j, (_, p, epsilon) in enumerate(bets):
                ratios = self.log_likelihood_ratio(p, epsilon)
                log_e = sum(c * ratio for c, ratio in zip(x, ratios, strict=True)) / self.phi
                one_plus = 0.0 if self.log_r[j] == -math.inf else math.log1p(math.exp(self.log_r[j]))
                cap = 1.5 * (self.budget.log_a0 + math.log(self.budget.detectors))
                self.log_r[j] = min(log_e + one_plus, cap)
        if self.feature.ordered:
            self.wander(x)
        if self.first_of_pair is None:
            self.first_of_pair = x
        else:
            table = np.array([self.first_of_pair, x])
            table = table[:, table.sum(axis=0) > 0]
            expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
            self.x2 += ((table - expected) ** 2 / expected).sum()
            self.df += table.shape[1] - 1
            self.pairs += 1
            self.first_of_pair = None
        for half in self.halves:
            keep = 2 ** (-1 / half["life"])
            half["O"] = [keep * o + c for o, c in zip(half["O"], x, strict=True)]
            half["E"] = [keep * e + n * r for e, r in zip(half["E"], self.r, strict=True)]
            half["N1"] = keep * half["N1"] + n
            half["N2"] = keep**2 * half["N2"] + n
        self.effect = self.largest_effect()
        if self.effect < 0.5:
            self.log_r = [min(log_r, 0.0) for log_r in self.log_r]

    def largest_effect(self) -> float:
        delta = self.feature.tolerance
        found = []
        for half in self.halves:
            n_eff = half["N1"] ** 2 / half["N2"]
            width = self.phi / n_eff + 1 / self.m
            tv = sum(abs(o - e) for o, e in zip(half["O"], half["E"], strict=True)) / half["N1"] / 2
            e0 = 0.5 * math.sqrt(2 / math.pi) * sum(math.sqrt(r * (1 - r) * width) for r in self.r)
            found.append((e0, math.sqrt(max(tv**2 - e0**2, 0.0)) / delta))
        usable = [effect for e0, effect in found if e0 <= delta / 2]
        return max(usable) if usable else found[-1][1]

    def total(self) -> float:
        mean = sum(w * math.exp(log_r) for (w, _, _), log_r in zip(self.bets(), self.log_r, strict=False))
        return math.log(mean) if mean else -math.inf


@pytest.mark.parametrize("feature", [NUMBERS, COLOURS, SPARSE])
@pytest.mark.parametrize("rows", [7, 300])
def test_the_detector_does_what_the_text_says(feature: Feature, rows: int) -> None:
    d = detector(feature)
    plain = ByTheText(feature, BUDGET)
    # The gamma's quantile is an approximation; the recursion is compared on the same balls.
    law = Law(Ragged(np.array([0]), len(feature.reference)), *_one(feature))
    error = law.learned_epsilon[0] - feature.tolerance / 2
    assert plain.error == pytest.approx(error, rel=0.1)
    plain.error = error
    for pane, x in enumerate(stream((feature,), 60, rows, seed=3, deviations=0.6, since=30)):
        x = x * 0 if pane % 7 == 4 else x
        feed(d, x, pane)
        plain.feed(x)
        assert d.log_r[0] == pytest.approx(plain.total(), rel=1e-9, abs=1e-9)
        assert d.effect[0] == pytest.approx(plain.effect, rel=1e-9, abs=1e-12)
        assert d.phi[0] == pytest.approx(plain.phi, rel=1e-12)


def _one(feature: Feature) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    bins = len(feature.reference)
    return np.array(feature.reference), np.arange(bins) < feature.ordered, np.array([feature.tolerance]), 1


# -- fairness -----------------------------------------------------------------------------------------------------

shares = st.lists(st.integers(1, 50), min_size=5, max_size=5).map(lambda c: np.array(c) / sum(c))


@given(shares, shares, st.floats(0.02, 0.3))
def test_the_clip_solves_hubers_equations(p: np.ndarray, r: np.ndarray, radius: float) -> None:
    low, high = limits(p / r, r, np.array(radius))
    if high > 1:
        assert np.maximum(p - high * r, 0).sum() == pytest.approx(high * radius, abs=1e-12)
        assert np.maximum(low * r - p, 0).sum() == pytest.approx(low * radius, abs=1e-12)
        assert 0 < low < 1 < high


@given(shares, shares, st.floats(0.02, 0.3))
def test_no_law_within_the_ball_makes_a_bet_pay(p: np.ndarray, r: np.ndarray, radius: float) -> None:
    ratio = np.exp(log_likelihood_ratio(p / r, r, np.array(radius)))
    # The extreme laws of the ball: all that may move goes from some bins, the least costly first, to one bin.
    for target in range(len(r)):
        law, left = r.copy(), radius
        for source in np.argsort(ratio):
            taken = 0.0 if source == target else min(left, law[source])
            law[source] -= taken
            law[target] += taken
            left -= taken
        assert law @ ratio <= 1 + 1e-9


@given(shares, shares, st.floats(0.02, 0.3))
def test_a_bet_is_called_off_exactly_where_it_lies_in_the_ball(p: np.ndarray, r: np.ndarray, radius: float) -> None:
    distance = max(
        abs(p[list(bins)].sum() - r[list(bins)].sum()) for k in range(6) for bins in combinations(range(5), k)
    )
    if abs(distance - radius) > 1e-9:
        assert (log_likelihood_ratio(p / r, r, np.array(radius)) == 0).all() == (distance < radius)


def test_e_values_have_a_mean_of_at_most_one_under_the_worst_laws_of_the_ball() -> None:
    feature = Feature((400, 300, 200, 100, 0), ordered=4)
    law = Law(Ragged(np.array([0]), 5), *_one(feature))
    rng = np.random.default_rng(5)
    for bet in law.tilts[:, 0]:
        truth = law.r[0].copy()
        give, take = bet.argmin(), bet.argmax()
        moving = min(law.epsilon[0], truth[give])
        truth[give] -= moving
        truth[take] += moving
        e = np.exp(rng.multinomial(20, truth, size=100_000) @ bet)
        assert e.mean() <= 1 + 4 * e.std() / math.sqrt(len(e))


def test_a_bet_on_one_bin_does_not_pay_while_that_bin_is_in_its_ball() -> None:
    law = Law(Ragged(np.array([0]), 5), *_one(Feature((400, 300, 200, 90, 10))))
    rng = np.random.default_rng(6)
    for _ in range(50):
        expected = 300 * law.r[0]
        observed = rng.multinomial(300, rng.dirichlet(20 * law.r[0])).astype(float)
        place = int(((observed - expected) ** 2 / (expected + law.prior[0])).argmax())
        rows = np.zeros((2, 1, 5))  # one row in the bin, one in another
        rows[0, 0, place] = rows[1, 0, place - 1] = 1
        seen, foreseen = (np.broadcast_to(counts, (2, 3, 1, 5)) for counts in (observed, expected))
        there, elsewhere = np.exp(_alone(law, rows, seen, foreseen))[:, 0, 0]
        for truth in law.r[0, place] + np.array([-1.0, 0.0, 1.0]) * law.alone_epsilon[0, place]:
            if truth >= 0:
                assert truth * there + (1 - truth) * elsewhere <= 1 + 1e-12


# -- behaviour ----------------------------------------------------------------------------------------------------


def test_a_shift_of_one_deviation_is_told_within_three_panes() -> None:
    d = detector(NUMBERS, COLOURS)
    for pane, x in enumerate(stream((NUMBERS, COLOURS), 33, rows=200, seed=1, deviations=1.0, since=30)):
        feed(d, x, pane)
    verdict = judge(d.log_r, d.effect, BUDGET.log_a0)
    assert verdict.scores[0] > 1
    assert verdict.scores[1] < 1
    assert 28 <= d.rising_since[0] <= 31


def test_a_category_that_grew_by_half_the_tolerance_is_no_evidence_however_the_reference_was_drawn() -> None:
    rng = np.random.default_rng(1)
    truth = np.arange(1, 36) ** -1.0
    truth /= truth.sum()
    features = [Feature((*rng.multinomial(10_000, truth).tolist(), 0)) for _ in range(50)]
    truth[[0, -1]] += [-0.05, 0.05]
    d = detector(*features)
    panes = rng.multinomial(200, [*truth, 0.0], size=(700, 50)).reshape(700, -1)
    course = d.feed(panes, np.arange(700))
    assert (course.log_r < BUDGET.log_a0).all()


def test_a_reference_of_few_rows_with_many_categories_tells_what_is_beyond_its_own_error() -> None:
    """A thousand rows of 36 categories: bets on all bins are called off within TV .13 of it or more."""
    rng = np.random.default_rng(2)
    truth = np.full(36, 1 / 36)
    one_grew = np.where(np.arange(36) == 0, 0.2, 0.0) + 0.8 * truth
    half_grew = truth * np.repeat([1.4, 0.6], 18)
    features = [Feature((*rng.multinomial(1_000, truth).tolist(), 0)) for _ in range(10)]
    for law, is_told in ((truth, False), (one_grew, True), (half_grew, True)):
        d = detector(*features)
        for chances, panes in ((truth, 120), (law, 300)):
            counts = rng.multinomial(200, [*chances, 0.0], size=(panes, 10)).reshape(panes, -1)
            course = d.feed(counts, np.arange(panes))
        told = ((course.log_r >= BUDGET.log_a0) & (course.effect >= 1)).any(axis=0)
        assert (told == is_told).all()


def test_the_score_falls_below_the_line_once_the_shift_is_over() -> None:
    d = detector(NUMBERS)
    for pane, x in enumerate(stream((NUMBERS,), 40, rows=200, seed=2, deviations=1.0, since=20)):
        feed(d, x, pane)
    assert judge(d.log_r, d.effect, BUDGET.log_a0).scores[0] > 1
    for pane, x in enumerate(stream((NUMBERS,), 400, rows=200, seed=3), start=40):
        feed(d, x, pane)
    assert judge(d.log_r, d.effect, BUDGET.log_a0).scores[0] < 0.5


def test_a_million_rows_a_pane_are_neither_too_much_evidence_nor_too_little() -> None:
    d = detector(NUMBERS)
    for pane, x in enumerate(stream((NUMBERS,), 40, rows=1_000_000, seed=2, deviations=1.0, since=20)):
        feed(d, x, pane)
        assert (judge(d.log_r, d.effect, BUDGET.log_a0).scores[0] > 1) == (pane >= 21), pane
    assert np.isfinite(d.log_r).all()


def test_clumped_events_are_seen_to_be_clumped() -> None:
    d = detector(NUMBERS)
    for pane, x in enumerate(stream((NUMBERS,), 400, rows=40, seed=4)):
        feed(d, 5 * x, pane)
    assert d.phi[0] == pytest.approx(5, rel=0.1)


def test_nothing_is_bet_before_five_pairs_of_panes() -> None:
    d = detector(NUMBERS)
    for pane, x in enumerate(stream((NUMBERS,), 11, rows=200, seed=5, deviations=2.0)):
        assert d.log_r[0] == -np.inf
        feed(d, x, pane)
    assert d.log_r[0] > 0


@settings(max_examples=20)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.sampled_from([1, 3, 40, 400]))
def test_it_does_not_matter_how_panes_are_cut_into_runs(runs: list[int], rows: int) -> None:
    features = (NUMBERS, SPARSE, COLOURS)
    one, many = detector(*features), detector(*features)
    panes = np.array(list(stream(features, sum(runs), rows, seed=6, deviations=0.5, since=20)))
    told = [one.feed(x[None], np.array([2 * pane])) for pane, x in enumerate(panes)]
    first = 0
    for run in runs:
        course = many.feed(panes[first : first + run], 2 * np.arange(first, first + run))
        for t in range(run):
            np.testing.assert_array_equal(course.log_r[t], told[first + t].log_r[0])
            np.testing.assert_array_equal(course.effect[t], told[first + t].effect[0])
        first += run
    assert one.pack() == many.pack()


def test_features_do_not_know_their_neighbours() -> None:
    features = (SPARSE, NUMBERS, COLOURS)
    together, alone = detector(*features), [detector(feature) for feature in features]
    ends = np.cumsum([0, *(len(feature.reference) for feature in features)])
    for pane, x in enumerate(stream(features, 60, rows=50, seed=7, deviations=0.5, since=20)):
        feed(together, x, pane)
        for d, (a, b) in zip(alone, pairwise(ends), strict=True):
            feed(d, x[a:b], pane)
    for k, d in enumerate(alone):
        for a, b in zip(seen(together), seen(d), strict=True):
            np.testing.assert_allclose(a[k], b[0], rtol=1e-12)


@settings(max_examples=10)
@given(st.integers(0, 39))
def test_a_restart_at_any_pane_changes_nothing(restart: int) -> None:
    features = (NUMBERS, SPARSE)
    d, restarted = detector(*features), detector(*features)
    for pane, x in enumerate(stream(features, 40, rows=50, seed=8, deviations=0.5, since=15)):
        feed(d, x, pane)
        feed(restarted, x, pane)
        if pane == restart:
            saved = restarted.pack()
            restarted = detector(*features)
            restarted.unpack(saved)
            assert restarted.pack() == saved
    assert d.pack() == restarted.pack()


def of_before_bets_on_one_bin(packed: bytes) -> bytes:
    """As saved by a release whose mixture had three learned bets and eight tilts."""
    document = msgspec.msgpack.decode(packed)
    kind, (bets, features), raw = document["arrays"]["r"]
    r = np.frombuffer(raw, kind).reshape(bets, features)
    document["arrays"]["r"] = [kind, [bets - 3, features], np.delete(r, [3, 4, 5], axis=0).tobytes()]
    document["arrays"] = {k: v for k, v in document["arrays"].items() if not k.startswith("wandering")}
    return msgspec.msgpack.encode(document)


@pytest.mark.parametrize("feature", [NUMBERS, COLOURS])
def test_evidence_of_before_there_were_bets_on_one_bin_goes_on(feature: Feature) -> None:
    d, restarted, anew = (detector(feature) for _ in range(3))
    panes = list(stream((feature,), 60, rows=40, seed=8, deviations=0.9, since=20))
    for pane, x in enumerate(panes[:24]):
        feed(d, x, pane)
    saved = of_before_bets_on_one_bin(d.pack())
    restarted.unpack(saved)
    kept = restarted.log_r[0]
    r = np.frombuffer(msgspec.msgpack.decode(saved)["arrays"]["r"][2])
    weights = np.array([1 / 6] * 3 + [1 / 16] * 8 if feature.ordered else [1 / 3] * 3 + [0] * 8)
    assert kept == pytest.approx(math.log(weights @ r), rel=1e-12), "what it was worth by the weights of that release"
    assert 0 < kept < BUDGET.log_a0
    np.testing.assert_array_equal(restarted.effect, d.effect)
    np.testing.assert_array_equal(restarted.rising_since, d.rising_since)

    told = []
    for one in (restarted, d, anew):
        found = (pane for pane in range(24, 60) if not feed(one, panes[pane], pane) and one.log_r[0] > BUDGET.log_a0)
        told.append(next(found))
    assert abs(told[0] - told[1]) <= 1
    assert told[0] <= told[2] - 5, "one that starts anew waits for its first ten panes"
    assert restarted.pack() != saved
    d.unpack(restarted.pack())
    assert d.pack() == restarted.pack(), "and is saved in this release's form"


def test_a_state_of_other_bins_is_refused() -> None:
    with pytest.raises(UnfitState, match="counts"):
        detector(NUMBERS).unpack(detector(COLOURS).pack())
    with pytest.raises(UnfitState, match="damaged"):
        detector(NUMBERS).unpack(b"\xc1")


def test_a_state_of_another_release_is_refused() -> None:
    document = msgspec.msgpack.decode(detector(NUMBERS).pack())
    with pytest.raises(UnfitState, match="schema 999"):
        detector(NUMBERS).unpack(msgspec.msgpack.encode(document | {"schema": 999}))
    document["arrays"]["counts"][2] = b"short"
    with pytest.raises(UnfitState, match="damaged"):
        detector(NUMBERS).unpack(msgspec.msgpack.encode(document))


def test_each_slot_has_its_own_normal() -> None:
    by_night, by_day = np.array([900, 90, 10, 0]), np.array([10, 90, 900, 0])
    rng = np.random.default_rng(9)
    slots = ShiftDetector(
        100 * np.array([by_night, by_day]), np.array([0]), np.arange(4) < 3, np.array([0.1]), BUDGET.cap
    )
    flat = ShiftDetector(
        50 * np.array([by_night + by_day]), np.array([0]), np.arange(4) < 3, np.array([0.1]), BUDGET.cap
    )
    for pane in range(240):
        slot = pane // 60 % 2
        x = rng.multinomial(200, (by_day if slot else by_night) / 1000)
        feed(slots, x, pane, slot)
        feed(flat, x, pane)
    assert judge(slots.log_r, slots.effect, BUDGET.log_a0).scores[0] < 0.5
    assert judge(flat.log_r, flat.effect, BUDGET.log_a0).scores[0] > 1


def test_what_was_learned_in_one_slot_is_carried_to_another_where_nearly_all_rows_are_in_one_bin() -> None:
    """A bin that nearly doubled where its share is .45 cannot do so where it is .9."""
    slots = np.array([[450, 450, 100, 0], [900, 80, 20, 0]]) * 100
    d = ShiftDetector(slots, np.array([0]), np.zeros(4, dtype=bool), np.array([0.1]), BUDGET.cap)
    rng = np.random.default_rng(10)
    d.feed(rng.multinomial(200, [0.85, 0.1, 0.05, 0.0], size=30), np.arange(30), 0)
    course = d.feed(rng.multinomial(200, [0.9, 0.08, 0.02, 0.0], size=30), np.arange(30, 60), 1)
    assert np.isfinite(course.log_r).all()
    assert course.log_r[-1, 0] < math.log(30), "that its rows are as they were is no evidence"


def test_categories_that_are_others_each_hour_alarm_nowhere_and_a_shift_of_all_hours_is_told() -> None:
    rng = np.random.default_rng(11)
    slots, features, bins = 48, 20, 8
    law = rng.dirichlet([4.0, *[0.6] * (bins - 1)], size=(slots, features))
    reference = rng.multinomial(8_000, law).reshape(slots, -1)
    start, unordered = np.arange(features) * bins, np.zeros(features * bins, dtype=bool)
    d = ShiftDetector(reference, start, unordered, np.full(features, 0.1), BUDGET.cap)
    moved_law = 0.8 * law
    moved_law[..., 1] += 0.2
    for hour in range(52):
        chances = (law if hour < 48 else moved_law)[hour % slots]
        panes = rng.multinomial(200, chances, size=(60, features)).reshape(60, -1)
        course = d.feed(panes, 60 * hour + np.arange(60), hour % slots)
        over = judge(course.log_r, course.effect, BUDGET.log_a0).scores >= 1
        assert over.any() == (hour >= 48), hour
    assert over.any(axis=0).all()
