"""Figures of a ranking, from the rank of the one post that was chosen, and their intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 1000
_DRAWN_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
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


def bootstrap(values: NDArray[np.float64], users: NDArray[np.integer], seed: int = 0) -> Estimate:
    """Mean of per-request `values` with a percentile interval over resampled users (Efron & Tibshirani 1993, ch. 13).

    Users, not requests, are drawn: the requests of one user are no independent witnesses.
    """
    return bootstrap_rows(values[None], users, seed)[0]


def bootstrap_rows(values: NDArray[np.float64], users: NDArray[np.integer], seed: int = 0) -> list[Estimate]:
    """`bootstrap` of each row of (n_figures, n_requests) values, all over the same draws of users."""
    n = values.shape[1]
    if not n:
        return [Estimate(float("nan"), float("nan"), float("nan"), 0) for _ in values]
    _, who = np.unique(users, return_inverse=True)
    count = np.bincount(who)
    total = np.stack([np.bincount(who, weights=row) for row in values])
    random = np.random.default_rng(seed)
    means = np.empty((len(values), _RESAMPLES))
    step = max(1, _DRAWN_AT_ONCE // len(count))
    for start in range(0, _RESAMPLES, step):
        draws = random.integers(0, len(count), (min(step, _RESAMPLES - start), len(count)))
        times = np.stack(
            [np.bincount(one, minlength=len(count)) for one in draws]
        )  # each user is in a resample
        means[:, start : start + step] = (total @ times.T) / (times @ count)
    low, high = np.quantile(means, [0.025, 0.975], axis=1)
    mean = values.mean(axis=1)
    return [Estimate(float(m), float(a), float(b), n) for m, a, b in zip(mean, low, high, strict=True)]
