"""Night is compared with night: the hours of working days and of weekends, 48 slots. STATISTICS §6."""

from collections.abc import Collection
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from exporter.detectors.huber import Floats
from exporter.detectors.law import Ragged, mean_variation, variation_quantile

SLOTS = 48
"""Hour of the day, and 24 more at the weekend."""

QUARTER = 15 * 60 * 10**9
"""Nanoseconds: the offset of no zone changes within a quarter of an hour of UTC."""

ORDINARY = 0.99
"""The share of hours whose own difference from the same hours of other weeks is ordinary."""

GRAINS = (1, 6, 24)
"""Hours that are looked at together: one, as the detectors see a busy model; a day, as they see a quiet one."""

BEYOND_CHANCE = 0.9999
"""Quantile of what chance alone does to an hour: much rarer than extraordinary ones, or it would pass for those."""


def calendar(
    at: NDArray[np.int64], zone: ZoneInfo, weekend: Collection[int]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The slot, intp[n] in [0, SLOTS), and the day, int64[n], of each time, int64[n] in nanoseconds since the epoch.

    `weekend`: Monday is 0. Day 0 was a Monday, the first of year 1.
    """
    quarters, which = np.unique(at // QUARTER, return_inverse=True)
    local = [
        datetime.fromtimestamp(quarter * (QUARTER // 10**9), UTC).astimezone(zone) for quarter in quarters.tolist()
    ]
    slots = np.array([time.hour + 24 * (time.weekday() in weekend) for time in local], dtype=np.intp)
    days = np.array([time.toordinal() - 1 for time in local], dtype=np.int64)
    return slots[which], days[which]


def slots_of(at: NDArray[np.int64], zone: ZoneInfo, weekend: Collection[int]) -> NDArray[np.intp]:
    """The slot of each time."""
    return calendar(at, zone, weekend)[0]


def ordinary(
    hours: NDArray[np.int64], slots: NDArray[np.intp], days: NDArray[np.int64], start: NDArray[np.intp]
) -> Floats:
    """How far hours of the reference are from the same hours of its other weeks, float64[K], all but one in a hundred.

    `hours`: int64[H, B], the counts of each hour of each day; `slots` and `days`: [H], as of calendar(); `start`:
    intp[K], where each feature's bins begin. In total variation, less what chance explains; 0 where it explains all.

    By hours, not by weeks: the detectors look at some hours at a time, and a feature such as the weather, or the day of
    the week, differs in them from what the weeks together were, in each week alike. By GRAINS of them, for a single
    hour of little traffic tells nothing.
    """
    ragged = Ragged(start, hours.shape[-1])
    own = ragged.padded(hours)
    law, rows, chance = np.zeros(own.shape), np.zeros(own.shape[:2]), np.zeros(own.shape[:2])
    for slot in np.unique(slots).tolist():
        mine = slots == slot
        week = np.unique(days[mine] // 7, return_inverse=True)[1]
        by_week = np.zeros((int(week.max()) + 1, *ragged.shape))
        np.add.at(by_week, week, own[mine])
        total = by_week.sum(axis=0)
        others = total - by_week[week]
        rows[mine] = others.sum(axis=-1)
        law[mine] = others / np.maximum(rows[mine], 1.0)[..., None]
        chance[mine] = variation_quantile(total / np.maximum(total.sum(axis=-1, keepdims=True), 1.0), BEYOND_CHANCE)
    own = np.where(rows[..., None] > 0, own, 0.0)
    found = []
    for grain in GRAINS:
        group = np.unique(days * 24 + slots % 24 // grain * grain, return_inverse=True)[1]
        found.append(_beyond_chance(group, own, law, rows, chance))
    return np.asarray(np.max(found, axis=0))


def _beyond_chance(group: NDArray[np.intp], own: Floats, law: Floats, rows: Floats, chance: Floats) -> Floats:
    """[K] the ORDINARY quantile over groups of hours; `law` and `rows`: of the same hours in other weeks."""
    count = int(group.max()) + 1
    seen, expected = np.zeros((count, *own.shape[1:])), np.zeros((count, *own.shape[1:]))
    others, worst = np.zeros((count, own.shape[1])), np.zeros((count, own.shape[1]))
    by_hour = own.sum(axis=-1)
    np.add.at(seen, group, own)
    np.add.at(expected, group, by_hour[..., None] * law)
    np.add.at(others, group, np.where(by_hour > 0, rows, 0.0))
    np.maximum.at(worst, group, np.where(by_hour > 0, chance, 0.0))
    n = seen.sum(axis=-1)
    some = n > 0
    n, m = np.where(some, n, 1.0), np.where(some, others, 1.0)
    apart = np.abs(seen - expected).sum(axis=-1) / (2 * n)
    width = np.sqrt(1 / n + 1 / m)
    noise = mean_variation(expected / n[..., None]) * width
    beyond = np.where(apart > worst * width, np.sqrt(np.maximum(apart**2 - noise**2, 0.0)), 0.0)
    counted = np.where(some, beyond, np.nan)
    counted[:, ~some.any(axis=0)] = 0.0
    return np.asarray(np.nanquantile(counted, ORDINARY, axis=0))


def tolerance_with(ordinary: Floats, tolerance: Floats) -> Floats:
    """δ, float64[K]: as far as hours differ ordinarily, and a share `tolerance` of the traffic beyond."""
    return np.asarray(ordinary + tolerance * (1 - ordinary))
