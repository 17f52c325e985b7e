"""A service over tables in memory, what can be done to it, and how two feeds compare."""

from datetime import timedelta

import numpy as np
from hypothesis import strategies as st

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.feed_log import FeedChanges, LogPosition
from tests.support.fake_storage import InMemoryFeedLog
from tests.support.small_service import SmallService

HOUR = timedelta(hours=1)


def a_service(posts: int = 12, *, database: bool = True) -> SmallService:
    service = SmallService(database=database)
    service.add_users("reader", "other", "ann")
    for number in range(posts):
        service.add_post(f"p{number}", "ann", age=number * HOUR)
    service.catch_up()
    return service


def engagements(service: SmallService, post: str) -> int:
    state = service.feed.state
    return int(state.engagements[state.post_rows[post_uuid(post).bytes]])


def same_counts(one: FeedState, other: FeedState, now: float) -> bool:
    """Equal counters and equal sets of events, row by row; rows are found by key."""
    keys = sorted(set(one.post_rows) | set(other.post_rows))
    if sorted(one.post_rows) != sorted(other.post_rows):
        return False
    a, b = (np.array([state.post_rows[key] for key in keys], np.intp) for state in (one, other))
    users = sorted(set(one.user_rows) & set(other.user_rows))
    return (
        np.array_equal(one.engagements[a], other.engagements[b])
        and np.array_equal(one.last_engaged[a], other.last_engaged[b])
        and np.array_equal(one.visible[a], other.visible[b])
        and np.array_equal(one.created[a], other.created[b])
        and np.allclose(one.post_counters.values(now, a), other.post_counters.values(now, b), rtol=1e-9)
        and np.allclose(one.strong_counters.values(now, a), other.strong_counters.values(now, b), rtol=1e-9)
        and all(_met(one, key) == _met(other, key) for key in users)
        and all(_followed(one, key) == _followed(other, key) for key in users)
    )


def _met(state: FeedState, user: bytes) -> list[tuple[str, float, int]]:
    """Events of a user with posts that are there."""
    there = set(state.post_rows.values())
    events = zip(*(one.tolist() for one in state.events_by_user.row(state.user_rows[user])), strict=True)
    return sorted((state.post_ids[post], at, kind) for post, at, kind in events if post in there)


def _followed(state: FeedState, user: bytes) -> set[bytes]:
    key_of = {row: key for key, row in state.user_rows.items()}
    return {key_of[row] for row in state.follows.row(state.user_rows[user])[0].tolist() if row in key_of}


changes = st.lists(
    st.tuples(
        st.sampled_from(["event", "event", "event", "post", "hide", "delete", "follow", "unfollow", "look"]),
        st.integers(0, 2),
        st.integers(0, 13),
    ),
    max_size=40,
)


def make(changes: list[tuple[str, int, int]], service: SmallService, writer: SmallService) -> None:
    """Events by `writer`, the rest in the tables of `service`, a minute apart."""
    people = ("reader", "other", "ann")
    for what, who, number in changes:
        post, person, next_person = f"p{number}", people[who], people[(who + 1) % 3]
        there = post_uuid(post) in service.tables.posts
        pair = (user_uuid(person), user_uuid(next_person))
        service.pass_time(60)
        writer.clock.at = service.clock.at
        if what == "event" and there:
            late = service.clock.at - (number % 4) * HOUR
            writer.track(person, post, INTERACTION_TYPES[number % 5], late)
        elif what in {"post", "hide"}:
            service.add_post(post, person, age=number * HOUR, visible=what == "post")
        elif what == "delete" and there:
            service.remove_post(post)
        elif what == "follow":
            service.follow(person, next_person)
        elif what == "unfollow" and pair in service.tables.follows:
            service.tables.remove_follow(*pair)
        elif what == "look":
            service.catch_up()


class UntoldLog(InMemoryFeedLog):
    """Tables without our triggers: the outbox is silent."""

    def read_changes(self, since: LogPosition) -> FeedChanges:
        told = super().read_changes(since)
        return FeedChanges([], [], [], [], [], [], told.events, told.position)

    def has_complete_change_capture(self) -> bool:
        return False


def an_untold_service() -> SmallService:
    service = SmallService()
    service.keeper._log = UntoldLog(service.tables)
    service.add_users("reader", "other", "ann")
    for number in range(12):
        service.add_post(f"p{number}", "ann", age=number * HOUR)
    service.catch_up()
    return service


def compare_now(service: SmallService) -> None:
    object.__setattr__(service.keeper._intervals, "reconcile", -1.0)
    service.catch_up()


def whole_feed(service: SmallService) -> FeedState:
    return FeedTimeline(service.log.read_all().dataset, replay=False).apply_all()


def engagements_known(service: SmallService, post: str) -> bool:
    return post_uuid(post).bytes in service.feed.state.post_rows
