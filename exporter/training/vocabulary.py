"""The texts of one column and how often each occurs, in bounded memory."""

import numpy as np

from exporter.batch import INVALID_CODE, MISSING_CODE, Texts
from exporter.summaries.bins import VOCABULARY

# Twice what a reference keeps survives when the table is thinned out, which happens beyond five times that.
_KEPT = 2 * VOCABULARY
_MOST = 5 * _KEPT


class Vocabulary:
    """Counts are exact while `complete`. Where a column has more texts than fit, the rarest are forgotten at the ends
    of blocks (`thin`), and the rest is to be counted once more in a second pass (`recount`, `observe` each block).
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.filled = self.missing = self.invalid = 0
        self.complete = True
        self._closed = False

    def observe(self, column: Texts) -> None:
        found = np.bincount(column.codes + 2, minlength=len(column.texts) + 2)
        self.invalid += int(found[INVALID_CODE + 2])
        self.missing += int(found[MISSING_CODE + 2])
        found = found[2:]
        self.filled += int(found.sum())
        places = np.flatnonzero(found)
        for place, count in zip(places.tolist(), found[places].tolist(), strict=True):
            text = column.texts[place]
            if text in self.counts:
                self.counts[text] += count
            elif not self._closed:
                self.counts[text] = count

    def thin(self) -> None:
        """Forget the rarest where there are too many: all that are as rare as the first that does not fit, so that it
        makes no difference which of them came first."""
        if self._closed or len(self.counts) <= _MOST:
            return
        counts = np.fromiter(self.counts.values(), dtype=np.int64, count=len(self.counts))
        bar = int(np.partition(counts, len(counts) - _KEPT - 1)[len(counts) - _KEPT - 1])
        self.counts = {text: count for text, count in self.counts.items() if count > bar}
        self.complete = False

    def recount(self) -> None:
        """Start the second pass: the texts that are known now, from zero."""
        self.counts = dict.fromkeys(self.counts, 0)
        self.filled = self.missing = self.invalid = 0
        self._closed = True
