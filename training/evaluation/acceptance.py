"""Decides which algorithm is published, and whether a model may be published."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import METRICS, bootstrap, ndcg_of_rank

MIN_HELD_OUT_REQUESTS = 500
"""With fewer held-out requests the formula is published."""

MIN_RELATIVE_GAIN = -0.02
"""A model is rejected if the interval of its relative gain over the active model starts below this."""


def estimates_of(ranks: Mapping[str, NDArray[np.int64]], users: NDArray[np.integer[Any]]) -> dict[str, Any]:
    """ranker -> metric -> {mean, low, high, n}, for the entry of a model in `models/registry.json`.

    ranks  of the chosen post of each request (n,), for each ranker
    users  (n,) the user of each request: the intervals come from a bootstrap over users
    """
    return {
        name: {metric: asdict(bootstrap(of_rank(rank), users)) for metric, of_rank in METRICS.items()}
        for name, rank in ranks.items()
    }


@dataclass(frozen=True, slots=True)
class Comparison:
    """The mean gain in NDCG@10 over another ranking, relative to the other, with its 95 % interval."""

    gain: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.gain:+.1%} (95 % interval {self.low:+.1%} to {self.high:+.1%}, {self.n} held-out requests)"


def compare(
    ranks: NDArray[np.int64], other_ranks: NDArray[np.int64], users: NDArray[np.integer[Any]]
) -> Comparison:
    """Paired bootstrap over users of the difference in NDCG@10 on the same requests."""
    ndcg, other = ndcg_of_rank(ranks), ndcg_of_rank(other_ranks)
    difference = bootstrap(ndcg - other, users)
    base = max(float(other.mean()) if len(other) else 0.0, 1e-9)
    return Comparison(difference.mean / base, difference.low / base, difference.high / base, difference.n)


def select_ranker(ranks: Mapping[str, NDArray[np.int64]], n_requests: int) -> tuple[str, str]:
    """The better of "formula" and "learned" on held-out requests, and the reason. Too few requests: the formula."""
    if n_requests < MIN_HELD_OUT_REQUESTS:
        reason = f"{n_requests} held-out requests; learning needs at least {MIN_HELD_OUT_REQUESTS}"
        return "formula", reason
    learned, formula = (float(ndcg_of_rank(ranks[name]).mean()) for name in ("learned", "formula"))
    reason = f"NDCG@10 on {n_requests} held-out requests: learned {learned:.4f}, formula {formula:.4f}"
    return "learned" if learned > formula else "formula", reason


def rejection_reasons(comparisons: Mapping[str, Comparison]) -> list[str]:
    """Reasons not to publish or serve a model; empty if there are none.

    `comparisons` may hold `against_random` and `against_active`, as the registry names them.
    """
    reasons = []
    if "against_random" in comparisons and comparisons["against_random"].high < 0:
        reasons.append(f"it ranks worse than random: {comparisons['against_random']}")
    if "against_active" in comparisons and comparisons["against_active"].low < MIN_RELATIVE_GAIN:
        active = comparisons["against_active"]
        reasons.append(f"it ranks worse than the configuration of the active model: {active}")
    return reasons
