"""Metrics of a ranking from the rank of the one chosen post, and their intervals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

_RESAMPLES = 1000
_MAX_DRAWS_PER_STEP = 4_000_000  # bounds the memory


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `n` requests with its 95 % interval.

    The mean of no request is NaN, and so are the bounds for fewer than two users.
    """

    mean: float
    low: float
    high: float
    n: int


def ndcg_of_rank(rank: NDArray[np.int64], k: int = 10) -> NDArray[np.float64]:
    """1 / log2(rank + 1) for the first `k` ranks (from 1), else 0. This is NDCG with one relevant post."""
    return np.where(rank <= k, 1.0 / np.log2(rank + 1.0), 0.0)


def hit_of_rank(rank: NDArray[np.int64], k: int = 10) -> NDArray[np.float64]:
    """1 for the first `k` ranks, else 0."""
    return (rank <= k).astype(np.float64)


def reciprocal_rank(rank: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 / rank."""
    return 1.0 / rank


METRICS: Final[Mapping[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]]] = {
    "ndcg@10": ndcg_of_rank,
    "hit@10": hit_of_rank,
    "mrr": reciprocal_rank,
}


def bootstrap(values: NDArray[np.float64], users: NDArray[np.integer], seed: int = 0) -> Estimate:
    """Mean of per-request `values` with a percentile interval over resampled users (Efron & Tibshirani 1993, ch. 13).

    Draws users, not requests, because the requests of one user are not independent.
    """
    return bootstrap_rows(values[None], users, seed)[0]


def bootstrap_rows(values: NDArray[np.float64], users: NDArray[np.integer], seed: int = 0) -> list[Estimate]:
    """`bootstrap` of each row of (n_rows, n_requests) values, with the same draws of users for all rows."""
    n = values.shape[1]
    if not n:
        return [Estimate(float("nan"), float("nan"), float("nan"), 0) for _ in values]
    _, user_index = np.unique(users, return_inverse=True)
    count = np.bincount(user_index)
    total = np.stack([np.bincount(user_index, weights=row) for row in values])
    random = np.random.default_rng(seed)
    means = np.empty((len(values), _RESAMPLES))
    step = max(1, _MAX_DRAWS_PER_STEP // len(count))
    for start in range(0, _RESAMPLES, step):
        draws = random.integers(0, len(count), (min(step, _RESAMPLES - start), len(count)))
        weights = np.stack([np.bincount(draw, minlength=len(count)) for draw in draws])
        means[:, start : start + step] = (total @ weights.T) / (weights @ count)
    low, high = np.quantile(means, [0.025, 0.975], axis=1)
    if len(count) == 1:  # one user says nothing about others
        low, high = np.full((2, len(values)), np.nan)
    mean = values.mean(axis=1)
    return [Estimate(float(m), float(a), float(b), n) for m, a, b in zip(mean, low, high, strict=True)]


def widened(estimate: Estimate, n_users: int) -> Estimate:
    """An estimate with a bootstrap interval, widened as that of a t distribution of `n_users` - 1 degrees of freedom.

    The resamples of a few users vary too little: by sqrt((n - 1) / n), with the tails of a normal distribution
    (Hesterberg 2015). The factor is 2.7 for three users, 1.2 for ten, and 1.02 for 100.
    """
    if n_users < 2:
        return estimate
    factor = stdtrit(n_users - 1, 0.975) / ndtri(0.975) * np.sqrt(n_users / (n_users - 1))
    low, high = (estimate.mean + factor * (bound - estimate.mean) for bound in (estimate.low, estimate.high))
    return Estimate(estimate.mean, float(low), float(high), estimate.n)
