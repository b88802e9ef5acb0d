"""The time span of a `timestamp` column, in nanoseconds since the epoch."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from exporter.decode.times import parse_time
from exporter.training.cells import Cells, Native, Written


def times(cells: Cells) -> tuple[list[int], Any]:
    """Times among which are the earliest and the latest of the cells, and the first cell that is no time (or None)."""
    counted = _by_arrow(cells)
    if counted is not None and (not len(counted) or counted.min() >= 0):
        return [int(counted.min()), int(counted.max())] if len(counted) else [], None
    found, odd = [], None
    for value in _ends(cells):
        time = parse_time(value)
        if time is not None:
            found.append(time)
        elif odd is None:
            odd = value
    return found, odd


def each_time(cells: Cells, rows: int) -> NDArray[np.int64]:
    """int64[rows]: the time of each cell, the least int64 where it is missing or none."""
    none = np.iinfo(np.int64).min
    counted = _by_arrow(cells, each=True)
    if counted is not None and (not len(counted) or counted[counted != none].min(initial=0) >= 0):
        return counted
    found = (parse_time(value) if value is not None else None for value in cells.values())
    return np.fromiter((none if time is None else time for time in found), dtype=np.int64, count=rows)


def _by_arrow(cells: Cells, each: bool = False) -> NDArray[np.int64] | None:
    """int64[n] nanoseconds of the cells that are not missing, or of `each`, the least int64 for a missing one; None
    where Arrow sees no times in them."""
    if not isinstance(cells, Written | Native):
        return None
    array = cells.array
    kind = array.type
    if not (pt.is_timestamp(kind) or pt.is_date(kind) or pt.is_string(kind) or pt.is_large_string(kind)):
        return None
    # Texts with an offset only fit a type with a zone, texts without only one without; a mixture fits neither.
    for zone in (None, "UTC"):
        try:
            stamped = pc.cast(array, pa.timestamp("ns", getattr(kind, "tz", zone)))
        except pa.ArrowInvalid:
            continue
        stamps = pc.cast(stamped, pa.int64())
        filled = pc.fill_null(stamps, np.iinfo(np.int64).min) if each else stamps.drop_null()
        found: NDArray[np.int64] = filled.to_numpy(zero_copy_only=False)
        return found
    return None


def _ends(cells: Cells) -> Iterator[Any]:
    """Values among which the earliest and the latest are: of numbers, the ends of each decade, for a time's unit
    changes at powers of ten only."""
    if isinstance(cells, Native) and (pt.is_integer(cells.array.type) or pt.is_floating(cells.array.type)):
        values = cells.array.drop_null().to_numpy(zero_copy_only=False)
        decade = np.floor(np.log10(np.maximum(np.abs(values.astype(np.float64)), 1)))
        for place in np.unique(decade):
            within = values[decade == place]
            yield from (within.min().item(), within.max().item())
        return
    yield from (value for value in cells.values() if value is not None)
