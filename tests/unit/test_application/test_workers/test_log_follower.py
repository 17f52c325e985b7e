"""The served state follows the log and the events that this process commits."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from structlog.testing import capture_logs

from app.domain.entities import Interaction, User
from app.domain.errors import StorageUnavailable
from app.domain.feed.event_counting import CountingRule
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.feed_log import FeedChanges, FeedSnapshot, LogPosition
from app.domain.repositories.interaction_repository import StoredInteraction, UserAndPost
from tests.support.fake_storage import (
    InMemoryFeedLog,
    InMemoryInteractions,
    InMemoryTables,
)
from tests.support.live_feeds import (
    HOUR,
    Change,
    a_service,
    engagements,
    fully_read_state,
    make_changes,
    random_changes,
    same_counts,
)
from tests.support.small_service import FEW_CANDIDATES, SmallService, in_memory_storage, names
from tests.support.storage_under_test import a_post

# -- the log -----------------------------------------------------------------------------------------------------------


def test_an_event_of_this_process_counts_once_though_the_log_returns_it_again() -> None:
    service = a_service()

    service.track("reader", "p1", "like")
    at_once = engagements(service, "p1")
    for _ in range(3):
        service.catch_up()

    assert (at_once, engagements(service, "p1")) == (1, 1)
    assert service.state.interactions == 1


def test_an_event_committed_during_a_full_read_counts_once() -> None:
    service = a_service()
    service.track("reader", "p1", "like")

    class BusyLog(InMemoryFeedLog):
        def read_into(self, *given: Any, **named: Any) -> FeedSnapshot:
            snapshot = super().read_into(*given, **named)
            service.track("reader", "p2", "like")  # after the read, before its state is served
            return snapshot

    service.replace_log(BusyLog(service.tables))
    service.disconnect()
    service.reconnect("another database")

    assert [engagements(service, post) for post in ("p1", "p2")] == [1, 1]


def test_an_event_of_another_process_arrives_with_the_next_poll() -> None:
    service = a_service()
    other = SmallService(tables=service.tables)
    other.catch_up()

    service.track("reader", "p1", "like")
    before = engagements(other, "p1")
    other.catch_up()

    assert (before, engagements(other, "p1")) == (0, 1)


def test_a_poll_ends_and_reports_the_database_while_others_write_all_the_time() -> None:
    service = a_service()

    class BusyLog(InMemoryFeedLog):
        reads = 0

        def read_changes(self, since: LogPosition) -> FeedChanges:
            self.reads += 1
            assert self.reads < 50, "the poll reads for as long as events come"
            service.track("reader", f"p{self.reads % 3 + 1}", "view")
            return super().read_changes(since)

    service.disconnect()
    service.replace_log(BusyLog(service.tables))
    service.reconnect()

    assert service.state.database == "up"


def test_the_write_lock_is_free_between_two_batches_of_a_backlog() -> None:
    service = a_service()
    follower = service.workers.follower
    assert follower is not None
    free_between_batches: list[bool] = []

    class LongLog(InMemoryFeedLog):
        reads = 0

        def read_changes(self, since: LogPosition) -> FeedChanges:
            self.reads += 1
            return replace(super().read_changes(since), more=self.reads < 4)

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            free_between_batches.append(not follower.updater.write_lock.locked())
            return False

    service.replace_log(LongLog(service.tables))
    follower.stopping = Stopping()
    service.catch_up()

    assert free_between_batches == [True] * 3


def test_late_and_unordered_events_give_the_state_of_a_full_read() -> None:
    service = a_service()
    now = service.clock.at
    for hours, post in ((0, "p1"), (5, "p2"), (2, "p1"), (120, "p3"), (1, "p2")):
        service.track("reader", post, "like", now - hours * HOUR)
        service.track("other", post, "share", now - (hours + 3) * HOUR)

    assert same_counts(service.feed.state, fully_read_state(service), now.timestamp())


def test_a_batch_is_applied_in_order_of_time() -> None:
    service = a_service()
    times = [service.clock.at - hours * HOUR for hours in (1, 5, 3)]
    events = [
        StoredInteraction(
            100 + number, 1, at, Interaction(user_uuid("reader"), post_uuid(f"p{number}"), "view", at)
        )
        for number, at in enumerate(times)
    ]

    service.workers.updater.apply_events(events)

    state = service.feed.state
    _, applied, *_ = state.events_by_user.row(state.user_rows[user_uuid("reader").bytes])
    assert applied.tolist() == sorted(at.timestamp() for at in times)


def test_an_event_of_a_re_created_post_counts_if_the_process_still_had_the_removed_one() -> None:
    service = a_service()
    service.remove_post("p0")
    service.add_post("p0", "ann")
    service.track("reader", "p0", "like")
    service.catch_up()

    assert engagements(service, "p0") == 1


@given(changes=random_changes)
def test_events_of_this_process_and_the_log_give_the_state_of_a_full_read(changes: list[Change]) -> None:
    service = a_service(6)
    make_changes(changes, service, service)
    service.catch_up()

    assert same_counts(service.feed.state, fully_read_state(service), service.clock.at.timestamp())


@given(changes=random_changes)
def test_events_of_another_process_give_the_state_of_a_full_read(changes: list[Change]) -> None:
    service = a_service(6)
    make_changes(changes, service, SmallService(tables=service.tables))
    service.catch_up()

    assert same_counts(service.feed.state, fully_read_state(service), service.clock.at.timestamp())


def test_a_retracted_like_leaves_the_lists_as_they_were_on_both_processes() -> None:
    service = a_service()
    service.track("other", "p2", "share")
    other = SmallService(tables=service.tables)
    other.catch_up()
    before = {process: process.page("reader", limit=10) for process in (service, other)}

    service.track("reader", "p1", "like")
    while_liked = service.page("reader", limit=10)
    other.catch_up()
    removed = service.retract("reader", "p1", "like")
    other.catch_up()

    assert removed == 1
    assert "p1" not in names(while_liked)
    for process in (service, other):
        after = process.page("reader", limit=10)
        assert names(after) == names(before[process])
        assert after.scores == pytest.approx(before[process].scores, abs=1e-9)
    service.catch_up()  # the outbox names the removed event again
    assert service.state.interactions == other.state.interactions == 1


def test_an_event_that_arrives_with_the_removal_of_another_counts_once() -> None:
    options = replace(FEW_CANDIDATES, counting=CountingRule(window_minutes=0.0, limit=10))
    other = SmallService(options=options)
    other.add_users("ann", "reader")
    other.add_post("p1", "ann")
    service = SmallService(options=options, tables=other.tables)
    for process in (service, other):
        process.catch_up()

    other.track("reader", "p1", "like")
    service.catch_up()
    other.retract("reader", "p1", "like")
    other.track("reader", "p1", "like")
    service.catch_up()

    assert engagements(service, "p1") == engagements(other, "p1") == 1
    assert service.state.interactions == other.state.interactions == 1


@pytest.mark.parametrize("users", [("ann", "bea", "reader"), ("reader",)], ids=["authors", "others"])
def test_a_new_author_is_counted_as_by_a_full_read_though_the_database_was_away(
    users: tuple[str, ...],
) -> None:
    class AwayOnce(InMemoryInteractions):
        was_away = False

        def events_of(
            self, pairs: Sequence[UserAndPost]
        ) -> Mapping[UserAndPost, Sequence[StoredInteraction]]:
            if not self.was_away:
                self.was_away = True
                raise StorageUnavailable("the store is away")
            return super().events_of(pairs)

    tables = InMemoryTables()
    service = SmallService(
        tables=tables,
        storage=replace(in_memory_storage(tables), interactions=AwayOnce(tables)),
    )
    service.add_users("ann", "bea", "reader")
    service.add_post("p1", "ann")
    service.catch_up()
    for user in users:
        service.track(user, "p1", "like")

    service.add_post("p1", "bea")  # ann's event counts now, and bea's does not
    for _ in range(2):
        service.catch_up()

    expected, now = fully_read_state(service), service.clock.at.timestamp()
    assert same_counts(service.feed.state, expected, now)
    for author in ("ann", "bea"):
        rows = [state.user_rows[user_uuid(author).bytes] for state in (service.feed.state, expected)]
        here, there = (
            state.author_counters.values(now, np.array([row]))
            for state, row in zip((service.feed.state, expected), rows, strict=True)
        )
        np.testing.assert_allclose(here, there, rtol=1e-9)


def test_a_removed_user_is_unknown_and_their_posts_are_removed() -> None:
    service = a_service()
    service.track("reader", "p1", "like")
    service.publish()

    service.tables.remove_user(user_uuid("ann"))
    service.tables.remove_user(user_uuid("reader"))
    service.catch_up()

    assert service.page("other").post_ids == []
    assert service.page("reader").source == "cold_start"


def test_a_re_created_post_is_a_new_post() -> None:
    service = a_service()
    service.track("reader", "p1", "like")
    service.remove_post("p1")
    service.add_post("p1", "ann")
    service.catch_up()

    assert "p1" in names(service.page("reader", limit=50))
    assert engagements(service, "p1") == 0


# -- outages -----------------------------------------------------------------------------------------------------------


def test_during_an_outage_memory_answers_and_health_reports_it() -> None:
    service = a_service()
    service.disconnect()

    assert (service.state.ready, service.state.database, service.state.posts) == (True, "down", 12)
    assert len(service.page("reader").post_ids) == 12

    service.tables.away = False
    service.add_post("during the outage", "ann")
    service.catch_up()
    assert service.state.database == "up"
    assert "during the outage" in names(service.page("reader", limit=50))


def test_an_outage_in_the_middle_of_a_read_loses_nothing() -> None:
    service = a_service()
    original = service.log

    class InterruptedLog(InMemoryFeedLog):
        reads_left = 1

        def read_changes(self, since: LogPosition) -> FeedChanges:
            if self.reads_left == 0:
                raise StorageUnavailable("interrupted")
            self.reads_left -= 1
            return super().read_changes(since)

    interrupted = InterruptedLog(service.tables)
    service.replace_log(interrupted)
    for number in range(3):
        service.add_post(f"late-{number}", "ann")
        service.catch_up()
        interrupted.reads_left = 1

    service.replace_log(original)
    service.catch_up()
    assert set(names(service.page("reader", limit=50))) == service.eligible("reader")


def test_a_process_whose_changes_were_purged_reads_everything() -> None:
    service, current = a_service(), a_service()
    service.add_post("missed", "ann")
    current.purge_outbox()
    service.purge_outbox()
    service.catch_up()
    current.catch_up()

    assert service.tables.changes == []
    assert set(names(service.page("reader", limit=50))) == service.eligible("reader") >= {"missed"}
    assert current.state.posts == 12


def test_a_purge_during_an_outage_is_postponed() -> None:
    service = a_service()
    service.tables.away = True

    service.purge_outbox()

    assert service.state.database == "up"
    assert len(service.tables.changes) > 0


def test_a_database_that_was_empty_at_the_start_fills_the_feed_later() -> None:
    service = SmallService()
    service.catch_up()
    assert service.page("anyone").exhausted

    service.add_users("ann")
    service.add_post("first", "ann")
    service.catch_up()

    assert names(service.page("anyone")) == ["first"]


def test_another_database_under_the_same_address_is_read_completely() -> None:
    service, other = a_service(), a_service(3)
    service.disconnect()
    other.tables.source = "another"
    service.replace_log(other.log)
    service.catch_up()

    assert sorted(names(service.page("reader"))) == ["p0", "p1", "p2"]


def test_a_retraction_in_another_database_counts_although_its_number_was_used_before() -> None:
    service = SmallService()
    service.add_users("reader")
    service.add_post("p1")
    service.catch_up()
    service.track("reader", "p1", "like")
    service.retract("reader", "p1", "like")

    service.disconnect()
    service.tables.next_event = 1
    service.reconnect(source="restored")
    service.track("reader", "p1", "like")
    service.retract("reader", "p1", "like")

    assert service.feed.interaction_count == 0


def test_rows_with_one_external_id_are_a_warning_in_the_log() -> None:
    service = a_service()
    service.tables.add_users(User(UUID(int=8), "twice"), User(UUID(int=7), "twice"))

    service.disconnect()
    with capture_logs() as lines:
        service.reconnect(source="another database")  # is read as a whole

    [line] = [line for line in lines if line["event"] == "external_ids.repeated"]
    assert (line["log_level"], line["entity"], line["ids"]) == ("warning", "users", 1)
    assert service.feed.user_id("twice") == UUID(int=7)


def test_a_feed_with_posts_but_without_users_is_read() -> None:
    service = SmallService()
    service.tables.add_posts(a_post("p1"))

    service.catch_up()

    assert engagements(service, "p1") == 0
    assert service.feed.state.author[0] == -1
