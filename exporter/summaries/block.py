"""All summaries of all columns of one series over one stretch of time, as a few flat integer vectors.

A `Layout` says what the places of the vectors mean (the spec); a `Block` holds the counts, a `Total` the sum of many.
They are integers, so a window is the sum of its blocks whatever the order in which events came, and a block that
expires is taken away without a trace.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Batch, Column, Numbers, Texts
from exporter.summaries.bins import Bins, CategoryBins, NumericBins
from exporter.summaries.keys import Buckets, Hashes, bounds, bucket, hash_of
from exporter.summaries.moments import Moments, Scale
from exporter.summaries.tally import Places, Tally, negative, places, scatter, sparse


@dataclass(frozen=True)
class ColumnSpec:
    """A feature or an output with its bins; `mean` and `deviation` only place the moments' grid."""

    name: str
    output: bool
    bins: Bins
    mean: float = 0.0
    deviation: float = 1.0


class Spec(Protocol):
    """What a block has to know of its vectors: their widths, the moments' grid, the registries of sparse keys."""

    size: int
    scale: Scale
    buckets: Buckets
    hashes: Hashes


class Layout:
    """Where each column's bins stand in the flat count vector (`start`, `size`), and the registries of sparse keys.

    `numeric` and `categorical` are places in `columns`. The names of unexpected features are counted like the
    distinct texts of one more categorical column, the last one of `hashes`.
    """

    def __init__(self, columns: tuple[ColumnSpec, ...]) -> None:
        self.columns = columns
        sizes = [column.bins.size for column in columns]
        self.start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
        self.size = int(self.start[-1])
        self.numeric = [i for i, column in enumerate(columns) if isinstance(column.bins, NumericBins)]
        self.categorical = [i for i, column in enumerate(columns) if isinstance(column.bins, CategoryBins)]
        self.scale = Scale.of([columns[i].mean for i in self.numeric], [columns[i].deviation for i in self.numeric])
        self.buckets = Buckets(len(self.numeric))
        self.hashes = Hashes(len(self.categorical) + 1)
        self._bin_of: NDArray[np.int32] = np.zeros(0, dtype=np.int32)

    def place(self, name: str, output: bool) -> int:
        return next(i for i, c in enumerate(self.columns) if c.name == name and c.output == output)

    def signature(self) -> str:
        """Equal for two layouts whose blocks merge."""
        return f"{hash_of(repr([_spelled(column) for column in self.columns])):016x}"

    def encode(self, batch: Batch) -> "Encoded":
        """Each cell's place in the flat vectors; a column that the batch lacks is missing in every row."""
        rows = len(batch.time)
        codes = np.empty((len(self.columns), rows), dtype=np.int32)
        values = np.empty((len(self.numeric), rows), dtype=np.float64)
        buckets = np.full((len(self.numeric), rows), -1, dtype=np.int32)
        hashes = np.full((len(self.categorical), rows), -1, dtype=np.int32)
        for place, index in enumerate(self.numeric):
            column = _column(batch, self.columns[index])
            values[place] = column.values if isinstance(column, Numbers) else np.nan
        finite = np.isfinite(values)
        whole: list[bool] = finite.all(axis=1).tolist()  # type: ignore[assignment]
        for place, (x, valid, all_valid) in enumerate(zip(values, finite, whole, strict=True)):
            if all_valid:
                buckets[place] = self.buckets.columns(place, bucket(x))
            else:
                buckets[place, valid] = self.buckets.columns(place, bucket(x[valid]))
        bin_of = self._bins()  # once all are assigned: a batch brings rare values to many columns
        for place, index in enumerate(self.numeric):
            codes[index] = self._codes(place, values[place], finite[place], buckets[place], bin_of)
        for place, index in enumerate(self.categorical):
            spec = self.columns[index]
            column = _column(batch, spec)
            if not isinstance(column, Texts):
                codes[index] = self.start[index] + spec.bins.missing
                continue
            codes[index] = spec.bins.codes(column) + self.start[index]  # type: ignore[arg-type]
            table = np.full(len(column.texts) + 2, -1, dtype=np.int32)
            table[: len(column.texts)] = self.hashes.columns(place, map(hash_of, column.texts))
            hashes[place] = table[column.codes]
        names = self.hashes.columns(len(self.categorical), [hash_of(name) for _, name in batch.unexpected])
        return Encoded(
            codes,
            values,
            buckets,
            hashes,
            np.array([row for row, _ in batch.unexpected], dtype=np.intp),
            np.array(names, dtype=np.int32),
        )

    def _codes(
        self,
        place: int,
        x: NDArray[np.float64],
        finite: NDArray[np.bool_],
        buckets: NDArray[np.int32],
        bin_of: NDArray[np.int32],
    ) -> NDArray[np.int32]:
        """int32[n]: the bin of each value, as a place in the flat vector.

        Most buckets lie wholly in one bin, which spares the binary search for nine values of ten.
        """
        if self.buckets.crowded(place) or not finite.any():  # where no number ever came there is no bucket to ask
            unknown = np.arange(len(x))
            known = np.empty(len(x), dtype=np.int32)
        else:
            known = bin_of[buckets]
            unknown = np.flatnonzero((known < 0) | ~finite)
        if len(unknown):
            bins, start = self.columns[self.numeric[place]].bins, self.start[self.numeric[place]]
            known[unknown] = bins.codes(Numbers(x[unknown])) + start  # type: ignore[arg-type]
        return known

    def _bins(self) -> NDArray[np.int32]:
        """The bin of each of the registry's buckets, as a place in the flat vector; −1 for one that lies in several."""
        done = len(self._bin_of)
        if done < len(self.buckets):
            features, keys = self.buckets.features()[done:], self.buckets.keys()[done:]
            grown = np.full(len(keys), -1, dtype=np.int32)
            for place in np.unique(features).tolist():
                mine = features == place
                bins = self.columns[self.numeric[place]].bins
                assert isinstance(bins, NumericBins), "buckets are of numeric columns"
                whole = bins.whole(*bounds(keys[mine]))
                grown[mine] = np.where(whole < 0, -1, whole + self.start[self.numeric[place]])
            self._bin_of = np.concatenate([self._bin_of, grown])
        return self._bin_of


