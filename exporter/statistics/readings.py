"""What statistics give back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Readings:
    """One metric in one window: `labels[i]` (less the version's and the window's) with `values[i]`, NaN for absent."""

    metric: str
    labels: Sequence[tuple[str, ...]]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Failure:
    """A statistic that raised, and what."""

    statistic: str
    error: Exception


def guarded(name: str, found: Iterator[Readings]) -> Iterator[Readings | Failure]:
    """Readings that fail together, and silence only themselves."""
    try:
        yield from list(found)
    except Exception as error:  # whatever it is, it must not take the other statistics with it
        yield Failure(name, error)
