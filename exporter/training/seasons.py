"""The reference by the hours of the week: night is compared with night (STATISTICS §6)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Column
from exporter.detectors.season import SLOTS, calendar, ordinary
from exporter.reference import Reference, ReferenceColumn, ReferenceSeason, SeasonColumn
from exporter.training.builder import Key

LEAST = 14 * 24 * 3600 * 10**9
"""Nanoseconds: with less than two weeks there is no other week to compare an hour with."""

MOST_CELLS = 1 << 24
"""Counts that are held at once; a table with more hours and bins is read several times."""

Timed = Callable[[Sequence[Key]], Iterable[tuple[NDArray[np.int64], Mapping[Key, Column]]]]
"""Yields all rows, block by block: their times in nanoseconds, the least int64 where there is none, and columns."""

NO_TIME = np.iinfo(np.int64).min


def seasonal(read: Timed, reference: Reference, zone: ZoneInfo, weekend: Sequence[int]) -> Reference:
    """The reference with its season, where its rows have the times of two weeks at least."""
    first, last = reference.first_time, reference.last_time
    if first is None or last is None or last - first < LEAST:
        return reference
    days = calendar(np.array([first, last]), zone, weekend)[1]
    columns = {Key(name): column for name, column in reference.features.items()}
    columns |= {Key(name, output=True): column for name, column in reference.outputs.items() if name != "label"}
    found: dict[Key, SeasonColumn] = {}
    hours = 24 * int(days[1] - days[0] + 1)
    keys = list(columns)
    while keys:
        some: list[Key] = []
        while keys and (not some or hours * sum(_size(columns[key]) for key in [*some, keys[0]]) <= MOST_CELLS):
            some.append(keys.pop(0))
        found |= _counted(read, {key: columns[key] for key in some}, zone, weekend, int(days[0]), hours)
    of = {output: {key.name: one for key, one in found.items() if key.output == output} for output in (False, True)}
    season = ReferenceSeason(zone.key, tuple(weekend), of[False], of[True])
    return replace(reference, season=season, fingerprint="")


def _size(column: ReferenceColumn) -> int:
    return column.bins.values + 2


def _counted(
    read: Timed,
    columns: Mapping[Key, ReferenceColumn],
    zone: ZoneInfo,
    weekend: Sequence[int],
    first: int,
    hours: int,
) -> dict[Key, SeasonColumn]:
    counts = {key: np.zeros((hours, _size(column)), dtype=np.int64) for key, column in columns.items()}
    slot_of = np.full(hours, -1, dtype=np.intp)
    for times, cells in read(list(columns)):
        timed = np.flatnonzero(times != NO_TIME)
        if not len(timed):
            continue
        slots, days = calendar(times[timed], zone, weekend)
        at = (days - first) * 24 + slots % 24
        slot_of[at] = slots
        for key, column in columns.items():
            size = _size(column)
            codes = column.bins.codes(cells[key])[timed]  # type: ignore[arg-type]
            inside = codes < size  # below and above the range is nothing of the reference itself
            counts[key] += np.bincount(at[inside] * size + codes[inside], minlength=hours * size).reshape(hours, size)
    met = np.flatnonzero(slot_of >= 0)
    found = {}
    for key, own in counts.items():
        by_slot = np.zeros((SLOTS, own.shape[1]), dtype=np.int64)
        np.add.at(by_slot, slot_of[met], own[met])
        bins = columns[key].bins

        def usual(hours: NDArray[np.int64]) -> float:
            return round(float(ordinary(hours, slot_of[met], first + met // 24, np.zeros(1, dtype=np.intp))[0]), 6)

        def apart(code: int, hours: NDArray[np.int64] = own[met]) -> float:
            return usual(np.column_stack([hours[:, code], hours.sum(axis=1) - hours[:, code]]))

        found[key] = SeasonColumn(by_slot, usual(own[met]), apart(bins.missing), apart(bins.invalid))
    return found
