"""Columns of numbers that break naive binning, one by one with a name, and any mixture of them."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

MAX = np.finfo(np.float64).max
_RANDOM = np.random.default_rng(20130401)

COLUMNS: dict[str, NDArray[np.float64]] = {
    "normal": _RANDOM.normal(0, 1, 3_000),
    "constant": np.full(1_500, 0.1),
    "zero inflated": np.where(_RANDOM.random(4_000) < 0.7, 0.0, _RANDOM.exponential(1, 4_000)),
    "huge mean": 1e6 + _RANDOM.uniform(-1, 1, 5_000),
    "heavy tails": _RANDOM.standard_cauchy(3_000) ** 3,
    "few values": _RANDOM.poisson(3, 2_000).astype(np.float64),
    "unique integers": _RANDOM.permutation(2_500).astype(np.float64),
    "fewer rows than bins": np.array([3.0, 1.0, 2.0]),
    "one row": np.array([-7.5]),
    "all missing": np.full(20, np.nan),
    "all invalid": np.array([np.inf, -np.inf]),
    "missing and infinite": np.array([np.nan, np.inf, 1.0, -np.inf, np.nan, 2.0, 2.0] * 300),
    "denormal": np.arange(1_200) * 5e-324,
    "largest": np.array([-MAX, MAX, -1e308, 1e308, 0.0] * 250 + [1.5] * 3),
    "both zeros": np.array([0.0, -0.0, 1.0, -1.0] * 20),
    "one outlier": np.array([*range(1_999), 1e300], dtype=np.float64),
}

cells = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-10, 10),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([np.nan, np.inf, -np.inf, -0.0, 5e-324, MAX, -MAX]),
)
columns = st.lists(cells, max_size=120).map(lambda found: np.array(found, dtype=np.float64))
