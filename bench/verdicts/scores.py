"""How often the paging score cries wolf, and how long it takes to tell a shift (STATISTICS §4–§6, §8).

`python -m bench.verdicts.scores [--quick]` prints the tables of README.md and leaves with 1 if a figure is outside its
band. `--quick`: days instead of weeks.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.verdicts.bands import failures, hold
from bench.verdicts.delays import rate_delays, shift_delays
from bench.verdicts.rivals import ADWIN, Adwin, Rises, RollingHour
from bench.verdicts.stories import told
from bench.verdicts.traffic import (
    DAY,
    FEATURES,
    REFERENCE_ROWS,
    SEED,
    Integers,
    Season,
    World,
    continuous,
    correlated,
    season,
    world,
)
from exporter.detectors.evidence import Budget
from exporter.detectors.rates import RARE_TOLERANCE, RateDetector, bound
from exporter.detectors.shift import ShiftDetector
from exporter.detectors.verdict import judge

BUDGET = Budget(panes=129_600, detectors=FEATURES)
TOLERANCE = 0.10


@dataclass
class Watch:
    """Ours and the rivals on one stream; figures as they stood at its end."""

    of: World
    adwins: int = 0

    def __post_init__(self) -> None:
        self.start_anew()
        self.hour = RollingHour(self.of.reference.sum(axis=0), self.of.start, self.of.ordered)
        self.psi, self.ks = Rises(len(self.of.start)), Rises(len(self.of.start))
        self.alarmed: set[int] = set()
        self.rates_alarmed: set[int] = set()
        self.model = Rises(1)
        self.adwin = [Adwin(self.of, 2 * i, np.random.default_rng(i)) for i in range(self.adwins)]
        self.panes = 0

    def start_anew(self) -> None:
        of, k = self.of, len(self.of.start)
        self.shift = ShiftDetector(of.reference, of.start, of.ordered, np.full(k, TOLERANCE), BUDGET.cap)
        events = of.reference[0, of.rate_bins].astype(np.float64)
        rows = np.full(len(events), float(REFERENCE_ROWS))
        self.rates = RateDetector(events / rows, bound(events, rows, RARE_TOLERANCE), BUDGET.cap)

    def feed(self, panes: Integers) -> None:
        of = self.of
        for first in range(0, len(panes), self.shift.most_panes):
            x = panes[first : first + self.shift.most_panes]
            numbers = np.arange(self.panes, self.panes + len(x))
            shift = self.shift.feed(x, numbers)
            rows = x[:, : of.sizes[0]].sum(axis=1)
            rates = self.rates.feed(x[:, of.rate_bins], rows, numbers, shift.phi[:, of.rate_owner])
            bins, rare = (judge(course.log_r, course.effect, BUDGET.log_a0) for course in (shift, rates))
            self.alarmed |= set(np.flatnonzero((bins.scores >= 1).any(axis=0)).tolist())
            self.rates_alarmed |= set(np.flatnonzero((rare.scores >= 1).any(axis=0)).tolist())
            self.model.feed(bins.model[:, None] >= 1)
            self.panes += len(x)
        psi, p = self.hour.feed(panes)
        if len(psi):
            self.psi.feed(psi > 0.2)
            self.ks.feed(p < 0.05)
        for adwin in self.adwin:
            adwin.feed(panes)


def line(name: str, rows: int, most: float, *watches: Watch) -> str:
    """The mean of the watches."""

    def mean(figures: list[float]) -> float:
        return round(sum(figures) / len(watches), 2)

    adwin = mean([sum(a.alarms for a in w.adwin) * FEATURES / max(len(w.adwin), 1) for w in watches])
    cells = [
        hold(f"{name}, {rows} rows: features", mean([len(w.alarmed) for w in watches]), most),
        hold(f"{name}, {rows} rows: rates", mean([len(w.rates_alarmed) for w in watches]), 0),
        hold(f"{name}, {rows} rows: model", mean([int(w.model.rises[0]) for w in watches]), most),
        f"{mean([w.psi.rises.sum() for w in watches]):,.0f}",
        f"{mean([w.ks.rises.sum() for w in watches]):,.0f}",
        f"{adwin:,.0f}" if watches[0].adwin and ADWIN else "",
    ]
    return f"{name:>44} {rows:6,}" + "".join(f"{cell:>10}" for cell in cells)


def head() -> str:
    titles = ["features", "rates", "model", "PSI > .2", "KS p<.05", "ADWIN"]
    return f"{'':>44} {'rows':>6}" + "".join(f"{title:>10}" for title in titles)


def undrifted(days: int) -> Iterator[str]:
    for rows in (20, 200, 2000):
        rng = np.random.default_rng([SEED, rows])
        watch = Watch(world(rng, 0.0), adwins=4 if rows < 2000 else 1)
        for _ in range(days):
            watch.feed(watch.of.draw(rng, watch.of.chances, DAY, rows))
        yield line("independent rows", rows, 0, watch)
    for rows in (20, 200, 2000):
        rng = np.random.default_rng([SEED, rows, 5])
        watch = Watch(world(rng, 0.0), adwins=4 if rows < 2000 else 1)
        for _ in range(days):
            watch.start_anew()
            watch.feed(watch.of.draw(rng, watch.of.chances, DAY, rows, clump=5))
        yield line("clumps of five, a cold start each day", rows, 0, watch)
    for rows, memory in ((20, 0.5), (200, 0.9), (20, 0.9)):
        rng = np.random.default_rng([SEED, rows, 1])
        watch = Watch(continuous(rng, 0.0, FEATURES), adwins=4)
        for _ in range(days):
            watch.feed(correlated(rng, watch.of, DAY, rows, memory))
        yield line(f"AR(1) of {memory}", rows, 0, watch)


def seasonal(days: int) -> Iterator[str]:
    rng = np.random.default_rng([SEED, 48])
    of = season(rng, rows=200)
    yield day_and_night("day, night and weekend, with slots", of, days, rng, slots=True)
    yield day_and_night("the same, one slot for all", of, days, rng, slots=False)
    for rows, weeks in ((1, 2), (10, 2)):
        rng = np.random.default_rng([SEED, 49, rows])
        of = season(rng, rows=rows, weeks=weeks)
        least, most = of.reference.sum(axis=1)[[3, 15]] // FEATURES
        name = f"the same, {least} rows at night, {most} by day"
        yield day_and_night(name, of, min(days, 3), rng, slots=True)


def day_and_night(name: str, of: Season, days: int, rng: np.random.Generator, slots: bool) -> str:
    k = len(of.start)
    reference = of.reference if slots else of.reference.sum(axis=0, keepdims=True)
    tolerance = of.tolerance if slots else np.full(k, TOLERANCE)
    detector = ShiftDetector(reference, of.start, of.ordered, tolerance, BUDGET.cap)
    hour = RollingHour(of.reference.sum(axis=0), of.start, of.ordered)
    psi, ks, model, alarmed = Rises(k), Rises(k), Rises(1), set()
    first = 28 * DAY
    for day in range(days):
        panes = np.array(list(of.panes(rng, first + day * DAY, DAY, 200)))
        slot = of.slots(first + day * DAY, DAY)
        for i in range(0, DAY, 60):
            some = np.flatnonzero(panes[i : i + 60].any(axis=1)) + i
            course = detector.feed(panes[some], day * DAY + some, int(slot[i]) if slots else 0)
            verdict = judge(course.log_r, course.effect, BUDGET.log_a0)
            alarmed |= set(np.flatnonzero((verdict.scores >= 1).any(axis=0)).tolist())
            model.feed(verdict.model[:, None] >= 1)
        values, p = hour.feed(panes)
        psi.feed(values > 0.2)
        ks.feed(p < 0.05)
    most = 0 if slots else np.inf
    cells = [
        hold(f"{name}: features", len(alarmed), most),
        "",
        hold(f"{name}: model", int(model.rises[0]), most),
        f"{psi.rises.sum():,}",
        f"{ks.rises.sum():,}",
    ]
    return f"{name:>44} {200:6,}" + "".join(f"{cell:>10}" for cell in cells)


def trivial(days: int, worlds: int) -> Iterator[str]:
    """Means of several worlds: what alarms here are few enough that a seed could hide them."""
    for name, kinds in (
        ("all means moved, TV .05", "nz"),
        ("the rarest named category took TV .05", "c"),
    ):
        for rows, most in {20: 2, 200: 1, 2000: 1}.items():
            watches = []
            for number in range(worlds):
                rng = np.random.default_rng([SEED, rows, 2, number])
                watch = Watch(world(rng, 0.05, kinds))
                for _ in range(days):
                    watch.feed(watch.of.draw(rng, watch.of.drifted, DAY, rows))
                watches.append(watch)
            yield line(name, rows, most, *watches)


def main() -> int:
    quick = "--quick" in sys.argv[1:]
    began = time.perf_counter()
    week, days, worlds = (1, 1, 1) if quick else (7, 3, 3)
    print(f"No drift: alarms in {FEATURES} feature-{'days' if quick else 'weeks'}", head(), sep="\n")
    for line in undrifted(week):
        print(line, flush=True)
    for line in seasonal(week):
        print(line, flush=True)
    print(f"\nA trivial shift: alarms in {days * FEATURES} feature-days, the mean of {worlds}", head(), sep="\n")
    for line in trivial(days, worlds):
        print(line, flush=True)
    print("\nA shift of one feature: minutes until it is told, median")
    for line in shift_delays():
        print(line, flush=True)
    print("\nA rate rises from .001 at 200 rows a minute, for five hours: minutes, median")
    for line in rate_delays():
        print(line, flush=True)
    print("\nThe kind of change, percent right (2,000 rows a pane, 1 sd)")
    for name, right in told(50 if quick else 200).items():
        if right < 95:
            failures.append(f"pattern {name}: right in {right:g}, must be at least 95")
        print(f"{name:>44} {right:6g}")
    print(f"\nMilliseconds a pane for {FEATURES} features: {hold('milliseconds a pane', cost(), 1.0)}")
    print(f"\nAll of this took {time.perf_counter() - began:.0f} s")
    print(*(["", "Outside its band:", *failures] if failures else []), sep="\n")
    return 1 if failures else 0


def cost() -> float:
    """Milliseconds, the median pane."""
    rng = np.random.default_rng(SEED)
    of = continuous(rng, 0.0, FEATURES)
    detector = ShiftDetector(of.reference, of.start, of.ordered, np.full(FEATURES, TOLERANCE), BUDGET.cap)
    spent = []
    panes, run = of.draw(rng, of.chances, 600, 200), detector.most_panes
    for first in range(0, len(panes), run):
        began = time.process_time()
        detector.feed(panes[first : first + run], np.arange(first, first + run))
        spent.append((time.process_time() - began) / run)
    return round(1000 * float(np.median(spent)), 2)


if __name__ == "__main__":
    sys.exit(main())
