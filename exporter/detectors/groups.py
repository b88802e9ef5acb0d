"""Detectors in groups that share a budget: every feature's shift and its rates, and the verdict on all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.detectors.evidence import Budget
from exporter.detectors.huber import Floats
from exporter.detectors.packing import UnfitState
from exporter.detectors.rates import RateDetector
from exporter.detectors.shift import ShiftDetector
from exporter.detectors.verdict import judge


@dataclass(frozen=True)
class Told:
    """What a run of panes came to, pane by pane: the score of each group as a whole, float64[T, G]; whether each
    feature's was over the line, bool[T, K]; φ̂, float64[T, K]."""

    models: Floats
    over: NDArray[np.bool_]
    phi: Floats


class Groups:
    """K features with a detector of their bins each, and R rates, in G groups with a budget each.

    `owner`: intp[R], whose rate each is; `group`: intp[K], the group of each feature, −1 for one that has no part in
    any verdict: it has scores by the measure of the first. `budgets`: of the groups, over as many detectors as they
    have. Raises ValueError where a budget is over another number.
    """

    def __init__(
        self,
        shift: ShiftDetector,
        rates: RateDetector,
        owner: NDArray[np.intp],
        group: NDArray[np.intp],
        budgets: Sequence[Budget],
    ) -> None:
        self._shift, self._rates, self._owner, self._budgets = shift, rates, owner, budgets
        self._features = len(group)
        self._of = np.concatenate([np.arange(self._features), owner])
        mine = group[self._of]
        self._counted = [mine == number for number in range(len(budgets))]
        self._measured = [(mine == number) | ((mine < 0) & (number == 0)) for number in range(len(budgets))]
        for counted, budget in zip(self._counted, budgets, strict=True):
            if budget.detectors != max(1, int(counted.sum())):
                raise ValueError(f"a budget over {budget.detectors} detectors, but the group has {counted.sum()}")
        self._scores, self._models = self._judge(*self._now())

    @property
    def most_panes(self) -> int:
        """As many panes as are well fed at once."""
        return self._shift.most_panes

    def feed(
        self, counts: NDArray[np.int64], events: NDArray[Any], rows: NDArray[Any], panes: NDArray[np.int64],
        slot: int = 0,
    ) -> Told:  # fmt: skip
        """A run of closed panes: counts of all bins, int64[T, B]; events of the rates, [T, R]; rows and numbers of the
        panes, [T]; their slot. No pane is without rows."""
        shift = self._shift.feed(counts, panes, slot)
        rates = self._rates.feed(events, rows, panes, shift.phi[:, self._owner])
        log_r = np.concatenate([shift.log_r, rates.log_r], axis=1)
        effect = np.concatenate([shift.effect, rates.effect], axis=1)
        scores, models = self._judge(log_r, effect)
        self._scores, self._models = scores[-1], models[-1]
        over = scores >= 1
        of_features = over[:, : self._features].copy()
        np.logical_or.at(of_features.T, self._owner, over[:, self._features :].T)
        return Told(models, of_features, shift.phi[1:])

    def scores(self) -> Floats:
        """[K] the largest score of each feature's detectors, 1.0 is the line; 0 before the first pane."""
        largest = np.zeros(self._features)
        np.maximum.at(largest, self._of, self._scores)
        return largest

    def carriers(self) -> NDArray[np.intp]:
        """[K] which detector a feature's score is of: −1 its bins, else the number of its rate."""
        best = self._scores == self.scores()[self._of]
        first = np.full(self._features, len(self._of))
        np.minimum.at(first, self._of[best], np.flatnonzero(best))
        return np.where(first < self._features, -1, first - self._features).astype(np.intp)

    def changed_since(self) -> NDArray[np.int64]:
        """[K] the pane in which the change began, −1 for a feature whose score is below 1."""
        never = np.iinfo(np.int64).max
        rising = np.concatenate([self._shift.rising_since, self._rates.rising_since])
        began = np.full(self._features, never)
        np.minimum.at(began, self._of, np.where(self._scores >= 1, rising, never))
        return np.where(began == never, -1, began)

    def models(self) -> Floats:
        """[G] the score of each group as a whole; 0 before the first pane."""
        return self._models

    def _now(self) -> tuple[Floats, Floats]:
        return (
            np.concatenate([self._shift.log_r, self._rates.log_r]),
            np.concatenate([self._shift.effect, self._rates.effect]),
        )

    def _judge(self, log_r: Floats, effect: Floats) -> tuple[Floats, Floats]:
        """The scores of all detectors, [..., K + R], and of the groups, [..., G]."""
        scores, models = np.zeros(log_r.shape), []
        for budget, counted, measured in zip(self._budgets, self._counted, self._measured, strict=True):
            verdict = judge(log_r, effect, budget.log_a0, counted)
            scores = np.where(measured, verdict.scores, scores)
            models.append(verdict.model)
        return scores, np.stack(models, axis=-1)

    def pack(self) -> bytes:
        """All that the detectors learned."""
        return msgspec.msgpack.encode([self._shift.pack(), self._rates.pack()])

    def unpack(self, data: bytes) -> None:
        """Continue where the packed groups were. Raises UnfitState where they had other features, bins or rates."""
        try:
            shift, rates = msgspec.msgpack.decode(data, type=tuple[bytes, bytes])
        except msgspec.DecodeError as error:
            raise UnfitState(f"damaged: {error}") from None
        self._shift.unpack(shift)
        self._rates.unpack(rates)
        self._scores, self._models = self._judge(*self._now())
