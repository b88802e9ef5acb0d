"""The present as the new normal: a window of the saved state becomes a reference."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exporter.reference import QUANTILES, Reference, ReferenceColumn
from exporter.statistics import Compared
from exporter.statistics.numbers import quantile
from exporter.summaries.bins import CategoryBins, NumericBins
from exporter.summaries.block import ColumnSpec
from exporter.summaries.keys import middles
from exporter.versions import Known
from exporter.windows import Window

# A bucket reaches 1% of its middle to either side; a little more covers rounding.
_HALF_BUCKET = 0.0101


def adopt(known: Known, window: Window, model: str, version: str) -> Reference:
    """The counts of a window over the bins of its reference.

    Edges and the means within bins stay those of the old reference (no rows are kept to compute others); the range
    grows to the bounds of what came. Unseen categories count as `other`, and as nobody kept their names, no category
    is unseen from now on. ValueError where the version has no reference, or the window no rows.
    """
    old = known.reference
    if old is None or not window.block.rows:
        raise ValueError("there is nothing to adopt: no reference, or no rows in the window")
    compared = Compared(known.comparison, window)
    means, deviations = compared.numbers
    quantiles = quantile(compared).reshape(-1, len(QUANTILES))
    columns: dict[bool, dict[str, ReferenceColumn]] = {False: {}, True: {}}
    for place, spec in enumerate(known.series.layout.columns):
        before = known.comparison.column_reference(place)
        if before is None:
            continue
        start = int(known.series.layout.start[place])
        counts = window.block.counts[start : start + spec.bins.size].copy()
        if isinstance(spec.bins, NumericBins):
            at = known.series.layout.numeric.index(place)
            columns[spec.output][spec.name] = replace(
                _numbers(spec.bins, counts, before, _bounds(compared, at)),
                mean=float(means[at]) if np.isfinite(means[at]) else None,
                deviation=float(deviations[at]) if np.isfinite(means[at]) else None,
                quantiles=tuple(quantiles[at].tolist()) if np.isfinite(means[at]) else None,
            )
        else:
            columns[spec.output][spec.name] = _texts(spec, counts)
    newest = known.series.newest or 0
    return Reference(
        model=model,
        version=version,
        task=old.task,
        rows=window.block.rows,
        built_at=newest,
        features=columns[False],
        outputs=columns[True],
        first_time=window.since,
        last_time=newest,
    )


def _bounds(compared: Compared, numeric: int) -> tuple[float, float] | None:
    """Numbers that no valid value of the column was below or above; None where there was none."""
    order, feature, key = compared.layout.buckets.in_order()
    counts = np.zeros(len(order), dtype=np.int64)
    counts[: len(compared.window.block.buckets)] = compared.window.block.buckets
    keys = key[(feature == numeric) & (counts[order] > 0)]
    if not len(keys):
        return None
    low, high = middles(keys[[0, -1]]).tolist()
    return low - abs(low) * _HALF_BUCKET, high + abs(high) * _HALF_BUCKET


def _numbers(
    bins: NumericBins, counts: NDArray[np.int64], before: ReferenceColumn, bounds: tuple[float, float] | None
) -> ReferenceColumn:
    least, greatest = bins.least, bins.greatest
    if bounds is not None:
        least = bounds[0] if least is None else min(least, bounds[0])
        greatest = bounds[1] if greatest is None else max(greatest, bounds[1])
    ends = bins.intervals
    counts[ends[0]] += counts[bins.below]
    counts[ends[-1]] += counts[bins.above]
    counts[[bins.below, bins.above]] = 0
    return ReferenceColumn(NumericBins(bins.bins, least, greatest), counts, before.means)


def _texts(spec: ColumnSpec, counts: NDArray[np.int64]) -> ReferenceColumn:
    bins = spec.bins
    assert isinstance(bins, CategoryBins), "a column is numbers or texts"
    unseen = int(counts[bins.unseen])
    counts[bins.other] += unseen
    counts[bins.unseen] = 0
    adopted = CategoryBins(bins.categories, bins.rest, bins.complete and not unseen)
    return ReferenceColumn(adopted, counts, np.full(bins.values, np.nan))
