"""drift-exporter on the same table: the current rows counted in one window and evaluated, all distances and p-values;
with `reference`, the reference built from the other table as well."""

import sys

import numpy as np
import pyarrow.parquet as pq

from bench.others.timing import timed
from exporter.batch import Batch, Column, Numbers
from exporter.reference import Reference
from exporter.statistics import Compared, Comparison, Readings, evaluate
from exporter.summaries.block import Block, ColumnSpec, Delta, Layout, Total
from exporter.training import Key, Plan, from_columns
from exporter.windows import Window

_AT_ONCE = 16_384  # rows: columns of these stay in the cache


def columns_of(path: str) -> dict[str, Column]:
    table = pq.read_table(path)
    return {name: Numbers(table[name].to_numpy()) for name in table.column_names}


def build(columns: dict[str, Column]) -> Reference:
    keyed = {Key(name): column for name, column in columns.items()}
    rows = len(next(iter(columns.values())).values)  # type: ignore[union-attr]
    plans = {key: Plan(numeric=True) for key in keyed}
    return from_columns(
        lambda keys: [{key: keyed[key] for key in keys}],
        plans, model="m", version=None, task="regression", rows=rows, built_at=0,
    )  # fmt: skip


def compare(reference: Reference, columns: dict[str, Column]) -> list[Readings]:
    specs = [ColumnSpec(n, False, c.bins, c.mean or 0.0, c.deviation or 1.0) for n, c in reference.features.items()]
    layout = Layout(tuple(specs))
    total, block = Total(layout), Block(layout)
    rows = reference.rows
    batch = Batch("m", "", np.zeros(rows, dtype=np.int64), np.arange(rows), columns)
    for start in range(0, rows, _AT_ONCE):
        delta = Delta(layout, layout.encode(batch.between(start, start + _AT_ONCE)))
        block.add(delta)
        total.add(delta)
    comparison = Comparison(layout, reference, (), 0.1, {}, {})
    return [found for found in evaluate(Compared(comparison, Window("1h", total, None))) if isinstance(found, Readings)]


def said(readings: list[Readings]) -> int:
    """Columns with a p-value, if every row is counted."""
    by_name = {found.metric: found.values for found in readings}
    assert by_name["model_window_rows"][0] == len(current[next(iter(current))].values), "rows are lost"  # type: ignore[union-attr]
    return int(np.isfinite(by_name["model_feature_drift_p_value"]).sum())


if __name__ == "__main__":
    before, current = columns_of(sys.argv[1]), columns_of(sys.argv[2])
    if "reference" in sys.argv:
        timed(lambda: compare(build(before), current), said)
    else:
        built = build(before)
        timed(lambda: compare(built, current), said)
