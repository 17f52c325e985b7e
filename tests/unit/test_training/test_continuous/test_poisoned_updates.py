"""Updates by a few accounts, or with random choices, do not make the ranking worse."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
from training.continuous.continuous_training import ContinuousOptions, ContinuousTraining, rank_of_choice
from training.continuous.request_stream import RequestStream
from training.evaluation.metrics import ndcg_of_rank
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


def trained(stream: Stream) -> tuple[ContinuousTraining, int]:
    """Continuous training after all requests, and its number of promotions."""
    training, promotions = (
        ContinuousTraining(serving(), cast("RequestStream", stream), ContinuousOptions()),
        0,
    )
    for start in range(0, len(stream.users), STEP):
        block = np.arange(start, min(start + STEP, len(stream.users)))
        training.score(block, [stream.full(one) for one in block.tolist()])
        training.learn(block.tolist())
        promotions += training.promote_if_better() is not None
    return training, promotions


def ndcg(model: ChoiceModel, stream: Stream) -> float:
    ranks = [rank_of_choice(model, stream.full(one)) for one in range(len(stream.users))]
    return float(ndcg_of_rank(np.array(ranks)).mean())


def distance(one: ContinuousTraining, other: ContinuousTraining) -> float:
    return float(np.linalg.norm(one.candidate.linear - other.candidate.linear))


def test_random_choices_are_not_promoted() -> None:
    shuffled = requests(3000, np.arange(3000) % 500, seed=2, weights=np.zeros(3))

    training, promotions = trained(shuffled)

    assert promotions == 0
    assert np.linalg.norm(training.candidate.linear) < 0.2  # it learned that nothing matters
    np.testing.assert_array_equal(training.serving.linear, serving().linear)


@pytest.mark.parametrize("events", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_one_account_moves_the_weights_less_than_twenty_users(events: int) -> None:
    users = honest(3000)
    spam = requests(events, np.full(events, 10_000), seed=3, weights=np.zeros(3))
    twenty = honest(400, seed=4, first_user=20_000, n_users=20)

    clean, _ = trained(users)
    with_spam, _ = trained(users.mixed_with(spam))
    with_twenty, _ = trained(users.mixed_with(twenty))

    assert distance(clean, with_spam) < distance(clean, with_twenty)


@pytest.mark.parametrize(
    "weights", [pytest.param(0.0, id="at random"), pytest.param(-1.0, id="the worst posts")]
)
def test_twenty_accounts_do_not_make_the_ranking_worse_by_one_percent(weights: float) -> None:
    spam = requests(4000, 10_000 + np.arange(4000) % 20, seed=5, weights=TRUE_WEIGHTS * weights)
    later = honest(2000, seed=6)

    training, _ = trained(honest(3000).mixed_with(spam))

    assert ndcg(training.serving, later) > 0.99 * ndcg(serving(), later)
