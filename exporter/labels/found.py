"""Outcomes as they are found, row by row, before they become columns."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Batch, Column, Numbers, Outcomes
from exporter.decode import Truth
from exporter.decode.columns import texts
from exporter.decode.json import clean
from exporter.labels.kinds import Kind
from exporter.labels.rows import Prediction, number_of, text_of, told

_Found = tuple[int, int, int, bool, bool, str | float | bool | None, Truth, float | bytes | None, bytes]


class Found:
    """By kind, in the order in which they were found.

    `closed`: the end of the last pane that was closed when the row came that is looked at: what arrived before is late.
    """

    def __init__(self) -> None:
        self.closed: int = np.iinfo(np.int64).min
        self._rows: dict[int, list[_Found]] = {}

    def add(self, prediction: Prediction, sign: int, first: bool) -> None:
        """A prediction with the label it has now."""
        p = prediction
        assert p.truth is not None, "an outcome has a label"
        arrived = max(p.time, p.labelled)
        row = (p.time, arrived, sign, first, arrived >= self.closed, p.said, p.truth, p.score, p.slices)
        self._rows.setdefault(p.kind, []).append(row)

    def take(self, kinds: Mapping[int, Kind]) -> Iterator[tuple[Kind, Outcomes]]:
        """All that were found since the last call, with their kind."""
        rows, self._rows = self._rows, {}
        for number, found in rows.items():
            yield kinds[number], _outcomes(kinds[number], found)


def _outcomes(kind: Kind, found: Sequence[_Found]) -> Outcomes:
    time, arrived, sign, first, in_time, said, truths, scores, slices = zip(*found, strict=True)
    regression = kind.task == "regression"
    return Outcomes(
        kind.model,
        kind.version,
        np.array(time, dtype=np.int64),
        np.array(arrived, dtype=np.int64),
        np.array(sign, dtype=np.int8),
        np.array(first, dtype=bool),
        np.array(in_time, dtype=bool),
        Numbers(np.array(list(map(_number, said)))) if regression else texts(list(map(_text, said))),
        Numbers(np.array(list(map(number_of, truths)))) if regression else texts(list(map(text_of, truths))),
        _scores(kind, scores),
        np.frombuffer(b"".join(slices), dtype=np.int16).reshape(len(found), -1).T,
    )


def _number(said: object) -> float:
    return np.nan if said is None else said if isinstance(said, float) else np.inf


def _text(said: object) -> object:
    """False, which stands for an invalid one, becomes what no text can be."""
    return [] if said is False else said


def _scores(kind: Kind, scores: Sequence[float | bytes | None]) -> NDArray[np.float64]:
    if kind.task == "regression":
        return np.zeros((0, len(scores)))
    if kind.task == "binary":
        return np.array([[np.nan if p is None else p for p in scores]], dtype=np.float64)
    nothing = np.full(len(kind.classes), np.nan).tobytes()
    rows = [p if isinstance(p, bytes) else nothing for p in scores]
    return np.frombuffer(b"".join(rows), dtype=np.float64).reshape(len(rows), len(kind.classes)).T


def in_order(scores: NDArray[np.float64], had: Sequence[str], wanted: Sequence[str]) -> NDArray[np.float64]:
    """float64[wanted, n]: probabilities of the classes `had`, in the order of those that are `wanted`; NaN for a class
    that came since."""
    if tuple(had) == tuple(wanted):
        return scores
    found = np.full((len(wanted), scores.shape[1]), np.nan)
    for place, name in enumerate(wanted):
        if name in had:
            found[place] = scores[had.index(name)]
    return found


# From the columns of a batch


def said_of(column: Column) -> list[str | float | bool | None]:
    """What was predicted, as it is kept."""
    if isinstance(column, Numbers):
        return list(map(told, column.values.tolist()))
    cells = (*map(clean, column.texts), False, None)  # at −2 and −1: invalid, missing
    return [cells[code] for code in column.codes.tolist()]


def truths_of(column: Column) -> list[Truth | None]:
    """Labels that events carry themselves."""
    if isinstance(column, Numbers):
        return [None if x != x else x for x in column.values.tolist()]
    cells = (*map(clean, column.texts), None)
    return [cells[code] for code in column.codes.tolist()]


def scores_of(batch: Batch) -> list[float | bytes | None]:
    """The probabilities of each prediction, as they are kept."""
    if batch.probabilities is not None:
        known: list[bool] = np.isfinite(batch.probabilities).any(axis=0).tolist()  # type: ignore[assignment]
        rows = np.ascontiguousarray(batch.probabilities.T)
        return [row.tobytes() if some else None for row, some in zip(rows, known, strict=True)]
    score = batch.outputs.get("score")
    if not isinstance(score, Numbers):
        return [None] * len(batch.time)
    return [p if p - p == 0 else None for p in score.values.tolist()]
