"""What waits in the store: one row an id, with every prediction, label and half that names it.

The key is a hash of the id, so ids, which may be personal, are never stored; and one look-up finds a champion and its
shadow alike.
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import isfinite
from typing import Any

import msgspec

from exporter.decode import Truth
from exporter.decode.columns import canonical

PREFIX = b"id/"
DIGEST = 16
_EMPTY = blake2b(digest_size=DIGEST)
# The times of labels are positive, so that what has none sorts before.
NEVER = -1


class Prediction(msgspec.Struct, array_like=True, gc=False):
    """A prediction that waits, or has its label and is kept until its horizon.

    `kind`: see Kinds. `time`: nanoseconds since the epoch. `said`: its class or number, None missing, False invalid.
    `score`: the probability of the positive class, or of each class as float64. `slices`: int16, the value of each
    slice. `version`: its own, where it counts as `other`. `labelled`: the time of the label that counts, `truth` what
    that says; `first`: the least time of all its labels. NEVER and None where there is none; a prediction that waits
    for nothing, because no topic has labels, is `settled`.
    """

    kind: int
    time: int
    said: str | float | bool | None
    score: float | bytes | None
    slices: bytes = b""
    version: str = ""
    labelled: int = NEVER
    truth: Truth | None = None
    first: int = NEVER
    settled: bool = False

    @property
    def waits(self) -> bool:
        return self.truth is None and not self.settled


class Label(msgspec.Struct, array_like=True, gc=False):
    """A label, kept until its horizon for predictions that come after it. `topic`: its place among known names."""

    time: int
    truth: Truth
    topic: int
    model: str | None = None
    version: str | None = None
    met: bool = False


class StoredHalf(msgspec.Struct, array_like=True, gc=False):
    """Half a prediction: `body` holds the features of inputs, or what outputs say. One that names no model or version
    may belong to several predictions; `met`: it has to one at least. `came`: until when everything had expired when it
    came, in nanoseconds."""

    inputs: bool
    time: int
    topic: int
    model: str | None
    version: str | None
    body: bytes
    met: bool = False
    came: int = 0


class Row(msgspec.Struct, array_like=True, gc=False):
    """Everything of one id."""

    predictions: list[Prediction]
    labels: list[Label] = []
    halves: list[StoredHalf] = []


def pack(body: Any) -> bytes:
    """What half a prediction carries; half a surrogate pair, which JSON may smuggle in, becomes a question mark."""
    try:
        return encode(body)
    except UnicodeEncodeError:
        return encode(_clean(body))


def _clean(body: Any) -> Any:
    if isinstance(body, str):
        return body.encode("utf-8", "replace").decode()
    if isinstance(body, dict):
        return {_clean(name): _clean(value) for name, value in body.items()}
    return list(map(_clean, body)) if isinstance(body, list | tuple) else body


unpack = msgspec.msgpack.Decoder().decode
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Row).decode


def keys_of(ids: Sequence[str]) -> list[bytes]:
    """The key of each id's row; the same in every process."""
    keys = []
    for id_ in ids:
        found = _EMPTY.copy()  # a quarter faster than to make one
        found.update(id_.encode("utf-8", "surrogatepass"))
        keys.append(PREFIX + found.digest())
    return keys


def text_of(truth: Truth) -> str:
    """The text by which labels compare."""
    return canonical(truth) or ""


def number_of(truth: Truth) -> float:
    """The label of a regression; inf, an invalid one, where it is text."""
    if isinstance(truth, str):
        return float("inf")
    try:
        return float(truth)
    except OverflowError:
        return float("inf")


def told(cell: Any) -> str | float | bool | None:
    """A cell of a prediction as it is kept."""
    return cell if isinstance(cell, str) or cell is None or isfinite(cell) else None if cell != cell else False
