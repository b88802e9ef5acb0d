"""Undrifted features on which tests tend to lie: a reference of 10,000 rows, in the exporter's own bins.

A window of n rows is a multinomial draw from the bins' true chances: the law of binning n rows one by one, at the
cost of a single row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import atan, floor, inf, log, pi

import numpy as np
from scipy.special import ndtr, pdtr

from exporter.batch import Numbers
from exporter.statistics.significance import held_out
from exporter.statistics.tables import Floats, Integers, Tables
from exporter.summaries.bins import category_bins, numeric_bins

REFERENCE_ROWS = 10_000


@dataclass(frozen=True)
class Binned:
    """A reference in its bins: `counts`, the rows among them that `chose` the bins, the true `chances`, and the place
    of the bin `unseen`, if there is one."""

    counts: Integers
    chose: Integers
    chances: Floats
    unseen: int | None


Stream = Callable[[np.random.Generator], Binned]


def numeric(
    draw: Callable[[np.random.Generator], Floats], below: Callable[[float], float], at: Callable[[float], float]
) -> Stream:
    """`draw` gives the rows of a reference, `below` P(X <= x) and `at` P(X = x)."""

    def stream(random: np.random.Generator) -> Binned:
        rows = np.sort(draw(random))
        bins = numeric_bins(rows)
        counts = np.bincount(bins.codes(Numbers(rows)), minlength=bins.size)[: bins.values]
        atoms = [b.high for b in bins.bins if b.atom]
        chances = np.array([at(b.high) if b.atom else 0.0 for b in bins.bins])
        intervals = bins.intervals
        for i in intervals:
            low = -inf if i == intervals[0] else bins.bins[i].low
            high = inf if i == intervals[-1] else bins.bins[i].high
            chances[i] = below(high) - below(low) - sum(at(atom) for atom in atoms if low < atom <= high)
        return Binned(counts, np.zeros_like(counts), normalised(chances), None)

    return stream


def categorical(chances: Floats) -> Stream:
    """The bins are chosen on a tenth of the rows, and by text where that says nothing."""
    texts = [f"{i:03}" for i in range(len(chances))]

    def stream(random: np.random.Generator) -> Binned:
        tenth = random.multinomial(REFERENCE_ROWS // 10, chances)
        rows = tenth + random.multinomial(REFERENCE_ROWS - REFERENCE_ROWS // 10, chances)
        bins = category_bins((texts[i], int(tenth[i])) for i in np.flatnonzero(rows))
        codes = [bins.code_of(text) for text in texts]
        counts, chose = (np.bincount(codes, some, bins.size).astype(np.int64) for some in (rows, tenth))
        return Binned(counts, chose, normalised(np.bincount(codes, chances, bins.size)), bins.unseen)

    return stream


def normalised(chances: Floats) -> Floats:
    positive = np.clip(chances, 0, None)  # a difference of distribution functions may be −1e-17
    return positive / positive.sum()


def poisson(mean: float) -> Stream:
    def below(x: float) -> float:
        return 1.0 if x == inf else float(pdtr(floor(x), mean)) if x >= 0 else 0.0

    return numeric(
        lambda random: random.poisson(mean, REFERENCE_ROWS).astype(float), below, lambda x: below(x) - below(x - 1)
    )


def normal() -> Stream:
    return numeric(lambda random: random.normal(size=REFERENCE_ROWS), ndtr, lambda _: 0.0)


def cauchy() -> Stream:
    return numeric(lambda random: random.standard_cauchy(REFERENCE_ROWS), lambda x: 0.5 + atan(x) / pi, lambda _: 0.0)


def zero_inflated() -> Stream:
    """Six rows in ten are 0, the others log-normal."""

    def draw(random: np.random.Generator) -> Floats:
        return np.where(random.random(REFERENCE_ROWS) < 0.6, 0.0, random.lognormal(size=REFERENCE_ROWS))

    def below(x: float) -> float:
        return 0.0 if x < 0 else 0.6 if x == 0 else 0.6 + 0.4 * float(ndtr(log(x)))

    return numeric(draw, below, lambda x: 0.6 if x == 0 else 0.0)


def zipf(categories: int, power: float) -> Stream:
    return categorical(normalised(np.arange(1.0, categories + 1) ** -power))


STREAMS: dict[str, Stream] = {
    "normal": normal(),
    "heavy-tailed (Cauchy)": cauchy(),
    "zero-inflated": zero_inflated(),
    "Poisson, mean 0.1": poisson(0.1),
    "Poisson, mean 3": poisson(3.0),
    "500 categories, Zipf": zipf(500, 1.0),
    "500 categories, Zipf ^1.5": zipf(500, 1.5),
    "500 categories, alike": zipf(500, 0.0),
}


def windows(references: Sequence[Binned], n: int, random: np.random.Generator) -> tuple[Tables, Tables]:
    """A window of n rows for each reference: as the distances see it, and held out as the p-value does."""
    sizes = [len(one.counts) for one in references]
    start = np.cumsum([0, *sizes[:-1]])
    window = np.concatenate([random.multinomial(n, one.chances) for one in references])
    tables = Tables(
        window=window,
        reference=np.concatenate([one.counts for one in references]),
        start=start,
        rows=np.full(len(sizes), n),
        reference_rows=np.full(len(sizes), REFERENCE_ROWS),
        ordered=np.zeros(len(window), dtype=bool),
        value=np.full(len(window), np.nan),
        deviation=np.full(len(sizes), np.nan),
    )
    chose = np.concatenate([one.chose for one in references])
    unseen = [first + one.unseen for first, one in zip(start, references, strict=True) if one.unseen is not None]
    return tables, held_out(tables, chose, np.array(unseen, dtype=np.intp))
