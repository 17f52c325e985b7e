"""Slices of a replay give the results of the whole replay, in any order, with the part of the feed they need."""

import pytest

from app.domain.ranking.options import RankingOptions
from tests.support.feeds import generated
from tests.support.sliced_engine import SlicedEngine
from training.evaluation.prequential import replay_rankers
from training.evaluation.rankers import RANKERS
from training.evaluation.replay_workers import LocalEngine
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds
from training.reporting.ranking_dump import write_dump

QUICK = LearningOptions(requests=250, candidates=20, ridges=(1e-3,), units=(4,))


@pytest.fixture(scope="module")
def feed():
    return generated(users=60, posts=200, interactions=3000)


def dump(feed, path, engine, rankers, **options):
    test_from = float(feed.events.time[len(feed.events) // 2])
    replay = Replay(feed, RankingOptions(), targets=target_kinds(feed), test_from=test_from)
    result = replay_rankers(replay, rankers, QUICK, max_requests=60, engine=engine, **options)
    write_dump(path, replay, result)
    return path.read_bytes(), result


@pytest.mark.parametrize(("parallelism", "tasks_per_slot"), [(1, 1), (3, 2)])
def test_slices_rank_and_learn_as_the_whole_replay_does(feed, tmp_path, parallelism, tasks_per_slot):
    options = {"samples_all": True}
    expected, one = dump(feed, tmp_path / "whole", LocalEngine(1), RANKERS, **options)

    found, other = dump(
        feed, tmp_path / "slices", SlicedEngine(parallelism, tasks_per_slot), RANKERS, **options
    )

    assert found == expected
    assert one.served == other.served
    for name in ("inputs", "log_weight", "value"):
        a, b = (getattr(result.examples.choice_sets(), name) for result in (one, other))
        assert a.tobytes() == b.tobytes()
    assert one.fits
