"""Measures how soon an A/B test and an interleaving know the better ranking: `python -m benchmarks.interleaving`.

Simulated users scroll through pages and like what they see, with a probability that rises with the relevance of a post
to them and falls with its place. A ranking knows the relevance with an error; the variant's error is smaller than the
control's. The drafts, intervals and adjustments are those of the service.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.experiments.confidence_sequence import (
    MIN_USERS,
    Difference,
    Mean,
    difference,
    interval,
    users_needed,
)
from app.domain.experiments.covariate import adjusted
from app.domain.experiments.team_draft import CONTROL_TEAM, VARIANT_TEAM, draft_key, team_draft
from app.shared.command_line import OneLineParser, whole_number
from training.evaluation.metrics import ndcg_of_rank

CONTROL_ERROR, VARIANT_ERROR = 1.0, 0.9
"""Standard deviations of the errors, in those of the relevance."""
_SHARED_ERROR = 0.7  # correlation of the errors of both rankings: they are versions of one
_CANDIDATES, _PAGE = 40, 10
_EXAMINED = 1 / np.log2(1 + np.arange(1, _PAGE + 1))  # probability by place
_LIKED = 0.03  # of an examined post of mean relevance
_USERS_PER_LOOK = 200
_PLANNED_USERS = 1000  # of an interleaving
_MAX_USERS = 200_000
Array = NDArray[np.float64]
Posts = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Requests:
    """The m requests of some users in their windows; each has its own candidates.

    user       (m,) place among the users
    likes      (m,) how readily the user of the request likes a post; it differs between users
    relevance  (m, candidates)
    control, variant  (m, candidates) scores
    """

    user: Posts
    likes: Array
    relevance: Array
    control: Array
    variant: Array


class SimulatedUsers:
    """Users of two rankings with some errors. The same seed gives the same users."""

    def __init__(self, seed: int, control_error: float, variant_error: float) -> None:
        self._rng = np.random.default_rng(seed)
        self._errors = control_error, variant_error

    def arrive(self, users: int) -> tuple[Requests, Array]:
        """The requests of new users, and (users,) what each liked in an equal time before, by the control's ranking."""
        rng = self._rng
        activity, readiness = rng.gamma(1.0, 4.0, users), rng.lognormal(-0.3, 0.8, users)
        before, after = self._requests(activity, readiness), self._requests(activity, readiness)
        liked = self.liked(before, best(before.control)).sum(axis=1)
        return after, _by_user(before, liked, users)

    def liked(self, requests: Requests, pages: Posts) -> NDArray[np.bool_]:
        """(m, page) which posts of the pages (m, page) are liked."""
        relevance = np.take_along_axis(requests.relevance, pages, axis=1)
        probability = _EXAMINED * np.minimum(1.0, _LIKED * requests.likes[:, None] * np.exp(relevance))
        liked: NDArray[np.bool_] = self._rng.random(probability.shape) < probability
        return liked

    def chosen(self, requests: Requests) -> Posts:
        """(m,) the post that each user would choose if they saw all candidates, by softmax of the relevance."""
        noise = self._rng.gumbel(size=requests.relevance.shape)
        chosen: Posts = np.argmax(requests.relevance + noise, axis=1)
        return chosen

    def _requests(self, activity: Array, readiness: Array) -> Requests:
        rng = self._rng
        user = np.repeat(np.arange(len(activity)), 1 + rng.poisson(activity))
        relevance, shared, *own = rng.standard_normal((4, len(user), _CANDIDATES))
        mixed = [_SHARED_ERROR**0.5 * shared + (1 - _SHARED_ERROR) ** 0.5 * one for one in own]
        scores = [relevance + error * one for error, one in zip(self._errors, mixed, strict=True)]
        if self._errors[0] == self._errors[1]:
            scores[1] = scores[0]  # identical rankings
        return Requests(user, readiness[user], relevance, *scores)


def best(scores: Array, count: int = _PAGE) -> Posts:
    """(m, count) the posts with the highest scores (m, candidates), best first."""
    return np.argsort(-scores, axis=1)[:, :count]


def replay_ndcg(seed: int, users: int = 20_000) -> tuple[float, float]:
    """NDCG@10 of the rankings of the control and of the variant, as a replay measures it."""
    simulated = SimulatedUsers(seed, CONTROL_ERROR, VARIANT_ERROR)
    requests, _ = simulated.arrive(users)
    chosen = simulated.chosen(requests)
    found = []
    for scores in (requests.control, requests.variant):
        of_chosen = np.take_along_axis(scores, chosen[:, None], axis=1)
        found.append(float(ndcg_of_rank(1 + (scores > of_chosen).sum(axis=1)).mean()))
    return found[0], found[1]


