"""Night is compared with night: the hours of working days and of weekends, 48 slots. STATISTICS §6."""

from collections.abc import Collection
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from exporter.detectors.huber import Floats
from exporter.detectors.law import Ragged, variation_quantile

SLOTS = 48
"""Hour of the day, and 24 more at the weekend."""

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
    variation of a slot in one week from the same slot in the others, less what chance explains in as large a share of
    the weeks and slots: without that, 40 rows a slot and week would make every tolerance .2.
    """
    ragged = Ragged(start, weeks.shape[-1])
    beyond = np.zeros((len(weeks), SLOTS, len(start)))
    for slot in range(SLOTS):
        own = np.stack([ragged.padded(counts) for counts in weeks[:, slot]])
        others = own.sum(axis=0) - own
        n, m = own.sum(axis=-1), others.sum(axis=-1)
        both = (n > 0) & (m > 0)
        n, m = np.where(both, n, 1.0), np.where(both, m, 1.0)
        apart = np.abs(own / n[..., None] - others / m[..., None]).sum(axis=-1) / 2
        rows = np.maximum(own.sum(axis=(0, 2)), 1.0)
        chance = variation_quantile(own.sum(axis=0) / rows[:, None], ORDINARY) * np.sqrt(1 / n + 1 / m)
        beyond[:, slot] = np.where(both, np.sqrt(np.maximum(apart**2 - chance**2, 0.0)), 0.0)
    return np.maximum(tolerance, np.quantile(beyond.reshape(-1, len(start)), ORDINARY, axis=0))
