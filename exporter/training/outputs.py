"""What the model said, and what was true, in a training table → the output columns of events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.batch import MISSING_CODE, Column, Numbers, Outcomes, Texts
from exporter.decode.columns import texts
from exporter.decode.outputs import OutputRule, outputs, per_class
from exporter.training.cells import Cells

# A reference keeps every class that an operator may see on its own (INTERFACE §1, `limits.classes`).
MOST_CLASSES = 50


@dataclass(frozen=True)
class OutputColumns:
    """Which columns of the table these are. `scores`: the score's own column under "", or one under each class;
    `rule` is asked for only where a prediction is missing, for it may have to look for the classes.
    """

    task: str
    prediction: str | None
    label: str | None
    scores: Mapping[str, str]
    rule: Callable[[], OutputRule]

    @property
    def names(self) -> list[str]:
        """The columns to read."""
        return [name for name in (self.prediction, self.label, *self.scores.values()) if name is not None]

    @property
    def numeric(self) -> dict[str, bool]:
        """Output → whether it is numeric; those that the table cannot tell are not there."""
        regression = self.task == "regression"
        found = {"score": True} if self.scores else {}
        if self.prediction is not None or self.scores:
            found["prediction"] = regression
        if self.label is not None:
            found["label"] = regression
        return found

    def read(self, block: Mapping[str, Cells]) -> dict[str, Column]:
        """The outputs of one block that has cells for all of `names`."""
        found: dict[str, Column] = {}
        if self.label is not None:
            cells = block[self.label]
            found["label"] = cells.numbers() if self.task == "regression" else cells.texts()
        if self.task == "regression":
            if self.prediction is not None:
                found["prediction"] = block[self.prediction].numbers()
            return found
        said = None if self.prediction is None else block[self.prediction].texts()
        if not self.scores:
            return found if said is None else found | {"prediction": said}
        if self.task == "multiclass":
            return found | self._multiclass(said, block)
        return found | self._binary(said, block[self.scores[""]].numbers())

    def outcomes(self, block: Mapping[str, Cells], classes: Sequence[str]) -> Outcomes:
        """One block as outcomes without times and slices."""
        found = self.read(block)
        rows = rows_of(next(iter(found.values())))
        nothing: Column = Numbers(np.full(rows, np.nan)) if self.task == "regression" else texts([None] * rows)
        said = found.get("prediction", nothing)
        return Outcomes(
            "",
            "",
            np.zeros(rows, dtype=np.int64),
            np.zeros(rows, dtype=np.int64),
            np.ones(rows, dtype=np.int8),
            np.ones(rows, dtype=bool),
            np.ones(rows, dtype=bool),
            said,
            found.get("label", nothing),
            self._probabilities(block, found, said, classes, rows),
            np.zeros((0, rows), dtype=np.int16),
        )

    def _probabilities(
        self, block: Mapping[str, Cells], found: Mapping[str, Column], said: Column, classes: Sequence[str], rows: int
    ) -> NDArray[np.float64]:
        """float64[c, n] as in Outcomes."""
        if self.task == "regression":
            return np.zeros((0, rows))
        if self.task == "binary":
            score = found.get("score")
            return score.values[None, :] if isinstance(score, Numbers) else np.full((1, rows), np.nan)
        given = self._given(block) if self.scores else [None] * rows
        shares = per_class(OutputRule("multiclass", tuple(classes)), said, given)
        assert shares is not None, "a multiclass model has probabilities by class"
        return shares

    def _binary(self, said: Texts | None, given: Numbers) -> dict[str, Column]:
        score = given.values
        score = np.where((score < 0) | (score > 1), np.inf, score)
        if said is None:
            said = Texts(np.full(len(score), MISSING_CODE, dtype=np.int32), ())
        unsaid = (said.codes == MISSING_CODE) & np.isfinite(score)
        if unsaid.any():
            rule = self.rule()
            by_score = np.where(score >= rule.threshold, len(said.texts), len(said.texts) + 1)
            codes = np.where(unsaid, by_score, said.codes).astype(np.int32)
            said = Texts(codes, (*said.texts, str(rule.positive), str(rule.negative)))
        return {"score": Numbers(score), "prediction": said}

    def _multiclass(self, said: Texts | None, block: Mapping[str, Cells]) -> dict[str, Column]:
        given = self._given(block)
        # The codes of missing and invalid cells count from the end.
        texts: list[Any] = [*(said.texts if said else ()), [], None]
        predictions = [None] * len(given) if said is None else [texts[code] for code in said.codes.tolist()]
        return outputs(self.rule(), predictions, given)

    def _given(self, block: Mapping[str, Cells]) -> Sequence[Any]:
        """The score of each row as in an event: an object of probabilities by class."""
        if "" in self.scores:
            return block[self.scores[""]].values()
        shares = [block[name].numbers().values.tolist() for name in self.scores.values()]
        return [dict(zip(self.scores, row, strict=True)) for row in zip(*shares, strict=True)]


def rows_of(column: Column) -> int:
    """How many cells it has."""
    return len(column.values if isinstance(column, Numbers) else column.codes)
