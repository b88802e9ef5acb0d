"""What the model said: prediction and score of each event → columns, each filled from the other where it is absent."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Column, Numbers, Texts
from exporter.decode.columns import canonical, number, numbers, texts


@dataclass(frozen=True)
class OutputRule:
    """`classes`: of a classification, in their order; `positive`, `negative` and `threshold`: of a binary one."""

    task: str
    classes: tuple[str, ...] = ()
    positive: str | None = None
    negative: str | None = None
    threshold: float = 0.5


def outputs(rule: OutputRule, predictions: Sequence[Any], scores: Sequence[Any]) -> dict[str, Column]:
    """`prediction` and, for a classification, `score`: the probability of the positive class (binary) or of the
    predicted class (multiclass)."""
    if rule.task == "regression":
        return {"prediction": numbers(predictions)}
    if rule.task == "binary":
        score = probabilities(scores)
        chosen = [
            _by_threshold(rule, p) if said is None or said != said else said
            for said, p in zip(predictions, score.values.tolist(), strict=True)
        ]
        return {"score": score, "prediction": texts(chosen)}
    pairs = [_of_classes(rule, said, given) for said, given in zip(predictions, scores, strict=True)]
    return {
        "score": Numbers(np.array([p for _, p in pairs], dtype=np.float64)),
        "prediction": texts([said for said, _ in pairs]),
    }


def per_class(rule: OutputRule, said: Column, scores: Sequence[Any]) -> NDArray[np.float64] | None:
    """Of a multiclass model: float64[classes, n], the probability of each class in the order of `rule.classes`, NaN
    where unknown. A score that is one number is the probability of the predicted class (`said`); one that is invalid
    says nothing."""
    if rule.task != "multiclass":
        return None
    found = np.full((len(scores), len(rule.classes)), nan)
    nothing = [nan] * len(rule.classes)
    places = {name: place for place, name in enumerate(rule.classes)}
    assert isinstance(said, Texts), "a class is a text"
    for row, given in enumerate(scores):
        if isinstance(given, dict):
            shares = list(map(number, map(given.get, rule.classes)))
            found[row] = shares if all(map(_possible, given.values())) else nothing
        elif given is not None and (code := int(said.codes[row])) >= 0 and said.texts[code] in places:
            p = number(given)
            found[row, places[said.texts[code]]] = p if 0 <= p <= 1 else nan
    return np.ascontiguousarray(found.T)


def told(rule: OutputRule, values: Sequence[Any]) -> Column:
    """What else is said of the same thing, a label or a second opinion: a class or a number."""
    return numbers(values) if rule.task == "regression" else texts(values)


def _possible(share: Any) -> bool:
    p = number(share)
    return isnan(p) or 0 <= p <= 1


def probabilities(scores: Sequence[Any]) -> Numbers:
    """Text and numbers outside [0, 1] are invalid."""
    values = numbers(scores).values
    return Numbers(np.where((values < 0) | (values > 1), inf, values))


def _by_threshold(rule: OutputRule, score: float) -> str | None:
    if not isfinite(score):
        return None
    return rule.positive if score >= rule.threshold else rule.negative


def _of_classes(rule: OutputRule, said: Any, given: Any) -> tuple[Any, float]:
    """(prediction, its probability) of a multiclass event; without a prediction the highest score, ties by order."""
    if not isinstance(given, dict):
        p = number(given)
        return said, p if isnan(p) or 0 <= p <= 1 else inf
    shares = {name: number(p) for name, p in given.items()}
    if not all(map(_possible, shares.values())):
        return said, inf
    if said is None or said != said:
        ranked = [name for name in dict.fromkeys((*rule.classes, *shares)) if not isnan(shares.get(name, nan))]
        said = max(ranked, key=shares.__getitem__) if ranked else None
    return said, shares.get(canonical(said) or "", nan)
