"""Checks off-policy estimates against the truth of simulated users: `python -m benchmarks.off_policy`.

Each pair is a ranking whose pages are drawn at random, and another one. Simulated users like what they see, and like
less after a post that they liked. The truth is what they like on pages of the other ranking.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.plackett_luce import LEAST_SCORE
from app.shared.command_line import OneLineParser, whole_number
from training.off_policy.estimators import PLACES, DrawnPlaces, OffPolicyResult, evaluate_off_policy

_CANDIDATES, _LISTED = 30, 2 * PLACES
_REQUESTS_PER_USER = 8
_EXAMINED = 1 / np.log2(1 + np.arange(1, PLACES + 1))  # probability by place
_LIKED = 0.05  # of an examined post of mean relevance
_SATED = 0.7  # factor on what is liked below a liked post
Array = NDArray[np.float64]
Posts = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Requests of simulated users, and two rankings of their candidates.

    user       (n,) a number for each user
    readiness  (n,) how readily the user of the request likes a post
    relevance  (n, candidates)
    drawn, other  (n, candidates) log scores of the ranking whose pages are drawn, and of the other one
    """

    user: Posts
    readiness: Array
    relevance: Array
    drawn: Array
    other: Array


def make_pair(rng: np.random.Generator, n_requests: int, *, without_support: bool = False) -> Pair:
    """Two rankings that differ more or less. `without_support`: the other one lists other posts."""
    user = np.unique(rng.integers(0, n_requests // _REQUESTS_PER_USER, n_requests), return_inverse=True)[1]
    shape = n_requests, _CANDIDATES
    relevance, error, change = rng.standard_normal((3, *shape))
    spread, distance, gain = rng.uniform(0.6, 1.2), rng.uniform(0.1, 0.5), rng.uniform(-0.3, 0.6)
    drawn = spread * (relevance + error)
    other = -drawn if without_support else drawn + distance * (gain * relevance + change)
    readiness = rng.lognormal(-0.3, 0.8, n_requests)[user]
    return Pair(user, readiness, relevance, drawn, other)


def listed_worths(scores: Array) -> Array:
    """(n, candidates) log worths of the posts of the first two pages; -infinity for the others."""
    worths = np.maximum(scores - scores.max(axis=1, keepdims=True), np.log(LEAST_SCORE))
    kept = np.argpartition(-scores, _LISTED, axis=1)[:, :_LISTED]
    listed = np.full(scores.shape, -np.inf)
    np.put_along_axis(listed, kept, np.take_along_axis(worths, kept, axis=1), axis=1)
    return listed


def draw_pages(worths: Array, rng: np.random.Generator) -> Posts:
    """(n, places) posts that are drawn one after the other in proportion to their worths."""
    return np.argsort(-(worths + rng.gumbel(size=worths.shape)), axis=1)[:, :PLACES]


def likes(pair: Pair, pages: Posts, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(n, places) what the users like on pages: the places below depend on those above, as in a cascade."""
    relevance = np.take_along_axis(pair.relevance, pages, axis=1)
    probability = _EXAMINED * np.minimum(1.0, _LIKED * pair.readiness[:, None] * np.exp(0.7 * relevance))
    liked = np.zeros(pages.shape, np.bool_)
    appetite = np.ones(len(pages))
    for place in range(PLACES):
        liked[:, place] = rng.random(len(pages)) < appetite * probability[:, place]
        appetite = np.where(liked[:, place], _SATED * appetite, appetite)
    return liked


def places_of(pair: Pair, pages: Posts, liked: NDArray[np.bool_]) -> DrawnPlaces:
    """What the estimators read: as `training.off_policy.page_replay` makes it, for all pages at once."""
    target = listed_worths(pair.other)
    least = np.log(LEAST_SCORE)
    known = np.where(np.isfinite(target), target, least)
    inputs = np.stack([known, known**2], axis=2)
    shares = np.exp(target)
    left, sums = shares.sum(axis=1), (shares[:, :, None] * inputs).sum(axis=1)
    of_pages = np.empty((*pages.shape, 2))
    expected = np.zeros((*pages.shape, 2))
    rows = np.arange(len(pages))
    for place, post in enumerate(pages.T):
        of_pages[:, place] = inputs[rows, post]
        expected[:, place] = sums / left[:, None]
        left = left - shares[rows, post]
        sums = sums - shares[rows, post, None] * inputs[rows, post]
    return DrawnPlaces(
        pair.user,
        np.ones(pages.shape, np.bool_),
        probabilities(listed_worths(pair.drawn), pages),
        probabilities(target, pages),
        liked.astype(np.float64),
        of_pages,
        expected,
    )


def probabilities(worths: Array, pages: Posts) -> Array:
    """(n, places) the probability of each place given those above it."""
    shares = np.exp(worths)
    of_pages = np.take_along_axis(shares, pages, axis=1)
    above = np.concatenate([np.zeros((len(pages), 1)), of_pages.cumsum(axis=1)[:, :-1]], axis=1)
    found: Array = of_pages / np.maximum(shares.sum(axis=1, keepdims=True) - above, 1e-300)
    return found


def measure(seed: int, n_requests: int, *, without_support: bool = False) -> tuple[OffPolicyResult, float]:
    """The result of one pair, and the true value of the other ranking."""
    rng = np.random.default_rng(seed)
    pair = make_pair(rng, n_requests, without_support=without_support)
    pages = draw_pages(listed_worths(pair.drawn), rng)
    found = evaluate_off_policy(places_of(pair, pages, likes(pair, pages, rng)), rng)
    other = listed_worths(pair.other)
    truths = [likes(pair, draw_pages(other, rng), rng).sum(axis=1).mean() for _ in range(8)]
    return found, float(np.mean(truths))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _arguments(argv)
    results = [measure(seed, args.requests) for seed in range(args.pairs)]
    unsupported = [
        measure(seed, args.requests, without_support=True)[0] for seed in range(args.unsupported_pairs)
    ]
    kept = [(one, truth) for one, truth in results if one.rejected is None]
    found = {
        "pairs": args.pairs,
        "requests": args.requests,
        "rejected": args.pairs - len(kept),
        "rejected_without_support": sum(one.rejected is not None for one in unsupported),
        "pairs_without_support": args.unsupported_pairs,
    }
    for name in ("snips", "doubly_robust"):
        estimates = [(getattr(one, name), truth) for one, truth in kept]
        widths = [(one.high - one.low) / 2 / truth for one, truth in estimates]
        found[name] = {
            "coverage": float(np.mean([one.low <= truth <= one.high for one, truth in estimates])),
            "median_half_width": float(np.median(widths)),
            "mean_bias": float(np.mean([one.value / truth - 1 for one, truth in estimates])),
        }
    print(json.dumps(found, indent=2))
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(prog="python -m benchmarks.off_policy", description=__doc__)
    parser.add_argument("--pairs", type=whole_number(1), default=200)
    parser.add_argument("--unsupported-pairs", type=whole_number(1), default=20)
    parser.add_argument("--requests", type=whole_number(100), default=20_000)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
