"""A model's traffic for the paging score, pane by pane: a hundred features whose true law only the simulation knows.

The pane of n rows is a multinomial draw from the bins' true chances: the law of binning n rows one by one. The
reference is a finite draw as well, in bins that it chose itself: the chances of k equal-mass bins of a continuous
feature are then a Dirichlet draw, whatever the feature's law.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

from exporter.detectors.season import SLOTS, ordinary, slots_of, tolerance_with

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SEED = 20_130_101
FEATURES = 100
REFERENCE_ROWS = 10_000
BINS = 20
TOP = 32
DAY = 1440
NANOSECONDS = 60 * 10**9


@dataclass(frozen=True)
class World:
    """Features side by side; bins of all in flat arrays, as the detectors want them.

    `chances` and `drifted`: float64[B], the true law now and after the shift. `rate_bins`: the flat places whose rates
    are watched (missing, unseen); `rate_owner`: the feature each belongs to.
    """

    reference: Integers
    start: NDArray[np.intp]
    ordered: NDArray[np.bool_]
    chances: Floats
    drifted: Floats
    rate_bins: NDArray[np.intp]
    rate_owner: NDArray[np.intp]

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        return np.diff(self.start, append=len(self.ordered))

    def draw(self, rng: np.random.Generator, chances: Floats, panes: int, rows: int, clump: int = 1) -> Integers:
        """int64[panes, B]: sessions of `clump` equal rows each."""
        real = np.arange(self.sizes.max()) < self.sizes[:, None]
        padded = np.zeros(real.shape)
        padded[real] = chances
        return clump * rng.multinomial(rows // clump, padded, size=(panes, len(self.start)))[:, real]


@dataclass(frozen=True)
class _Feature:
    reference: Integers
    ordered: int
    chances: Floats
    drifted: Floats
    rates: tuple[int, ...]


def world(rng: np.random.Generator, variation: float, kinds: str = "nznc", features: int = FEATURES) -> World:
    """Features whose kinds follow each other as in `kinds`: (n)umeric, (z)ero-inflated, (c)ategorical; of each some
    values are missing. `variation`: the total variation by which each has moved where it is drifted.
    """
    makers = {"n": _continuous, "z": _zero_inflated, "c": _categorical}
    return _side_by_side([makers[kinds[i % len(kinds)]](rng, variation) for i in range(features)])


def continuous(rng: np.random.Generator, variation: float, features: int) -> World:
    """Continuous features without missing values, for delays."""
    return _side_by_side([_numeric(rng, variation, atom=0.0, missing=0.0) for _ in range(features)])


def _side_by_side(features: list[_Feature]) -> World:
    sizes = [len(f.reference) for f in features]
    start = np.cumsum([0, *sizes[:-1]])
    return World(
        reference=np.concatenate([f.reference for f in features])[None],
        start=start,
        ordered=np.concatenate([np.arange(len(f.reference)) < f.ordered for f in features]),
        chances=np.concatenate([f.chances for f in features]),
        drifted=np.concatenate([f.drifted for f in features]),
        rate_bins=np.array([at + i for at, f in zip(start, features, strict=True) for i in f.rates]),
        rate_owner=np.array([k for k, f in enumerate(features) for _ in f.rates]),
    )


def _continuous(rng: np.random.Generator, variation: float) -> _Feature:
    return _numeric(rng, variation, atom=0.0, missing=rng.uniform(0, 0.03))


def _zero_inflated(rng: np.random.Generator, variation: float) -> _Feature:
    return _numeric(rng, variation, atom=rng.uniform(0.2, 0.8), missing=rng.uniform(0, 0.03))


def _numeric(rng: np.random.Generator, variation: float, atom: float, missing: float) -> _Feature:
    """Bins: the atom, the intervals, missing, invalid. A shift moves the mean of the normal scores."""
    absent = rng.binomial(REFERENCE_ROWS, missing)
    at_atom = rng.binomial(REFERENCE_ROWS - absent, atom)
    rest = REFERENCE_ROWS - absent - at_atom
    intervals = round(BINS * rest / (rest + at_atom))
    masses = np.diff(np.arange(intervals + 1) * rest // intervals)
    law = np.array([*([atom] if atom else []), *((1 - atom) * rng.dirichlet(masses))])
    counts = [*([at_atom] if atom else []), *masses, absent, 0]
    edges = ndtri(np.clip(np.cumsum([0, *law]), 0, 1))
    # Of a standard normal, 2Φ(s/2)−1 is the total variation of a shift by s; the missing ones do not move.
    moved = np.diff(ndtr(edges - 2 * ndtri(0.5 + variation / (1 - missing) / 2)))
    return _Feature(
        np.array(counts),
        len(law),
        np.array([*((1 - missing) * law), missing, 0.0]),
        np.array([*((1 - missing) * moved), missing, 0.0]),
        (len(law),),
    )


def _categorical(rng: np.random.Generator, variation: float) -> _Feature:
    """Bins: the most frequent categories, other, unseen, missing, invalid. A shift is from the largest to the least."""
    missing = rng.uniform(0, 0.03)
    truth = np.arange(1, rng.integers(4, 80)) ** -rng.uniform(0.5, 1.5)
    truth *= (1 - missing) / truth.sum()
    *drawn, absent = rng.multinomial(REFERENCE_ROWS, [*truth, missing])
    order = np.argsort(-np.array(drawn), kind="stable")
    found, truth = np.array(drawn)[order], truth[order]
    seen = int((found > 0).sum())
    top = min(TOP, seen)

    def binned(values: NDArray[np.generic], at_missing: float) -> list[float]:
        return [*values[:top], values[top:seen].sum(), values[seen:].sum(), at_missing, 0]

    chances = np.array(binned(truth, missing))
    drifted = chances.copy()
    from_, to = int(chances[:top].argmax()), int(chances[:top].argmin())
    moving = min(variation, drifted[from_])
    drifted[from_] -= moving
    drifted[to] += moving
    return _Feature(np.array(binned(found, absent), dtype=np.int64), 0, chances, drifted, (top + 1, top + 2))


def correlated(rng: np.random.Generator, of: World, panes: int, rows: int, memory: float) -> Integers:
    """int64[panes, B] of a world of continuous(): a feature's rows are an AR(1) of that memory."""
    counts = np.empty((panes, len(of.ordered)), dtype=np.int64)
    for first, size in zip(of.start, of.sizes, strict=True):
        noise = rng.standard_normal(panes * rows)
        noise[0] /= np.sqrt(1 - memory**2)
        values = lfilter([np.sqrt(1 - memory**2)], [1.0, -memory], noise)
        edges = ndtri(np.clip(np.cumsum(of.chances[first : first + size])[: BINS - 1], 0, 1))
        code = np.searchsorted(edges, values) + np.repeat(np.arange(panes), rows) * size
        counts[:, first : first + size] = np.bincount(code, minlength=panes * size).reshape(panes, size)
    return counts


