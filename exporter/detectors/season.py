"""Night is compared with night: the hours of working days and of weekends, 48 slots. STATISTICS §6."""

from collections.abc import Collection
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from exporter.detectors.huber import Floats

SLOTS = 48
"""Hour of the day, and 24 more at the weekend."""

WEEK = 7 * 24 * 3600 * 10**9
"""Nanoseconds."""

WEEKS = 2
"""A reference over a shorter time has no season."""

QUARTER = 15 * 60 * 10**9
"""Nanoseconds: the offset of no zone changes within a quarter of an hour of UTC."""

ORDINARY = 0.99
"""The share of weeks and slots whose own difference from the other weeks is ordinary."""


def slots_of(at: NDArray[np.int64], zone: ZoneInfo, weekend: Collection[int]) -> NDArray[np.intp]:
    """The slot, intp[n] in [0, SLOTS), of each time, int64[n] in ns since the epoch; `weekend`: Monday is 0."""
    quarters, which = np.unique(at // QUARTER, return_inverse=True)
    local = [
        datetime.fromtimestamp(quarter * (QUARTER // 10**9), UTC).astimezone(zone) for quarter in quarters.tolist()
    ]
    found = [time.hour + 24 * (time.weekday() in weekend) for time in local]
    return np.array(found, dtype=np.intp)[which]


def tolerance_of(weeks: NDArray[np.int64], start: NDArray[np.intp], tolerance: Floats) -> Floats:
    """δ, float64[K], that takes a week which differs from the others, in the reference itself, for ordinary.

    `weeks`: int64[weeks, SLOTS, B], the reference's counts; `start`: intp[K], where each feature's bins begin;
    `tolerance`: float64[K], what was configured, never less than which comes back. The difference is the total
    variation of a slot in one week from the same slot in the others, less what chance explains: without that, 40 rows
    a slot and week would make every tolerance .4.
    """
    others = weeks.sum(axis=0) - weeks
    n, m = (np.add.reduceat(counts, start, axis=-1).astype(np.float64) for counts in (weeks, others))
    sizes = np.diff(start, append=weeks.shape[-1])
    p, q = weeks / np.repeat(np.maximum(n, 1), sizes, axis=-1), others / np.repeat(np.maximum(m, 1), sizes, axis=-1)
    apart = np.add.reduceat(np.abs(p - q), start, axis=-1) / 2
    common = weeks.sum(axis=0) / np.repeat(np.maximum(n.sum(axis=0), 1), sizes, axis=-1)
    spread = np.add.reduceat(np.sqrt(common * (1 - common)), start, axis=-1) / np.sqrt(2 * np.pi)
    both = (n > 0) & (m > 0)
    noise = spread * np.sqrt(1 / np.maximum(n, 1) + 1 / np.maximum(m, 1))
    beyond = np.where(both, np.sqrt(np.maximum(apart**2 - noise**2, 0)), np.nan)
    ordinary = np.nanquantile(beyond.reshape(-1, len(start)), ORDINARY, axis=0)
    return np.asarray(np.fmax(tolerance, ordinary))
