"""Changes in short steps give the same state as at once, and the rankings between the steps leave nothing outdated."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from unittest.mock import patch
from weakref import ref

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.application.workers import (
    event_updates,
    follow_updates,
    post_updates,
    post_upsert,
    state_updater,
    user_updates,
)
from app.domain.entities import INTERACTION_TYPES, Interaction
from app.domain.feed import slices
from app.domain.feed.state import FeedState
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.model_interface import PublishedModel
from app.domain.repositories.interaction_repository import StoredInteraction
from tests.support.live_feeds import Change, a_service, feed_differences, make_changes, random_changes
from tests.support.small_service import SmallService
from tests.support.state_copies import saved_arrays

USERS = ("reader", "other", "ann")
AT = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def steps_of(size: int) -> Iterator[None]:
    """Every change takes at most `size` rows at once."""
    with (
        patch.object(event_updates, "_EVENTS_PER_STEP", size),
        patch.object(user_updates, "_USERS_PER_STEP", size),
        patch.object(state_updater, "_PAGES_PER_STEP", size),
        patch.object(slices, "ENTRIES_PER_STEP", size),
        patch.object(post_upsert, "_POSTS_PER_STEP", size),
        patch.object(post_updates, "_REMOVED_PER_STEP", size),
        patch.object(follow_updates, "_PAIRS_PER_STEP", size),
    ):
        yield


def contents(state: FeedState) -> dict[str, object]:
    """All rows and counters, which must be equal to the last bit."""
    saved = saved_arrays(state)
    posts, users = np.arange(state.n_posts), np.arange(state.n_users)
    rows = {
        "events": [[column.tolist() for column in state.events_by_user.row(user)] for user in users.tolist()],
        "users_by_post": [
            [column.tolist() for column in state.users_by_post.row(post)] for post in posts.tolist()
        ],
        "counts": [
            counters.log2_counts(np.arange(counters.rows)).tolist()
            for counters in (state.post_counters, state.strong_counters, state.author_counters)
        ],
        "columns": {name: column[: state.n_posts].tolist() for name, column in saved["posts"].items()},
    }
    return rows | {"users": state.user_rows, "posts": state.post_rows}


batches = st.lists(
    st.tuples(
        st.integers(0, 2),  # user
        st.integers(0, 5),  # post
        st.integers(0, 4),  # kind
        st.integers(0, 300),  # minute of receipt
        st.integers(0, 300),  # minutes before receipt
    ),
    max_size=40,
)


def stored(batch: list[tuple[int, int, int, int, int]]) -> list[StoredInteraction]:
    """The events, numbered in order of receipt."""
    return [
        StoredInteraction(
            seq,
            1,
            AT + timedelta(minutes=minute),
            Interaction(
                user_uuid(USERS[user]),
                post_uuid(f"p{post}"),
                INTERACTION_TYPES[kind],
                AT + timedelta(minutes=minute - before),
            ),
        )
        for seq, (user, post, kind, minute, before) in enumerate(sorted(batch, key=lambda event: event[3]))
    ]


@settings(max_examples=12)
@given(batch=batches, size=st.integers(1, 5))
def test_a_batch_of_events_in_steps_gives_the_state_of_one_batch(batch, size):
    in_steps, at_once, events = a_service(6), a_service(6), stored(batch)

    with steps_of(size):
        in_steps.workers.updater.apply_events(events)
    with steps_of(1000):
        at_once.workers.updater.apply_events(events)

    assert contents(in_steps.feed.state) == contents(at_once.feed.state)


@cache
def learned_model() -> PublishedModel:
    return a_service(6).train(learned=True)


def a_service_with_a_model() -> SmallService:
    service = a_service(6)
    service.publish(learned_model())
    return service


@settings(max_examples=6)
@example(changes=[("event", 1, 1), ("retract", 1, 1)])
@example(changes=[("event", 0, 1), ("event", 0, 2), ("post", 1, 1)])  # p1 gets another author
@given(changes=random_changes)
def test_rankings_between_the_steps_of_changes_leave_nothing_outdated(changes: list[Change]) -> None:
    disturbed, undisturbed = a_service_with_a_model(), a_service_with_a_model()
    disturbed.feed.lock.on_released = lambda *_: disturbed.page("reader", record=False)

    with steps_of(1):
        make_changes(changes, disturbed, disturbed)
        disturbed.catch_up()
    make_changes(changes, undisturbed, undisturbed)
    undisturbed.catch_up()

    now = disturbed.clock.at.timestamp()
    assert feed_differences(disturbed.feed.state, undisturbed.feed.state, now) == []
    for user in USERS:
        # another limit, so that no response is cached, at the time of the last change
        page, expected = (one.page(user, limit=49, record=False) for one in (disturbed, undisturbed))
        assert page.post_ids == expected.post_ids
        assert page.scores == pytest.approx(expected.scores)


def test_a_replaced_state_is_freed_by_the_thread_that_replaces_it():
    service = a_service_with_a_model()
    service.page("reader", explain=True)
    state = ref(service.feed.state)
    gc.disable()

    try:
        assert service.workers.follower is not None
        service.workers.follower.read_all()
        assert state() is None
    finally:
        gc.enable()
