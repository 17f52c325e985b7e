"""A replay with few live posts: what ranks has them alone, the simple rankers have every post."""

from dataclasses import fields, replace
from functools import cache
from itertools import compress
from typing import Any

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.domain.feed.dataset import FeedDataset, PostColumns
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.timeline import FeedTimeline
from app.domain.ranking.options import RankingOptions
from tests.support.feeds import Feed, feeds, generated
from tests.support.live_feeds import feed_differences
from training.evaluation.rankers import RANKERS, rank
from training.replay.live_timeline import LiveTimeline
from training.replay.replay import Replay

SMALL = RankingOptions(candidates=12, whole_catalogue=0)
EVERYTHING = LivePostLimits(newest=10**6)
FEW = LivePostLimits(newest=15, strongest=3, engaged_days=0.02)


def without(dataset: FeedDataset, kept: NDArray[np.bool_]) -> FeedDataset:
    """The dataset with some posts and their events only."""

    def of(column: Any) -> Any:
        if column is None or isinstance(column, np.ndarray):
            return None if column is None else column[kept]
        return list(compress(column, kept.tolist()))

    posts = {column.name: of(getattr(dataset.posts, column.name)) for column in fields(PostColumns)}
    events = dataset.events[np.flatnonzero(kept[dataset.events.post])]
    events = replace(events, post=(np.cumsum(kept) - 1)[events.post].astype(np.int32))
    return replace(dataset, posts=PostColumns(**posts), events=events)


@given(
    feeds(least_events=8), st.integers(1, 4), st.integers(0, 1), st.lists(st.floats(0, 90_000), max_size=3)
)
@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_the_state_is_that_of_a_feed_without_the_evicted_posts(
    feed: Feed, newest: int, strongest: int, times: list[float]
) -> None:
    dataset, rule = feed.dataset(), RankingOptions().counting
    limits = LivePostLimits(newest, strongest, 0)
    timeline = LiveTimeline(dataset, rule, limits)
    for time in (*sorted(times), 1e6):
        timeline.advance(time)
    kept = np.zeros(len(dataset.posts), np.bool_)
    kept[timeline.post_order[list(timeline.state.post_rows.values())]] = True

    expected = FeedTimeline(without(dataset, kept), replay=True, counting=rule)
    expected.advance(1e6)

    for key, row in expected.state.post_rows.items():  # a replay numbers the posts of its feed
        expected.state.seq[row] = timeline.state.seq[timeline.state.post_rows[key]]
    timeline.state.add_users(list(expected.state.user_rows))
    expected.state.add_users(list(timeline.state.user_rows))
    assert feed_differences(timeline.state, expected.state, 1e6) == []


@cache
def ranks_of(limits: LivePostLimits | None) -> dict[str, list[tuple[int, list[int]]]]:
    replay = Replay(generated(users=25, posts=150, interactions=900), SMALL, live_posts=limits)
    ranks: dict[str, list[tuple[int, list[int]]]] = {name: [] for name in RANKERS}
    for event in replay.test_requests(20).tolist():
        request = replay.request_at(event)
        for name in RANKERS:
            ranked = rank(name, SMALL, request, None)
            ranks[name].append((ranked.rank, ranked.top.tolist()))
    return ranks


def test_nothing_changes_while_all_posts_are_live() -> None:
    assert ranks_of(EVERYTHING) == ranks_of(None)


def test_simple_rankers_rank_every_post_and_the_service_ranks_the_live_ones_first() -> None:
    few, everything = ranks_of(FEW), ranks_of(None)

    assert {name for name in RANKERS if few[name] != everything[name]} == {"learned", "served"}


def test_posts_that_are_not_live_follow_newest_first() -> None:
    replay = Replay(generated(users=25, posts=150, interactions=900), SMALL, live_posts=FEW)
    n_evicted = 0
    for event in replay.test_requests(20).tolist():
        request = replay.request_at(event)
        is_live = request.live.state.visible[request.eligible]
        n_evicted += np.count_nonzero(~is_live)
        for name in ("learned", "served"):
            ranked = rank(name, SMALL, request, None)
            if request.target in request.eligible[~is_live]:
                older = (
                    request.state.created[request.eligible[~is_live]] < request.state.created[request.target]
                )
                assert ranked.rank > np.count_nonzero(is_live) or name == "served"
                assert ranked.rank <= len(request.eligible) - np.count_nonzero(older)
        top = rank("learned", SMALL, request, None).top
        listed_live = request.live.state.visible[top]
        assert not (np.diff(listed_live.astype(np.int8)) > 0).any()
        assert (np.diff(request.state.created[top[~listed_live]]) <= 0).all()

    assert n_evicted > 500
