"""The pages of a dataset: from stored pages, and in the order of time of a replay."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.shown_pages import ShownPage, page_columns
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from app.domain.ids import user_uuid
from tests.support.feeds import LIKE, Feed, Post, feeds, impressions_of, shuffled

Shown = set[tuple[bytes, str, float, bool]]


def shown(state: FeedState) -> Shown:
    """The impressions of all users: user, post, time, whether it was seen."""
    return {
        (key, state.post_id(post), time, seen)
        for key, row in state.user_rows.items()
        for post, time, seen in impressions_of(state, row)
    }


@given(feeds(most_pages=6), st.lists(st.integers(0, 41), max_size=4))
def test_a_replay_knows_the_pages_before_its_time_whatever_its_steps(feed: Feed, steps: list[int]) -> None:
    stepwise = FeedTimeline(feed.dataset(), replay=True)
    other_order = FeedTimeline(shuffled(feed.dataset(), 4), replay=True)

    for until in sorted(step * 1800.0 for step in steps):
        stepwise.advance(until)
        direct = FeedTimeline(feed.dataset(), replay=True)
        direct.advance(until)
        other_order.advance(until)
        assert shown(stepwise.state) == shown(direct.state) == shown(other_order.state)
        assert {time for _, _, time, _ in shown(direct.state)} <= {
            at for _, at, *_ in feed.pages if at < until
        }


def test_a_replayed_page_contains_the_posts_that_existed_and_which_of_them_were_seen() -> None:
    posts = [Post(0.0), Post(5.0), Post(20.0)]
    timeline = FeedTimeline(Feed(1, posts, pages=[(0, 10.0, [1, 2, 0], [0, 2])]).dataset(), replay=True)

    timeline.advance(10.0)
    before = impressions_of(timeline.state, 0)
    timeline.advance(30.0)

    assert before == []
    assert sorted(impressions_of(timeline.state, 0)) == [(0, 10.0, True), (1, 10.0, False)]


def test_neither_a_full_read_nor_the_state_of_simple_rankers_contains_the_pages_of_a_dataset() -> None:
    dataset = Feed(1, [Post()], [(0, 0, LIKE, 5.0)], pages=[(0, 1.0, [0], [])]).dataset()

    for timeline in (FeedTimeline(dataset, replay=False), FeedTimeline(dataset, replay=True, counting=None)):
        assert not shown(timeline.apply_all())


def test_stored_pages_become_columns_by_time_without_unknown_users_and_posts() -> None:
    dataset = Feed(2, [Post(), Post(), Post()]).dataset()  # with the numbers 1, 2 and 3

    def page(user: str, time: int, posts: list[int], seen: list[int]) -> ShownPage:
        at = datetime.fromtimestamp(time, UTC)
        return ShownPage(user_uuid(user), at, np.array(posts), np.isin(posts, seen))

    pages = [page("user 1", 9, [3, 77, 1], [1]), page("nobody", 1, [1], []), page("user 0", 4, [2, 0], [])]
    columns = page_columns(pages, dataset)

    assert columns.user.tolist() == [0, 1]
    assert columns.time.tolist() == [4.0, 9.0]
    assert [columns.post[columns.places(page)].tolist() for page in range(2)] == [[1], [2, 0]]
    assert columns.seen.tolist() == [False, False, True]
    assert len(page_columns([], dataset)) == len(page_columns(pages[1:2], dataset)) == 0
