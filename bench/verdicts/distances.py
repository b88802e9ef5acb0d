"""How often the published p-value and PSI limit call chance, or a shift within the tolerance, drift.

`python -m bench.verdicts.distances [--quick]` prints the tables of README.md and leaves with 1 if a figure is
outside its band (STATISTICS §2, §3). `--quick` prints fewer of fewer draws and allows each three standard errors.
"""

import argparse
import sys

import numpy as np
from scipy.special import chdtrc, kolmogorov, ndtr, ndtri

from bench.verdicts.streams import CATEGORIES, NUMBERS, Drawn, Stream, comparison, windows
from exporter.statistics.distances import psi
from exporter.statistics.significance import p_value, psi_limit
from exporter.statistics.tables import Booleans, Floats, Tables, occupied, per_bin, total
from exporter.summaries.bins import BINS, CategoryBins

SEED = 20130401
ROWS = [100, 1_000, 10_000, 100_000, 1_000_000]
REFERENCE_ROWS = 10_000
OTHER_REFERENCE_ROWS = [1_000, 100_000]
TOGETHER = 100  # references in memory at once, each with its vocabulary
LEVEL = 0.05
TOLERANCE = 0.10
VERDICTS = ["p < .05", "no p-value", "plain chi-square, all bins, p < .05", "PSI > 0.2", "PSI > psi_limit"]
SHIFTS = [("1st +3%", 1, 0.03), ("20th +1%", 20, 0.01), ("new 5%", 0, 0.05), ("new 30%", 0, 0.30)]
FALSE_ALARMS_OF_P = (0.03, 0.06)
FALSE_ALARMS_AT_TOLERANCE = (0.0003, 0.0016)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    wrong = without_drift(1_000 if quick else 10_000, quick)
    if not quick:
        wrong += other_references(2_000)
        with_drift(500)
    wrong += limits(20_000 if quick else 200_000, quick)
    for line in wrong:
        print(f"out of its band: {line}")
    return 1 if wrong else 0


def without_drift(references: int, quick: bool) -> list[str]:
    """Every alarm is false: nothing drifts."""
    rates = {name: alarms(one, REFERENCE_ROWS, references) for name, one in (NUMBERS | CATEGORIES).items()}
    for i, title in enumerate(VERDICTS):
        show(f"No drift: {title}", {name: [f"{one[i]:.4f}" for one in row] for name, row in rates.items()})
    return [line for name, row in rates.items() for line in out_of_band(name, row, references, quick)]


def other_references(references: int) -> list[str]:
    wrong = []
    for size in OTHER_REFERENCE_ROWS:
        rates = {name: alarms(stream, size, references) for name, stream in CATEGORIES.items()}
        title = f"No drift, a reference of {size:,} rows: {VERDICTS[0]}"
        show(title, {name: [f"{one[0]:.3f}" for one in row] for name, row in rates.items()})
        for name, row in rates.items():
            wrong += out_of_band(f"{name}, {size:,} rows", row, references, quick=True)
    return wrong


def out_of_band(name: str, row: Floats, references: int, quick: bool) -> list[str]:
    """A window without a p-value is no alarm, right or wrong, so it lowers the least share and not the greatest."""
    least, most = FALSE_ALARMS_OF_P
    return [
        f"p < .05 for {name} at n = {n:,}: {p:.4f}"
        for n, (p, none, *_) in zip(ROWS, row, strict=True)
        if not within((least * (1 - none), most), p, references, quick)
    ]


