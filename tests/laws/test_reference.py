from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import frexp, isqrt, ldexp
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from exporter.batch import INVALID_CODE, MISSING_CODE, Column, Numbers, Texts
from exporter.reference import QUANTILES, Reference, ReferenceColumn, ReferenceError, load
from exporter.training import Key, Plan, from_columns
from tests.laws.awkward import COLUMNS, MAX, columns

X, C = Key("x"), Key("c")
LABEL = Key("label", output=True)


def texts(cells: Iterable[str | None]) -> Texts:
    """None is missing, "!" invalid."""
    cells = list(cells)
    known = tuple(dict.fromkeys(cell for cell in cells if cell not in (None, "!")))
    places = {None: MISSING_CODE, "!": INVALID_CODE} | {text: place for place, text in enumerate(known)}
    return Texts(np.array([places[cell] for cell in cells], dtype=np.int32), known)  # type: ignore[arg-type]


def cut(column: Column, start: int, stop: int) -> Column:
    if isinstance(column, Numbers):
        return Numbers(column.values[start:stop])
    # As a reader would make it: a chunk knows its own texts only, in the order in which they come.
    return texts(
        {MISSING_CODE: None, INVALID_CODE: "!"}.get(code, column.texts[code] if code >= 0 else None)
        for code in column.codes[start:stop].tolist()
    )


def reference(
    columns: Mapping[Key, Column], cuts: Sequence[int] = (), plans: Mapping[Key, Plan] | None = None
) -> Reference:
    """Of columns that come in chunks which end at `cuts`."""
    rows = {len(c.values if isinstance(c, Numbers) else c.codes) for c in columns.values()}
    (count,) = rows

    def read(keys: Sequence[Key]) -> Iterator[Mapping[Key, Column]]:
        for start, stop in pairwise([0, *sorted(cuts), count]):
            yield {key: cut(columns[key], start, stop) for key in keys}

    plans = plans or {key: Plan(isinstance(column, Numbers)) for key, column in columns.items()}
    return from_columns(read, plans, model="m", version="1", task="binary", rows=count, built_at=1)


def of_numbers(values: NDArray[np.float64], cuts: Sequence[int] = ()) -> ReferenceColumn:
    return reference({X: Numbers(values)}, cuts).features["x"]


def moments(valid: list[float]) -> tuple[float, float]:
    """Mean and population deviation by exact fractions."""
    exact = [Fraction(value) for value in valid]
    mean = sum(exact, Fraction()) / len(exact)
    variance = sum(((value - mean) ** 2 for value in exact), Fraction()) / len(exact)
    unit = 2 * frexp(max(map(abs, valid)))[1] - 240  # the root as an integer with some 100 bits
    return float(mean), ldexp(isqrt(int(variance / Fraction(2) ** unit)), unit // 2)


def assert_moments(column: ReferenceColumn, values: NDArray[np.float64]) -> None:
    valid = values[np.isfinite(values)].tolist()
    if not valid:
        assert (column.mean, column.deviation, column.quantiles) == (None, None, None)
        return
    mean, deviation = moments(valid)
    size = max(map(abs, valid))
    assert column.mean == pytest.approx(mean, rel=1e-12, abs=size * 1e-13)
    assert column.deviation == pytest.approx(deviation, rel=1e-9, abs=5e-324)
    assert column.quantiles == tuple(np.quantile(valid, QUANTILES, method="inverted_cdf").tolist())


def assert_bins(column: ReferenceColumn, values: NDArray[np.float64]) -> None:
    """Counts and means against each bin's own values."""
    codes = column.bins.codes(Numbers(values))
    assert column.counts.tolist() == np.bincount(codes, minlength=column.bins.size).tolist()
    assert column.rows == len(values)
    for place, b in enumerate(column.bins.bins):  # type: ignore[union-attr]
        held = values[codes == place].tolist()
        mean = column.means[place]
        if held:
            exact = sum(map(Fraction, held), Fraction()) / len(held)
            assert b.low <= mean <= b.high
            assert mean == pytest.approx(float(exact), rel=1e-12, abs=max(map(abs, held)) * 1e-13)
        elif column.mean is None:
            assert np.isnan(mean)
        else:
            assert mean == b.low / 2 + b.high / 2
    assert column.mean is None or np.all(np.diff(column.means) >= 0)


@pytest.mark.parametrize("name", COLUMNS)
def test_counts_and_figures_of_an_awkward_column_are_those_of_its_rows(name: str) -> None:
    column = of_numbers(COLUMNS[name])
    assert_bins(column, COLUMNS[name])
    assert_moments(column, COLUMNS[name])


@given(columns)
def test_counts_and_figures_of_any_column_are_those_of_its_rows(values: NDArray[np.float64]) -> None:
    column = of_numbers(values)
    assert_bins(column, values)
    assert_moments(column, values)


def test_figures_equal_those_of_numpy() -> None:
    values = COLUMNS["huge mean"]
    column = of_numbers(values)
    assert column.mean == pytest.approx(np.mean(values), rel=1e-14)
    assert column.deviation == pytest.approx(np.std(values), rel=1e-9)


def test_a_constant_column_has_exactly_no_deviation() -> None:
    column = of_numbers(np.full(1_234, 0.1))
    assert (column.mean, column.deviation) == (0.1, 0.0)
    assert column.quantiles == (0.1,) * len(QUANTILES)


cells = st.lists(st.sampled_from([None, "!", *(chr(97 + i) for i in range(26)), "ä"]), min_size=1, max_size=80)


@given(cells)
def test_texts_are_counted_by_category(found: list[str | None]) -> None:
    column = reference({C: texts(found)}, plans={C: Plan(numeric=False, top=5)}).features["c"]
    bins = column.bins
    counted = dict(zip(bins.categories, column.counts.tolist(), strict=False))  # type: ignore[union-attr]
    assert counted == {text: found.count(text) for text in counted}
    valid = [cell for cell in found if cell not in (None, "!")]
    other, unseen, missing, invalid = column.counts[len(counted) :].tolist()
    assert other == len(valid) - sum(counted.values())
    assert (unseen, missing, invalid) == (0, found.count(None), found.count("!"))
    assert set(valid) == set(bins.categories) | bins.rest  # type: ignore[union-attr]


@given(st.lists(st.tuples(st.floats(), st.sampled_from([None, "a", "b", "c"])), min_size=1, max_size=60), st.data())
def test_how_the_rows_are_cut_makes_no_difference(rows: list[tuple[float, str | None]], data: st.DataObject) -> None:
    found = {X: Numbers(np.array([x for x, _ in rows])), C: texts(c for _, c in rows)}
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=5))
    assert reference(found, cuts).dump() == reference(found).dump()


