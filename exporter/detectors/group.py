"""The detectors that share one budget: each feature's shift and its rates, with the verdict on all of them."""

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
from exporter.detectors.verdict import Verdict, judge


@dataclass(frozen=True)
class Told:
    """What a run of panes came to, pane by pane: the score of all features together, float64[T]; whether each one's was
    over the line, bool[T, K]; φ̂, float64[T, K]."""

    model: Floats
    over: NDArray[np.bool_]
    phi: Floats


class Group:
    """K features with a detector of their bins each, and R rates; `owner`: intp[R], whose rate each is.

    `budget` is the one the detectors were made with, over those that are `counted`, bool[K]: the others have scores,
    but no part in the verdict. Raises ValueError where it is over another number of detectors.
    """

    def __init__(
        self,
        shift: ShiftDetector,
        rates: RateDetector,
        owner: NDArray[np.intp],
        counted: NDArray[np.bool_],
        budget: Budget,
    ) -> None:
        self._shift, self._rates, self._owner, self._budget = shift, rates, owner, budget
        self._features = len(counted)
        self._of = np.concatenate([np.arange(self._features), owner])
        self._counted = counted[self._of]
        if budget.detectors != max(1, int(self._counted.sum())):
            raise ValueError(f"a budget over {budget.detectors} detectors, but {self._counted.sum()} are counted")
        self._verdict = self._judge()

    @property
    def phi(self) -> Floats:
        """[K] φ̂ >= 1, by how much the features' events come in clumps."""
        return self._shift.phi

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
        verdict = judge(log_r, effect, self._budget.log_a0, self._counted)
        self._verdict = Verdict(verdict.scores[-1], verdict.told[-1], verdict.model[-1])
        over = verdict.scores >= 1
        of_features = over[:, : self._features].copy()
        np.logical_or.at(of_features.T, self._owner, over[:, self._features :].T)
        return Told(verdict.model, of_features, shift.phi[1:])

    def scores(self) -> Floats:
        """[K] the largest score of each feature's detectors, 1.0 is the line; 0 before the first pane."""
        largest = np.zeros(self._features)
        np.maximum.at(largest, self._of, self._verdict.scores)
        return largest

    def carriers(self) -> NDArray[np.intp]:
        """[K] which detector a feature's score is of: −1 its bins, else the number of its rate."""
        best = self._verdict.scores == self.scores()[self._of]
        first = np.full(self._features, len(self._of))
        np.minimum.at(first, self._of[best], np.flatnonzero(best))
        return np.where(first < self._features, -1, first - self._features).astype(np.intp)

    def changed_since(self) -> NDArray[np.int64]:
        """[K] the pane in which the change began, −1 for a feature whose score is below 1."""
        never = np.iinfo(np.int64).max
        rising = np.concatenate([self._shift.rising_since, self._rates.rising_since])
        began = np.full(self._features, never)
        np.minimum.at(began, self._of, np.where(self._verdict.scores >= 1, rising, never))
        return np.where(began == never, -1, began)

    def model_score(self) -> float:
        """The score of all counted features together; 0 before the first pane."""
        return float(self._verdict.model)

    def _judge(self) -> Verdict:
        log_r = np.concatenate([self._shift.log_r, self._rates.log_r])
        effect = np.concatenate([self._shift.effect, self._rates.effect])
        return judge(log_r, effect, self._budget.log_a0, self._counted)

    def pack(self) -> bytes:
        """All that the detectors learned."""
        return msgspec.msgpack.encode([self._shift.pack(), self._rates.pack()])

    def unpack(self, data: bytes) -> None:
        """Continue where the packed group was. Raises UnfitState where it had other features, bins or rates."""
        try:
            shift, rates = msgspec.msgpack.decode(data, type=tuple[bytes, bytes])
        except msgspec.DecodeError as error:
            raise UnfitState(f"damaged: {error}") from None
        self._shift.unpack(shift)
        self._rates.unpack(rates)
        self._verdict = self._judge()
