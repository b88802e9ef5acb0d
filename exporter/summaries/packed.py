"""A block as bytes that need no registry to be read again: each sparse count with its feature and its key.

Entries stand by feature, so that a feature costs its length instead of a number an entry, and counts are as narrow as
they may be: 5 or 6 bytes an entry instead of 16.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.summaries.block import Block, Spec
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
        "buckets": _by_feature(
            registry.features()[buckets.columns], registry.keys()[buckets.columns].astype(np.int32), buckets
        ),
        "hashes": _by_feature(hash_features, hash_keys, hashes),
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
    for tally, name, kind, column_of in (
        (block.buckets, "buckets", np.int32, layout.buckets.columns),
        (block.hashes, "hashes", np.uint64, lambda feature, keys: _of_hashes(layout, feature, keys)),
    ):
        features, keys, counts = document[name]
        _fill(tally, np.frombuffer(features, np.uint32), np.frombuffer(keys, kind), counts, column_of, wide=wide)
    return block


def _by_feature(features: NDArray[np.int64], keys: NDArray[Any], hits: Places) -> list[bytes]:
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


def _of_hashes(layout: Spec, feature: int, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
    return np.array(layout.hashes.columns(feature, keys.tolist()), dtype=np.int32)


def _fill(
    tally: Tally,
    features: NDArray[np.uint32],
    keys: NDArray[Any],
    packed_counts: bytes,
    column_of: Callable[[int, NDArray[Any]], NDArray[np.int32]],
    *,
    wide: bool,
) -> None:
    counts = _counts(packed_counts, len(keys))
    if not len(keys):
        return
    if wide:  # the feature of each entry
        order = np.argsort(features, kind="stable")
        features, keys, counts = np.bincount(features).astype(np.uint32), keys[order], counts[order]
    ends = np.cumsum(features, dtype=np.int64)
    found = np.concatenate(
        [
            column_of(feature, keys[end - length : end])
            for feature, (length, end) in enumerate(zip(features.tolist(), ends.tolist(), strict=True))
            if length
        ]
    )
    kept = found >= 0
    tally.add(Places(found[kept], counts[kept]))
