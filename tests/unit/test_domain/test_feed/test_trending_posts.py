"""The posts that a model carries for a start without a database."""

import numpy as np

from app.domain.feed.event_counting import DEFAULT_RULE
from app.domain.feed.trending_posts import TrendingPosts
from tests.support.live_feeds import HOUR
from tests.support.small_service import SmallService


def a_feed() -> SmallService:
    service = SmallService()
    service.add_users("ann", "ben", "reader", "other")
    service.add_users("shy", discoverable=False)
    for number in range(8):
        service.add_post(
            f"p{number}", ("ann", "ben", None)[number % 3], age=number * HOUR, tags=("red",)[number % 2 :]
        )
    service.add_post("members", "ann", visibility="members", audience_id="club")
    service.add_post("hidden", "ann", visible=False)
    service.add_post("sensitive", "ann", sensitive=True)
    service.add_post("of a shy author", "shy")
    service.catch_up()
    for user in ("reader", "other"):
        service.track(user, "p5", "like")
    service.track("reader", "p6", "share")
    return service


def names(posts: TrendingPosts) -> list[str | None]:
    return list(posts.external_ids)


def test_the_most_engaging_posts_that_everybody_may_see_come_first_then_the_newest() -> None:
    state = a_feed().feed.state

    assert sorted(map(str, names(TrendingPosts.of(state, 2)))) == ["p5", "p6"]
    assert sorted(map(str, names(TrendingPosts.of(state, 4)))) == ["p0", "p1", "p5", "p6"]
    assert sorted(map(str, names(TrendingPosts.of(state)))) == [f"p{number}" for number in range(8)]


def test_a_state_of_trending_posts_has_their_counters_and_no_user_but_their_authors() -> None:
    state = a_feed().feed.state
    posts = TrendingPosts.of(state)

    restored = posts.to_state(DEFAULT_RULE)

    assert set(restored.user_rows) == {
        key for key, row in state.user_rows.items() if row in set(state.author[:8])
    }
    rows = np.array([state.post_rows[key] for key in restored.post_rows])
    new_rows = np.array(list(restored.post_rows.values()))
    for name in ("created", "seq", "engagements", "last_engaged"):
        assert np.array_equal(getattr(restored, name)[new_rows], getattr(state, name)[rows])
    now = float(state.last_engaged.max())
    for name in ("post_counters", "strong_counters"):
        before, after = getattr(state, name), getattr(restored, name)
        assert np.array_equal(after.values(now, new_rows), before.values(now, rows))
    key_of = {row: key for key, row in state.user_rows.items()}
    authors = [key_of.get(row) for row in state.author[rows].tolist()]
    new_key_of = {row: key for key, row in restored.user_rows.items()}
    assert [new_key_of.get(row) for row in restored.author[new_rows].tolist()] == authors


def test_an_empty_feed_has_no_trending_posts() -> None:
    assert TrendingPosts.of(SmallService().feed.state).to_state(None).n_posts == 0
