"""What statistics give back."""

from collections.abc import Sequence
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
