"""Figures of a ranking, from the rank of the one post that was chosen, and their intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over `n` requests with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int


def ndcg_of_rank(rank: NDArray[np.int64], k: int = 10) -> NDArray[np.float64]:
    """1 / log2(rank + 1) within the first `k` places, else 0; `rank` from 1. With one relevant post, this is NDCG."""
    return np.where(rank <= k, 1.0 / np.log2(rank + 1.0), 0.0)


def hit_of_rank(rank: NDArray[np.int64], k: int = 10) -> NDArray[np.float64]:
    """1 within the first `k` places."""
    return (rank <= k).astype(np.float64)


def reciprocal_rank(rank: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 / rank."""
    return 1.0 / rank


def bootstrap(values: NDArray[np.float64], users: NDArray[np.integer], seed: int = 0) -> Figure:
    """Mean of per-request `values` with a percentile interval over resampled users (Efron & Tibshirani 1993, ch. 13).

    Users, not requests, are drawn: the requests of one user are no independent witnesses.
    """
    if not len(values):
        return Figure(float("nan"), float("nan"), float("nan"), 0)
    _, who = np.unique(users, return_inverse=True)
    total, count = np.bincount(who, weights=values), np.bincount(who)
    random = np.random.default_rng(seed)
    means = np.empty(_RESAMPLES)
    for i in range(_RESAMPLES):
        drawn = random.integers(0, len(total), len(total))
        means[i] = total[drawn].sum() / count[drawn].sum()
    low, high = np.quantile(means, [0.025, 0.975])
    return Figure(float(values.mean()), float(low), float(high), len(values))
