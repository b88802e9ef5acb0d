"""The detectors that share one budget: each feature's shift and its rates, with the verdict on all of them."""

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


class Group:
    """K features with a detector of their bins each, and R rates; `owner`: intp[R], whose rate each is.

    `budget` is the one the detectors were made with. Raises ValueError where it is not over K + R detectors.
    """

    def __init__(
        self, shift: ShiftDetector, rates: RateDetector, owner: NDArray[np.intp], features: int, budget: Budget
    ) -> None:
        if budget.detectors != features + len(owner):
            raise ValueError(f"a budget over {budget.detectors} detectors, but there are {features + len(owner)}")
        self._shift, self._rates, self._owner, self._budget = shift, rates, owner, budget
        self._of = np.concatenate([np.arange(features), owner])
        self._features = features
        self._verdict = self._judge()

    def feed(
        self, counts: NDArray[np.int64], events: NDArray[Any], rows: NDArray[Any], pane: int, slot: int = 0
    ) -> None:
        """A closed pane: counts of all bins, int64[B]; of the rates, events and rows, [R]; its number and slot."""
        phi = self._shift.phi[self._owner]
        self._shift.feed(counts, pane, slot)
        self._rates.feed(events, rows, pane, phi)
        self._verdict = self._judge()

    def scores(self) -> Floats:
        """[K] the largest score of each feature's detectors, 1.0 is the line; 0 before the first pane."""
        return self._largest(self._verdict.scores)

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
        """The score of all features together; 0 before the first pane."""
        return self._verdict.model

    def _judge(self) -> Verdict:
        log_r = np.concatenate([self._shift.log_r, self._rates.log_r])
        effect = np.concatenate([self._shift.effect, self._rates.effect])
        return judge(log_r, effect, self._budget.log_a0)

    def _largest(self, of_detectors: Floats) -> Floats:
        largest = np.zeros(self._features)
        np.maximum.at(largest, self._of, of_detectors)
        return largest

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
