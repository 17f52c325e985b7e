"""Selects the ranking that is published, and decides whether a model may be published."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.simple_rankings import FORMULA, LEARNED, SIMPLE_RANKINGS
from training.evaluation.metrics import METRICS, Estimate, bootstrap, ndcg_of_rank, widened

SELECTABLE: Final = (*SIMPLE_RANKINGS, LEARNED)
"""The rankings that can be published."""

MIN_RELATIVE_GAIN = -0.02
"""A model is rejected if its relative gain over the active model may be below this and cannot be above 0."""


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
    """The mean gain in NDCG@10 over another ranking, relative to the other, with its 95 % interval.

    The bounds are NaN for requests of one user.
    """

    gain: float
    low: float
    high: float
    n: int

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Comparison":
        """A comparison that the registry stores. Raises KeyError and TypeError for one of another version."""
        gain, low, high = (
            np.nan if values[name] is None else float(values[name]) for name in ("gain", "low", "high")
        )
        return cls(gain, low, high, int(values["n"]))

    def __str__(self) -> str:
        interval = f"95 % interval {self.low:+.1%} to {self.high:+.1%}"
        if np.isnan(self.low):
            interval = "no interval for one user"
        return f"{self.gain:+.1%} ({interval}, {self.n} held-out requests)"


def paired_difference(
    ranks: NDArray[np.int64], other_ranks: NDArray[np.int64], users: NDArray[np.integer[Any]]
) -> Estimate:
    """The mean difference in NDCG@10 on the same requests, by a bootstrap over users; wider for few users."""
    difference = bootstrap(ndcg_of_rank(ranks) - ndcg_of_rank(other_ranks), users)
    return widened(difference, len(np.unique(users)))


def compare(
    ranks: NDArray[np.int64], other_ranks: NDArray[np.int64], users: NDArray[np.integer[Any]]
) -> Comparison:
    """`paired_difference`, relative to the mean NDCG@10 of the other ranking."""
    difference = paired_difference(ranks, other_ranks, users)
    base = max(float(ndcg_of_rank(other_ranks).mean()) if len(users) else 0.0, 1e-9)
    return Comparison(difference.mean / base, difference.low / base, difference.high / base, difference.n)


def select_ranking(
    ranks: Mapping[str, NDArray[np.int64]], users: NDArray[np.integer[Any]]
) -> tuple[str, str]:
    """The ranking to publish, and the reason.

    It is the simple ranking with the largest mean NDCG@10, or the learned one if the interval of the difference to that
    one is above 0. Without any request it is the formula.

    ranks  of the chosen post of each request (n,), for each name in SELECTABLE
    users  (n,) the user of each request
    """
    if not len(users):
        return FORMULA, "no held-out request: the formula is the default"
    ndcg = {name: float(ndcg_of_rank(ranks[name]).mean()) for name in SELECTABLE}
    simple = max(SIMPLE_RANKINGS, key=ndcg.__getitem__)
    gain = paired_difference(ranks[LEARNED], ranks[simple], users)
    interval = "(no interval for one user)" if np.isnan(gain.low) else f"[{gain.low:+.4f}, {gain.high:+.4f}]"
    reason = (
        f"NDCG@10 on {len(users)} held-out requests: best simple ranking {simple} {ndcg[simple]:.4f}, "
        f"learned {ndcg[LEARNED]:.4f}, difference {gain.mean:+.4f} {interval}"
    )
    return LEARNED if gain.low > 0 else simple, reason


def rejection_reasons(comparisons: Mapping[str, Comparison]) -> list[str]:
    """Reasons not to publish or serve a model; empty if there are none.

    `comparisons` may hold `against_random` and `against_active`, as the registry names them.
    """
    reasons = []
    if "against_random" in comparisons and comparisons["against_random"].high < 0:
        reasons.append(f"it ranks worse than random: {comparisons['against_random']}")
    active = comparisons.get("against_active")
    if active is not None and active.low < MIN_RELATIVE_GAIN and active.high <= 0:
        reasons.append(f"it ranks worse than the configuration of the active model: {active}")
    return reasons