def _spelled(column: ColumnSpec) -> tuple[object, ...]:
    """The same in every process, which the order of a set is not."""
    bins = column.bins
    if isinstance(bins, NumericBins):
        return column.name, column.output, bins.bins, bins.least, bins.greatest, column.mean, column.deviation
    return column.name, column.output, bins.categories, sorted(bins.rest), bins.complete


def _column(batch: Batch, spec: ColumnSpec) -> Column | None:
    return (batch.outputs if spec.output else batch.features).get(spec.name)


@dataclass(frozen=True, slots=True)
class Encoded:
    """`codes` int32[columns, n]; `values` float64[numeric, n]; `buckets` int32[numeric, n] and `hashes`
    int32[categorical, n] columns of the registries, −1 for none; unexpected names as (row, column) pairs."""

    codes: NDArray[np.int32]
    values: NDArray[np.float64]
    buckets: NDArray[np.int32]
    hashes: NDArray[np.int32]
    name_rows: NDArray[np.intp]
    names: NDArray[np.int32]

    def take(self, rows: NDArray[np.intp]) -> "Encoded":
        """`rows`: ascending."""
        if len(rows) == self.codes.shape[1]:
            return self
        first, last = int(rows[0]), int(rows[-1])
        some: slice | NDArray[np.intp] = slice(first, last + 1) if last - first + 1 == len(rows) else rows
        chosen = np.isin(self.name_rows, rows) if len(self.names) else slice(0)
        return Encoded(
            self.codes[:, some],
            self.values[:, some],
            self.buckets[:, some],
            self.hashes[:, some],
            self.name_rows[chosen],
            self.names[chosen],
        )


