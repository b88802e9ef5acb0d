"""Cells as CSV, Parquet and JSON Lines write them → the numbers and texts that events have (INTERFACE §2, §3).

Written   text between commas: `5.0` and `True` are what a program made of 5 and true
Native    an Arrow array, whose type says what the cells are
Parsed    JSON values, read as those of events are
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import compress
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from exporter.batch import MISSING_CODE, Numbers, Texts
from exporter.decode.columns import numbers, texts

_NUMBER = r"^\s*(?:[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?i:inf|infinity|nan))\s*$"
_INTEGRAL = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0", re.ASCII)
_TRUTH = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false", "-0": "0"}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many cells are numbers and how many are something else; missing cells and objects are neither.

    `odd`: row and text of the first cell that is something else.
    """

    numbers: int
    others: int
    odd: tuple[int, str] | None = None

    def plus(self, later: "Tally", row: int) -> "Tally":
        """Both together, where `later` begins at `row`."""
        odd = self.odd or (later.odd and (later.odd[0] + row, later.odd[1]))
        return Tally(self.numbers + later.numbers, self.others + later.others, odd)


class Cells(Protocol):
    """The cells of one column in one block of rows."""

    def numbers(self) -> Numbers:
        """As a numeric column: what is no number is invalid."""

    def texts(self) -> Texts:
        """As a categorical column, by canonical text."""

    def values(self) -> list[Any]:
        """As the values an event would have; an object is a dict."""


@dataclass(frozen=True, slots=True)
class Written:
    """`array`: a string array in which an empty cell is null."""

    array: Any

    def tally(self) -> Tally:
        filled = len(self.array) - self.array.null_count
        if _all_numbers(self.array) is not None:
            return Tally(filled, 0)
        fits = pc.match_substring_regex(self.array, _NUMBER)
        count = pc.sum(fits, min_count=0).as_py()
        if count == filled:
            return Tally(filled, 0)
        row = pc.index(fits, pa.scalar(False)).as_py()
        return Tally(count, filled - count, (row, self.array[row].as_py()))

    def numbers(self) -> Numbers:
        found = _all_numbers(self.array)
        if found is not None:
            return Numbers(found)
        fits = pc.match_substring_regex(self.array, _NUMBER)
        kept = pc.utf8_trim_whitespace(pc.if_else(fits, self.array, None))
        found = _floats(pc.cast(kept, pa.float64()))
        return Numbers(np.where(_floats(pc.cast(fits, pa.float64())) == 0, np.inf, found))

    def texts(self) -> Texts:
        return _encoded(self.array, _canonical)

    def values(self) -> list[Any]:
        return [_json(cell) for cell in self.array.to_pylist()]


def _all_numbers(array: Any) -> NDArray[np.float64] | None:
    """float64[n], or None where a cell is no number, or has blanks around it."""
    try:
        return _floats(pc.cast(array, pa.float64()))
    except pa.ArrowInvalid:
        return None


def _canonical(cell: str) -> str:
    integral = _INTEGRAL.fullmatch(cell)
    text = integral[1] if integral else cell
    return _TRUTH.get(text, text)


def _json(cell: str | None) -> Any:
    """What JSON would read, else the text itself."""
    if cell is None:
        return None
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell


@dataclass(frozen=True, slots=True)
class Native:
    """`array`: an Arrow array of any type."""

    array: Any

    def numbers(self) -> Numbers:
        if is_numeric(self.array.type) or pt.is_null(self.array.type):
            return Numbers(_floats(pc.cast(_plain(self.array), pa.float64(), safe=False)))
        return Numbers(np.where(_nulls(self.array), np.nan, np.inf))

    def texts(self) -> Texts:
        if is_categorical(self.array.type) or is_numeric(self.array.type):
            return _encoded(_plain(self.array), _as_json)
        return texts([None if null else [] for null in _nulls(self.array).tolist()])

    def values(self) -> list[Any]:
        if pt.is_map(self.array.type):
            return [None if pairs is None else dict(pairs) for pairs in self.array.to_pylist()]
        return [_as_json(value) for value in _plain(self.array).to_pylist()]


def is_numeric(kind: Any) -> bool:
    """Whether a Parquet column of this type is numeric."""
    if pt.is_dictionary(kind):
        return is_numeric(kind.value_type)
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


def is_categorical(kind: Any) -> bool:
    """Whether a Parquet column of this type has texts; other types, nested ones above all, have invalid cells only."""
    if pt.is_dictionary(kind):
        return is_categorical(kind.value_type)
    text = pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind)
    return bool(text or pt.is_boolean(kind) or pt.is_date(kind) or pt.is_timestamp(kind) or pt.is_time(kind))


def _plain(array: Any) -> Any:
    """Of a type that Arrow can cast and encode; times to the microsecond, as Python has them."""
    if pt.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pt.is_timestamp(array.type):
        return pc.cast(array, pa.timestamp("us", array.type.tz), safe=False)
    if pt.is_time64(array.type):
        return pc.cast(array, pa.time64("us"), safe=False)
    return pc.cast(array, pa.string()) if pt.is_string_view(array.type) else array


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat().replace("+00:00", "Z")
    return float(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True, slots=True)
class Parsed:
    """`cells`: JSON values."""

    cells: Sequence[Any]

    def tally(self) -> Tally:
        kinds = list(map(type, self.cells))
        count = kinds.count(int) + kinds.count(float)
        others = kinds.count(str) + kinds.count(bool)
        if not others:
            return Tally(count, 0)
        row = next(compress(range(len(kinds)), (kind in (str, bool) for kind in kinds)))
        return Tally(count, others, (row, str(self.cells[row])))

    def numbers(self) -> Numbers:
        return numbers(self.cells)

    def texts(self) -> Texts:
        return texts(self.cells)

    def values(self) -> list[Any]:
        return list(self.cells)


def _encoded(array: Any, meaning: Any) -> Texts:
    """Each distinct value is looked at once."""
    encoded = array.dictionary_encode()
    distinct = texts([meaning(value) for value in encoded.dictionary.to_pylist()])
    places = pc.fill_null(encoded.indices, len(distinct.codes)).to_numpy(zero_copy_only=False)
    return Texts(np.append(distinct.codes, np.int32(MISSING_CODE))[places], distinct.texts)


def _floats(array: Any) -> NDArray[np.float64]:
    found: NDArray[np.float64] = array.to_numpy(zero_copy_only=False)
    return found


def _nulls(array: Any) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    return found