def alarms(stream: Stream, size: int, references: int) -> Floats:
    """float64[len(ROWS), len(VERDICTS)]: the share of windows with each verdict."""
    random = np.random.default_rng(SEED)
    found: list[list[list[Booleans]]] = [[] for _ in ROWS]
    for _ in range(references // TOGETHER):
        drawn = [stream(random, size) for _ in range(TOGETHER)]
        compared = comparison(drawn)
        for n, verdicts in zip(ROWS, found, strict=True):
            tables = compared.tables(windows(drawn, n, random))
            p, distance = p_value(compared.tested(tables)), psi(tables)
            over = distance > psi_limit(tables, np.full(TOGETHER, TOLERANCE))
            verdicts.append([p < LEVEL, np.isnan(p), plain_p_value(tables) < LEVEL, distance > 0.2, over])
    shares: Floats = np.mean(found, axis=(1, 3))
    return shares


def with_drift(references: int) -> None:
    """Every alarm is right: one category takes a share of the rows from all."""
    table = {}
    for name in ["40 categories, alike", "500 categories, Zipf", "20,000 categories, Zipf"]:
        random = np.random.default_rng(SEED)
        drawn = [CATEGORIES[name](random, REFERENCE_ROWS) for _ in range(references)]
        compared = comparison(drawn)
        for title, rank, taken in SHIFTS:
            after = [with_more(one, rank, taken) for one in drawn]
            p = [p_value(compared.tested(compared.tables(windows(after, n, random)))) for n in ROWS]
            table[f"{name.replace(' categories', '')}: {title}"] = [f"{share(one < LEVEL):.3f}" for one in p]
    show(f"Drift: {VERDICTS[0]}", table)


def with_more(drawn: Drawn, rank: int, taken: float) -> Drawn:
    """More of the category of this rank in the reference; 0: of categories that the reference never had."""
    bins = drawn.column.bins
    assert isinstance(bins, CategoryBins)
    chances = drawn.chances * (1 - taken)
    chances[rank - 1 if rank else bins.unseen] += taken
    return Drawn(drawn.column, chances)


def plain_p_value(tables: Tables) -> Floats:
    columns = tables.window + tables.reference
    n, m = tables.rows, tables.reference_rows
    off = tables.window - columns * per_bin(tables, n / (n + m))
    squares = total(tables, off**2 / np.maximum(columns, 1))
    return chdtrc(total(tables, occupied(tables).astype(np.int64)) - 1, squares * (n + m) ** 2 / (n * m))


def limits(references: int, quick: bool) -> list[str]:
    """A normal feature whose mean moves until `moved` of its traffic has."""
    table, wrong = {}, []
    for moved in (0.0, 0.05, TOLERANCE, 0.20):
        random = np.random.default_rng(SEED)
        few = references if moved == TOLERANCE else references // 10
        rates = []
        for n in ROWS:
            tables = shifted(few, n, moved, random)
            found = psi(tables)
            over = share(found > psi_limit(tables, np.full(few, TOLERANCE)))
            ks = kolmogorov_smirnov(references // 400, n, moved, random)
            rates.append((f"{over:.5f}", f"{share(found > 0.2):.4f}", f"{ks:.3f}"))
            if moved == TOLERANCE and not within(FALSE_ALARMS_AT_TOLERANCE, over, few, quick):
                wrong.append(f"PSI over its limit at the tolerance, n = {n:,}: {over:.5f}")
            if moved < TOLERANCE and n == ROWS[-1] and over > 0:
                wrong.append(f"PSI over its limit at a shift of {moved}, n = {n:,}: {over:.5f}")
        for i, test in enumerate(["PSI > psi_limit", "PSI > 0.2", "KS p < .05"]):
            table[f"TV {moved:.2f}: {test}"] = [one[i] for one in rates]
    show(f"A shift of the mean; the tolerance is TV {TOLERANCE:.2f}", table)
    return wrong


def shifted(references: int, n: int, moved: float, random: np.random.Generator) -> Tables:
    """Windows of n rows whose mean moved, each against a reference of its own.

    Edges at every 500th of 10,000 rows have gaps with a Dirichlet law between them, whatever the feature's.
    """
    each = REFERENCE_ROWS // BINS
    gaps = np.full(BINS, each)
    gaps[-1] += 1  # the gap above the greatest row
    edges = np.cumsum(random.dirichlet(gaps, references), axis=1)[:, :-1]
    chances = np.diff(after(edges, moved), axis=1, prepend=0.0, append=1.0)
    window = random.multinomial(n, chances).ravel()
    return Tables(
        window=window,
        reference=np.full(len(window), each),
        start=np.arange(0, len(window), BINS),
        rows=np.full(references, n),
        reference_rows=np.full(references, REFERENCE_ROWS),
        ordered=np.ones(len(window), dtype=bool),
        value=np.tile(np.arange(BINS, dtype=float), references),
        deviation=np.ones(references),
    )


def kolmogorov_smirnov(repeats: int, n: int, moved: float, random: np.random.Generator) -> float:
    """Share of windows with p < .05 on the rows themselves (large-sample law), as most tools have it.

    Between two rows of the reference its distribution function is flat, so the largest gap is at one of them.
    """
    steps = np.arange(REFERENCE_ROWS + 1) / REFERENCE_ROWS
    alarms = 0
    for _ in range(repeats):
        waits = np.cumsum(random.exponential(size=REFERENCE_ROWS + 1))
        chances = np.diff(after(waits[:-1] / waits[-1], moved), prepend=0.0, append=1.0)
        f = np.cumsum(random.multinomial(n, chances))[:-1] / n
        gap = max(np.max(np.abs(f - steps[1:])), np.max(np.abs(f - steps[:-1])))
        alarms += bool(kolmogorov(gap * np.sqrt(n * REFERENCE_ROWS / (n + REFERENCE_ROWS))) < LEVEL)
    return alarms / repeats


def after(quantiles: Floats, moved: float) -> Floats:
    """Where these quantiles of a normal law are after its mean has moved so far that TV is `moved`."""
    return ndtr(ndtri(quantiles) - 2 * ndtri((1 + moved) / 2))


def share(alarms: np.ndarray) -> float:
    return float(np.mean(alarms))


def within(band: tuple[float, float], rate: float, draws: int, quick: bool) -> bool:
    allowed = [3 * np.sqrt(edge / draws) if quick else 0.0 for edge in band]
    return band[0] - allowed[0] <= rate <= band[1] + allowed[1]


def show(title: str, table: dict[str, list[str]]) -> None:
    print(f"{title}\n{'n =':>28}" + "".join(f"{n:>11,}" for n in ROWS))
    for name, row in table.items():
        print(f"{name:>28}" + "".join(f"{cell:>11}" for cell in row))
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
