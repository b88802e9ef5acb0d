"""JSON values of one feature → a column."""

from collections.abc import Sequence
from itertools import repeat
from math import inf, isfinite, nan
from typing import Any

import numpy as np

from exporter.batch import INVALID_CODE, MISSING_CODE, Numbers, Texts

_PLAIN = frozenset((float, int, type(None)))
# Of one of these kinds alone, equal values are the same category; 1, 1.0 and True are equal, and two or three.
_ALIKE = (frozenset((int, type(None))), frozenset((bool, type(None))))


_INVALID = object()


class _Places(dict[str | None, int]):
    """The place of each text, in the order in which they come. Raises TypeError for what is no text."""

    def __missing__(self, text: Any) -> int:
        if type(text) is not str:
            raise TypeError("a value of another kind")
        place = self[text] = len(self) - 1
        return place


def canonical(value: Any) -> str | None:
    """The text by which categories, classes and versions compare (INTERFACE §2); None for an object, an array, NaN
    and infinities."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if -(2**63) <= value < 2**64:
            return str(value)
        value = number(value)  # as most JSON readers have it
    if isinstance(value, float) and isfinite(value):
        return str(int(value)) if value.is_integer() else repr(value)
    return None


def number(value: Any) -> float:
    """The cell of a numeric column: NaN missing, inf invalid."""
    if value is None:
        return nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        return inf
    try:
        return float(value)
    except OverflowError:
        return inf


def numbers(values: Sequence[Any]) -> Numbers:
    """Text, booleans, objects and arrays are invalid (INTERFACE §2)."""
    if _PLAIN.issuperset(map(type, values)):
        try:
            return Numbers(np.array(values, dtype=np.float64))
        except OverflowError:
            pass  # an integer beyond 1e308: cell by cell below
    return Numbers(np.fromiter(map(number, values), dtype=np.float64, count=len(values)))


def texts(values: Sequence[Any]) -> Texts:
    """A number is a category; objects and arrays are invalid; NaN is missing."""
    found = _Places({None: MISSING_CODE})
    try:  # by far the most: each is its own canonical text
        return Texts(np.fromiter(map(found.__getitem__, values), np.int32, len(values)), tuple(found)[1:])  # type: ignore[arg-type]
    except TypeError:
        pass  # numbers, or objects and arrays, which no dictionary can hold
    kinds = set(map(type, values))
    if any(kinds <= alike for alike in _ALIKE):
        cells: dict[Any, object] = {value: _cell(value) for value in dict.fromkeys(values)}
    else:
        values = list(map(_cell, values))
        cells = dict(zip(values, values, strict=True))
    known = list(dict.fromkeys(cell for cell in cells.values() if isinstance(cell, str)))
    places: dict[Any, int] = {cell: code for code, cell in enumerate(known)}
    places |= {None: MISSING_CODE, _INVALID: INVALID_CODE}
    code_of = {value: places[cell] for value, cell in cells.items()}
    return Texts(np.fromiter(map(code_of.__getitem__, values), dtype=np.int32, count=len(values)), tuple(known))


def _cell(value: Any) -> str | object | None:
    """The canonical text, None for missing, _INVALID for what is no category."""
    if value is None or value != value:
        return None
    if value in (inf, -inf):
        return _INVALID
    text = canonical(value)
    return _INVALID if text is None else text


def column(events: Sequence[dict[str, Any]], name: str, numeric: bool) -> Numbers | Texts:
    """The feature `name` of every event; an absent key is missing."""
    values = list(map(dict.get, events, repeat(name)))
    return numbers(values) if numeric else texts(values)
