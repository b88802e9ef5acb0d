"""Bets that stay fair while the law is only near the reference: Huber's clipped likelihood ratio.

Huber, "A robust version of the probability ratio test", 1965; Saha & Ramdas, arXiv 2408.14015.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def limits(ratio: Floats, r: Floats, epsilon: Floats) -> tuple[Floats, Floats]:
    """c_lo and c_hi between which the ratio p/r may move, [...] twice.

    `ratio`: p/r, [..., W]; `r`: probabilities, broadcast to it (0 marks padding); `epsilon`: [...], the ball's radius
    in total variation. With the ratio clipped between them, no law within the ball expects more than 1.
    Where c_hi <= 1, p itself lies in the ball, and nothing can be bet.
    """
    order = np.argsort(ratio, axis=-1)
    mass = np.take_along_axis(np.broadcast_to(r, ratio.shape), order, axis=-1)
    bet = mass * np.take_along_axis(ratio, order, axis=-1)
    r_up, p_up = np.cumsum(mass, axis=-1), np.cumsum(bet, axis=-1)
    radius = epsilon[..., None]
    outside = r_up > radius
    low = np.where(outside, p_up / np.where(outside, r_up - radius, 1.0), np.inf).min(axis=-1)
    high = ((1.0 - (p_up - bet)) / (1.0 - (r_up - mass) + radius)).max(axis=-1)
    return low, high


def log_likelihood_ratio(ratio: Floats, r: Floats, epsilon: Floats) -> Floats:
    """log L, [..., W]: the clipped ratio of a bet p = ratio·r, and 0 where p lies in the ball."""
    low, high = limits(ratio, r, epsilon)
    clipped = np.clip(ratio, low[..., None], high[..., None])
    return np.where(high[..., None] > 1.0, np.log(clipped), 0.0)
