"""Named arrays as bytes and back, bit for bit, so that a restart changes no score."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

SCHEMA = 1


class UnfitState(ValueError):
    """Saved bytes that do not belong to this detector; the message says what differs."""


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays' own bytes (little-endian) under their names, with the schema's number."""
    return msgspec.msgpack.encode(
        {
            "schema": SCHEMA,
            "arrays": {
                name: [a.dtype.newbyteorder("<").str, list(a.shape), a.astype(a.dtype.newbyteorder("<")).tobytes()]
                for name, a in arrays.items()
            },
        }
    )


def unpack(
    data: bytes, like: Mapping[str, NDArray[Any]], *earlier: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """The arrays that were packed; `like` has the names, shapes and types to expect, `earlier` those that earlier
    releases saved, newest first. Which of them it was, the caller tells by the arrays.

    Raises UnfitState where the bytes are damaged, of another schema, or of arrays that are like none of these.
    """
    try:
        document = msgspec.msgpack.decode(data)
        schema, packed = document["schema"], document["arrays"]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise UnfitState(f"damaged: {error}") from None
    if schema != SCHEMA:
        raise UnfitState(f"schema {schema}, this release reads {SCHEMA}")
    found = {name: entry[:2] for name, entry in packed.items()}
    forms = [
        {name: [a.dtype.newbyteorder("<").str, list(a.shape)] for name, a in arrays.items()}
        for arrays in (like, *earlier)
    ]
    if found not in forms:
        expected = forms[0]
        differing = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise UnfitState(f"other arrays than expected: {', '.join(differing)}")
    try:
        return {
            name: np.frombuffer(raw, dtype=kind).reshape(shape).astype(like[name].dtype)
            for name, (kind, shape, raw) in packed.items()
        }
    except ValueError as error:
        raise UnfitState(f"damaged: {error}") from None
