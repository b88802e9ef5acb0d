"""Columns of any number of rows → a Reference, in bounded memory and always the same bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from exporter.batch import Column, Numbers, Texts
from exporter.reference import Reference, ReferenceColumn
from exporter.summaries.bins import TOP_CATEGORIES, category_bins
from exporter.training.numeric import SAMPLE, Binned, Sample, Slots
from exporter.training.vocabulary import Vocabulary

# Samples of this many bytes are held at once; a table with more columns is read several times.
_GROUP_BYTES = 256 << 20
_BLOCK_ROWS = 1 << 16


class Key(NamedTuple):
    """A column of the reference: a feature, or an output (`score`, `prediction`, `label`)."""

    name: str
    output: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How a column is summarised: as numbers, or by its `top` most frequent texts; `known` ones are among the texts
    even where no row has them.
    """

    numeric: bool
    top: int = TOP_CATEGORIES
    known: tuple[str, ...] = ()


Read = Callable[[Sequence[Key]], Iterable[Mapping[Key, Column]]]
"""Yields all rows from the first, block by block, with these columns; called once or twice a group of columns."""


def from_columns(
    read: Read,
    plans: Mapping[Key, Plan],
    *,
    model: str,
    version: str | None,
    task: str,
    rows: int,
    built_at: int,
    first_time: int | None = None,
    last_time: int | None = None,
) -> Reference:
    """The reference of `rows` rows that `read` yields; `plans` names the columns in the order of the file.

    How the rows are cut into blocks makes no difference. Numbers' edges and quantiles are from all rows up to a
    million, beyond from a seeded sample of a million rows; counts, range, mean and deviation always from all. Rows
    without a label do not count in the output `label`. Times in nanoseconds since the epoch.
    """
    size = max(1, _GROUP_BYTES // (8 * max(1, min(rows, SAMPLE))))
    keys = list(plans)
    columns: dict[Key, ReferenceColumn] = {}
    for start in range(0, len(keys), size):
        columns |= _summarised(read, {key: plans[key] for key in keys[start : start + size]}, rows)
    label = Key("label", output=True)
    if label in columns:
        columns[label].counts[columns[label].bins.missing] = 0
    return Reference(
        model=model,
        version=version,
        task=task,
        rows=rows,
        built_at=built_at,
        features={key.name: column for key, column in columns.items() if not key.output},
        outputs={key.name: column for key, column in columns.items() if key.output},
        first_time=first_time,
        last_time=last_time,
    )


def _summarised(read: Read, plans: Mapping[Key, Plan], rows: int) -> dict[Key, ReferenceColumn]:
    slots = Slots(rows)
    samples = {key: Sample(slots.size) for key, plan in plans.items() if plan.numeric}
    texts = {key: Vocabulary() for key, plan in plans.items() if not plan.numeric}
    for block, whole in _blocks(read(list(plans))):
        chosen, places = slots.of_next(len(block))
        for key, sample in samples.items():
            sample.observe(block.numbers(key), chosen, places)
        for key, vocabulary in texts.items():
            vocabulary.observe(block.texts(key))
            if whole:
                vocabulary.thin()

    numeric = {key: Binned(sample) for key, sample in samples.items()}
    again = [key for key, vocabulary in texts.items() if not vocabulary.complete]
    for key in again:
        texts[key].recount()
    if rows > SAMPLE:
        again += numeric
    else:  # the sample is all there is
        for key, column in numeric.items():
            column.count(samples[key].cells)
    del samples  # hundreds of megabytes that the second pass does not need
    for block, _ in _blocks(read(again)) if again else ():
        for key in again:
            if key in numeric:
                numeric[key].count(block.numbers(key))
            else:
                texts[key].observe(block.texts(key))
    return {
        key: numeric[key].finished() if plan.numeric else _categorical(texts[key], plan) for key, plan in plans.items()
    }


def _categorical(vocabulary: Vocabulary, plan: Plan) -> ReferenceColumn:
    counts = dict.fromkeys(plan.known, 0) | vocabulary.counts
    bins = category_bins(counts.items(), plan.top, vocabulary.complete)
    kept = [counts[text] for text in bins.categories]
    states = [vocabulary.filled - sum(kept), 0, vocabulary.missing, vocabulary.invalid]
    return ReferenceColumn(bins, np.array(kept + states, dtype=np.int64), np.full(bins.values, np.nan))


@dataclass(frozen=True, slots=True)
class _Block:
    columns: Mapping[Key, Column]
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def numbers(self, key: Key) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        column = self.columns[key]
        assert isinstance(column, Numbers)
        return column.values[self.start : self.stop]

    def texts(self, key: Key) -> Texts:
        column = self.columns[key]
        assert isinstance(column, Texts)
        return Texts(column.codes[self.start : self.stop], column.texts)


def _blocks(pieces: Iterable[Mapping[Key, Column]]) -> Iterator[tuple[_Block, bool]]:
    """The same rows cut so that none crosses a multiple of _BLOCK_ROWS, and whether a block ends at one: what is
    thinned out there does not depend on how the rows came."""
    row = 0
    for columns in pieces:
        first = next(iter(columns.values()))
        count = len(first.values if isinstance(first, Numbers) else first.codes)
        start = 0
        while start < count:
            stop = min(count, start + _BLOCK_ROWS - row % _BLOCK_ROWS)
            row += stop - start
            yield _Block(columns, start, stop), row % _BLOCK_ROWS == 0
            start = stop