@dataclass(frozen=True)
class Season:
    """Normal features whose mean and traffic follow the clock and the week, with a reference of four weeks before.

    `reference`: int64[SLOTS, B]; `tolerance`: float64[K] (exporter/detectors/season.py).
    """

    start: NDArray[np.intp]
    ordered: NDArray[np.bool_]
    reference: Integers
    tolerance: Floats
    _edges: Floats
    _swing: Floats
    _phase: Floats
    _weekend: Floats

    def panes(self, rng: np.random.Generator, first: int, count: int, rows: int, every: int = 1) -> Iterator[Integers]:
        """int64[B] each, from the minute `first` on; by day four times as many rows as by night, `rows` on average."""
        for minute in range(first, first + count, every):
            hour = minute / 60 % 24
            n = rng.poisson(rows * (1 + 0.6 * np.sin(2 * np.pi * (hour - 9) / 24)))
            mean = self._swing * np.sin(2 * np.pi * (hour - self._phase) / 24)
            mean = mean + self._weekend * (minute // DAY % 7 >= 5)
            chances = np.diff(ndtr(self._edges - mean[:, None]))
            yield rng.multinomial(n, chances).ravel()

    @staticmethod
    def slots(first: int, count: int, every: int = 1) -> NDArray[np.intp]:
        """The slot of each minute; the epoch was a Thursday, minute 0 here is a Monday."""
        at = (np.arange(first, first + count, every) + 4 * DAY) * NANOSECONDS
        return slots_of(at, ZoneInfo("UTC"), {5, 6})


def season(rng: np.random.Generator, rows: int, weeks: int = 4, features: int = FEATURES) -> Season:
    """The reference has `rows` rows in each tenth minute of its weeks."""
    swing, phase = rng.uniform(0.2, 0.8, features), rng.uniform(0, 24, features)
    weekend = rng.uniform(-0.5, 0.5, features)
    inner = ndtri(np.arange(1, BINS) / BINS) * np.sqrt(1 + swing[:, None] ** 2 / 2)
    ends = np.full((features, 1), np.inf)
    made = Season(
        start=np.arange(features) * BINS,
        ordered=np.ones(features * BINS, dtype=bool),
        reference=np.zeros((SLOTS, features * BINS), dtype=np.int64),
        tolerance=np.full(features, 0.1),
        _edges=np.concatenate([-ends, inner, ends], axis=1),
        _swing=swing,
        _phase=phase,
        _weekend=weekend,
    )
    hours = np.zeros((weeks * 7 * 24, features * BINS), dtype=np.int64)
    for ten, counts in enumerate(made.panes(rng, 0, weeks * 7 * DAY, rows, every=10)):
        hours[ten // 6] += counts
    slots = made.slots(0, weeks * 7 * DAY, every=60)
    np.add.at(made.reference, slots, hours)
    usual = ordinary(hours, slots, np.arange(len(hours)) // 24, made.start)
    made.tolerance[:] = tolerance_with(usual, made.tolerance)
    return made
