"""The feed in memory is a function of what was added to it, whatever the steps."""

import pickle
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.feed.dataset import NO_USERS, EventParts
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.event_counting import DEFAULT_RULE
from app.domain.feed.list_limits import DEFAULT_LIST_LIMITS, ListLimits
from app.domain.feed.post_settings import PostSettings
from app.domain.feed.state import FeedState
from app.domain.feed.state_arrays import state_from_arrays
from app.domain.feed.state_filling import add_users, fill_state
from app.domain.feed.timeline import FeedTimeline
from tests.support.feeds import COMMENT, LIKE, VIEW, Feed, Post, feeds, shuffled
from tests.support.live_feeds import feed_differences
from tests.support.state_copies import copied, saved_arrays

MOMENTS = st.lists(st.integers(0, 42).map(lambda step: step * 1800.0), max_size=8).map(sorted)


def comparable(state: FeedState) -> bytes:
    """Everything in a state, byte for byte."""
    return pickle.dumps(_plain(saved_arrays(state)))


def _plain(value):
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    if isinstance(value, dict) and "pools" in value:  # of a RaggedArray: the rows, wherever they are
        starts, lengths = value["start"][value["slot"]], value["length"][value["slot"]]
        rows = [(start, start + length) for start, length in zip(starts, lengths, strict=True)]
        return [[_plain(pool[start:end]) for start, end in rows] for pool in value["pools"].values()]
    if isinstance(value, dict):
        return [(key, _plain(one)) for key, one in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value)


def embed(texts):
    """Two directions, by colour."""
    return np.array([["red" in text, "blue" in text] for text in texts], np.float32).reshape(len(texts), 2)


@given(feeds(), MOMENTS, st.booleans(), st.sampled_from([DEFAULT_LIST_LIMITS, ListLimits(2, 1)]))
def test_any_steps_lead_to_the_same_bytes(feed, moments, replay, limits):
    at_once, stepwise = (FeedTimeline(feed.dataset(), replay=replay, limits=limits) for _ in range(2))
    for timeline in (at_once, stepwise):
        timeline.embed_texts(embed)

    for moment in moments:
        stepwise.advance(moment)

    assert comparable(stepwise.apply_all()) == comparable(at_once.apply_all())


TWO_POSTS_IN_TURN = Feed(
    41, [Post(author=40), Post(author=40)], [(user, user % 2, VIEW, 977.7 * user) for user in range(40)]
)


@given(feeds(), st.integers(1, 4), st.sampled_from([DEFAULT_LIST_LIMITS, ListLimits(2, 1)]))
@example(TWO_POSTS_IN_TURN, 2, DEFAULT_LIST_LIMITS)
def test_a_feed_in_parts_gives_the_state_of_all_of_it_at_once(feed, parts, limits):
    def in_parts(group):
        return [events[np.flatnonzero(group % parts == part)] for part in range(parts)]

    dataset = feed.dataset()
    events = dataset.events
    authors = events.author_groups(dataset.posts.author)
    rest = replace(dataset, users=NO_USERS, events=events[:0])
    every_part = EventParts(in_parts(events.user), in_parts(authors))

    at_once = FeedTimeline(dataset, replay=False, limits=limits).apply_all()
    by_parts = FeedState(limits=limits)
    for some in np.array_split(np.arange(len(dataset.users)), parts):
        add_users(by_parts, dataset.users[some])
    fill_state(by_parts, rest, every_part, PostVectors.zeros(len(dataset.posts)))

    assert feed_differences(by_parts, at_once, 43 * 1800.0) == []
    rows = at_once.user_rows.rows(dataset.users.key), by_parts.user_rows.rows(dataset.users.key)
    counts = at_once.author_counters.log2_counts(rows[0]), by_parts.author_counters.log2_counts(rows[1])
    np.testing.assert_array_equal(*counts)  # to the last bit: another one can be another rank
    assert by_parts.n_events == at_once.n_events


@given(feeds(), MOMENTS)
def test_the_state_at_a_moment_does_not_depend_on_the_order_of_the_files_rows(feed, moments):
    here = FeedTimeline(feed.dataset(), replay=True)
    there = FeedTimeline(shuffled(feed.dataset(), 4), replay=True)

    for moment in moments:
        here.advance(moment)
        there.advance(moment)
        ours, theirs = saved_arrays(here.state), saved_arrays(there.state)
        ours["posts"].pop("seq")  # a number of the file's
        theirs["posts"].pop("seq")
        for name in ("post_rows", "posts", "by_created", "post_counters", "author_counters"):
            assert pickle.dumps(_plain(ours[name])) == pickle.dumps(_plain(theirs[name]))


