"""Updates by a few accounts, or with random choices, do not make the ranking worse."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
from training.continuous.continuous_training import ContinuousOptions, ContinuousTraining, rank_of_choice
from training.continuous.request_stream import RequestStream
from training.evaluation.metrics import bootstrap, ndcg_of_rank
from training.learning.calibration import FullChoiceSet
from training.learning.candidate_sets import ChoiceSets

TRUE_WEIGHTS = np.array([1.2, -0.6, 0.4])
CANDIDATES = 30
STEP = 250


@dataclass(frozen=True, eq=False)
class Stream:
    """Requests in order of time: users, and inputs (n, CANDIDATES, 3) with the chosen post first."""

    users: NDArray[np.int64]
    inputs: NDArray[np.float32]

    def examples_of(self, requests: NDArray[np.intp]) -> ChoiceSets:
        """As in RequestStream."""
        inputs, n = self.inputs[requests], len(requests)
        return ChoiceSets(inputs, np.zeros((n, CANDIDATES), np.float32), np.ones(n, np.float32))

    def full(self, request: int) -> FullChoiceSet:
        """All candidates of a request."""
        return FullChoiceSet(self.inputs[request].T.astype(np.float16), 0, request)

    def mixed_with(self, other: "Stream") -> "Stream":
        """The requests of both in a random order."""
        order = np.random.default_rng(1).permutation(len(self.users) + len(other.users))
        users, inputs = (
            np.concatenate([self.users, other.users]),
            np.concatenate([self.inputs, other.inputs]),
        )
        return Stream(users[order], inputs[order])


def requests(
    n: int, users: NDArray[np.int64], seed: int, weights: NDArray[np.float64] = TRUE_WEIGHTS
) -> Stream:
    """Choices by `weights`; weights of 0 choose at random."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(n, CANDIDATES, 3)).astype(np.float32)
    chosen = (inputs @ weights + random.gumbel(size=(n, CANDIDATES))).argmax(axis=1)
    every = np.arange(n)
    inputs[every, 0], inputs[every, chosen] = inputs[every, chosen].copy(), inputs[every, 0].copy()
    return Stream(users, inputs)


def honest(n: int, seed: int = 0, first_user: int = 0, n_users: int = 500) -> Stream:
    return requests(n, first_user + np.random.default_rng(seed).integers(0, n_users, n), seed)


def serving() -> ChoiceModel:
    """Weights near those of the honest users."""
    return replace(ChoiceModel.untrained(("a", "b", "c")), linear=TRUE_WEIGHTS * 0.9)


@dataclass(frozen=True, eq=False)
class Trained:
    """Continuous training after all requests, its number of promotions, and the (n,) ranks by the serving weights."""

    training: ContinuousTraining
    promotions: int
    ranks: NDArray[np.int64]


def trained(stream: Stream) -> Trained:
    training = ContinuousTraining(serving(), cast("RequestStream", stream), ContinuousOptions())
    promotions, ranks = 0, []
    for start in range(0, len(stream.users), STEP):
        block = np.arange(start, min(start + STEP, len(stream.users)))
        ranks.append(training.score(block, [stream.full(one) for one in block.tolist()]))
        training.learn(block.tolist())
        promotions += training.promote_if_better() is not None
    return Trained(training, promotions, np.concatenate(ranks))


def ndcg(model: ChoiceModel, stream: Stream) -> float:
    ranks = [rank_of_choice(model, stream.full(one)) for one in range(len(stream.users))]
    return float(ndcg_of_rank(np.array(ranks)).mean())


def distance(one: Trained, other: Trained) -> float:
    return float(np.linalg.norm(one.training.candidate.linear - other.training.candidate.linear))


def is_never_below_the_formula(found: Trained, stream: Stream, first_poisoned_user: int) -> bool:
    """Whether the mean NDCG@10 of any 2,000 honest requests is as good as that of weights that know one input."""
    formula = replace(serving(), linear=np.array([1.0, 0.0, 0.0]))
    honest_requests = np.flatnonzero(stream.users < first_poisoned_user)
    formula_ranks = [rank_of_choice(formula, stream.full(one)) for one in honest_requests.tolist()]
    gain = ndcg_of_rank(found.ranks[honest_requests]) - ndcg_of_rank(np.array(formula_ranks))
    users = stream.users[honest_requests]
    windows = (slice(start, start + 2000) for start in range(0, len(gain) - 1999, STEP))
    return all(bootstrap(gain[window], users[window]).high >= 0 for window in windows)


def test_random_choices_are_not_promoted() -> None:
    shuffled = requests(3000, np.arange(3000) % 500, seed=2, weights=np.zeros(3))

    found = trained(shuffled)

    assert found.promotions == 0
    assert np.linalg.norm(found.training.candidate.linear) < 0.2  # it learned that nothing matters
    np.testing.assert_array_equal(found.training.serving.linear, serving().linear)


@pytest.mark.parametrize("events", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_one_account_moves_the_weights_less_than_twenty_users(events: int) -> None:
    users = honest(3000)
    spam = requests(events, np.full(events, 10_000), seed=3, weights=np.zeros(3))
    twenty = honest(400, seed=4, first_user=20_000, n_users=20)

    clean = trained(users)
    with_spam = trained(users.mixed_with(spam))
    with_twenty = trained(users.mixed_with(twenty))

    assert distance(clean, with_spam) < distance(clean, with_twenty)


@pytest.mark.parametrize(
    "weights", [pytest.param(0.0, id="at random"), pytest.param(-1.0, id="the worst posts")]
)
def test_twenty_accounts_do_not_make_the_ranking_worse_by_one_percent(weights: float) -> None:
    spam = requests(4000, 10_000 + np.arange(4000) % 20, seed=5, weights=TRUE_WEIGHTS * weights)
    later = honest(2000, seed=6)

    stream = honest(3000).mixed_with(spam)
    found = trained(stream)

    assert ndcg(found.training.serving, later) > 0.99 * ndcg(serving(), later)
    assert is_never_below_the_formula(found, stream, first_poisoned_user=10_000)