def many(rows: int, seed: int = 7) -> NDArray[np.float64]:
    x = np.random.default_rng(seed).normal(1e6, 1, rows)
    x[::10], x[5::1000] = np.nan, np.inf
    return x


def test_beyond_a_million_rows_the_cut_makes_no_difference_either() -> None:
    found = {X: Numbers(many(1_050_000))}
    assert reference(found, [1, 70_000, 999_999, 1_000_001, 1_049_000]).dump() == reference(found).dump()


def test_beyond_a_million_rows_edges_are_a_samples_and_all_else_is_exact() -> None:
    values = many(1_300_000)
    values[-1], values[-2] = 0.0, 2e6
    column = of_numbers(values, range(100_000, 1_300_000, 100_000))
    valid = values[np.isfinite(values)]
    assert (column.bins.least, column.bins.greatest) == (0.0, 2e6)  # type: ignore[union-attr]
    codes = column.bins.codes(Numbers(values))
    assert column.counts.tolist() == np.bincount(codes, minlength=column.bins.size).tolist()
    assert column.counts.sum() == len(values)
    assert column.mean == pytest.approx(valid.mean(), rel=1e-12)
    assert column.deviation == pytest.approx(valid.std(), rel=1e-9)
    shares = column.counts[: column.bins.values] / len(valid)
    # A sample's quantile of a million is off by .0005 at most once in a thousand.
    assert np.abs(shares - 1 / 20).max() < 0.001
    assert np.interp(column.quantiles, np.sort(valid), np.linspace(0, 1, len(valid))) == pytest.approx(
        QUANTILES, abs=0.001
    )


def test_of_too_many_texts_the_frequent_ones_are_counted_exactly() -> None:
    # 300,000 distinct texts, and one that is frequent only where the table has been full for long.
    cells = [f"id{i}" for i in range(300_000)]
    cells[::100] = ["often"] * 3_000
    cells[250_000:260_000:2] = ["late"] * 5_000
    cells[7] = None
    column = reference({C: texts(cells)}, [65_536, 100_000, 262_144]).features["c"]
    bins = column.bins
    assert bins.categories[:2] == ("late", "often")  # type: ignore[union-attr]
    assert column.counts[:2].tolist() == [cells.count("late"), cells.count("often")]
    assert column.counts[bins.missing] == 1
    assert column.rows == 300_000
    assert not bins.complete  # type: ignore[union-attr]
    assert len(bins.rest) <= 10_000  # type: ignore[union-attr]


def test_what_is_forgotten_of_too_many_texts_does_not_depend_on_the_cut() -> None:
    random = np.random.default_rng(3)
    found = {C: texts(f"id{i}" for i in (random.pareto(0.5, 280_000) * 1e4).astype(int).tolist())}
    whole, pieces = reference(found), reference(found, [50_000, 65_537, 200_000])
    assert not whole.features["c"].bins.complete  # type: ignore[union-attr]
    assert pieces.dump() == whole.dump()


