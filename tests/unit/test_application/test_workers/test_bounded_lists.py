"""Lists with their newest entries only: after any change they are those of a full read."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Thread
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.application.workers.post_evictor import PostEvictor
from app.application.workers.user_evictor import UserEvictor
from app.domain.entities import Interaction
from app.domain.feed.dataset import KeyedEvents
from app.domain.feed.list_limits import ListLimits
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from app.domain.ids import post_uuid, user_uuid
from tests.support.fake_storage import InMemoryFeedLog, InMemoryTables
from tests.support.live_feeds import (
    Change,
    a_service,
    engagements,
    feed_differences,
    make_changes,
    random_changes,
    reconcile_now,
)
from tests.support.small_service import FEW_CANDIDATES, SmallService, names

SHORT = ListLimits(events_per_user=4, users_per_post=3)
DAY = 86_400
TWENTY = LivePostLimits(newest=20, strongest=0, engaged_days=0)
READERS = tuple(f"reader{number}" for number in range(6))


def a_bounded_service(posts: int = 24) -> SmallService:
    service = a_service(posts, options=replace(FEW_CANDIDATES, lists=SHORT))
    service.add_users(*READERS)
    service.catch_up()
    return service


def events(state: FeedState, user: str) -> list[tuple[str, float]]:
    posts, times, *_ = state.events_by_user.row(state.user_rows[user_uuid(user).bytes])
    return [(state.post_id(post), time) for post, time in zip(posts.tolist(), times.tolist(), strict=True)]


def read_completely(service: SmallService) -> FeedState:
    """The state of a full read, if storage had only the posts that the service has in memory."""
    known, tables = service.feed.state.post_rows, service.tables
    posts = {key: post for key, post in tables.posts.items() if key.bytes in known}
    of_posts = [one for one in tables.events if one.interaction.post_id.bytes in known]
    left = InMemoryTables(tables.users, posts, tables.follows, of_posts, feedback=tables.feedback)
    snapshot = InMemoryFeedLog(left).read_all()
    return snapshot.to_state(FeedTimeline(snapshot.dataset, replay=False, limits=SHORT))


def differences(service: SmallService) -> list[str]:
    state, expected = service.feed.state, read_completely(service)
    now = service.clock.at.timestamp()
    return feed_differences(state, expected, now)


def engage(service: SmallService, user: str, *posts: str) -> None:
    for post in posts:
        service.pass_time(60)
        service.track(user, post, "like")


def test_lists_have_the_newest_entries_and_counters_count_all():
    service = a_bounded_service()
    engage(service, "reader0", *(f"p{number}" for number in range(7)))
    for reader in READERS[1:]:
        engage(service, reader, "p0")

    state = service.feed.state
    row = state.user_rows[user_uuid("reader0").bytes]
    assert [post for post, _ in events(state, "reader0")] == [str(post_uuid(f"p{n}")) for n in range(3, 7)]
    assert state.event_count(row) == 7
    assert engagements(service, "p0") == 6
    assert state.users_by_post.length(state.post_rows[post_uuid("p0").bytes]) == 3
    assert differences(service) == []


def test_posts_before_the_list_stay_seen():
    service = a_bounded_service(12)
    engage(service, "reader0", *(f"p{number}" for number in range(9)))

    assert set(names(service.page("reader0", limit=50))) == {"p9", "p10", "p11"}


def test_a_retraction_brings_back_the_entries_before_the_list():
    service = a_bounded_service()
    engage(service, "reader0", *(f"p{number}" for number in range(6)))
    for reader in READERS[1:]:
        engage(service, reader, "p5")

    service.retract("reader0", "p5", "like")
    service.retract("reader5", "p5", "like")

    assert [post for post, _ in events(service.feed.state, "reader0")] == [
        str(post_uuid(f"p{number}")) for number in range(1, 5)
    ]
    assert engagements(service, "p5") == 4
    assert differences(service) == []


def test_an_event_with_a_post_before_the_list_counts_by_the_rule():
    service = a_bounded_service()
    engage(service, "reader0", *(f"p{number}" for number in range(6)))
    engage(service, "reader0", "p0")  # in the window of the first one
    service.pass_time(3600)
    engage(service, "reader0", "p0")

    service.catch_up()

    assert engagements(service, "p0") == 2
    assert differences(service) == []


def test_a_comparison_finds_the_removal_of_an_event_before_the_list():
    service = a_bounded_service()
    engage(service, "reader0", *(f"p{number}" for number in range(6)))
    service.catch_up()
    service.tables.events.pop(0)

    reconcile_now(service)

    assert engagements(service, "p0") == 0
    assert differences(service) == []


def test_a_list_that_an_eviction_made_short_is_filled():
    service = a_bounded_service()
    engage(service, "reader0", "p3", "p4", "p5", "p20", "p21", "p22", "p23", "p6")

    PostEvictor(service.workers.updater, TWENTY).run()

    assert [post for post, _ in events(service.feed.state, "reader0")] == [
        str(post_uuid(f"p{number}")) for number in (3, 4, 5, 6)
    ]
    assert differences(service) == []


def test_events_are_applied_while_the_entries_of_short_lists_are_read(monkeypatch):
    service = a_bounded_service()
    engage(service, "reader0", "p3", "p4", "p5", "p20", "p21", "p22", "p23", "p6")
    interactions = service.workers.updater.lists.interactions
    read = interactions.events_with

    def engage_and_read(*given: Any, **options: Any) -> KeyedEvents:
        events = read(*given, **options)
        other = Thread(target=engage, args=(service, "reader0", "p7"), daemon=True)
        other.start()
        other.join(20)
        assert not other.is_alive(), "a change waits for the read"
        return events

    evictor = PostEvictor(service.workers.updater, TWENTY)
    with monkeypatch.context() as patched:
        patched.setattr(interactions, "events_with", engage_and_read)
        evictor.run()
    evictor.run()

    assert [post for post, _ in events(service.feed.state, "reader0")] == [
        str(post_uuid(f"p{number}")) for number in (4, 5, 6, 7)
    ]
    assert differences(service) == []


def test_a_post_that_comes_back_needs_no_other_events_of_users_with_many(monkeypatch):
    service = a_bounded_service()
    engage(service, "reader0", "p23", *(f"p{number}" for number in range(5)))
    PostEvictor(service.workers.updater, TWENTY).run()

    def no_storage(*_: object, **__: object) -> KeyedEvents:
        raise AssertionError("all events of users or posts were read")

    monkeypatch.setattr(service.workers.updater.lists.interactions, "events_with", no_storage)
    engage(service, "reader1", "p23")
    service.catch_up()

    assert engagements(service, "p23") == 2
    assert differences(service) == []


def test_an_event_with_a_new_post_reads_the_events_of_its_user_who_was_away_and_no_others(monkeypatch):
    service = a_bounded_service()
    engage(service, "reader0", "p0")
    service.pass_time(100 * DAY)
    engage(service, "reader1", "p1")
    PostEvictor(service.workers.updater, TWENTY).run()
    UserEvictor(service.workers.updater, 90 * DAY).run()
    interactions = service.workers.updater.lists.interactions
    read, reads = interactions.events_with, []

    def counted_read(users: Sequence[UUID], posts: Sequence[UUID], **options: Any) -> KeyedEvents:
        reads.append((users, posts))
        return read(users, posts, **options)

    monkeypatch.setattr(interactions, "events_with", counted_read)
    service.add_post("new", "ann")
    like = Interaction(user_uuid("reader0"), post_uuid("new"), "like", service.clock.at)
    service.storage.interactions.record([like])
    service.catch_up()

    assert reads == [([user_uuid("reader0")], [])]
    assert differences(service) == []


def test_a_list_without_its_database_keeps_what_it_has():
    service = a_bounded_service()
    engage(service, "reader0", *(f"p{number}" for number in range(6)))
    before = events(service.feed.state, "reader0")
    service.disconnect()

    with pytest.raises(Exception, match="away"):
        service.workers.updater.lists.rebuild(
            service.feed.state, np.array([0]), np.array([0]), service.feed.lock.writing
        )

    assert events(service.feed.state, "reader0") == before


def test_a_full_read_makes_no_lists_of_users_who_are_away(monkeypatch):
    service = a_bounded_service()
    service.track("reader", "p3", "view")
    service.pass_time(3600)
    service.track("other", "p4", "view")

    fresh = SmallService(tables=service.tables, options=service.options, clock=service.clock)
    follower = fresh.workers.follower
    assert follower is not None
    monkeypatch.setattr(follower, "idle_seconds", 1800)
    fresh.catch_up()

    state = fresh.feed.state
    reader, other = (state.user_rows[user_uuid(name).bytes] for name in ("reader", "other"))
    assert [state.is_away[user] for user in (reader, other)] == [True, False]
    assert state.events_by_user.length(reader) == 0
    assert "p3" not in names(fresh.page("reader", limit=50))  # the request brings its events back
    assert not state.is_away[reader]
    assert differences(fresh) == differences(service) == []


def erase(service: SmallService) -> None:
    service.tables.remove_user(user_uuid("reader"))
    service.add_users("reader")


def engage_much(service: SmallService) -> None:
    for number in range(30):
        service.pass_time(60)
        service.track(READERS[number % 6], f"p{16 + number * 7 % 8}", "view")


def compare(service: SmallService) -> None:
    reconcile_now(service)
    assert service.state.reconciliation is not None
    assert not any(service.state.reconciliation.differences.values())


STEPS: dict[str, Callable[[SmallService], object]] = {
    "evict": lambda service: PostEvictor(service.workers.updater, TWENTY).run(),
    "send away": lambda service: UserEvictor(service.workers.updater, idle_seconds=0).run(),
    "block": lambda service: service.feedback("other", "block_author", "ann"),
    "delete": lambda service: service.remove_post(next(iter(service.tables.posts.values())).external_id),
    "erase": erase,
    "engage": engage_much,
    "compare": compare,
}


@settings(max_examples=12)
@given(steps=st.lists(st.tuples(random_changes, st.sampled_from(list(STEPS))), max_size=6))
def test_any_changes_leave_the_lists_of_a_full_read(steps: list[tuple[list[Change], str]]) -> None:
    service = a_bounded_service()
    for changes, step in steps:
        make_changes(changes, service, service)
        service.catch_up()
        STEPS[step](service)
        service.catch_up()
        service.pass_time(3600)

    for user_id in service.tables.users:
        service.workers.updater.bring_back(user_id)
    assert differences(service) == []
    assert service.state.interactions == len(service.tables.events)