@given(feeds(), st.integers(0, 42))
def test_at_a_moment_everything_strictly_before_it_is_known_and_nothing_else(feed, step):
    moment = step * 1800.0
    history = feed.dataset()
    timeline = FeedTimeline(history, replay=True)

    timeline.advance(moment)

    state, past = timeline.state, [e for e in feed.counted_events if e[3] < moment]
    first = defaultdict(lambda: np.inf)
    for _, post, _, time in feed.events:
        first[post] = min(first[post], time)
    exists = {i: min(post.created, first[i]) for i, post in enumerate(feed.posts)}
    known = {i for i, since in exists.items() if since < moment}
    assert state.n_posts == len(known)
    for i in known:
        row = timeline.post_row[i]
        assert state.created[row] == exists[i]
        assert state.engagements[row] == sum(1 for e in past if e[1] == i)
        assert state.last_engaged[row] == max((e[3] for e in past if e[1] == i), default=-np.inf)
    for user in range(feed.users):
        row = int(timeline.user_row[user])
        if row >= state.n_users:
            assert not any(e[0] == user and e[3] < moment for e in feed.events)
            continue
        mine = [e for e in past if e[0] == user]
        posts, times, kinds, *_ = state.events_by_user.row(row)
        assert posts.tolist() == [timeline.post_row[e[1]] for e in mine]
        assert times.tolist() == [e[3] for e in mine]
        assert kinds.tolist() == [e[2] for e in mine]
        followed = {int(timeline.user_row[b]) for a, b, since in feed.follows if a == user and since < moment}
        assert (
            set(state.follows.row(row)[0].tolist()) == followed
        )  # an undated edge is never known to a replay


@given(feeds())
def test_serving_knows_undated_follows_and_hidden_posts_which_a_replay_cannot_date(feed):
    state = FeedTimeline(feed.dataset(), replay=False).apply_all()

    assert sum(state.follows.lengths(np.arange(state.n_users))) == len(feed.follows)
    assert state.followers[: state.n_users].sum() == len(feed.follows)


@given(feeds(), st.integers(0, 42), st.integers(0, 42))
def test_a_snapshot_goes_on_as_the_state_it_was_taken_of(feed, one, other):
    early, late = sorted((one * 1800.0, other * 1800.0))
    timeline = FeedTimeline(feed.dataset(), replay=True)
    timeline.advance(early)
    saved = saved_arrays(timeline.state)

    again, third = (state_from_arrays(copied(saved), timeline.state.counting) for _ in range(2))

    assert comparable(again) == comparable(timeline.state)
    events = timeline.events
    known = (events.time >= early) & (events.time < late)
    known &= (events.user < again.n_users) & (events.post < again.n_posts)
    for state in (again, third):
        state.record(events[np.flatnonzero(known)])
    timeline.state.record(events[np.flatnonzero(known)])
    assert comparable(again) == comparable(timeline.state)
    for index in range(3):
        count = min(5, again.n_posts)
        assert again.top_posts(index, count).tolist() == timeline.state.top_posts(index, count).tolist()


def a_saved_state():
    feed = Feed(3, [Post(author=0), Post(author=1)], [(1, 0, LIKE, 5.0), (2, 1, VIEW, 6.0)], [(0, 1, 1.0)])
    return saved_arrays(FeedTimeline(feed.dataset(), replay=False).apply_all())


def changed_by_row(saved):
    """Arrays whose values are rows of users or posts."""
    for name in ("events_by_user", "users_by_post", "posts_by_author", "follows"):
        yield saved[name]["pools"]["0"]
    yield from (saved["posts"]["author"], saved["by_created"])
    yield from (saved["post_rows"]["row"], saved["user_rows"]["row"])


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("row", [-2, 10_000])
def test_a_snapshot_with_a_row_that_does_not_exist_is_rejected(number, row):
    saved = a_saved_state()
    list(changed_by_row(saved))[number][0] = row

    with pytest.raises(ValueError, match=r"not all in"):
        state_from_arrays(saved, DEFAULT_RULE)


@pytest.mark.parametrize("name", [name for name in a_saved_state() if name != "impressions"])
def test_a_snapshot_without_an_array_is_rejected(name):
    saved = a_saved_state()
    del saved[name]

    with pytest.raises(ValueError, match=rf"{name}: no (array|group)"):
        state_from_arrays(saved, DEFAULT_RULE)


@pytest.mark.parametrize("name", ["start", "length", "capacity"])
def test_a_snapshot_with_rows_outside_of_their_places_is_rejected(name):
    saved = a_saved_state()
    saved["events_by_user"][name][1] += 1000

    with pytest.raises(ValueError, match=r"a row is|two rows have"):
        state_from_arrays(saved, DEFAULT_RULE)


