"""Figures over time as SVG paths in a picture of WIDTH × HEIGHT, which is stretched to its place."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.page.histogram import HEIGHT
from exporter.page.words import minute

WIDTH = 600


@dataclass(frozen=True)
class Line:
    """`path`: the figure, with gaps where it is unknown. `mark`: the height of a line to compare with, None where it is
    outside. `bars`: shares of 1 as bars behind the line. `ends`: the times at both ends."""

    path: str
    mark: float | None
    bars: str
    ends: tuple[str, str]
    sentence: str


def line(
    points: Sequence[tuple[int, float | None]],
    sentence: str,
    *,
    low: float,
    high: float,
    mark: float | None = None,
    shares: Sequence[float] = (),
) -> Line | None:
    """`points`: (nanoseconds since the epoch, value), oldest first, drawn between `low` and `high`; `shares`: one a
    point, 0 to 1. None where there are fewer than two points."""
    if len(points) < 2:
        return None
    first, last = points[0][0], points[-1][0]
    span = max(last - first, 1)
    path, drawing = "", False
    for at, value in points:
        if value is None:
            drawing = False
            continue
        x, y = round((at - first) / span * WIDTH, 1), _height(value, low, high)
        path += f"{'L' if drawing else 'M'}{x:g} {y:g}"
        drawing = True
    wide = WIDTH / len(points)
    bars = "".join(
        f"M{i * wide:.1f} {HEIGHT}v-{share * HEIGHT:.1f}h{wide:.1f}V{HEIGHT}z"
        for i, share in enumerate(shares)
        if share
    )
    inside = mark is not None and low <= mark <= high
    at_mark = _height(mark, low, high) if inside and mark is not None else None
    return Line(path, at_mark, bars, (minute(first), minute(last)), sentence)


def _height(value: float, low: float, high: float) -> float:
    share = (min(max(value, low), high) - low) / (high - low or 1.0)
    return round(HEIGHT * (1 - share), 1)
