"""A replay in slices gives the results of the whole replay, from a log that is split by user and by author."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.feed.dataset import FeedDataset
from app.domain.feed.live_posts import LivePostLimits
from app.domain.ranking import neighbourhood
from app.domain.ranking.learned_scorer import neighbours_with
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.sources import EngagedByFollowed
from app.shared.exceptions import ConfigurationError
from tests.support.feeds import feeds, generated, with_pages
from tests.support.sliced_engine import MemoryCluster, SlicedEngine
from training import preprocess
from training.evaluation.prequential import ReplayResult, replay_rankers
from training.evaluation.rankers import RANKERS
from training.evaluation.replay_workers import LocalEngine
from training.evaluation.sliced_replay import (
    PreparationSteps,
    regrouped_by_author,
    slice_inputs,
    state_of,
)
from training.evaluation.training_engine import TrainingEngine
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, ReplayRequest, target_kinds
from training.replay.replay_slices import ReplaySlice, SlicedFeed, SliceState
from training.replay.slice_states import Authorship
from training.reporting.ranking_dump import write_dump

QUICK = LearningOptions(requests=150, candidates=10, ridges=(1e-3,), units=(4,))
SOME = ["trending_1d", "learned", "served"]


def dumped(
    feed: FeedDataset, path: Path, engine: TrainingEngine, start: int, rankers=RANKERS, **options
) -> tuple[bytes, ReplayResult]:
    """The dump of a replay whose test part starts at an event."""
    test_from = float(feed.events.time[start])
    replay = Replay(feed, RankingOptions(), targets=target_kinds(feed), test_from=test_from)
    orders = {event: replay.events.post[[event]][: event % 2] for event in replay.test_requests(40).tolist()}
    result = replay_rankers(replay, rankers, QUICK, max_requests=40, engine=engine, against=orders, **options)
    write_dump(path, replay, result)
    return path.read_bytes(), result


def sampled_bytes(result: ReplayResult) -> list[bytes]:
    sampled = result.examples.choice_sets()
    return [array.tobytes() for array in (sampled.inputs, sampled.log_weight, sampled.value)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pages", "rankers"),
    [(False, SOME), (True, RANKERS)],
    ids=["impressions of the replay", "pages of the feed"],
)
def test_slices_rank_and_learn_as_the_whole_replay_does(tmp_path, pages, rankers):
    feed = generated(users=40, posts=120, interactions=1000)
    feed = with_pages(feed) if pages else feed
    start = len(feed.events) // 2

    expected, whole = dumped(feed, tmp_path / "whole", LocalEngine(1), start, rankers, samples_all=True)
    found, sliced = dumped(feed, tmp_path / "sliced", SlicedEngine(3), start, rankers, samples_all=True)

    assert found == expected
    assert whole.fits
    assert sliced.served == whole.served
    assert sampled_bytes(sliced) == sampled_bytes(whole)


@settings(max_examples=8, deadline=None)
@given(
    feed=feeds(least_events=6, most_controls=4, most_pages=4),
    start=st.integers(0, 20),
    slots=st.integers(1, 3),
)
def test_slices_of_any_feed_rank_as_the_whole_replay_does(tmp_path_factory, feed, start, slots):
    dataset, start = feed.dataset(), start % len(feed.events)
    path = tmp_path_factory.mktemp("dumps") / "dump"

    expected, _ = dumped(dataset, path, LocalEngine(1), start)
    found, _ = dumped(dataset, path, SlicedEngine(slots), start)

    assert found == expected


def neighbours_of(request: ReplayRequest) -> list[list[float]]:
    """All that rankings of a request read of other users."""
    context = request.context
    found = [neighbourhood.user_knn(context), neighbourhood.item_transitions(context)]
    served = request.neighbour_models.served.neighbours(context)
    columns = [
        *neighbourhood.neighbours(context),
        *(served.rows, served.similarity),
        *(column for sums in found for column in (sums.rows, sums.sums[0])),
        EngagedByFollowed(50, 10)(context),
        neighbours_with(context, np.arange(context.state.n_posts)),
    ]
    return [list(map(float, column)) for column in columns]


def state_of_slice(replay: Replay, one: ReplaySlice) -> SliceState:
    """The state of a slice, by the steps of a cluster."""
    cluster, events = MemoryCluster(2), replay.dataset.events
    steps = cluster.share(PreparationSteps(Authorship.of(replay), 4))
    rows = [np.flatnonzero(events.user % 4 == part) for part in range(4)]
    by_user = cluster.distribute(
        steps.value.counted(part, events[some], some) for part, some in enumerate(rows)
    )
    by_author = regrouped_by_author(by_user, steps)
    return state_of(slice_inputs(by_user, by_author, steps, cluster.share([one])).collect())


def test_a_slice_finds_the_neighbours_of_the_whole_replay_without_most_of_the_past(monkeypatch):
    monkeypatch.setattr(preprocess, "MAX_COMPARED_INTERACTIONS", 200)
    feed = generated(users=90, posts=40, interactions=12_000)
    start = float(feed.events.time[-500])
    whole = Replay(feed, RankingOptions(), test_from=start)
    past = np.flatnonzero(whole.timeline.counted & (feed.events.time < start))
    users = np.unique(feed.events.user[-20:]).astype(np.intp)[:4]
    listed = np.union1d(users, feed.follows.followee[np.isin(feed.follows.follower, users)])
    end, largest = np.inf, (int(whole.events.user[past].max()), int(whole.events.post[past].max()))
    one = ReplaySlice(
        start, end, users, listed, int(past[-200]), needs_whole_past=False, largest_rows=largest
    )

    state = state_of_slice(whole, one)
    sliced = SlicedFeed.of(whole).replay(one, state)

    assert np.count_nonzero(state.events.columns.time < start) < len(past) / 1.5
    for time in (start, float(feed.events.time[-200]), float(feed.events.time[-1])):
        for user in users.tolist():
            found, expected = (neighbours_of(replay.request_for(user, 0, time)) for replay in (sliced, whole))
            assert found == expected


def test_slices_of_a_feed_with_evicted_posts_are_rejected():
    feed = generated(users=10, posts=40, interactions=100)
    replay = Replay(
        feed, RankingOptions(), live_posts=LivePostLimits(newest=5, strongest=1, engaged_days=0.1)
    )

    with pytest.raises(ConfigurationError, match="more than LIVE_POSTS"):
        replay_rankers(replay, ["newest"], QUICK, max_requests=5, engine=SlicedEngine(1))
