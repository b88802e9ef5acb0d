"""Undrifted features on which tests tend to lie, in the exporter's own bins.

A window of n rows is a multinomial draw from the bins' true chances: the law of binning n rows one by one, at the
cost of a single row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import atan, floor, inf, log, pi

import numpy as np
from scipy.special import ndtr, pdtr

from exporter.batch import Numbers
from exporter.reference import Reference, ReferenceColumn
from exporter.statistics import Comparison
from exporter.statistics.tables import Floats, Integers
from exporter.summaries.bins import Bins, category_bins, numeric_bins
from exporter.summaries.block import ColumnSpec, Layout


@dataclass(frozen=True)
class Drawn:
    """A reference that was drawn, and the true `chances` of its bins: float64[bins.size]."""

    column: ReferenceColumn
    chances: Floats


Stream = Callable[[np.random.Generator, int], Drawn]
"""Draws a reference of so many rows."""


def numeric(
    draw: Callable[[np.random.Generator, int], Floats], below: Callable[[float], float], at: Callable[[float], float]
) -> Stream:
    """`draw` gives the rows of a reference, `below` P(X <= x) and `at` P(X = x)."""

    def stream(random: np.random.Generator, size: int) -> Drawn:
        rows = np.sort(draw(random, size))
        bins = numeric_bins(rows)
        atoms = [b.high for b in bins.bins if b.atom]
        chances = np.zeros(bins.size)
        chances[: bins.values] = [at(b.high) if b.atom else 0.0 for b in bins.bins]
        intervals = bins.intervals
        for i in intervals:
            low = -inf if i == intervals[0] else bins.bins[i].low
            high = inf if i == intervals[-1] else bins.bins[i].high
            chances[i] = below(high) - below(low) - sum(at(atom) for atom in atoms if low < atom <= high)
        return drawn(bins, np.bincount(bins.codes(Numbers(rows)), minlength=bins.size), chances)

    return stream


def categorical(chances: Floats) -> Stream:
    texts = [f"{i:05}" for i in range(len(chances))]

    def stream(random: np.random.Generator, size: int) -> Drawn:
        rows = random.multinomial(size, chances)
        seen = np.flatnonzero(rows)
        bins = category_bins((texts[i], int(rows[i])) for i in seen)
        codes = np.full(len(chances), bins.code_of("never seen"))
        codes[seen] = [bins.code_of(texts[i]) for i in seen]
        return drawn(bins, np.bincount(codes, rows, bins.size), np.bincount(codes, chances, bins.size))

    return stream


def drawn(bins: Bins, counts: Integers | Floats, chances: Floats) -> Drawn:
    column = ReferenceColumn(bins, counts.astype(np.int64), np.full(bins.values, np.nan))
    return Drawn(column, normalised(chances))


def normalised(chances: Floats) -> Floats:
    positive = np.clip(chances, 0, None)  # a difference of distribution functions may be −1e-17
    return positive / positive.sum()


def poisson(mean: float) -> Stream:
    def below(x: float) -> float:
        return 1.0 if x == inf else float(pdtr(floor(x), mean)) if x >= 0 else 0.0

    return numeric(
        lambda random, size: random.poisson(mean, size).astype(float), below, lambda x: below(x) - below(x - 1)
    )


def normal() -> Stream:
    return numeric(lambda random, size: random.normal(size=size), ndtr, lambda _: 0.0)


def cauchy() -> Stream:
    return numeric(lambda random, size: random.standard_cauchy(size), lambda x: 0.5 + atan(x) / pi, lambda _: 0.0)


def zero_inflated() -> Stream:
    """Six rows in ten are 0, the others log-normal."""

    def draw(random: np.random.Generator, size: int) -> Floats:
        return np.where(random.random(size) < 0.6, 0.0, random.lognormal(size=size))

    def below(x: float) -> float:
        return 0.0 if x < 0 else 0.6 if x == 0 else 0.6 + 0.4 * float(ndtr(log(x)))

    return numeric(draw, below, lambda x: 0.6 if x == 0 else 0.0)


def zipf(categories: int, power: float) -> Stream:
    return categorical(normalised(np.arange(1.0, categories + 1) ** -power))


NUMBERS: dict[str, Stream] = {
    "normal": normal(),
    "heavy-tailed (Cauchy)": cauchy(),
    "zero-inflated": zero_inflated(),
    "Poisson, mean 0.1": poisson(0.1),
    "Poisson, mean 3": poisson(3.0),
}

CATEGORIES: dict[str, Stream] = {
    "5 categories": categorical(np.array([0.5, 0.3, 0.15, 0.04, 0.01])),
    "30 categories, Zipf ^3": zipf(30, 3.0),
    "40 categories, alike": zipf(40, 0.0),
    "500 categories, Zipf": zipf(500, 1.0),
    "500 categories, Zipf ^1.5": zipf(500, 1.5),
    "500 categories, alike": zipf(500, 0.0),
    "20,000 categories, Zipf": zipf(20_000, 1.0),
}


def comparison(references: Sequence[Drawn]) -> Comparison:
    """The exporter's own, of a model with a feature for each reference."""
    features = {str(i): one.column for i, one in enumerate(references)}
    layout = Layout(tuple(ColumnSpec(name, False, column.bins) for name, column in features.items()))
    rows = references[0].column.rows
    return Comparison(layout, Reference("", None, "binary", rows, 0, features, {}, fingerprint="-"), (), 0.0, {}, {})


def windows(references: Sequence[Drawn], n: int, random: np.random.Generator) -> Integers:
    """A window of n rows for each reference, one after another."""
    return np.concatenate([random.multinomial(n, one.chances) for one in references])
