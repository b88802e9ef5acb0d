import gzip
import logging
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from exporter.config import Feature, Model
from exporter.reference import Reference, ReferenceColumn
from exporter.summaries.bins import NumericBins
from exporter.training import TrainingError, build

SECOND = 1_000_000_000


def a_model(task: str = "binary", **more: Any) -> Model:
    return Model.model_validate({"task": task, "reference": "m.reference.json", **more})


def built(
    *paths: Path, model: Model | None = None, columns: Mapping[str, str] | None = None, version: str | None = None
) -> Reference:
    return build(paths, "m", model or a_model(), columns or {}, version, lambda done, total, what: None)


def csv(folder: Path, text: str, name: str = "t.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def parquet(folder: Path, columns: Mapping[str, Any], name: str = "t.parquet") -> Path:
    pq.write_table(pa.table(columns), folder / name)
    return folder / name


def lines(folder: Path, *rows: Mapping[str, Any] | str, name: str = "t.jsonl") -> Path:
    text = "\n".join(row if isinstance(row, str) else orjson.dumps(row).decode() for row in rows)
    (folder / name).write_text(text + "\n")
    return folder / name


def counts(column: ReferenceColumn) -> dict[str, int]:
    """What was counted, in words: a numeric column's values are together `numbers`."""
    bins, found = column.bins, column.counts.tolist()
    if isinstance(bins, NumericBins):
        named = {"numbers": sum(found[: bins.values])}
    else:
        named = dict(zip(bins.categories, found, strict=False)) | {"other": found[bins.other]}
    named |= {"missing": found[bins.missing], "invalid": found[bins.invalid]}
    return {name: count for name, count in named.items() if count}


def feature(reference: Reference, name: str = "x") -> tuple[str, dict[str, int]]:
    column = reference.features[name]
    return column.kind, counts(column)


def csv_column(folder: Path, cells: Sequence[str], **override: Any) -> tuple[str, dict[str, int]]:
    text = "x,other\n" + "".join(f"{cell},1\n" for cell in cells)
    return feature(built(csv(folder, text), model=a_model(features={"x": override} if override else {})))


# CSV


def test_a_csv_column_of_numbers_is_numeric_and_an_empty_cell_missing(tmp_path: Path) -> None:
    found = csv_column(tmp_path, ["1", "-2.5e3", "", "+.5", " 7 ", "nan", "inf"])
    assert found == ("numeric", {"numbers": 4, "missing": 2, "invalid": 1})


def test_a_csv_column_with_another_text_is_categorical(tmp_path: Path) -> None:
    assert csv_column(tmp_path, ["1", "a", "", "1"]) == ("categorical", {"1": 2, "a": 1, "missing": 1})


def test_a_text_far_down_a_csv_makes_the_whole_column_categorical(tmp_path: Path) -> None:
    cells = ["5"] * 200_000 + ["five"]
    text = "padding,x\n" + "".join(f"{'p' * 60},{cell}\n" for cell in cells)
    assert feature(built(csv(tmp_path, text))) == ("categorical", {"5": 200_000, "five": 1})


def test_true_and_false_of_a_csv_are_categories_however_they_are_written(tmp_path: Path) -> None:
    found = csv_column(tmp_path, ["True", "TRUE", "true", "False", "FALSE", "false"])
    assert found == ("categorical", {"false": 3, "true": 3})


def test_numbers_as_categories_lose_a_zero_behind_the_point_and_keep_those_in_front(tmp_path: Path) -> None:
    found = csv_column(tmp_path, ["5.0", "5", "-0.0", "01234", "0.50", "1.10"], kind="categorical")
    assert found == ("categorical", {"5": 2, "0": 1, "01234": 1, "0.50": 1, "1.10": 1})


def test_a_csv_column_that_is_to_be_numeric_has_invalid_cells(tmp_path: Path) -> None:
    found = csv_column(tmp_path, ["1", "a", " 2", "", "True"], kind="numeric")
    assert found == ("numeric", {"numbers": 2, "missing": 1, "invalid": 2})


def test_an_empty_column_is_numeric_without_a_value(tmp_path: Path) -> None:
    assert csv_column(tmp_path, ["", "", ""]) == ("numeric", {"missing": 3})


def test_quoted_cells_may_hold_commas_and_line_breaks(tmp_path: Path) -> None:
    reference = built(csv(tmp_path, 'x,y\n"a,\nb",1\n"c ""d""",2\n'))
    assert feature(reference) == ("categorical", {"a,\nb": 1, 'c "d"': 1})


def test_an_empty_line_in_a_table_of_one_column_is_a_missing_cell(tmp_path: Path) -> None:
    assert feature(built(csv(tmp_path, "x\n1\n\n2\n"))) == ("numeric", {"numbers": 2, "missing": 1})


def test_a_few_odd_cells_that_make_a_column_categorical_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    csv_column(tmp_path, [*map(str, range(30)), "N/A", "?"])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"{tmp_path}/t.csv: column 'x' is categorical because 2 of 32 cells are no numbers, the first 'N/A' in row 31; "
        "to make them invalid: models.m.features.x: {kind: numeric}"
    )


