"""The inputs of the learned scorer: correct, in order, and never stale."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.dataset import EventColumns
from app.domain.feed.group_sums import GroupSums
from app.domain.feed.post_settings import PostSettings
from app.domain.feed.retraction import PairEvents, replace_events
from app.domain.feed.state import FeedState
from app.domain.ranking import neighbourhood, user_features
from app.domain.ranking.post_features import POST_FEATURES, PostBatch
from app.domain.ranking.post_table import post_inputs
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import LIKE, Feed, Post, whole_state
from tests.support.state_copies import copy_of


@pytest.fixture
def state():
    posts = [Post(created=float(i), author=i % 3) for i in range(12)]
    events = [(i % 4, i, LIKE, 50.0 + i) for i in range(12)]
    return whole_state(Feed(4, posts, events).dataset())[0]


def event(user, post, time):
    return EventColumns(
        np.array([user], np.int32),
        np.array([post], np.int32),
        np.array([LIKE], np.uint8),
        np.array([time * 1e6]).astype(np.int64),
        np.zeros(1, np.int64),
    )


@given(
    st.lists(st.tuples(st.integers(-1, 19), st.floats(0, 10), st.floats(0, 10)), max_size=40),
    st.lists(st.integers(-1, 19), max_size=30),
    st.sampled_from([20, 100_000]),
)
def test_group_sums_sum_by_row_and_are_0_for_other_rows(entries, asked, size):
    rows = np.array([row for row, *_ in entries], np.int32)
    weights = np.array([both for _, *both in entries], np.float64).reshape(-1, 2).T
    whole = np.zeros((2, 20))
    known = rows >= 0
    for total, one in zip(whole, weights, strict=True):
        np.add.at(total, rows[known], one[known])

    found = GroupSums(rows, weights, size)

    sums = found.for_rows(np.array(asked, np.intp))
    np.testing.assert_allclose(sums, np.where(np.array(asked) >= 0, whole[:, asked], 0.0).reshape(2, -1))
    assert sorted(found.rows.tolist()) == sorted(set(rows[known].tolist()))
    np.testing.assert_allclose(found.sums, whole[:, found.rows])
    np.testing.assert_allclose(found.to_dense()[:, :20], whole)
    assert found.to_dense().shape == (2, size)
    assert not found.to_dense()[:, 20:].any()


def test_the_row_of_nobody_has_sums_of_0_where_there_are_no_rows():
    sums = GroupSums(np.full(3, -1), np.ones((2, 3)), 0)

    np.testing.assert_array_equal(sums.for_rows(np.array([-1, -1])), np.zeros((2, 2)))


def test_inputs_of_a_post_are_the_same_bits_in_any_batch(state):
    every = np.arange(state.n_posts)
    whole = np.concatenate(POST_FEATURES.blocks(PostBatch(state, 100.0, every)), dtype=np.float32).T

    one_by_one = np.concatenate([post_inputs(state, 100.0, row[None]) for row in every[::-1]])[::-1]

    np.testing.assert_array_equal(one_by_one, whole)


def test_inputs_of_posts_change_with_time_and_events(state):
    rows = np.arange(state.n_posts)

    def column(name, now):
        return post_inputs(state, now, rows)[:, POST_FEATURES.names().index(name)].copy()

    before, author_before = column("heat 1h", 100.0), column("author 7d", 100.0)
    assert (column("age", 4000.0) > column("age", 100.0)).all()

    state.record(event(0, 5, 100.0))
    after = column("heat 1h", 100.0)
    assert np.flatnonzero(after != before).tolist() == [5]

    of_author = state.author[rows] == state.author[5]
    assert ((column("author 7d", 100.0) > author_before) == of_author).all()


TIMES = st.sampled_from([0.0, 2.0, 2.5, 300.0, 4e4, 5e4, 6e4])  # 5e4 is the present
CONTENT = st.tuples(TIMES, st.integers(-1, 1), st.sampled_from([("a",), ("b",), ("c",), ()]))
CHANGE = st.one_of(
    st.tuples(st.just("event"), st.integers(2, 3), st.integers(0, 4), st.floats(0, 5e4)),
    st.tuples(st.just("retraction"), st.integers(2, 3), st.integers(0, 4)),
    st.tuples(st.just("new post"), CONTENT),
    st.tuples(st.just("edit"), st.integers(0, 4), CONTENT),
)


def apply(state, change, number):
    kind, *details = change
    if kind == "event":
        state.record(replace(event(*details), seq=np.array([number])))
    elif kind == "retraction":
        numbers = set(state.events_by_user.row(details[0])[4].tolist())
        remaining = event(0, 0, 0.0)[np.empty(0, np.intp)]
        replace_events(state, [PairEvents(*details, numbers, remaining)])
    elif kind == "new post":
        created, author, tags = details[0]
        state.add_posts(
            [number.to_bytes(16, "big")],
            external_ids=[None],
            author=np.array([author], np.int32),
            created=np.array([created]),
            visible=np.ones(1, np.bool_),
            seq=np.array([number]),
            texts=[""],
            tags=[tags],
        )
    else:
        row, (created, author, tags) = details
        key = state.post_key(row)
        public = PostSettings(["public"], [None], [None], [False], [None], [None])
        state.update_post(
            key,
            external_id=None,
            author=author,
            created=created,
            visible=True,
            text="",
            tags=tags,
            settings=public,
        )


@given(st.lists(st.tuples(CHANGE, st.sets(st.integers(0, 4))), max_size=8))
def test_inputs_that_are_kept_equal_those_of_a_new_state(steps):
    authors, tags = (0, 1, 0, 1, -1), (("a",), ("a",), ("b",), (), ("b",))
    posts = [Post(created=float(i), author=authors[i], tags=tags[i]) for i in range(5)]
    state, _ = whole_state(Feed(4, posts, [(2, i, LIKE, 100.0 * i) for i in range(5)]).dataset())

    for number, (change, asked) in enumerate([*steps, (("retraction", 0, 0), set(range(5)))]):
        rows = np.array(sorted(asked), np.intp)
        post_inputs(state, 5e4, rows)
        apply(state, change, 100 + number)
        fresh = post_inputs(copy_of(state), 5e4, rows)
        np.testing.assert_array_equal(post_inputs(state, 5e4, rows), fresh)


def test_a_follow_edge_is_an_input_of_the_follower_only(state):
    rows = np.arange(state.n_posts)
    author = int(state.author[5])
    follower = (author + 1) % 4

    def follows(user):
        inputs = user_features.matrix(RankingContext(state, user, 100.0), rows)
        return inputs[user_features.names().index("follows author")].tolist()

    state.follow(np.array([follower]), np.array([author]))
    assert follows(follower) == (state.author[rows] == author).tolist()
    assert not any(follows(author))

    state.unfollow(follower, author)
    assert not any(follows(follower))


def test_item_transitions_count_only_later_events_of_other_users():
    events = [(0, 0, LIKE, 50.0), (1, 1, LIKE, 5.0), (1, 0, LIKE, 10.0), (1, 2, LIKE, 20.0)]
    state, timeline = whole_state(Feed(2, [Post()] * 3, events).dataset())
    context = RankingContext(state, int(timeline.user_row[0]), 100.0)

    support = neighbourhood.item_transitions(context).for_rows(timeline.post_row)[0]

    assert support[2] > 0
    assert support[1] == 0  # before, not after


def test_the_rows_of_the_matrix_are_in_the_order_of_the_names(state):
    rows = np.arange(state.n_posts)
    inputs = user_features.matrix(RankingContext(state, 0, 100.0), rows)

    assert inputs.shape == (len(user_features.names()), len(rows))
    assert inputs.dtype == np.float32
    row = user_features.names().index("affinity author")
    own = {int(state.author[post]) for post in state.events_by_user.row(0)[0]}
    assert (inputs[row] > 0).tolist() == [int(author) in own for author in state.author[rows]]
    assert not user_features.matrix(RankingContext(state, -1, 100.0), rows)[row].any()


@given(
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from([None, "a", "b"])), min_size=1, max_size=30),
    st.integers(-1, 25),
)
def test_newer_posts_are_the_published_ones_created_later_in_all_and_in_the_topic(posts, now):
    state = FeedState()
    created = np.array([born for born, _ in posts], np.float64)
    state.add_posts(
        [bytes([row] * 16) for row in range(len(posts))],
        external_ids=[None] * len(posts),
        author=np.full(len(posts), -1, np.int32),
        created=created,
        visible=np.ones(len(posts), np.bool_),
        seq=np.arange(len(posts)),
        texts=[""] * len(posts),
        tags=[() if topic is None else (topic,) for _, topic in posts],
    )
    later = (created[None] > created[:, None]) & (created[None] <= now)
    same_topic = np.array([[a == b for _, b in posts] for _, a in posts])

    inputs = dict(
        zip(POST_FEATURES.names(), post_inputs(state, float(now), np.arange(len(posts))).T, strict=True)
    )

    np.testing.assert_allclose(np.expm1(inputs["newer posts"]), later.sum(axis=1), atol=1e-4)
    np.testing.assert_allclose(
        np.expm1(inputs["newer in topic"]), (later & same_topic).sum(axis=1), atol=1e-4
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("now", [50.0 - 1e8, 50.0 - 1e5, 60.0, 1e5, 1e8, 1e10])
def test_inputs_are_finite_for_events_long_ago_or_far_in_the_future(state, now):
    assert np.isfinite(post_inputs(state, now, np.arange(state.n_posts))).all()
