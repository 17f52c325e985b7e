"""Which model deserves to be published: the figures decide, and the registry keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import bootstrap, hit_of_rank, ndcg_of_rank, reciprocal_rank

ENOUGH_REQUESTS = 500
"""Held-out requests under which nothing is learned: the formula ranks."""

TOLERATED = -0.02
"""A challenger whose paired gain over the champion may lie below this, relative to it, is not published."""


def estimates_of(ranks: Mapping[str, NDArray[np.int64]], users: NDArray[np.integer[Any]]) -> dict[str, Any]:
    """ranker -> figure -> {mean, low, high, n}, for the registry."""
    measures = {"ndcg@10": ndcg_of_rank, "hit@10": hit_of_rank, "mrr": reciprocal_rank}
    return {
        name: {label: asdict(bootstrap(measure(rank), users)) for label, measure in measures.items()}
        for name, rank in ranks.items()
    }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean gain of one ranker over another on the same requests, relative to the other, with its 95 % interval."""

    gain: float
    low: float
    high: float
    n: int


def compare(
    challenger: NDArray[np.int64], champion: NDArray[np.int64], users: NDArray[np.integer[Any]]
) -> Comparison:
    """Paired bootstrap over users of the difference in NDCG@10."""
    ours, theirs = ndcg_of_rank(challenger), ndcg_of_rank(champion)
    difference = bootstrap(ours - theirs, users)
    base = max(float(theirs.mean()) if len(theirs) else 0.0, 1e-9)
    return Comparison(difference.mean / base, difference.low / base, difference.high / base, difference.n)


@dataclass(frozen=True, slots=True)
class Selection:
    """The scorer that the evidence speaks for, and why."""

    algorithm: str  # "learned" or "formula"
    why: str


def select_algorithm(ranks: Mapping[str, NDArray[np.int64]], n_requests: int) -> Selection:
    """The better of formula and learned on held-out time; too little of it: the formula."""
    if n_requests < ENOUGH_REQUESTS:
        return Selection(
            "formula", f"{n_requests} held-out requests, {ENOUGH_REQUESTS} are needed to learn from"
        )
    if "learned" not in ranks:
        return Selection("formula", "nothing could be learned")
    learned, formula = (float(ndcg_of_rank(ranks[name]).mean()) for name in ("learned", "formula"))
    figures = f"NDCG@10 on {n_requests} held-out requests: learned {learned:.4f}, formula {formula:.4f}"
    return Selection("learned" if learned > formula else "formula", figures)


def rejection_reasons(
    chosen: NDArray[np.int64],
    users: NDArray[np.integer[Any]],
    random: NDArray[np.int64],
    champion: NDArray[np.int64] | None,
) -> Sequence[str]:
    """Why a model must not be published; empty when nothing speaks against it.

    `champion` are the ranks of the active model's configuration, refitted on the same warm-up, or None.
    """
    found = []
    if len(chosen):
        over_random = compare(chosen, random, users)
        if over_random.high < 0:
            found.append(f"it ranks worse than random ({over_random.n} held-out requests)")
    if champion is not None and len(chosen):
        gain = compare(chosen, champion, users)
        if gain.low < TOLERATED:
            found.append(
                f"against the active model's configuration it gains {gain.gain:+.1%} "
                f"(95 % interval {gain.low:+.1%} to {gain.high:+.1%}, {gain.n} held-out requests)"
            )
    return found
