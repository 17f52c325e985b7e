"""Continuous training on a past feed: nothing from the future, and weights that follow a change of behaviour."""

from functools import cache

import numpy as np
import pytest

from app.domain.feed.dataset import FeedDataset
from app.domain.ranking.options import RankingOptions
from app.shared.exceptions import ConfigurationError
from data.synthetic.behaviour import SCENARIOS
from tests.support.feeds import cut, generated
from training.continuous.continuous_training import ContinuousOptions
from training.continuous.evaluation import CONTINUOUS, FROZEN, ContinuousResult, evaluate_continuous
from training.evaluation.replay_workers import LocalEngine
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds

LEARNING = LearningOptions(requests=200, candidates=30, units=())
OPTIONS = ContinuousOptions(newest=200, older=50, min_requests=60)


def evaluate(feed: FeedDataset, test_from: float, max_requests: int = 10_000) -> ContinuousResult:
    return evaluate_continuous(
        Replay(feed, RankingOptions(), targets=target_kinds(feed), test_from=test_from),
        LEARNING,
        OPTIONS,
        max_requests=max_requests,
        engine=LocalEngine(1),
        full_trainings=False,
        step=20,
    )


@cache
def feed() -> FeedDataset:
    return generated(40, 60, 1600)


@cache
def whole() -> ContinuousResult:
    return evaluate(feed(), float(feed().events.time[800]))


def test_every_request_of_the_test_part_is_ranked_by_every_policy() -> None:
    result = whole()

    replay = Replay(feed(), RankingOptions(), test_from=float(feed().events.time[800]))
    assert len(result.times) == len(replay.test_requests(10_000)) > 100
    assert (np.diff(result.times) >= 0).all()
    assert all(ranks.min() >= 1 and len(ranks) == len(result.times) for ranks in result.ranks.values())
    assert not (result.ranks[CONTINUOUS] == result.ranks[FROZEN]).all() or not result.promotions


def test_a_request_is_ranked_before_anything_learns_from_it() -> None:
    times = feed().events.time
    early = evaluate(cut(feed(), float(times[1200])), float(times[800]))

    n = len(early.times)
    assert 0 < n < len(whole().times)
    for name, ranks in early.ranks.items():
        np.testing.assert_array_equal(ranks, whole().ranks[name][:n])


def test_a_log_without_enough_requests_is_one_clear_error() -> None:
    early = float(feed().events.time[20])

    with pytest.raises(ConfigurationError, match="requests before the test part are too few to start with"):
        evaluate(feed(), early)


@pytest.mark.slow
def test_weights_follow_a_change_of_behaviour() -> None:
    changing = generated(400, 1500, 20_000, scenario="changing")
    times = changing.events.time
    change = float(times[0] + SCENARIOS["changing"].changes_at * (times[-1] - times[0]))
    result = evaluate_continuous(
        Replay(changing, RankingOptions(), targets=target_kinds(changing), test_from=change),
        LearningOptions(requests=1000),
        ContinuousOptions(newest=800, older=200, min_requests=400),
        max_requests=10_000,
        engine=LocalEngine(1),
        full_trainings=False,
    )

    assert result.promotions
    assert result.against(FROZEN, first=len(result.users) // 2).low > 0
