"""A column's counts as a picture: the window's bars over the reference's, one column of equal width a bin.

Equal widths, not a density: the bins hold about equal shares of the reference, so whatever the feature's scale or
tails, level bars mean that nothing changed, and a distance is the difference that one sees. Beyond the reference's
range there are no bins; what fell there gets a column of its own, at a small distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10

from exporter.page.words import number, share
from exporter.reference import ReferenceColumn
from exporter.summaries.bins import Bin, CategoryBins, NumericBins
from exporter.view import ColumnView

HEIGHT = 100
_WIDTH = 10  # of a column, in units of the picture, which is stretched to its place
_MARGIN = 1  # on each side of the window's bar
_GAP = 4  # before a column beyond the range
_FEWEST = 6  # categories for which there is room at least, lest two classes look like two towers
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

    `reference`, `outline`, `now` and `borders`, those of the reference's range, are SVG paths in a picture of
    `width` × HEIGHT.
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
    borders: str
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
    width = max(bars[-1].x, 0 if bins else (_FEWEST - 1) * _WIDTH) + _WIDTH
    top = _most(bars) or 1.0
    inside = [bar for bar in bars if bar.reference is not None]
    levels = [(bar.x + _WIDTH, HEIGHT - _height(bar.reference or 0.0, top)) for bar in inside]
    # The outline has no sides: where the window has nothing, a box would look like a bar.
    outline = "".join(f"{'V' if i else f'M{inside[0].x} '}{y:g}H{x}" for i, (x, y) in enumerate(levels))
    reference = f"M{inside[0].x} {HEIGHT}{''.join(f'V{y:g}H{x}' for x, y in levels)}V{HEIGHT}z" if inside else ""
    ticks, atoms = _axis(bins, inside, width) if bins else ((), ())
    return Histogram(
        bars=bars,
        rest=rest,
        numeric=bins is not None,
        width=width,
        ticks=ticks,
        atoms=atoms,
        reference=reference,
        outline=outline,
        now="".join(_solid(bar, top) for bar in bars if bar.now > 0),
        borders="".join(f"M{_border(bar)} 0V{HEIGHT}" for bar in bars if bar.beyond),
        sentence=_sentence((*bars, *rest)),
    )


def _height(part: float, top: float) -> float:
    return round(part / top * HEIGHT, 1)


def _border(bar: Bar) -> int:
    return bar.x - _GAP // 2 if bar.x else _WIDTH + _GAP // 2


def _solid(bar: Bar, top: float) -> str:
    # A share too small to see is still shown: something is there.
    height = max(1.5, _height(bar.now, top))
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
    if now[bins.unseen] or not bars:  # a picture has a column at least
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


def _axis(bins: NumericBins, inside: list[Bar], width: int) -> tuple[tuple[Tick, ...], tuple[float, ...]]:
    """Edges under the borders of columns, atoms under their middles; where both occur, a dot marks each atom."""
    last = len(inside) - 1
    middles = [bar.x + _WIDTH / 2 for bar in inside]
    places: list[tuple[float, float]] = []
    for i in sorted({round(i * last / _TICKS) for i in range(_TICKS + 1)}):
        b = bins.bins[i]
        places.append((middles[i] if b.atom else inside[i].x, b.low))
    if not bins.bins[last].atom:
        places[-1:] = [places[0]] * (not last) + [(inside[last].x + _WIDTH, bins.bins[last].high)]
    # Where nothing was valid, one interval without ends takes everything.
    known = [(x, value) for x, value in places if isfinite(value)]
    kinds = {b.atom for b in bins.bins}
    atoms = tuple(x / width * 100 for x, b in zip(middles, bins.bins, strict=True) if b.atom and len(kinds) > 1)
    values = [value for _, value in known]
    return tuple(_tick(x, width, _short(values, i)) for i, (x, _) in enumerate(known)), atoms


def _tick(x: float, width: int, label: str) -> Tick:
    # At the ends a text in the middle would leave the picture.
    anchor = "start" if x == 0 else "end" if x == width else "middle"
    return Tick(x / width * 100, label, anchor)


def _short(values: list[float], i: int) -> str:
    """As exact as telling it from its neighbours takes."""
    gaps = [abs(values[i] - other) for other in (*values[max(0, i - 1) : i], *values[i + 1 : i + 2])]
    gap = min((gap for gap in gaps if gap), default=1.0)
    return number(round(values[i], max(0, 1 - floor(log10(gap)))))


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