def test_a_column_of_texts_that_has_some_numbers_is_nothing_to_tell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    csv_column(tmp_path, ["1", "a", "b", "c"])
    assert not caplog.records


# Parquet


def test_the_schema_of_a_parquet_file_tells_the_kinds(tmp_path: Path) -> None:
    columns = {
        "int": [1, None, 2],
        "float": [1.5, np.nan, np.inf],
        "decimal": pa.array([Decimal("1.50"), None, Decimal("2")]),
        "bool": [True, False, None],
        "text": ["5", "a", None],
        "dictionary": pa.array(["a", None, "a"]).dictionary_encode(),
        "date": [date(2013, 4, 1), None, date(2013, 4, 1)],
        "time": pa.array([datetime(2013, 4, 1, 9, 15, tzinfo=UTC)] * 3, pa.timestamp("ns", "UTC")),
        "list": [[1], None, []],
        "struct": [{"a": 1}, None, {"a": 2}],
        "nothing": pa.nulls(3),
    }
    reference = built(parquet(tmp_path, columns))
    assert {name: feature(reference, name) for name in columns} == {
        "int": ("numeric", {"numbers": 2, "missing": 1}),
        "float": ("numeric", {"numbers": 1, "missing": 1, "invalid": 1}),
        "decimal": ("numeric", {"numbers": 2, "missing": 1}),
        "bool": ("categorical", {"false": 1, "true": 1, "missing": 1}),
        "text": ("categorical", {"5": 1, "a": 1, "missing": 1}),
        "dictionary": ("categorical", {"a": 2, "missing": 1}),
        "date": ("categorical", {"2013-04-01": 2, "missing": 1}),
        "time": ("categorical", {"2013-04-01T09:15:00Z": 3}),
        "list": ("numeric", {"missing": 1, "invalid": 2}),
        "struct": ("numeric", {"missing": 1, "invalid": 2}),
        "nothing": ("numeric", {"missing": 3}),
    }


def test_numbers_of_a_parquet_file_are_categories_by_canonical_text(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"x": [5.0, 0.5, np.nan, np.inf, None], "n": pa.array([2**60, 1, 1, 1, None])})
    features = {"x": {"kind": "categorical"}, "n": {"kind": "categorical"}}
    reference = built(path, model=a_model(features=features))
    assert feature(reference) == ("categorical", {"5": 1, "0.5": 1, "missing": 2, "invalid": 1})
    assert feature(reference, "n") == ("categorical", {"1": 3, str(2**60): 1, "missing": 1})


def test_texts_and_truths_of_a_parquet_file_are_invalid_numbers(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"x": ["5", None], "b": [True, None]})
    reference = built(path, model=a_model(features={"x": {"kind": "numeric"}, "b": {"kind": "numeric"}}))
    assert feature(reference) == feature(reference, "b") == ("numeric", {"missing": 1, "invalid": 1})


# JSON Lines


def test_json_cells_are_read_as_those_of_events_are(tmp_path: Path) -> None:
    rows = [
        '{"number": 1, "mixed": 5.0, "truth": true, "object": {"a": 1}, "quoted": "1"}',
        '{"number": 2.5, "mixed": "a", "truth": null, "object": [], "quoted": "2"}',
        '{"number": NaN, "mixed": true, "truth": false, "object": null, "quoted": null}',
        '{"number": Infinity, "mixed": NaN}',
        '{"number": [1], "mixed": {}}',
    ]
    reference = built(lines(tmp_path, *rows))
    assert {name: feature(reference, name) for name in reference.features} == {
        "number": ("numeric", {"numbers": 2, "missing": 1, "invalid": 2}),
        "mixed": ("categorical", {"5": 1, "a": 1, "true": 1, "missing": 1, "invalid": 1}),
        "truth": ("categorical", {"false": 1, "true": 1, "missing": 3}),
        "object": ("numeric", {"missing": 3, "invalid": 2}),
        "quoted": ("categorical", {"1": 1, "2": 1, "missing": 3}),
    }


