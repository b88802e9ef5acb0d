"""Changes of every kind, to see which the exporter takes them for (STATISTICS §6)."""

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, ndtri

from bench.verdicts.traffic import BINS, Floats
from exporter.detectors.pattern import PANES, Pattern, pattern

ROWS = 2_000
EDGES = ndtri(np.arange(BINS + 1) / BINS)
SEED = 72


def law(deviations: float) -> Floats:
    return np.diff(ndtr(EDGES - deviations))


def mixed(share: Floats) -> Floats:
    """[T, B]: that share of each pane's rows has moved by one standard deviation."""
    return np.outer(1 - share, law(0)) + np.outer(share, law(1))


def none(_: np.random.Generator) -> Floats:
    return mixed(np.zeros(PANES))


def sudden(rng: np.random.Generator) -> Floats:
    """In the midst of a pane."""
    return mixed(np.clip(np.arange(PANES) - rng.uniform(12, 60), 0, 1))


def blip(rng: np.random.Generator) -> Floats:
    share, at = np.zeros(PANES), rng.integers(12, 50)
    share[at : at + rng.integers(1, 11)] = 1
    return mixed(share)


def recurring(rng: np.random.Generator) -> Floats:
    share, at = np.zeros(PANES), rng.integers(6, 15)
    for _ in range(rng.integers(2, 4)):
        length = rng.integers(5, 11)
        share[at : at + length] = 1
        at += length + rng.integers(5, 11)
    return mixed(share)


def ramp(rng: np.random.Generator) -> Floats:
    return np.clip((np.arange(PANES) - rng.integers(12, 40)) / rng.integers(12, 31), 0, 1)


def gradual(rng: np.random.Generator) -> Floats:
    return mixed(ramp(rng))


def incremental(rng: np.random.Generator) -> Floats:
    return np.array([law(step) for step in ramp(rng)])


STORIES: dict[Pattern, Callable[[np.random.Generator], Floats]] = {
    Pattern.NONE: none,
    Pattern.SUDDEN: sudden,
    Pattern.BLIP: blip,
    Pattern.RECURRING: recurring,
    Pattern.GRADUAL: gradual,
    Pattern.INCREMENTAL: incremental,
}


def told(runs: int) -> dict[str, float]:
    """Percent of the runs in which each kind was told as what it is."""
    rng = np.random.default_rng(SEED)
    return {
        kind.value: 100 * sum(pattern(rng.multinomial(ROWS, story(rng)), 0.10) == kind for _ in range(runs)) / runs
        for kind, story in STORIES.items()
    }
