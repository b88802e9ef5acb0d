"""How long until a shift, or a rate that has risen, is told: by us and by others, on the same panes."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench.verdicts.bands import failures, hold
from bench.verdicts.rivals import ADWIN, Adwin, RollingHour
from bench.verdicts.traffic import FEATURES, REFERENCE_ROWS, SEED, Integers, World, continuous, world
from exporter.detectors.evidence import Budget
from exporter.detectors.rates import RARE_TOLERANCE, RateDetector, bound
from exporter.detectors.shift import ShiftDetector

BUDGET = Budget(panes=129_600, detectors=FEATURES)
NEEDED = BUDGET.log_a0 + np.log(FEATURES)
"""log R of a detector that is told alone (k* = 1)."""
TOLERANCE = 0.10
RUNS = 60
WARM = 240

FIRST_CATEGORY, RAREST_CATEGORY = "the most frequent category grows", "the rarest named category grows"
GROWS = {FIRST_CATEGORY: 0, RAREST_CATEGORY: -5}
"""Its place among the bins; `other`, unseen, missing and invalid are the last four."""

DELAYS = {
    ("independent rows", 1, 20): (60, 40, 18),
    ("independent rows", 1, 200): (8, 6, 3),
    ("independent rows", 1, 2000): (8, 6, 3),
    ("clumps of 5", 5, 200): (50, 35, 16),
    (FIRST_CATEGORY, 1, 20): (95, 70, 18),
    (FIRST_CATEGORY, 1, 200): (9, 7, 4),
    (RAREST_CATEGORY, 1, 20): (60, 45, 18),
    (RAREST_CATEGORY, 1, 200): (8, 6, 4),
}
"""What it is, rows in a clump, rows a minute → at most so many minutes."""


def shift_delays() -> Iterator[str]:
    yield f"{'':>30} {'rows':>6}" + "".join(f"{f'TV {tv}':>16}" for tv in (0.16, 0.20, 0.38))
    for (named, clump, rows), most in DELAYS.items():
        grows = GROWS.get(named)
        found = [shift_delay(rows, tv, clump, grows) for tv in (0.16, 0.20, 0.38)]
        ours, psi1, psi2, ks, adwin = zip(*found, strict=True)
        held = [hold(f"delay, {named}, {rows} rows", d, m) for d, m in zip(ours, most, strict=True)]
        cells = [f"{figure} (<= {limit})" for figure, limit in zip(held, most, strict=True)]
        yield f"{named:>30} {rows:6,}" + "".join(f"{cell:>16}" for cell in cells)
        rivals = (("PSI > 0.1", psi1), ("PSI > 0.2", psi2), ("KS p < .05", ks), ("ADWIN", adwin))
        for name, figures in rivals[: 4 if grows is None else 2]:
            cells = ["never" if np.isinf(d) else f"{d:g}" for d in figures]
            yield f"{name:>30} {'':>6}" + "".join(f"{cell:>16}" for cell in cells)


def shift_delay(rows: int, variation: float, clump: int, grows: int | None = None) -> tuple[float, ...]:
    """Median panes until score >= 1; until PSI of the rolling hour passes .1 and .2, KS's p falls below .05 for good,
    and ADWIN tells.

    WARM undrifted panes before; each run is one feature, all of them in one detector. `grows`: a place among the bins
    of categorical features, else the mean of continuous ones moves.
    """
    rng = np.random.default_rng([SEED, rows, clump, round(100 * variation)])
    of = continuous(rng, variation, RUNS) if grows is None else grown(world(rng, 0.0, "c", RUNS), variation, grows)
    detector = ShiftDetector(of.reference, of.start, of.ordered, np.full(RUNS, TOLERANCE), BUDGET.cap)
    panes = np.concatenate([of.draw(rng, of.chances, WARM, rows, clump), of.draw(rng, of.drifted, WARM, rows, clump)])
    course = detector.feed(panes, np.arange(len(panes)))
    over = (course.log_r >= NEEDED) & (course.effect >= 1)
    told_at = np.where(over[WARM:].any(axis=0), over[WARM:].argmax(axis=0) + 1.0, np.inf)
    if over[:WARM].any():
        failures.append(f"delay, {rows} rows: an alarm before the shift")
    psi, p = RollingHour(of.reference[0], of.start, of.ordered).feed(panes)
    after = WARM - 59
    rivals = [_first(alarm[after:]) for alarm in (psi > 0.1, psi > 0.2, p < 0.05)]
    return float(np.median(told_at)), *rivals, _adwin(of, panes) if grows is None else np.inf


def grown(of: World, variation: float, place: int) -> World:
    """One bin of every feature grows, out of all others."""
    drifted = of.chances.copy()
    for first, size in zip(of.start, of.sizes, strict=True):
        own = drifted[first : first + size]
        scale = variation / (1 - own[place])
        own *= 1 - scale
        own[place] += scale
    return replace(of, drifted=drifted)


def _first(alarms: np.ndarray) -> float:
    """Median, over the runs that were quiet before the shift, of the panes until the first alarm."""
    at = np.where(alarms.any(axis=0), alarms.argmax(axis=0) + 1.0, np.inf)
    return float(np.median(at))


def _adwin(of: World, panes: Integers) -> float:
    if ADWIN is None:
        return float("nan")
    found = []
    for run in range(15):
        adwin = Adwin(of, run, np.random.default_rng(run))
        adwin.feed(panes[:WARM])
        quiet, at = adwin.alarms, np.inf
        for i, x in enumerate(panes[WARM:]):
            adwin.feed([x])
            if adwin.alarms > quiet:
                at = i + 1.0
                break
        found.append(at)
    return float(np.median(found))


RISES = {0.015: 22, 0.05: 3}
"""Rate → at most so many minutes until it is told."""


def rate_delays() -> Iterator[str]:
    yield f"{'':>30}" + "".join(f"{f'to {rate}':>16}" for rate in RISES)
    told, cleared = zip(*(rate_delay(rate) for rate in RISES), strict=True)
    held = [f"{hold(f'rate {rate}', d, m)} (<= {m})" for d, (rate, m) in zip(told, RISES.items(), strict=True)]
    yield f"{'until it is told':>30}" + "".join(f"{cell:>16}" for cell in held)
    held = [f"{hold(f'rate {rate}, clears', d, 14)} (<= 14)" for d, rate in zip(cleared, RISES, strict=True)]
    yield f"{'afterwards until it clears':>30}" + "".join(f"{cell:>16}" for cell in held)


def rate_delay(risen: float, usual: float = 0.001, rows: int = 200, during: int = 300) -> tuple[float, float]:
    """Median panes until score >= 1, and until it is below again once the rate is what it was."""
    rng = np.random.default_rng([SEED, round(1000 * risen)])
    reference, m = rng.binomial(REFERENCE_ROWS, usual, RUNS) * 1.0, np.full(RUNS, float(REFERENCE_ROWS))
    detector = RateDetector(reference / m, bound(reference, m, RARE_TOLERANCE), BUDGET.cap)
    panes = np.arange(WARM + during + WARM)
    rate = np.where((panes >= WARM) & (panes < WARM + during), risen, usual)
    course = detector.feed(rng.binomial(rows, rate[:, None], (len(panes), RUNS)), np.full(len(panes), rows), panes)
    alarms = (course.log_r >= NEEDED) & (course.effect >= 1)
    if alarms[:WARM].any():
        failures.append(f"rate {risen}: an alarm before the rise")
    return _first(alarms[WARM : WARM + during]), _first(~alarms[WARM + during :])