def test_an_event_on_an_own_post_counts_neither_for_the_post_nor_for_its_author():
    feed = Feed(2, [Post(author=0)], [(0, 0, COMMENT, 5.0), (1, 0, COMMENT, 6.0)])
    timeline = FeedTimeline(feed.dataset(), replay=True)
    state = timeline.apply_all()

    popularity = state.author_counters.values(6.0, timeline.user_row[[0]])

    assert popularity[-1, 0] == pytest.approx(1.0)
    assert state.engagements[0] == 1


def test_a_look_is_engagement_but_not_strong_engagement():
    timeline = FeedTimeline(Feed(1, [Post()], [(0, 0, VIEW, 5.0), (0, 0, LIKE, 6.0)]).dataset(), replay=True)
    state = timeline.apply_all()

    assert state.post_counters.values(6.0, np.array([0]))[-1, 0] == pytest.approx(6 / 7, rel=1e-6)
    assert state.strong_counters.values(6.0, np.array([0]))[-1, 0] == pytest.approx(5 / 7, rel=1e-6)


def test_a_second_edge_between_two_users_counts_once_and_an_edge_can_be_taken_back():
    state = FeedState()
    state.add_users([b"a" * 16, b"b" * 16])

    state.follow(np.array([0, 0]), np.array([1, 1]))
    state.follow(np.array([0]), np.array([1]))
    assert state.followers[:2].tolist() == [0, 1]
    assert state.follows.row(0)[0].tolist() == [1]

    state.unfollow(0, 1)
    state.unfollow(0, 1)
    assert state.followers[:2].tolist() == [0, 0]
    assert len(state.follows.row(0)[0]) == 0


def test_a_removed_post_is_hidden_and_its_key_is_free_but_histories_keep_their_meaning():
    timeline = FeedTimeline(Feed(2, [Post(), Post()], [(0, 0, LIKE, 5.0)]).dataset(), replay=True)
    state = timeline.apply_all()
    row = int(timeline.post_row[0])
    key = timeline.dataset.posts.key[0].tobytes()

    state.remove_posts([key])
    state.remove_posts([key])

    assert not state.visible[row]
    assert key not in state.post_rows
    assert row not in state.by_created
    assert state.published_count(np.inf) == 1
    assert state.events_by_user.row(int(timeline.user_row[0]))[0].tolist() == [row]


def test_a_post_that_gets_another_author_topic_or_time_is_found_under_them():
    feed = Feed(2, [Post(created=1.0, author=0, tags=("old",)), Post(created=2.0, author=0, tags=("old",))])
    timeline = FeedTimeline(feed.dataset(), replay=True)
    state = timeline.apply_all()
    row, other = int(timeline.post_row[0]), int(timeline.post_row[1])

    state.update_post(
        timeline.dataset.posts.key[0].tobytes(),
        external_id="renamed",
        author=int(timeline.user_row[1]),
        created=9.0,
        visible=False,
        text="",
        tags=("new",),
        settings=PostSettings(["public"], [None], [None], [False], [None], [None]),
    )

    assert state.posts_by_author.row(int(timeline.user_row[1]))[0].tolist() == [row]
    assert state.posts_by_author.row(int(timeline.user_row[0]))[0].tolist() == [other]
    assert state.by_created.tolist() == [other, row]
    assert not state.visible[row]
    assert state.topic[row] == state.topic_ids["new"]


def test_edges_are_kept_in_the_order_in_which_they_came():
    state = FeedState()
    state.add_users([bytes([n]) * 16 for n in range(5)])

    state.follow(np.array([0, 1, 0]), np.array([3, 2, 1]))
    state.follow(np.array([0, 0, 0]), np.array([1, 4, 2]))

    assert state.follows.row(0)[0].tolist() == [3, 1, 4, 2]
    assert state.follows.row(1)[0].tolist() == [2]


def test_posts_are_found_by_numbers_however_large():
    dataset = Feed(1, [Post(created=float(i)) for i in range(3)]).dataset()
    posts = replace(dataset.posts, seq=np.array([2**62, -5, 7]))
    state = FeedTimeline(replace(dataset, posts=posts), replay=False).apply_all()

    assert state.rows_of_seq(np.array([7, 2**62, 2**62 + 1, -5])).tolist() == [2, 0, 1]


@given(st.lists(st.integers(-3, 30), max_size=12))
def test_unknown_numbers_are_skipped(asked):
    state = FeedTimeline(
        Feed(1, [Post(created=float(i)) for i in range(5)]).dataset(), replay=False
    ).apply_all()

    rows = state.rows_of_seq(np.array(asked, np.int64))

    assert state.seq[rows].tolist() == [seq for seq in asked if 1 <= seq <= 5]
