"""Blocks and totals: everything that is counted of some rows, added, taken away, packed and read again."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from exporter.batch import INVALID_CODE, MISSING_CODE, Batch, Numbers, Texts
from exporter.summaries.bins import category_bins, numeric_bins
from exporter.summaries.block import Block, ColumnSpec, Delta, Layout, Total
from exporter.summaries.histogram import CumulativeHistogram
from exporter.summaries.packed import packed, unpacked
from tests.laws.awkward import COLUMNS, columns

WORDS = ("red", "green", "blue", "", "other", "ü")
texts = st.lists(st.sampled_from([*range(len(WORDS)), MISSING_CODE, INVALID_CODE]), max_size=40)


def layout(reference: NDArray[np.float64]) -> Layout:
    bins = numeric_bins(np.sort(reference[np.isfinite(reference)]))
    words = category_bins([("red", 5), ("green", 3), ("blue", 1)], top=2)
    return Layout(
        (ColumnSpec("x", False, bins, 1.0, 2.0), ColumnSpec("word", False, words), ColumnSpec("x", True, bins))
    )


def batch(x: NDArray[np.float64], codes: list[int], unexpected: tuple[tuple[int, str], ...] = ()) -> Batch:
    rows = max(len(x), len(codes))
    numbers = np.concatenate([x, np.full(rows - len(x), np.nan)])
    words = np.array([*codes, *[MISSING_CODE] * (rows - len(codes))], dtype=np.int32)
    places = np.arange(rows)
    return Batch(
        "m",
        "1",
        places.astype(np.int64),
        places,
        {"x": Numbers(numbers), "word": Texts(words, WORDS)},
        {"x": Numbers(-numbers)},
        unexpected,
    )


def total(of: Layout, *batches: Batch) -> Total:
    found = Total(of)
    for one in batches:
        found.add(Delta(of, of.encode(one)))
    return found


def told(of: Layout, found: Total) -> tuple[Any, ...]:
    """All counts by their keys, which do not depend on the order in which the registries met them."""
    buckets = {
        (feature, key): n
        for feature, key, n in zip(of.buckets.feature, of.buckets.key, found.buckets.tolist(), strict=False)
        if n
    }
    hashes = {
        (feature, code): n
        for feature, code, n in zip(of.hashes.feature, of.hashes.hash, found.hashes.tolist(), strict=False)
        if n
    }
    moments = found.moments.n.tolist(), found.moments.sums.tolist(), found.moments.far
    return found.rows, found.counts.tolist(), moments, buckets, hashes


@given(columns, columns, columns)
def test_a_number_has_the_code_that_its_bins_give_it_whatever_came_before(
    reference: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
) -> None:
    of = layout(reference)
    for x in (first, second, first):
        encoded = of.encode(batch(x, []))
        spec = of.columns[0]
        assert encoded.codes[0].tolist() == spec.bins.codes(Numbers(x)).tolist()  # type: ignore[arg-type]
        assert encoded.codes[2].tolist() == (spec.bins.codes(Numbers(-x)) + of.start[2]).tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", COLUMNS)
def test_awkward_numbers_have_the_codes_that_their_bins_give_them(name: str) -> None:
    of = layout(COLUMNS[name])
    edges = np.array(of.columns[0].bins.edges() or [0.0])  # type: ignore[union-attr]
    with np.errstate(over="ignore"):
        probes = np.concatenate([COLUMNS[name][:500], edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
    for _ in range(2):
        assert of.encode(batch(probes, [])).codes[0].tolist() == of.columns[0].bins.codes(Numbers(probes)).tolist()  # type: ignore[arg-type]


rows = st.tuples(columns, texts)


@given(columns, st.lists(rows, max_size=5), st.integers(1, 30))
def test_the_sum_of_parts_is_the_whole(reference: NDArray[np.float64], parts: list[Any], size: int) -> None:
    whole, cut = layout(reference), layout(reference)
    batches = [batch(*part) for part in parts]
    pieces = [one.between(i, i + size) for one in batches for i in range(0, len(one.time), size)]
    assert told(whole, total(whole, *batches)) == told(cut, total(cut, *reversed(pieces)))


@given(columns, rows, rows)
def test_a_block_is_taken_away_without_a_trace(reference: NDArray[np.float64], one: Any, two: Any) -> None:
    of = layout(reference)
    found = total(of, batch(*one))
    before = told(of, found)
    block = Block(of)
    block.add(Delta(of, of.encode(batch(*two, unexpected=((0, "new"),)) if max(map(len, two)) else batch(*two))))
    found.merge(block)
    found.merge(block, -1)
    assert told(of, found) == before


@given(columns, st.lists(rows, max_size=3))
def test_a_packed_block_is_read_by_a_process_that_knows_nothing_yet(
    reference: NDArray[np.float64], parts: list[Any]
) -> None:
    here, there = layout(reference), layout(reference)
    block = Block(here)
    there.encode(batch(np.array([1e9, -3.0]), [1]))
    for part in parts:
        block.add(Delta(here, here.encode(batch(*part))))
    found, read = Total(here), Total(there)
    found.merge(block)
    read.merge(unpacked(there, packed(block)))
    assert told(there, read) == told(here, found)
    assert packed(unpacked(here, packed(block))) == packed(block)


def test_names_that_nobody_expects_are_counted_once_a_row() -> None:
    of = layout(COLUMNS["normal"])
    found = total(of, batch(np.zeros(3), [], ((0, "a"), (0, "b"), (2, "a"))))
    assert of.hashes.estimate(found.hashes).tolist() == [0, 2]


def test_layouts_are_told_apart_by_all_that_their_counts_depend_on() -> None:
    bins = numeric_bins(np.sort(COLUMNS["normal"]))
    words = [category_bins([(text, 1) for text in texts], top=2) for texts in ("abcd", "abcd", "abce", "abc")]
    few = numeric_bins(np.sort(COLUMNS["few values"]))
    specs = [
        ColumnSpec("x", False, bins, 0.0, 1.0),
        ColumnSpec("y", False, bins, 0.0, 1.0),
        ColumnSpec("x", True, bins, 0.0, 1.0),
        ColumnSpec("x", False, bins, 0.5, 1.0),
        ColumnSpec("x", False, bins, 0.0, 2.0),
        ColumnSpec("x", False, few, 0.0, 1.0),
        *(ColumnSpec("x", False, one) for one in words[1:]),
    ]
    signatures = [Layout((spec,)).signature() for spec in specs]
    assert len(set(signatures)) == len(specs)
    assert Layout((ColumnSpec("x", False, words[0]),)).signature() == signatures[6]


@given(st.lists(columns, max_size=4))
def test_a_cumulative_histogram_counts_what_is_not_above_each_edge(parts: list[NDArray[np.float64]]) -> None:
    edges = [-1.0, 0.0, 0.5, 2.0]
    found = CumulativeHistogram(edges, 0.0, 1.0)
    for part in parts:
        found.observe(part)
    again = CumulativeHistogram(edges, 0.0, 1.0)
    again.unpack(found.pack())
    valid = [x for part in parts for x in part.tolist() if np.isfinite(x)]
    for one in (found, again):
        below = np.cumsum(one.counts).tolist()
        assert below == [sum(x <= edge for x in valid) for edge in [*edges, np.inf]]
    assert again.pack() == found.pack()
    assert again.total == found.total or np.isnan(again.total)
