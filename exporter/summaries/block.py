"""All summaries of all columns of one series over one stretch of time, as a few flat integer vectors.

A `Layout` says what the places of the vectors mean (the spec); a `Block` holds the counts. Blocks of one layout merge
and subtract exactly, so a window is the sum of its blocks whatever the order in which events came.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.batch import Batch, Column, Numbers, Texts
from exporter.summaries.bins import Bins, CategoryBins, NumericBins
from exporter.summaries.keys import Buckets, Hashes, added, bucket, hash_of
from exporter.summaries.moments import Moments, Scale


@dataclass(frozen=True)
class ColumnSpec:
    """A feature or an output with its bins; `mean` and `deviation` only place the moments' grid."""

    name: str
    output: bool
    bins: Bins
    mean: float = 0.0
    deviation: float = 1.0


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

    def place(self, name: str, output: bool) -> int:
        return next(i for i, c in enumerate(self.columns) if c.name == name and c.output == output)

    def signature(self) -> str:
        """Equal for two layouts whose blocks merge."""
        return f"{hash_of(repr([_spelled(column) for column in self.columns])):016x}"

    def encode(self, batch: Batch) -> "Encoded":
        """Each cell's place in the flat vectors; a column that the batch lacks is missing in every row."""
        rows = len(batch.time)
        codes = np.empty((len(self.columns), rows), dtype=np.intp)
        values = np.empty((len(self.numeric), rows), dtype=np.float64)
        buckets = np.full((len(self.numeric), rows), -1, dtype=np.int32)
        hashes = np.full((len(self.categorical), rows), -1, dtype=np.int32)
        for place, index in enumerate(self.numeric):
            spec = self.columns[index]
            column = _column(batch, spec)
            x = column.values if isinstance(column, Numbers) else np.full(rows, np.nan)
            values[place] = x
            codes[index] = spec.bins.codes(Numbers(x)) + self.start[index]  # type: ignore[arg-type]
            finite = np.isfinite(x)
            buckets[place, finite] = self.buckets.columns(place, bucket(x[finite]))
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
            np.array(names, dtype=np.intp),
        )


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
    """`codes` intp[columns, n]; `values` float64[numeric, n]; `buckets` int32[numeric, n] and `hashes`
    int32[categorical, n] columns of the registries, −1 for none; unexpected names as (row, column) pairs."""

    codes: NDArray[np.intp]
    values: NDArray[np.float64]
    buckets: NDArray[np.int32]
    hashes: NDArray[np.int32]
    name_rows: NDArray[np.intp]
    names: NDArray[np.intp]

    def take(self, rows: NDArray[np.intp]) -> "Encoded":
        if len(rows) == self.codes.shape[1]:
            return self
        chosen = np.isin(self.name_rows, rows)
        return Encoded(
            self.codes[:, rows],
            self.values[:, rows],
            self.buckets[:, rows],
            self.hashes[:, rows],
            self.name_rows[chosen],
            self.names[chosen],
        )


