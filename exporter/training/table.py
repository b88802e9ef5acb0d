"""Several files as one training table: what its columns mean, of what kind they are, and their rows as columns."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Column, Outcomes
from exporter.config import Model, default_positive
from exporter.config.errors import near
from exporter.decode.outputs import OutputRule
from exporter.training.builder import Key, Plan
from exporter.training.cells import Cells, Parsed, Tally
from exporter.training.errors import TrainingError
from exporter.training.files import Survey, TableFile, open_file
from exporter.training.outputs import MOST_CLASSES, OutputColumns, rows_of
from exporter.training.times import each_time, times

MEANINGS = ("prediction", "score", "label", "timestamp")
# A column with one odd cell among nine numbers was meant to be numeric.
_FEW = 10

Progress = Callable[[int, int, str], None]
"""Told the rows done in this pass, the rows in all (0: not known yet), and what is being done."""

log = logging.getLogger(__name__)


class Table:
    """`files` with the columns' `plans` and their `rows`, read as often as asked.

    Making one looks through all files whose columns' kinds only the cells can tell. Raises TrainingError.
    """

    def __init__(
        self, paths: Sequence[Path], name: str, model: Model, columns: Mapping[str, str], progress: Progress
    ) -> None:
        self._name, self._model, self._progress = name, model, progress
        self._files: list[TableFile] = [open_file(path) for path in paths]
        self._surveys = self._surveyed()
        self.rows = sum(survey.rows for survey in self._surveys)
        names = list(dict.fromkeys(name for survey in self._surveys for name in survey.columns))
        if not self.rows:
            raise TrainingError(paths[0], "has no rows", "give it at least one")
        meant = self._meant(names, columns)
        self._timestamp = meant.get("timestamp")
        self._outputs = self._output_columns(meant, names)
        taken = {*meant.values(), *self._outputs.names}
        self._features = [n for n in names if n not in taken and not self._override(n, "ignore")]
        self.plans = {Key(name): Plan(self._is_numeric(name)) for name in self._features}
        for output, numeric in self._outputs.numeric.items():
            known = () if numeric else model.classes or ()
            self.plans[Key(output, output=True)] = Plan(numeric, MOST_CLASSES, known)

    def read(self, keys: Sequence[Key]) -> Iterator[Mapping[Key, Column]]:
        """All rows, block by block."""
        for block in self._blocks(self._names(keys), "reading the rows"):
            yield self._columns(block, keys)

    def _names(self, keys: Sequence[Key]) -> list[str]:
        features = [key.name for key in keys if not key.output]
        return [*features, *(self._outputs.names if any(key.output for key in keys) else ())]

    def _columns(self, block: Mapping[str, Cells], keys: Sequence[Key]) -> dict[Key, Column]:
        said = self._outputs.read(block) if any(key.output for key in keys) else {}
        found: dict[Key, Column] = {}
        for key in keys:
            if key.output:
                found[key] = said[key.name]
            else:
                cells = block[key.name]
                found[key] = cells.numbers() if self.plans[key].numeric else cells.texts()
        return found

    def outcomes(self, classes: Sequence[str]) -> Iterator[Outcomes]:
        """What the model said and what was true in all rows; `classes`: in the order of a multiclass model's scores."""
        if self._outputs.names:
            for block in self._blocks(self._outputs.names, "measuring performance"):
                yield self._outputs.outcomes(block, classes)

    def timed(self, keys: Sequence[Key]) -> Iterator[tuple[NDArray[np.int64], Mapping[Key, Column]]]:
        """All rows, block by block, each with its time in nanoseconds, the least int64 where it has none."""
        assert self._timestamp is not None, "only a table with a span has times"
        for block in self._blocks([*self._names(keys), self._timestamp], "counting by hours"):
            columns = self._columns(block, keys)
            yield each_time(block[self._timestamp], rows_of(next(iter(columns.values())))), columns

    def span(self) -> tuple[int | None, int | None]:
        """The earliest and latest timestamp, in nanoseconds since the epoch; None without any."""
        first = last = odd = None
        if self._timestamp is not None:
            for block in self._blocks([self._timestamp], "reading the times"):
                found, stranger = times(block[self._timestamp])
                odd = stranger if odd is None else odd
                if found:
                    first = min(found) if first is None else min(first, *found)
                    last = max(found) if last is None else max(last, *found)
        if odd is not None:
            log.warning("column '%s' has cells that are no times, such as '%s': passed over", self._timestamp, odd)
        return first, last

    def _surveyed(self) -> list[Survey]:
        done = 0

        def read(rows: int) -> None:
            nonlocal done
            done += rows
            self._progress(done, 0, "looking at the columns")

        return [file.survey(read) for file in self._files]

    def _blocks(self, names: Sequence[str], what: str) -> Iterator[Mapping[str, Cells]]:
        done = 0
        self._progress(0, self.rows, what)
        for file in self._files:
            for rows, block in file.blocks(names):
                lacking = {name: Parsed([None] * rows) for name in names if name not in block}
                yield {**block, **lacking}
                done += rows
                self._progress(done, self.rows, what)
        if done != self.rows:
            raise TrainingError(self._files[0].path, "was changed while it was read", "try again")

    def _meant(self, names: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
        """Meaning → column, of those that the table has."""
        path = self._files[0].path
        for meaning, name in columns.items():
            if meaning not in MEANINGS:
                hint = near(meaning, MEANINGS, f"choose one of {', '.join(MEANINGS)}")
                raise TrainingError(path, f"'{meaning}' is nothing that a column can mean", hint)
            scores = meaning == "score" and any(n.startswith(f"{name}.") for n in names)
            if name not in names and not scores:
                hint = near(name, names, f"its columns are {', '.join(names[:20])}")
                raise TrainingError(path, f"has no column '{name}' for the {meaning}", hint)
        wanted = {meaning: columns.get(meaning, meaning) for meaning in MEANINGS}
        return {meaning: name for meaning, name in wanted.items() if name in names} | (
            {"score": columns["score"]} if "score" in columns else {}
        )

    def _output_columns(self, meant: Mapping[str, str], names: Sequence[str]) -> OutputColumns:
        task = self._model.task
        score = meant.get("score", "score")
        scores = {"": score} if score in names else {}
        if task == "multiclass" and not scores:
            prefix = f"{score}."
            scores = {name.removeprefix(prefix): name for name in names if name.startswith(prefix)}
        if task == "regression":
            if scores:
                log.warning("column '%s' is left out: a regression has predictions and no score", score)
            scores = {}
        return OutputColumns(task, meant.get("prediction"), meant.get("label"), scores, lambda: self._rule)

    def _override(self, name: str, what: str) -> object:
        feature = self._model.features.get(name)
        return None if feature is None else getattr(feature, what)

    def _is_numeric(self, name: str) -> bool:
        """A column is numeric when all its cells are; one with no cell to tell by too, for a number that comes later
        is then at least counted as one, where a category would be just one more unseen text."""
        kind = self._override(name, "kind")
        if kind is not None:
            return kind == "numeric"
        tallies = [
            (file, survey.columns.get(name, Tally(0, 0)))
            for file, survey in zip(self._files, self._surveys, strict=True)
        ]
        numbers = sum(tally.numbers for _, tally in tallies)
        others = sum(tally.others for _, tally in tallies)
        if 0 < others <= (numbers + others) / _FEW:
            path, (row, text) = next((file.path, tally.odd) for file, tally in tallies if tally.odd)
            log.warning(
                "%s: column '%s' is categorical because %d of %d cells are no numbers, the first '%s' in row %d; "
                "to make them invalid: models.%s.features.%s: {kind: numeric}",
                path,
                name,
                others,
                numbers + others,
                text,
                row + 1,
                self._name,
                name,
            )
        return not others

    @cached_property
    def _rule(self) -> OutputRule:
        """How a missing prediction comes from the score."""
        model = self._model
        if model.task == "multiclass":
            return OutputRule("multiclass", model.classes or ())
        classes = model.classes or self._seen_classes()
        positive = model.positive or default_positive(classes)
        if len(classes) != 2 or positive not in classes:
            shown = ", ".join(f"'{name}'" for name in classes[:5]) or "none"
            raise TrainingError(
                self._files[0].path,
                f"has scores without a prediction, and its classes ({shown}) do not tell which two there are and "
                "which of them is positive",
                f"write models.{self._name}.classes and models.{self._name}.positive",
            )
        negative = next(name for name in classes if name != positive)
        return OutputRule(
            "binary", tuple(classes), positive, negative, 0.5 if model.threshold is None else model.threshold
        )

    def _seen_classes(self) -> list[str]:
        names = [name for name in (self._outputs.prediction, self._outputs.label) if name is not None]
        seen: set[str] = set()
        for block in self._blocks(names, "looking for the classes") if names else ():
            seen.update(*(block[name].texts().texts for name in names))
            if len(seen) > 2:
                break
        return sorted(seen)