class Delta:
    """Some rows, summed up as far as it pays, to be added to several blocks and totals."""

    __slots__ = ("buckets", "counts", "hashes", "moments", "rows")

    def __init__(self, layout: Spec, encoded: Encoded) -> None:
        self.rows = encoded.codes.shape[1]
        self.counts = places(encoded.codes.ravel(), layout.size)
        self.buckets = places(encoded.buckets.ravel(), len(layout.buckets))
        hashes = encoded.hashes.ravel()
        self.hashes = places(
            np.concatenate([hashes, encoded.names]) if len(encoded.names) else hashes, len(layout.hashes)
        )
        self.moments = Moments(layout.scale)
        self.moments.observe(encoded.values)

    def negated(self) -> "Delta":
        """The same rows, to be taken away."""
        taken = Delta.__new__(Delta)
        taken.rows = -self.rows
        taken.counts, taken.buckets, taken.hashes = negative(self.counts), negative(self.buckets), negative(self.hashes)
        taken.moments = Moments(self.moments.scale)
        taken.moments.merge(self.moments, -1)
        return taken


class Block:
    """One stretch of time: `rows`, sparse tallies over the layout's bins and the registries' columns, and moments."""

    __slots__ = ("buckets", "counts", "hashes", "layout", "moments", "rows")

    def __init__(self, layout: Spec) -> None:
        self.layout = layout
        self.rows = 0
        self.counts, self.buckets, self.hashes = Tally(), Tally(), Tally()
        self.moments = Moments(layout.scale)

    def add(self, delta: Delta) -> None:
        self.rows += delta.rows
        self.counts.add(delta.counts)
        self.buckets.add(delta.buckets)
        self.hashes.add(delta.hashes)
        self.moments.merge(delta.moments)

    def __len__(self) -> int:
        """Entries held in memory."""
        return len(self.counts) + len(self.buckets) + len(self.hashes)

    def clear_hashes(self, columns: NDArray[np.intp]) -> None:
        self.hashes.without(columns)


class Total:
    """The sum of a window's blocks: `counts` int64[layout.size], `buckets` and `hashes` int64 vectors over the
    registries' columns, as long as the registries were when last counted."""

    __slots__ = ("_layout", "buckets", "counts", "hashes", "moments", "rows")

    def __init__(self, layout: Spec) -> None:
        self._layout = layout
        self.rows = 0
        self.counts = np.zeros(layout.size, dtype=np.int64)
        self.buckets = np.zeros(0, dtype=np.int64)
        self.hashes = np.zeros(0, dtype=np.int64)
        self.moments = Moments(layout.scale)

    def add(self, delta: Delta) -> None:
        self._add(delta.rows, delta.counts, delta.buckets, delta.hashes, delta.moments, 1)

    def merge(self, block: Block, sign: int = 1) -> None:
        """Add (sign 1) or take away (sign −1) a block."""
        counts, buckets, hashes = block.counts.summed(), block.buckets.summed(), block.hashes.summed()
        self._add(block.rows, counts, buckets, hashes, block.moments, sign)

    def _add(self, rows: int, counts: Places, buckets: Places, hashes: Places, moments: Moments, sign: int) -> None:
        self.rows += sign * rows
        self.counts = scatter(self.counts, counts, sign)
        self.buckets = scatter(self.buckets, buckets, sign)
        self.hashes = scatter(self.hashes, hashes, sign)
        self.moments.merge(moments, sign)

    def without(self, blocks: Iterable[Block]) -> Block:
        """The sum of all other blocks."""
        rest = Total(self._layout)
        rest.rows = self.rows
        rest.counts, rest.buckets, rest.hashes = self.counts.copy(), self.buckets.copy(), self.hashes.copy()
        rest.moments.merge(self.moments)
        for block in blocks:
            rest.merge(block, -1)
        found = Block(self._layout)
        found.rows, found.moments = rest.rows, rest.moments
        found.counts, found.buckets, found.hashes = map(Tally, map(sparse, (rest.counts, rest.buckets, rest.hashes)))
        return found

    def clear_hashes(self, columns: NDArray[np.intp]) -> None:
        self.hashes[columns[columns < len(self.hashes)]] = 0