def test_a_key_that_comes_late_is_missing_before(tmp_path: Path) -> None:
    rows = [{"y": 1}] * 20_000 + [{"x": 3, "y": 1}]
    assert feature(built(lines(tmp_path, *rows))) == ("numeric", {"numbers": 1, "missing": 20_000})


# Files


def same(folder: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, Path]:
    """The same table in every form."""
    names = list(rows[0])
    text = "\n".join([",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]) + "\n"
    json = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    (folder / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    (folder / "t.ndjson.zst").write_bytes(zstandard.compress(json))
    (folder / "t.jsonl").write_bytes(json.removesuffix(b"\n"))
    columns = {name: [row[name] for row in rows] for name in names}
    return {
        "csv": csv(folder, text),
        "csv, packed": folder / "t.csv.gz",
        "csv of another system": csv(folder, "\ufeff" + text.replace("\n", "\r\n"), "CAPITALS.CSV"),
        "json lines": folder / "t.jsonl",
        "json lines, packed": folder / "t.ndjson.zst",
        "parquet": parquet(folder, columns),
    }


def test_the_same_table_gives_the_same_reference_in_every_form(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    rows = [
        {
            "x": round(float(random.normal()), 3),
            "n": int(random.poisson(2)),
            "carrier": str(random.choice(["UA", "AA", "01"])),
            "score": round(float(random.random()), 3),
            "label": int(random.integers(2)),
            "timestamp": f"2013-04-{day:02}T09:15:00Z",
        }
        for day in range(1, 31)
        for _ in range(60)
    ]
    paths = same(tmp_path, rows)
    for path in paths.values():
        os.utime(path, ns=(0, 1_700_000_000 * SECOND))
    found = {form: built(path) for form, path in paths.items()}
    assert {form: reference.dump() for form, reference in found.items()} == dict.fromkeys(
        paths, found["parquet"].dump()
    )
    assert found["csv"].built_at == 1_700_000_000 * SECOND


def test_several_files_are_one_table_and_a_column_one_of_them_lacks_is_missing_there(tmp_path: Path) -> None:
    first = csv(tmp_path, "x,only\n1,a\n2,b\n")
    second = parquet(tmp_path, {"x": [3.5], "late": [True]})
    third = lines(tmp_path, {"x": 4})
    reference = built(first, second, third)
    assert reference.rows == 4
    assert feature(reference) == ("numeric", {"numbers": 4})
    assert feature(reference, "only") == ("categorical", {"a": 1, "b": 1, "missing": 2})
    assert feature(reference, "late") == ("categorical", {"true": 1, "missing": 3})


def test_a_column_that_is_text_in_one_file_is_text_in_all(tmp_path: Path) -> None:
    reference = built(csv(tmp_path, "x\n5\n"), parquet(tmp_path, {"x": ["5"]}), lines(tmp_path, {"x": 5.0}))
    assert feature(reference) == ("categorical", {"5": 3})


def test_an_ignored_feature_is_left_out(tmp_path: Path) -> None:
    model = a_model(features={"id": Feature(ignore=True)})
    assert list(built(csv(tmp_path, "id,x\n1,2\n"), model=model).features) == ["x"]


def test_progress_reaches_the_number_of_rows_and_never_goes_back_within_a_pass(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    path = csv(tmp_path, "x,timestamp\n" + "1,1364807700\n" * 500)
    build([path], "m", a_model(), {}, None, lambda *step: told.append(step))
    assert told[0] == (500, 0, "looking at the columns")
    assert [step for step in told if step[2] == "reading the rows"] == [
        (0, 500, "reading the rows"),
        (500, 500, "reading the rows"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("none.csv", None, "there is no such file; correct the path"),
        ("t.xlsx", b"x", "its name does not tell what it is; give it a name that ends in .csv, .parquet"),
        ("t.csv", b"", "cannot be read as CSV (Empty CSV file)"),
        ("t.csv", b"x,y\n", "has no rows; give it at least one"),
        ("t.csv", b"x,y\n1,2\n3\n", "cannot be read as CSV (CSV parse error"),
        ("t.csv", b"x\n\xff\n", "cannot be read as CSV"),
        ("t.csv", b"x,x\n1,2\n", "has two columns 'x'; rename one of them"),
        ("t.csv", b",x\n0,2\n", "column 1 has no name; name it, or remove it (pandas: index=False)"),
        ("t.csv", b"x;y\n1;2\n", "its columns are not separated by commas; write it with commas"),
        ("t.parquet", b"PAR1", "cannot be read as Parquet"),
        ("t.jsonl", b'{"x": 1}\n{"x": \n', "line 2 is not JSON"),
        ("t.jsonl", b'{"x": 1}\n\n{"x": "\\ud800"}\n', "line 3 is not JSON"),
        ("t.jsonl", b"[1]\n", "line 1 is no JSON object; write one object a line"),
        ("t.jsonl.gz", b'{"x": 1}\n', "cannot be read as JSON Lines"),
    ],
    ids=str,
)
def test_a_file_that_is_no_table_says_what_is_wrong(
    tmp_path: Path, name: str, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TrainingError) as refused:
        built(tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path / name}: {problem}")
    assert refused.value.hint


# Outputs


def output(reference: Reference, name: str) -> tuple[str, dict[str, int]]:
    column = reference.outputs[name]
    return column.kind, counts(column)


def test_outputs_are_no_features(tmp_path: Path) -> None:
    reference = built(csv(tmp_path, "prediction,score,label,timestamp,x\n1,.7,0,1364807700,3\n"))
    assert list(reference.features) == ["x"]
    assert list(reference.outputs) == ["score", "prediction", "label"]


def test_outputs_that_the_table_lacks_are_not_in_the_reference(tmp_path: Path) -> None:
    assert built(csv(tmp_path, "x\n1\n")).outputs == {}
    assert list(built(csv(tmp_path, "x,label\n1,0\n")).outputs) == ["label"]


def test_a_column_may_have_another_name(tmp_path: Path) -> None:
    path = csv(tmp_path, "y,at,label\n1,1364807700,a\n")
    reference = built(path, columns={"label": "y", "timestamp": "at"})
    assert output(reference, "label") == ("categorical", {"1": 1})
    assert list(reference.features) == ["label"]
    assert reference.first_time == 1364807700 * SECOND


def test_a_column_that_is_not_there_has_a_near_one_suggested(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"has no column 'lable' for the label; did you mean 'label'\?"):
        built(csv(tmp_path, "x,label\n1,0\n"), columns={"label": "lable"})
    with pytest.raises(TrainingError, match=r"'labels' is nothing that a column can mean; did you mean 'label'\?"):
        built(csv(tmp_path, "x,label\n1,0\n"), columns={"labels": "x"})


def test_classes_are_compared_by_canonical_text_and_rows_without_a_label_do_not_count(tmp_path: Path) -> None:
    reference = built(parquet(tmp_path, {"label": [1.0, None, 0.0, 1.0], "prediction": [True, True, False, None]}))
    assert output(reference, "label") == ("categorical", {"1": 2, "0": 1})
    assert output(reference, "prediction") == ("categorical", {"true": 2, "false": 1, "missing": 1})


def test_a_missing_prediction_comes_from_score_and_threshold(tmp_path: Path) -> None:
    path = csv(tmp_path, "score,prediction,label\n.3,,1\n.29,,0\n.9,0,1\n,,0\n2,,0\nhigh,,0\n")
    reference = built(path, model=a_model(threshold=0.3))
    assert output(reference, "prediction") == ("categorical", {"0": 2, "1": 1, "missing": 3})
    assert output(reference, "score") == ("numeric", {"numbers": 3, "missing": 1, "invalid": 2})


def test_a_table_with_scores_alone_has_predictions_when_the_classes_are_known(tmp_path: Path) -> None:
    path = csv(tmp_path, "x,score\n1,0.5\n1,0.4\n")
    model = a_model(classes=["stay", "go"], positive="go")
    assert output(built(path, model=model), "prediction") == ("categorical", {"go": 1, "stay": 1})
    with pytest.raises(TrainingError, match=r"its classes \(none\) do not tell .* write models.m.classes and"):
        built(path)


def test_a_class_of_the_configuration_that_no_row_has_is_a_bin(tmp_path: Path) -> None:
    reference = built(csv(tmp_path, "x,label\n1,0\n"), model=a_model(classes=["0", "1"]))
    assert reference.outputs["label"].bins.categories == ("0", "1")  # type: ignore[union-attr]


def test_more_classes_than_a_features_categories_have_bins(tmp_path: Path) -> None:
    path = lines(tmp_path, *({"label": f"c{i % 60}", "x": f"c{i % 60}"} for i in range(600)))
    reference = built(path, model=a_model("multiclass"))
    assert len(reference.outputs["label"].bins.categories) == 50  # type: ignore[union-attr]
    assert len(reference.features["x"].bins.categories) == 32  # type: ignore[union-attr]


SCORES = [{"a": 0.2, "b": 0.5, "c": 0.3}, {"a": 0.4, "b": 0.2, "c": 0.4}, {"a": 0.1, "b": 0.1, "c": 0.8}, None]


def multiclass_tables(folder: Path) -> dict[str, Path]:
    quoted = ['"' + orjson.dumps(s).decode().replace('"', '""') + '"' if s else "" for s in SCORES]
    said = ["", "", "a", ""]
    columns = {f"score.{c}": [s[c] if s else None for s in SCORES] for c in "abc"}
    prediction = pa.array([None, None, "a", None])
    as_map = pa.array([s and list(s.items()) for s in SCORES], pa.map_(pa.string(), pa.float64()))
    text = "score,prediction\n" + "".join(f"{s},{p}\n" for s, p in zip(quoted, said, strict=True))
    return {
        "JSON text in a CSV": csv(folder, text),
        "a struct": parquet(folder, {"score": SCORES, "prediction": prediction}),
        "a map": parquet(folder, {"score": as_map, "prediction": prediction}, "map.parquet"),
        "columns": parquet(folder, {**columns, "prediction": prediction}, "columns.parquet"),
        "objects": lines(folder, *({"score": s, "prediction": p or None} for s, p in zip(SCORES, said, strict=True))),
    }


@pytest.mark.parametrize("form", ["JSON text in a CSV", "a struct", "a map", "columns", "objects"])
def test_a_multiclass_prediction_is_the_highest_score_and_its_score_its_own_probability(
    tmp_path: Path, form: str
) -> None:
    reference = built(multiclass_tables(tmp_path)[form], model=a_model("multiclass", classes=["c", "b", "a"]))
    # b; c and a tie and c is first in `classes`; a was said; nothing.
    assert output(reference, "prediction") == ("categorical", {"a": 1, "b": 1, "c": 1, "missing": 1})
    assert output(reference, "score") == ("numeric", {"numbers": 3, "missing": 1})
    score = reference.outputs["score"]
    assert (score.bins.least, score.bins.greatest) == (0.1, 0.5)  # type: ignore[union-attr]
    assert score.mean == pytest.approx((0.5 + 0.4 + 0.1) / 3)
    assert reference.features == {}


def test_a_multiclass_score_that_is_one_number_is_that_of_the_prediction(tmp_path: Path) -> None:
    path = csv(tmp_path, "prediction,score\na,0.7\nb,0.5\nb,high\n,0.9\n")
    reference = built(path, model=a_model("multiclass"))
    assert output(reference, "prediction") == ("categorical", {"b": 2, "a": 1, "missing": 1})
    assert output(reference, "score") == ("numeric", {"numbers": 3, "invalid": 1})


def test_the_columns_of_a_multiclass_score_may_have_another_name(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"p.a": [0.7], "p.b": [0.3], "x": [1]})
    reference = built(path, model=a_model("multiclass"), columns={"score": "p"})
    assert output(reference, "prediction") == ("categorical", {"a": 1})
    assert list(reference.features) == ["x"]


def test_a_regression_has_numbers_for_predictions_and_labels_and_no_score(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = csv(tmp_path, "prediction,label,score\n1.5,2,.3\nx,,.4\n")
    reference = built(path, model=a_model("regression"))
    assert output(reference, "prediction") == ("numeric", {"numbers": 1, "invalid": 1})
    assert output(reference, "label") == ("numeric", {"numbers": 1})
    assert list(reference.outputs) == ["prediction", "label"]
    assert "column 'score' is left out" in caplog.text


# Times

BEGIN, END = 1_364_807_700 * SECOND, 1_364_807_701 * SECOND + 500_000_000


@pytest.mark.parametrize(
    "cells",
    [
        ["2013-04-01T09:15:00Z", "2013-04-01T09:15:01.5Z"],
        ["2013-04-01T11:15:00+02:00", "2013-04-01 09:15:01.5"],
        ["2013-04-01T09:15:00", "2013-04-01T09:15:01.500"],
        ["1364807700", "1364807701.5"],
        ["1364807700000", "1364807701500"],
        ["1364807700000000", "1364807701500000"],
        ["1364807700000000000", "1364807701500000000"],
        ["1364807700", "1364807701500000000"],
        ["2013-04-01T09:15:00Z", "1364807701.5"],
    ],
    ids=str,
)
def test_times_are_rfc_3339_or_epochs_told_by_their_size(tmp_path: Path, cells: list[str]) -> None:
    reference = built(csv(tmp_path, f"x,timestamp\n1,{cells[1]}\n2,{cells[0]}\n3,\n"))
    assert (reference.first_time, reference.last_time) == (BEGIN, END)
    if all(cell.isdigit() for cell in cells):
        numbers = [int(cell) for cell in cells]
        typed = built(parquet(tmp_path, {"x": [1, 2, 3], "timestamp": [*numbers, None]}))
        parsed = built(lines(tmp_path, *({"x": 1, "timestamp": number} for number in numbers)))
        assert (typed.first_time, typed.last_time) == (parsed.first_time, parsed.last_time) == (BEGIN, END)


@pytest.mark.parametrize(
    "kind", [pa.timestamp("ms"), pa.timestamp("ns", "America/New_York"), pa.timestamp("us", "UTC")]
)
def test_arrow_times_are_instants(tmp_path: Path, kind: pa.DataType) -> None:
    moments = [datetime(2013, 4, 1, 9, 15, tzinfo=UTC), None, datetime(2013, 4, 1, 9, 15, 1, 500_000, tzinfo=UTC)]
    reference = built(parquet(tmp_path, {"x": [1, 2, 3], "timestamp": pa.array(moments, kind)}))
    assert (reference.first_time, reference.last_time) == (BEGIN, END)


def test_dates_are_their_midnights(tmp_path: Path) -> None:
    days = [date(2013, 4, 2), None, date(2013, 4, 1)]
    reference = built(parquet(tmp_path, {"x": [1, 2, 3], "timestamp": days}), csv(tmp_path, "x\n4\n"))
    assert reference.first_time == BEGIN - 33_300 * SECOND
    assert reference.last_time == BEGIN + (86_400 - 33_300) * SECOND


def test_times_are_found_in_the_file_that_has_them(tmp_path: Path) -> None:
    reference = built(
        parquet(tmp_path, {"x": [1]}), csv(tmp_path, "x,timestamp\n1,1364807700\n"), lines(tmp_path, {"x": 1})
    )
    assert reference.first_time == reference.last_time == BEGIN
    assert feature(reference) == ("numeric", {"numbers": 3})


def test_times_before_1970_or_beyond_2262_are_no_times(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    moments = [datetime(1969, 1, 1), datetime(9999, 12, 31), datetime(2013, 4, 1, 9, 15)]  # noqa: DTZ001
    reference = built(parquet(tmp_path, {"x": [1, 2, 3], "timestamp": pa.array(moments, pa.timestamp("us"))}))
    assert reference.first_time == reference.last_time == BEGIN
    assert "such as '1969-01-01T00:00:00'" in caplog.text


def test_without_times_there_is_no_span(tmp_path: Path) -> None:
    for text in ("x\n1\n", "x,timestamp\n1,\n"):
        reference = built(csv(tmp_path, text))
        assert (reference.first_time, reference.last_time) == (None, None)


def test_a_cell_that_is_no_time_is_passed_over_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reference = built(csv(tmp_path, "x,timestamp\n1,yesterday\n1,1364807700\n1,2013-04-01T09:15:01.5Z\n"))
    assert (reference.first_time, reference.last_time) == (BEGIN, END)
    assert "column 'timestamp' has cells that are no times, such as 'yesterday': passed over" in caplog.text