@dataclass
class Block:
    """`rows`; `counts` int64[layout.size]; `moments` of the numeric columns; `buckets` and `hashes` int64 vectors
    over the registries' columns, as long as the registries were when last counted."""

    layout: Layout
    rows: int = 0
    counts: NDArray[np.int64] = field(init=False)
    moments: Moments = field(init=False)
    buckets: NDArray[np.int64] = field(init=False)
    hashes: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.layout.size, dtype=np.int64)
        self.moments = Moments(self.layout.scale)
        self.buckets = np.zeros(0, dtype=np.int64)
        self.hashes = np.zeros(0, dtype=np.int64)

    def observe(self, encoded: Encoded) -> None:
        self.rows += encoded.codes.shape[1]
        self.counts += np.bincount(encoded.codes.ravel(), minlength=self.layout.size)
        self.moments.observe(encoded.values)
        self.buckets = added(self.buckets, _counted(encoded.buckets.ravel()))
        self.hashes = added(self.hashes, _counted(encoded.hashes.ravel()))
        self.hashes = added(self.hashes, _counted(encoded.names))

    def merge(self, other: "Block", sign: int = 1) -> None:
        """Add (sign 1) or take away (sign −1) the rows of another block of the same layout."""
        self.rows += sign * other.rows
        self.counts += sign * other.counts
        self.moments.merge(other.moments, sign)
        self.buckets = added(self.buckets, other.buckets, sign)
        self.hashes = added(self.hashes, other.hashes, sign)

    def clear_hashes(self, columns: NDArray[np.intp]) -> None:
        self.hashes[columns[columns < len(self.hashes)]] = 0

    def pack(self) -> bytes:
        """Bytes that need no registry to be read again; only what is not zero."""
        counts = np.flatnonzero(self.counts)
        buckets, hashes = np.flatnonzero(self.buckets), np.flatnonzero(self.hashes)
        registry, texts = self.layout.buckets, self.layout.hashes
        document = {
            "rows": self.rows,
            "counts": [_bytes(counts, np.uint32), _bytes(self.counts[counts], np.int64)],
            "n": _bytes(self.moments.n, np.int64),
            "sums": _bytes(self.moments.sums, np.int64),
            "far": [[column, str(a), str(b)] for column, (a, b) in self.moments.far.items()],
            "buckets": [
                _bytes(np.array(registry.feature, dtype=np.int64)[buckets], np.uint32),
                _bytes(np.array(registry.key, dtype=np.int64)[buckets], np.int32),
                _bytes(self.buckets[buckets], np.int64),
            ],
            "hashes": [
                _bytes(np.array(texts.feature, dtype=np.int64)[hashes], np.uint32),
                _bytes(np.array(texts.hash, dtype=np.uint64)[hashes], np.uint64),
                _bytes(self.hashes[hashes], np.int64),
            ],
        }
        return msgspec.msgpack.encode(document)

    @classmethod
    def unpack(cls, layout: Layout, data: bytes) -> "Block":
        document: dict[str, Any] = msgspec.msgpack.decode(data)
        block = cls(layout, document["rows"])
        places, counts = document["counts"]
        block.counts[np.frombuffer(places, np.uint32)] = np.frombuffer(counts, np.int64)
        block.moments.n[:] = np.frombuffer(document["n"], np.int64)
        block.moments.sums[:] = np.frombuffer(document["sums"], np.int64).reshape(-1, 4)
        block.moments.far = {column: (int(a), int(b)) for column, a, b in document["far"]}
        block.buckets = _by_feature(
            [
                np.frombuffer(data, kind)
                for data, kind in zip(document["buckets"], (np.uint32, np.int32, np.int64), strict=True)
            ],
            lambda feature, keys: layout.buckets.columns(feature, keys.astype(np.int32)),
        )
        block.hashes = _by_feature(
            [
                np.frombuffer(data, kind)
                for data, kind in zip(document["hashes"], (np.uint32, np.uint64, np.int64), strict=True)
            ],
            lambda feature, keys: np.array(layout.hashes.columns(feature, keys.tolist()), dtype=np.intp),
        )
        return block


def _counted(columns: NDArray[Any]) -> NDArray[np.int64]:
    return np.bincount(columns[columns >= 0]).astype(np.int64, copy=False)


def _bytes(values: NDArray[Any], kind: type) -> bytes:
    return values.astype(kind).tobytes()


def _by_feature(parts: list[NDArray[Any]], columns: Any) -> NDArray[np.int64]:
    features, keys, counts = parts
    found = np.zeros(0, dtype=np.int64)
    for feature in np.unique(features).tolist():
        mine = features == feature
        places = columns(feature, keys[mine])
        kept = places >= 0
        if kept.any():
            summed = np.bincount(places[kept], weights=counts[mine][kept]).astype(np.int64)
            found = added(found, summed)
    return found