def test_more_columns_than_fit_are_read_in_groups_and_keep_their_order() -> None:
    size = 1_000_001
    asked: list[int] = []

    def read(keys: Sequence[Key]) -> Iterator[Mapping[Key, Column]]:
        asked.append(len(keys))
        for rows in [100_000] * 10 + [1]:
            yield {key: Numbers(np.full(rows, float(key.name))) for key in keys}

    plans = {Key(str(i)): Plan(numeric=True) for i in range(40)}
    built = from_columns(read, plans, model="m", version=None, task="regression", rows=size, built_at=0)
    assert asked == [33, 33, 7, 7]  # a sample has 8 MB
    assert {name: column.mean for name, column in built.features.items()} == {str(i): float(i) for i in range(40)}


def test_rows_without_a_label_do_not_count_in_the_labels() -> None:
    found = {LABEL: texts(["1", None, "0", None, "1"])}
    label = reference(found).outputs["label"]
    assert label.rows == 3
    assert label.counts[label.bins.missing] == 0


def test_a_class_that_no_row_has_is_a_bin_all_the_same() -> None:
    label = reference({LABEL: texts(["1", "1"])}, plans={LABEL: Plan(numeric=False, known=("0", "1"))}).outputs["label"]
    assert label.bins.categories == ("1", "0")  # type: ignore[union-attr]
    assert label.counts[:2].tolist() == [2, 0]


@given(columns.filter(len), cells, st.one_of(st.none(), st.text(max_size=3)))
def test_a_reference_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory, values: NDArray[np.float64], found: list[str | None], version: str | None
) -> None:
    rows = min(len(values), len(found))
    built = reference({X: Numbers(values[:rows]), C: texts(found[:rows]), LABEL: texts(found[:rows])})
    path = tmp_path_factory.mktemp("references") / "r.json"
    path.write_bytes(built.dump())
    read = load(path)
    assert read.dump() == built.dump()
    assert read.fingerprint == built.fingerprint
    for name, column in built.features.items():
        assert read.features[name].bins == column.bins
        assert np.array_equal(read.features[name].counts, column.counts)
        assert np.array_equal(read.features[name].means, column.means, equal_nan=True)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_reference_of_awkward_numbers_survives_its_file(name: str, tmp_path: Path) -> None:
    built = reference({X: Numbers(COLUMNS[name])})
    (tmp_path / "r.json").write_bytes(built.dump())
    assert load(tmp_path / "r.json").dump() == built.dump()


def test_other_contents_have_another_fingerprint_but_another_time_has_not() -> None:
    one, other = reference({X: Numbers(np.arange(9.0))}), reference({X: Numbers(np.arange(8.0))})
    assert one.fingerprint != other.fingerprint

    def read(keys: Sequence[Key]) -> Iterator[Mapping[Key, Column]]:
        yield {X: Numbers(np.arange(9.0))}

    later = from_columns(read, {X: Plan(numeric=True)}, model="m", version="2", task="binary", rows=9, built_at=99)
    assert later.fingerprint == one.fingerprint
    assert later.dump() != one.dump()


def damaged(built: bytes) -> dict[str, tuple[bytes, str]]:
    return {
        "empty": (b"", "is not JSON"),
        "cut": (built[:-20], "is not JSON"),
        "another file": (b"[1]", "no schema number"),
        "a later release": (built.replace(b'"schema": 1', b'"schema": 2'), "has schema 2, this release reads 1"),
        "a missing part": (built.replace(b'"least"', b'"last"'), "is damaged"),
        "changed by hand": (built.replace(b'"rows": 9', b'"rows": 10'), "was changed by hand"),
    }


@pytest.mark.parametrize("name", damaged(b""))
def test_a_file_that_cannot_be_used_says_why_and_what_to_do(name: str, tmp_path: Path) -> None:
    content, problem = damaged(reference({X: Numbers(np.arange(9.0))}).dump())[name]
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(ReferenceError, match=problem) as refused:
        load(tmp_path / "r.json")
    assert str(refused.value).startswith(f"{tmp_path / 'r.json'}: ")
    assert "drift-exporter reference" in str(refused.value)


@pytest.mark.parametrize("values", [[MAX] * 3, [-MAX, MAX], [MAX, np.nextafter(MAX, 0)] * 7])
def test_a_mean_is_never_beyond_the_largest_number(values: list[float]) -> None:
    column = of_numbers(np.array(values))
    assert min(values) <= column.mean <= max(values)  # type: ignore[operator]
    assert column.deviation <= MAX  # type: ignore[operator]


def test_the_largest_numbers_do_not_overflow() -> None:
    column = of_numbers(np.array([MAX] * 3 + [-MAX] * 3 + [MAX / 2, -MAX / 2]))
    assert column.mean == pytest.approx(0.0, abs=MAX * 1e-15)
    assert column.deviation == pytest.approx(MAX * np.sqrt((6 + 2 / 4) / 8), rel=1e-12)
