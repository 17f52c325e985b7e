"""A start from a model's snapshot gives the state of a full read of the tables."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings

from app.domain.entities import Post, User
from app.domain.ids import user_uuid
from app.domain.ranking.model_interface import PublishedModel
from app.domain.repositories.feed_log import FeedSnapshot
from tests.support.fake_storage import InMemoryFeedLog
from tests.support.live_feeds import (
    HOUR,
    Change,
    LogWithoutTriggers,
    a_service,
    a_service_without_triggers,
    fully_read_state,
    make_changes,
    random_changes,
    same_counts,
)
from tests.support.small_service import SmallService, in_memory_storage, names


class CountingLog(InMemoryFeedLog):
    full_reads = 0

    def read_all(self) -> FeedSnapshot:
        self.full_reads += 1
        return super().read_all()


def restarted(service: SmallService, trained: PublishedModel) -> tuple[SmallService, CountingLog]:
    """Another process over the same tables, started with this model."""
    tables = service.tables
    log = CountingLog(tables)
    other = SmallService(
        tables=tables,
        storage=replace(in_memory_storage(tables), feed_log=log),
    )
    other.clock.at = service.clock.at
    other.publish(trained)
    other.catch_up()
    return other, log


def test_a_start_reads_only_the_changes_since_the_snapshot() -> None:
    service = a_service()
    service.track("reader", "p1", "like")
    trained = service.train()
    service.pass_time()
    service.add_users("new-user")
    service.add_post("new-post", "ann")
    service.add_post("p2", "ann", age=2 * HOUR + timedelta(seconds=1), visible=False)
    service.follow("reader", "ann")
    service.pass_time()
    service.track("new-user", "new-post", "like")
    service.track("reader", "p3", "like")

    other, log = restarted(service, trained)

    assert log.full_reads == 0
    assert same_counts(other.feed.state, fully_read_state(service), service.clock.at.timestamp())
    assert set(names(other.page("reader", limit=50))) == service.eligible("reader")


def remove_events(service: SmallService) -> None:
    service.tables.events.clear()  # an operator does so, and no trigger captures it


def wait_and_track(service: SmallService, *back: int) -> None:
    service.pass_time(3600)
    for seconds in back:
        service.track("reader", "p1", "view", service.clock.at - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "change",
    [
        lambda service: service.remove_post("p1"),
        lambda service: service.tables.remove_user(user_uuid("other")),
        lambda service: service.add_post("p1", "other", age=HOUR),
        lambda service: service.add_post("p1", "ann", age=5 * HOUR),
        lambda service: service.add_post("p1", "ann", age=HOUR, tags=("another",)),
        lambda service: service.add_post("older", "ann", age=24 * HOUR),
        lambda service: wait_and_track(service, 2 * 3600),
        remove_events,
        lambda service: (service.add_users("zoë"), service.purge_outbox()),
        lambda service: setattr(service.tables, "source", "another database"),
    ],
    ids=[
        "a post is removed", "a user is removed", "another author", "another time", "another topic", "an older post",
        "an older event", "events are removed", "the outbox was purged", "another database",
    ],
)  # fmt: skip
def test_a_start_reads_everything_if_snapshot_and_changes_would_give_another_state(
    change: Callable[[SmallService], object],
) -> None:
    service = a_service()
    service.track("reader", "p1", "like")
    trained = service.train()

    change(service)
    other, log = restarted(service, trained)

    assert log.full_reads == 1
    assert same_counts(other.feed.state, fully_read_state(service), service.clock.at.timestamp())


def test_a_start_over_tables_without_triggers_reads_everything() -> None:
    service = a_service_without_triggers()
    trained = service.train()
    service.add_post("p1", "ann", age=HOUR, visible=False)
    other = SmallService(tables=service.tables)
    other.replace_log(LogWithoutTriggers(service.tables))

    other.publish(trained)
    other.catch_up()

    assert set(names(other.page("reader", limit=50))) == service.eligible("reader")


@settings(max_examples=40)
@given(before=random_changes, after=random_changes)
def test_a_start_from_any_snapshot_ranks_like_a_full_read(before: list[Change], after: list[Change]) -> None:
    service = a_service(6)
    make_changes(before, service, service)
    trained = service.train(learned=True)
    make_changes(after, service, service)

    from_snapshot, _ = restarted(service, trained)
    fully_read, _ = restarted(service, replace(trained, model=replace(trained.model, position=None)))

    for user in ("reader", "other", "ann", "nobody"):
        actual, expected = from_snapshot.page(user, limit=20), fully_read.page(user, limit=20)
        assert names(actual) == names(expected)
        assert actual.scores == pytest.approx(expected.scores, abs=1e-9)


def test_a_snapshot_contains_the_rows_whose_uuids_are_not_derived() -> None:
    service = a_service()
    ann = UUID(int=7)
    service.tables.add_users(User(ann, "another program's"))
    service.tables.add_posts(Post(UUID(int=8), "made elsewhere", ann, service.clock.at, 0, "", (), True))
    trained = service.train()

    from_snapshot, log = restarted(service, trained)

    assert log.full_reads == 0
    assert from_snapshot.feed.user_id(" another program's") == ann
    assert from_snapshot.feed.post_id("made elsewhere") == UUID(int=8)
    assert "made elsewhere" not in names(from_snapshot.page("another program's", limit=50))


def test_a_snapshot_of_an_earlier_version_leads_to_a_full_read() -> None:
    service = a_service()
    service.tables.add_users(User(UUID(int=7), "ann of another program"))
    trained = service.train()
    del trained.model.snapshot["users_by_external_id"], trained.model.snapshot["posts_by_external_id"]

    fully_read, log = restarted(service, trained)

    assert log.full_reads == 1
    assert fully_read.feed.user_id("ann of another program") == UUID(int=7)
