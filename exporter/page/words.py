"""Figures as people read them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import floor, log10

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = (("year", 31_557_600), ("month", 2_629_800), ("day", 86_400), ("hour", 3_600), ("minute", 60))
_NOW = 2


def number(value: float | None) -> str:
    """Four significant digits; whole numbers below a million keep all of theirs."""
    if value is None:
        return "–"
    if abs(value) < 1e6 and float(value).is_integer():
        return f"{int(value):,}".replace("-", "−")
    if 1e3 <= abs(value) < 1e6:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def rounded(value: float | None, spread: float | None) -> str:
    """To a hundredth of the spread, in whole decimals, so that two of them compare digit by digit."""
    if value is None or not spread or abs(value) >= 1e6 or spread < 1e-4:
        return number(value)
    return f"{value:,.{max(0, 2 - floor(log10(spread)))}f}".replace("-", "−")


def distance(value: float | None) -> str:
    """A PSI or another distance: three decimals, for the fourth is noise."""
    if value is None:
        return "–"
    if 0 < value < 0.0005:
        return "< 0.001"
    return f"{value:.3f}" if value < 10 else f"{value:.3g}"


def chance(value: float) -> str:
    """A p-value: below a thousandth nobody needs to know by how much, and an underflow to 0 is not certainty."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def share(value: float | None) -> str:
    """A ratio as per cent. What is not nothing, and what is not all, never reads as if it were."""
    if value is None:
        return "–"
    if 0 < value < 0.0005:
        return "< 0.1%"
    if 0.9995 <= value < 1:
        return "> 99.9%"
    return f"{value:.0%}" if value in (0, 1) else f"{value:.1%}"


def count(value: int) -> str:
    """With commas between the thousands."""
    return f"{value:,}"


def moment(at: int | None) -> str:
    """Nanoseconds since the epoch as a date and time in UTC."""
    return "never" if at is None else f"{_datetime(at):%Y-%m-%d %H:%M:%S} UTC"


def minute(at: int) -> str:
    """The same without seconds, for the ends of long spans."""
    return f"{_datetime(at):%Y-%m-%d %H:%M} UTC"


def machine_time(at: int) -> str:
    """For the `datetime` of a `<time>`."""
    return f"{_datetime(at):%Y-%m-%dT%H:%M:%SZ}"


def ago(at: int, now: int) -> str:
    """How long before `now`, both in nanoseconds since the epoch: `3 minutes ago`."""
    seconds = (now - at) // 1_000_000_000
    if abs(seconds) < _NOW:
        return "just now"
    for unit, length in _UNITS:
        if abs(seconds) >= length:
            return _relative(seconds, plural(abs(seconds) // length, unit))
    return _relative(seconds, plural(abs(seconds), "second"))


def plural(n: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def listed(names: Sequence[str], most: int = 5) -> str:
    """`a, b and 3 more`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def _relative(seconds: int, words: str) -> str:
    return f"{words} ago" if seconds > 0 else f"in {words}"


def _datetime(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at // 1_000)
