"""Event times as producers write them → int64 nanoseconds since the epoch."""

from datetime import UTC, datetime

SECOND = 1_000_000_000
# By magnitude: 1e11 s is the year 5138, 1e11 ms is March 1973; so up to the next boundary the unit is unambiguous.
_UNITS = ((1e11, SECOND), (1e14, 1_000_000), (1e17, 1_000), (float("inf"), 1))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# An int64 of nanoseconds ends in 2262.
_MOST = 2**63 - 1
MOST_SECONDS = _MOST // SECOND
# As short as RFC 3339 can be, less the seconds; Python takes shorter ones, and dates alone.
SHORTEST = len("2013-04-01T00:00")


def parse_time(value: object) -> int | None:
    """RFC 3339 (without an offset: UTC), or an epoch number in s, ms, us or ns, told by its magnitude.

    None where it is no time, or none that int64 nanoseconds can hold.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.upper())  # RFC 3339 §5.6 lets `t` and `z` be small
        except ValueError:
            return None
        if len(value) < SHORTEST:
            return None
        since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
        nanoseconds = (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1_000
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    else:
        size = abs(value)
        if not size < 1e20:
            return None
        unit = next(unit for bound, unit in _UNITS if size < bound)
        nanoseconds = value * unit if isinstance(value, int) else round(value * unit)
    return nanoseconds if 0 <= nanoseconds <= _MOST else None
