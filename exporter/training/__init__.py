"""Training tables → a Reference: what normal was.

CSV, Parquet and JSON Lines are read by `files`, block by block; `table` makes one table of them and knows what its
columns mean; `builder` summarises columns of any number of rows.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from exporter.config import Model, default_positive
from exporter.config.model import Weekday
from exporter.reference import Reference
from exporter.references import classes_of
from exporter.summaries.judged import Task
from exporter.training.builder import Key, Plan, Read, from_columns
from exporter.training.errors import TrainingError
from exporter.training.performance import measured
from exporter.training.seasons import seasonal
from exporter.training.table import MEANINGS, Progress, Table

__all__ = ["MEANINGS", "Key", "Plan", "Progress", "Read", "TrainingError", "build", "from_columns"]


def build(
    paths: Sequence[Path],
    model_name: str,
    model: Model,
    columns: Mapping[str, str],
    version: str | None,
    progress: Progress,
) -> Reference:
    """The reference of a model from training tables, all of them one table in the order of `paths`.

    `columns`: meaning (MEANINGS) → the table's name for it, where it has another. `built_at` is the newest
    modification time of the files, so the same files give the same bytes. Raises TrainingError; what is odd but no
    error is logged as a warning.
    """
    table = Table(paths, model_name, model, columns, progress)
    first, last = table.span()
    reference = from_columns(
        table.read,
        table.plans,
        model=model_name,
        version=version,
        task=model.task,
        rows=table.rows,
        built_at=max(path.stat().st_mtime_ns for path in paths),
        first_time=first,
        last_time=last,
    )
    reference = seasonal(
        table.timed, reference, model.timezone, [get_args(Weekday).index(day) for day in model.weekend]
    )
    if not reference.outputs:
        return reference
    classes = tuple(name for name in classes_of(model, [reference]) if name != "other")
    positive = model.positive or default_positive(classes) if model.task == "binary" and len(classes) == 2 else None
    task = Task(model.task, classes, classes.index(positive) if positive in classes else None)
    return measured(
        lambda: table.outcomes(classes), reference, task, 0.5 if model.threshold is None else model.threshold
    )