def looks_at_ab_test(seed: int) -> Iterator[tuple[int, Difference]]:
    """Requests so far, and the difference of likes per user, each time that some users have ended their window."""
    simulated = SimulatedUsers(seed, CONTROL_ERROR, VARIANT_ERROR)
    planned_users = _plan(seed)
    values, before, is_variant = np.empty(0), np.empty(0), np.empty(0, np.bool_)
    n_requests = 0
    while len(values) < _MAX_USERS:
        requests, history = simulated.arrive(_USERS_PER_LOOK)
        assigned = np.arange(_USERS_PER_LOOK) % 2 == 1
        scores = np.where(assigned[requests.user, None], requests.variant, requests.control)
        liked = simulated.liked(requests, best(scores)).sum(axis=1)
        values = np.concatenate([values, _by_user(requests, liked, _USERS_PER_LOOK)])
        before, is_variant = np.concatenate([before, history]), np.concatenate([is_variant, assigned])
        n_requests += len(requests.user)
        if len(values) >= 2 * MIN_USERS:
            found = adjusted(values, before)
            means = Mean.of(found[~is_variant]), Mean.of(found[is_variant])
            yield n_requests, difference(*means, planned_users)


def looks_at_interleaving(
    seed: int, errors: tuple[float, float] = (CONTROL_ERROR, VARIANT_ERROR), max_users: int = _MAX_USERS
) -> Iterator[tuple[int, Difference]]:
    """Requests so far, and the preference per user, each time that some users have ended their window."""
    simulated = SimulatedUsers(seed, *errors)
    values, n_requests = np.empty(0), 0
    while len(values) < max_users:
        requests, _ = simulated.arrive(_USERS_PER_LOOK)
        pages, teams = _interleaved(requests, str(seed), len(values))
        liked = simulated.liked(requests, pages)
        credit = ((teams == VARIANT_TEAM) & liked).sum(axis=1) - ((teams == CONTROL_TEAM) & liked).sum(axis=1)
        values = np.concatenate([values, _by_user(requests, credit, _USERS_PER_LOOK)])
        n_requests += len(requests.user)
        if len(values) >= MIN_USERS:
            yield n_requests, interval(Mean.of(values), _PLANNED_USERS)


def requests_until_known(looks: Iterator[tuple[int, Difference]]) -> float:
    """Requests until the interval excludes 0; infinity if it never does."""
    return next((requests for requests, found in looks if found.excludes_zero), float("inf"))


def covers_at_every_look(seed: int, users: int) -> bool:
    """Whether the preference between identical rankings covers 0 at every look."""
    looks = looks_at_interleaving(seed, (CONTROL_ERROR, CONTROL_ERROR), users)
    return not any(found.excludes_zero for _, found in looks)


def _by_user(requests: Requests, values: NDArray[Any], users: int) -> Array:
    """(users,) sums of the values (m,) of requests."""
    return np.bincount(requests.user, values, users).astype(np.float64)


def _interleaved(requests: Requests, salt: str, first_user: int) -> tuple[Posts, NDArray[np.int8]]:
    """(m, page) posts and teams of interleaved pages."""
    control, variant = best(requests.control, 2 * _PAGE), best(requests.variant, 2 * _PAGE)
    pages = np.empty((len(control), _PAGE), np.intp)
    teams = np.empty((len(control), _PAGE), np.int8)
    for row, user in enumerate(requests.user.tolist()):
        key = draft_key(salt, UUID(int=first_user + user), row, 0)
        draft = team_draft(control[row].tolist(), variant[row].tolist(), _PAGE, key)
        pages[row] = np.where(draft.is_variants, variant[row][draft.positions], control[row][draft.positions])
        teams[row] = draft.teams
    return pages, teams


def _plan(seed: int) -> int:
    """The users for an effect of the size of the true one: the A/B test has the plan that suits it best."""
    simulated = SimulatedUsers(seed + 1_000_000, CONTROL_ERROR, VARIANT_ERROR)
    requests, before = simulated.arrive(10_000)
    control, variant = (
        _by_user(requests, simulated.liked(requests, best(scores)).sum(axis=1), 10_000)
        for scores in (requests.control, requests.variant)
    )
    return users_needed(
        Mean.of(adjusted(control, before)).variance, abs(variant.mean() - control.mean()), 0.5
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _arguments(argv)
    control, variant = replay_ndcg(0)
    ab_test = median(requests_until_known(looks_at_ab_test(seed)) for seed in range(args.seeds))
    interleaving = median(requests_until_known(looks_at_interleaving(seed)) for seed in range(args.seeds))
    covering = sum(covers_at_every_look(seed, args.users) for seed in range(args.identical_seeds))
    found = {
        "ndcg@10": {"control": control, "variant": variant},
        "median_requests": {"ab_test": ab_test, "interleaving": interleaving},
        "seeds": args.seeds,
        "identical_rankings": {"covering": covering, "seeds": args.identical_seeds, "users": args.users},
    }
    if args.json:
        print(json.dumps(found, indent=2))
        return 0
    print(
        f"NDCG@10: control {control:.4f}, variant {variant:.4f} ({variant / control - 1:+.1%})\n"
        f"median requests of {args.seeds} seeds until 0 is excluded: A/B test {ab_test:,.0f}, "
        f"interleaving {interleaving:,.0f}, {interleaving / ab_test:.3f} of it\n"
        f"identical rankings: 0 is covered at every look up to {args.users:,} users in {covering} of "
        f"{args.identical_seeds} seeds"
    )
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(prog="python -m benchmarks.interleaving", description=__doc__)
    parser.add_argument("--seeds", type=whole_number(1), default=20)
    parser.add_argument("--identical-seeds", type=whole_number(1), default=100)
    parser.add_argument("--users", type=whole_number(200), default=2000, help="of each identical seed")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
