"""Bets that stay fair while the law is only near the reference: Huber's clipped likelihood ratio.

Huber, "A robust version of the probability ratio test", 1965; Saha & Ramdas, arXiv 2408.14015.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def limits(ratio: Floats, r: Floats, epsilon: Floats) -> tuple[Floats, Floats]:
    """c_lo and c_hi between which the ratio p/r may move, [...] twice; 1 and 1 where p lies in the ball.

    `ratio`: p/r, [..., W], above 0; `r`: probabilities, broadcast to it (0 marks padding); `epsilon`: [...], the ball's
    radius in total variation. With the ratio clipped between them, no law within the ball expects more than 1.

    c_hi is the largest P/(R+ε), c_lo the least P/(R−ε), over the bins whose ratio is above, or below, some number. Both
    are found by asking again for the bins above the last answer until it stays (Dinkelbach 1967), from 1 on: mostly
    four times, which is a third of what sorting costs. In calm traffic nearly every p lies in the ball, which the first
    answer tells.
    """
    shape, bins = ratio.shape[:-1], ratio.shape[-1]
    flat, radius = ratio.reshape(-1, bins), np.broadcast_to(epsilon, shape).ravel()
    r = np.broadcast_to(r, ratio.shape).reshape(-1, bins)
    rows = (flat, flat * r, r, radius)
    low, high = np.ones(len(flat)), _climbed(*rows, np.ones(len(flat)))
    out = np.flatnonzero(high > 1.0)
    if 2 * len(out) > len(high):  # not worth a copy; those in the ball stay at 1
        return np.where(high > 1.0, _lowest(*rows), 1.0).reshape(shape), _highest(*rows, high).reshape(shape)
    those = (flat[out], rows[1][out], r[out], radius[out])
    low[out], high[out] = _lowest(*those), _highest(*those, high[out])
    return low.reshape(shape), high.reshape(shape)


def _climbed(ratio: Floats, p: Floats, r: Floats, epsilon: Floats, high: Floats) -> Floats:
    among = (ratio > high[:, None]).astype(np.float64)
    return np.maximum(high, _sum(among, p) / (_sum(among, r) + epsilon))


def _highest(ratio: Floats, p: Floats, r: Floats, epsilon: Floats, high: Floats) -> Floats:
    while ((found := _climbed(ratio, p, r, epsilon, high)) > high).any():
        high = found
    return high


def _lowest(ratio: Floats, p: Floats, r: Floats, epsilon: Floats) -> Floats:
    low = np.ones(len(ratio))
    while True:
        among = (ratio < low[:, None]).astype(np.float64)
        beyond = _sum(among, r) - epsilon
        found = np.minimum(low, np.where(beyond > 0, _sum(among, p) / np.where(beyond > 0, beyond, 1.0), 1.0))
        if (found == low).all():
            return low
        low = found


def log_likelihood_ratio(ratio: Floats, r: Floats, epsilon: Floats) -> Floats:
    """log L, [..., W]: the clipped ratio of a bet p = ratio·r, and 0 where p lies in the ball."""
    low, high = limits(ratio, r, epsilon)
    return np.asarray(np.log(np.clip(ratio, low[..., None], high[..., None])))


def _sum(a: Floats, b: Floats) -> Floats:
    """Σ a·b over the last axis: each row by itself, so that it does not matter how many there are."""
    return np.asarray(np.einsum("...w,...w->...", a, b))
