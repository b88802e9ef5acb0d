"""A column's counts as a picture: the window's bars over the reference's, one column of equal width a bin.

Equal widths, not a density: the bins hold about equal shares of the reference, so whatever the feature's scale or
tails, level bars mean that nothing changed, and a distance is the difference that one sees. Beyond the reference's
range there are no bins; what fell there gets a column of its own, at a small distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.page.words import number, share
from exporter.reference import ReferenceColumn
from exporter.summaries.bins import Bin, CategoryBins, NumericBins
from exporter.view import ColumnView

HEIGHT = 100
_WIDTH = 10  # of a column, in units of the picture, which is stretched to its place
_MARGIN = 1  # on each side of the window's bar
_GAP = 4  # before a column beyond the range
_FEWEST = 6  # columns for which the picture has room at least, lest two classes look like two towers
_TICKS = 5


@dataclass(frozen=True)
class Bar:
    """Shares of all rows in one bin, `reference` None beyond its range; `x`: the left edge."""

    label: str
    now: float
    reference: float | None
    x: int
    beyond: bool = False


@dataclass(frozen=True)
class Tick:
    """`at`: per cent of the width; `anchor`: which end of the text stands there."""

    at: float
    label: str
    anchor: str


@dataclass(frozen=True)
class Histogram:
    """`bars` in the order of the picture. `rest`: unseen, missing and invalid, where there are any.

    `reference`, `outline` and `now` are SVG paths in a picture of `width` × HEIGHT.
    """

    bars: tuple[Bar, ...]
    rest: tuple[Bar, ...]
    numeric: bool
    width: int
    ticks: tuple[Tick, ...]
    atoms: tuple[float, ...]
    reference: str
    outline: str
    now: str
    sentence: str

    @property
    def most(self) -> float:
        return _most((*self.bars, *self.rest))


def histogram(column: ColumnView) -> Histogram | None:
    """None where there is no reference with bins for the column."""
    if column.reference is None or column.counts is None:
        return None
    bins = column.reference.bins
    if isinstance(bins, NumericBins):
        return _drawn(_numeric_bars(bins, column), (), bins)
    return _drawn(*_category_bars(bins, column), None)


def _drawn(bars: tuple[Bar, ...], rest: tuple[Bar, ...], bins: NumericBins | None) -> Histogram:
    width = max(bars[-1].x, (_FEWEST - 1) * _WIDTH) + _WIDTH
    top = _most(bars) or 1.0
    known = [bar for bar in bars if bar.reference is not None]
    heights = [(bar.x, round((bar.reference or 0.0) / top * HEIGHT, 1)) for bar in known]
    steps = "".join(f"V{HEIGHT - height:g}H{x + _WIDTH}" for x, height in heights)
    left = known[0].x
    solid = "".join(_solid(bar, top) for bar in bars if bar.now > 0)
    ticks, atoms = _axis(bins, bars, width) if bins else ((), ())
    # Without the sides: where the window has nothing, a box would look like a bar.
    outline = f"M{left} {HEIGHT - heights[0][1]:g}H{left + _WIDTH}{steps[steps.index('H') :]}"
    reference = f"M{left} {HEIGHT}{steps}V{HEIGHT}z"
    return Histogram(
        bars, rest, bins is not None, width, ticks, atoms, reference, outline, solid, _sentence((*bars, *rest))
    )


def _solid(bar: Bar, top: float) -> str:
    # A share too small to see is still shown: something is there.
    height = max(1.5, round(bar.now / top * HEIGHT, 1))
    return f"M{bar.x + _MARGIN} {HEIGHT}v-{height:g}h{_WIDTH - 2 * _MARGIN}v{height:g}z"


def _numeric_bars(bins: NumericBins, column: ColumnView) -> tuple[Bar, ...]:
    now, before = _shares(column)
    bars: list[Bar] = []
    x = 0
    if now[bins.below]:
        bars.append(Bar(f"below {number(bins.least)}", now[bins.below], None, x, beyond=True))
        x += _WIDTH + _GAP
    for i, b in enumerate(bins.bins):
        bars.append(Bar(_interval(b), now[i], before[i], x))
        x += _WIDTH
    if now[bins.above]:
        bars.append(Bar(f"above {number(bins.greatest)}", now[bins.above], None, x + _GAP, beyond=True))
    return tuple(bars)


def _category_bars(bins: CategoryBins, column: ColumnView) -> tuple[tuple[Bar, ...], tuple[Bar, ...]]:
    now, before = _shares(column)
    shown = column.categories == "show"
    names = [name if shown else f"category {i}" for i, name in enumerate(bins.categories, 1)]
    if now[bins.other] or before[bins.other]:
        names.append("other")
    bars = [Bar(name, now[i], before[i], i * _WIDTH) for i, name in enumerate(names)]
    x = len(bars) * _WIDTH + _GAP
    if now[bins.unseen] or not bars:
        bars.append(Bar("unseen", now[bins.unseen], None, x, beyond=True))
    states = (("missing", bins.missing), ("invalid", bins.invalid))
    rest = tuple(Bar(name, now[i], before[i], 0) for name, i in states if now[i] or before[i])
    return tuple(bars), rest


def _shares(column: ColumnView) -> tuple[list[float], list[float]]:
    assert column.reference is not None and column.counts is not None  # noqa: PT018
    now, before = column.counts, column.reference.counts
    return (now / max(1, now.sum())).tolist(), (before / max(1, before.sum())).tolist()


def _interval(b: Bin) -> str:
    return number(b.low) if b.atom else f"{number(b.low)} to {number(b.high)}"


def _axis(bins: NumericBins, bars: tuple[Bar, ...], width: int) -> tuple[tuple[Tick, ...], tuple[float, ...]]:
    """Edges under the borders of columns, atoms under their middles; where both occur, a dot marks each atom."""
    inside = [bar.x for bar in bars if not bar.beyond]
    last = len(bins.bins) - 1
    ticks = []
    for i in sorted({round(i * last / _TICKS) for i in range(_TICKS)} if last else {0}):
        b = bins.bins[i]
        if b.atom:
            ticks.append(Tick((inside[i] + _WIDTH / 2) / width * 100, number(b.low), "middle"))
        elif abs(b.low) < float("inf"):
            ticks.append(Tick(inside[i] / width * 100, number(b.low), "middle" if inside[i] else "start"))
    end = bins.bins[last]
    if end.atom:
        ticks.append(Tick((inside[last] + _WIDTH / 2) / width * 100, number(end.low), "middle"))
    elif end.high < float("inf"):
        right = inside[last] + _WIDTH
        ticks.append(Tick(right / width * 100, number(end.high), "end" if right == width else "middle"))
    mixed = any(b.atom for b in bins.bins) and not all(b.atom for b in bins.bins)
    atoms = [(x + _WIDTH / 2) / width * 100 for x, b in zip(inside, bins.bins, strict=True) if b.atom and mixed]
    return tuple(ticks), tuple(atoms)


def _sentence(bars: Sequence[Bar]) -> str:
    """The picture in words: where the window gained most, and where it lost most."""
    gained = max(bars, key=lambda bar: bar.now - (bar.reference or 0.0))
    lost = min(bars, key=lambda bar: bar.now - (bar.reference or 0.0))
    if gained.now <= (gained.reference or 0.0):
        return "As in the reference."
    return f"Gained most: {_change(gained)}. Lost most: {_change(lost)}."


def _change(bar: Bar) -> str:
    return f"{bar.label} ({share(bar.reference or 0.0)} → {share(bar.now)})"


def _most(bars: Sequence[Bar]) -> float:
    return max((max(bar.now, bar.reference or 0.0) for bar in bars), default=0.0)


def reference_share(column: ReferenceColumn, state: str) -> float | None:
    """Share of the reference's rows that were `missing` or `invalid`; None where it had no row."""
    place = column.bins.missing if state == "missing" else column.bins.invalid
    return int(column.counts[place]) / column.rows if column.rows else None
