"""A block as bytes that need no registry to be read again: each sparse count with its feature and its key.

Entries stand by feature, so that a feature costs its length instead of a number an entry, and counts are as narrow as
they may be: 5 or 6 bytes an entry instead of 16.
"""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.summaries.block import Block, Spec
from exporter.summaries.keys import by_feature
from exporter.summaries.tally import Places, Tally

_FORM = 2
_COUNTS = (np.int8, np.int16, np.int32, np.int64)


def packed(block: Block) -> bytes:
    """Only what is not zero."""
    registry, texts = block.layout.buckets, block.layout.hashes
    counts, buckets, hashes = block.counts.summed(), block.buckets.summed(), block.hashes.summed()
    assert counts.counts is not None, "a sum has counts"
    hash_features = np.array(texts.feature, dtype=np.int64)[hashes.columns]
    hash_keys: NDArray[np.uint64] = np.array(texts.hash, dtype=np.uint64)[hashes.columns]
    document = {
        "form": _FORM,
        "rows": block.rows,
        "counts": [counts.columns.tobytes(), _narrow(counts.counts)],
        "n": block.moments.n.tobytes(),
        "sums": block.moments.sums.tobytes(),
        "far": [[column, str(a), str(b)] for column, (a, b) in block.moments.far.items()],
        "buckets": _grouped(
            registry.features()[buckets.columns], registry.keys()[buckets.columns].astype(np.int32), buckets
        ),
        "hashes": _grouped(hash_features, hash_keys, hashes),
    }
    return msgspec.msgpack.encode(document)


def unpacked(layout: Spec, data: bytes) -> Block:
    """The block again; its keys get columns in the layout's registries, where they have none."""
    document: dict[str, Any] = msgspec.msgpack.decode(data)
    wide = "form" not in document  # as states of schema 1 have it
    block = Block(layout)
    block.rows = document["rows"]
    index, counts = document["counts"]
    columns = np.frombuffer(index, np.int32).copy()
    block.counts = Tally(Places(columns, _counts(counts, len(columns))))
    block.moments.n[:] = np.frombuffer(document["n"], np.int64)
    block.moments.sums[:] = np.frombuffer(document["sums"], np.int64).reshape(-1, 4)
    block.moments.far = {column: (int(a), int(b)) for column, a, b in document["far"]}
    features, keys, counts = document["buckets"]
    of, keys = _features(np.frombuffer(features, np.uint32), wide), np.frombuffer(keys, np.int32)
    _fill(block.buckets, layout.buckets.columns_of(of, keys), counts)
    features, keys, counts = document["hashes"]
    of, keys = _features(np.frombuffer(features, np.uint32), wide), np.frombuffer(keys, np.uint64)
    _fill(block.hashes, _of_hashes(layout, of, keys), counts)
    return block


def _grouped(features: NDArray[np.int64], keys: NDArray[Any], hits: Places) -> list[bytes]:
    """How many entries each feature has, their keys, their counts."""
    assert hits.counts is not None, "a sum has counts"
    order = np.argsort(features, kind="stable")
    lengths = np.bincount(features).astype(np.uint32)
    return [lengths.tobytes(), keys[order].tobytes(), _narrow(hits.counts[order])]


def _narrow(counts: NDArray[np.int64]) -> bytes:
    """In the narrowest integers that hold all."""
    least, most = (int(counts.min()), int(counts.max())) if len(counts) else (0, 0)
    kind = next(k for k in _COUNTS if np.iinfo(k).min <= least and most <= np.iinfo(k).max)
    return counts.astype(kind).tobytes()


def _counts(data: bytes, n: int) -> NDArray[np.int64]:
    kind = next(k for k in _COUNTS if np.dtype(k).itemsize * n >= len(data))
    return np.frombuffer(data, kind).astype(np.int64)


def _features(found: NDArray[np.uint32], wide: bool) -> NDArray[np.int64]:
    """The feature of each entry; unless it is stored (`wide`), from how many entries each feature has."""
    if wide:
        return found.astype(np.int64)
    return np.repeat(np.arange(len(found), dtype=np.int64), found)


def _of_hashes(layout: Spec, features: NDArray[np.int64], keys: NDArray[np.uint64]) -> NDArray[np.int32]:
    columns = np.empty(len(keys), dtype=np.int32)
    for feature, places in by_feature(features):
        columns[places] = layout.hashes.columns(feature, keys[places].tolist())
    return columns


def _fill(tally: Tally, columns: NDArray[np.int32], packed_counts: bytes) -> None:
    counts, kept = _counts(packed_counts, len(columns)), columns >= 0
    if len(columns):
        tally.add(Places(columns[kept], counts[kept]))
