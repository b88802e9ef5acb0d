"""Which value of each slice a row has: performance is also told by these (INTERFACE §1).

A slice of a categorical feature has the reference's most frequent categories and `other`; one of a number the quarters
of the reference, or its values where they are few, and `other` for what is no number; a named condition has `true`,
`false` and `missing`.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Batch, Column, Numbers, Texts
from exporter.config import Condition, Model, canonical_text
from exporter.reference import QUANTILES, Reference, ReferenceColumn
from exporter.summaries.bins import CategoryBins, NumericBins
from exporter.summaries.keys import hash_of

OTHER = "other"
_TRUE, _FALSE, _MISSING = range(3)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Slice:
    """`values`: what `slice_value` may be. `code_of`: a column of its feature → the place of each row in `values`."""

    name: str
    feature: str
    values: tuple[str, ...]
    code_of: Callable[[Column], NDArray[np.int16]]


class Slices:
    """All slices of a version, in the order of the configuration. `signature`: equal where codes mean the same."""

    def __init__(self, slices: Sequence[Slice]) -> None:
        self.slices = tuple(slices)
        self.signature = f"{hash_of(repr([(one.name, one.feature, one.values) for one in slices])):016x}"

    def nowhere(self, rows: int) -> NDArray[np.int16]:
        """int16[slices, n]: rows of which nothing is known, in the last value of each slice."""
        last = np.array([len(one.values) - 1 for one in self.slices], dtype=np.int16)
        return np.repeat(last[:, None], rows, axis=1)

    def codes(self, batch: Batch) -> NDArray[np.int16]:
        """int16[slices, n]: the place of each row's value among the slice's."""
        found = np.empty((len(self.slices), len(batch.time)), dtype=np.int16)
        for place, one in enumerate(self.slices):
            column = batch.features.get(one.feature)
            found[place] = len(one.values) - 1 if column is None else one.code_of(column)
        return found


def slices_of(model: Model, reference: Reference | None, most: int) -> Slices:
    """`most`: values of one slice. A feature whose categories are hidden has no slice, for its values are names."""
    found = []
    for wanted in model.slices:
        if isinstance(wanted, Condition):
            found.append(_of_condition(wanted))
            continue
        how = model.features[wanted].categories if wanted in model.features else "show"
        column = reference.features.get(wanted) if reference is not None else None
        if how == "hide":
            continue
        if column is None:
            found.append(Slice(wanted, wanted, (OTHER,), lambda cells: np.zeros(_length(cells), dtype=np.int16)))
        elif isinstance(column.bins, CategoryBins):
            found.append(_of_categories(wanted, column.bins, most, how == "hash"))
        else:
            found.append(_of_numbers(wanted, column, most))
    return Slices(found)


def _length(column: Column) -> int:
    return len(column.values if isinstance(column, Numbers) else column.codes)


def _of_categories(name: str, bins: CategoryBins, most: int, hashed: bool) -> Slice:
    kept = bins.categories[:most]
    codes = {text: code for code, text in enumerate(kept)}

    def code_of(column: Column) -> NDArray[np.int16]:
        assert isinstance(column, Texts), "the reference says that the feature is categorical"
        table = np.full(len(column.texts) + 2, len(kept), dtype=np.int16)  # the last two: invalid and missing
        table[: len(column.texts)] = [codes.get(text, len(kept)) for text in column.texts]
        return table[column.codes]

    shown = [f"{hash_of(text):016x}"[:8] for text in kept] if hashed else kept
    return Slice(name, name, (*(f"{OTHER} (category)" if text == OTHER else text for text in shown), OTHER), code_of)


def _of_numbers(name: str, column: ReferenceColumn, most: int) -> Slice:
    bins = column.bins
    assert isinstance(bins, NumericBins), "asked for numbers only"
    spread = any(column.counts[code] for code in bins.intervals)
    atoms = sorted(b.low for b in bins.bins if b.atom)
    if atoms and not spread and len(atoms) <= most:
        return _of_values(name, atoms)
    quarters = () if column.quantiles is None else [column.quantiles[QUANTILES.index(q)] for q in (0.25, 0.5, 0.75)]
    cuts = np.unique(np.array(quarters, dtype=np.float64))
    ends = [canonical_text(float(cut)) for cut in cuts]
    between = [f"{low} to {high}" for low, high in pairwise(ends)]
    values = (f"to {ends[0]}", *between, f"above {ends[-1]}", OTHER) if ends else ("any", OTHER)

    def code_of(cells: Column) -> NDArray[np.int16]:
        assert isinstance(cells, Numbers), "the reference says that the feature is numeric"
        codes = np.searchsorted(cuts, cells.values, side="left").astype(np.int16)
        codes[~np.isfinite(cells.values)] = len(values) - 1
        return codes

    return Slice(name, name, values, code_of)


def _of_values(name: str, atoms: Sequence[float]) -> Slice:
    known = np.array(atoms)

    def code_of(cells: Column) -> NDArray[np.int16]:
        assert isinstance(cells, Numbers), "the reference says that the feature is numeric"
        place = np.minimum(np.searchsorted(known, cells.values), len(known) - 1)
        return np.where(known[place] == cells.values, place, len(known)).astype(np.int16)

    return Slice(name, name, (*(canonical_text(atom) for atom in atoms), OTHER), code_of)


def _of_condition(condition: Condition) -> Slice:
    compare, value = _COMPARE[condition.operator], condition.value

    def of_text(text: str) -> int:
        if isinstance(value, str):
            return _TRUE if compare(text, value) else _FALSE
        try:
            return _TRUE if compare(float(text), value) else _FALSE
        except ValueError:
            return _TRUE if condition.operator == "!=" else _FALSE if condition.operator == "==" else _MISSING

    def code_of(column: Column) -> NDArray[np.int16]:
        if isinstance(column, Texts):
            table = np.full(len(column.texts) + 2, _MISSING, dtype=np.int16)
            table[: len(column.texts)] = [of_text(text) for text in column.texts]
            return table[column.codes]
        if isinstance(value, str):  # a number is never that text
            holds = np.full(len(column.values), condition.operator == "!=")
        else:
            with np.errstate(invalid="ignore"):
                holds = np.asarray(compare(column.values, value))
        codes = np.where(holds, _TRUE, _FALSE)
        return np.where(np.isfinite(column.values), codes, _MISSING).astype(np.int16)

    return Slice(condition.name, condition.feature, ("true", "false", "missing"), code_of)
