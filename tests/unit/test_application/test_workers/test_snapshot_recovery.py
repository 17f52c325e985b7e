"""A start from a model's snapshot ends where a whole read of the tables does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings

from app.domain.ids import user_uuid
from app.domain.ranking.model_interface import PublishedModel
from app.domain.repositories.feed_log import FeedSnapshot
from tests.support.fake_storage import InMemoryFeedLog, InMemoryPosts
from tests.support.live_feeds import (
    HOUR,
    UntoldLog,
    a_service,
    an_untold_service,
    changes,
    make,
    same_counts,
    whole_feed,
)
from tests.support.small_service import SmallService, names


class CountedLog(InMemoryFeedLog):
    whole_reads = 0

    def read_all(self) -> FeedSnapshot:
        self.whole_reads += 1
        return super().read_all()


def started_anew(service: SmallService, trained: PublishedModel) -> tuple[SmallService, CountedLog]:
    """Another process over the same tables, with this model."""
    other = SmallService()
    other.tables, other.clock.at = service.tables, service.clock.at
    other.keeper._log = log = CountedLog(service.tables)
    other.keeper._updater._posts = other.keeper._posts = InMemoryPosts(service.tables)
    other.publish(trained)
    other.catch_up()
    return other, log


def test_a_start_reads_only_what_came_after_the_models_snapshot() -> None:
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

    other, log = started_anew(service, trained)

    assert log.whole_reads == 0
    assert same_counts(other.feed.state, whole_feed(service), service.clock.at.timestamp())
    assert set(names(other.page("reader", limit=50))) == service.eligible("reader")


def remove_events(service: SmallService) -> None:
    service.tables.events.clear()  # as an operator does, whom no trigger watches


def wait_and_track(service: SmallService, *back: int) -> None:
    service.pass_time(3600)
    for seconds in back:
        service.track("reader", "p1", "view", service.clock.at - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda service: service.remove_post("p1"),
        lambda service: service.tables.remove_user(user_uuid("other")),
        lambda service: service.add_post("p1", "other", age=HOUR),
        lambda service: service.add_post("p1", "ann", age=5 * HOUR),
        lambda service: service.add_post("p1", "ann", age=HOUR, tags=("another",)),
        lambda service: service.add_post("of yesterday", "ann", age=24 * HOUR),
        lambda service: wait_and_track(service, 2 * 3600),
        remove_events,
        lambda service: (service.add_users("zoë"), service.keeper.purge_outbox()),
        lambda service: setattr(service.tables, "source", "another database"),
    ],
    ids=[
        "a post is gone", "a user is gone", "another author", "another time", "another topic", "a post of old",
        "an event of old", "events are gone", "the outbox was swept", "another database",
    ],
)  # fmt: skip
def test_a_start_reads_everything_where_a_snapshot_and_the_rest_would_be_another_feed(
    meanwhile: Callable[[SmallService], object],
) -> None:
    service = a_service()
    service.track("reader", "p1", "like")
    trained = service.train()

    meanwhile(service)
    other, log = started_anew(service, trained)

    assert log.whole_reads == 1
    assert same_counts(other.feed.state, whole_feed(service), service.clock.at.timestamp())


def test_a_start_over_tables_that_do_not_tell_everything_reads_everything() -> None:
    service = an_untold_service()
    trained = service.train()
    service.add_post("p1", "ann", age=HOUR, visible=False)
    other = SmallService()
    other.tables, other.keeper._log = service.tables, UntoldLog(service.tables)

    other.publish(trained)
    other.catch_up()

    assert set(names(other.page("reader", limit=50))) == service.eligible("reader")


@settings(max_examples=40)
@given(done=changes, meanwhile=changes)
def test_wherever_a_start_begins_it_ranks_as_after_a_whole_read(
    done: list[tuple[str, int, int]], meanwhile: list[tuple[str, int, int]]
) -> None:
    service = a_service(6)
    make(done, service, service)
    trained = service.train(learned=True)
    make(meanwhile, service, service)

    other, _ = started_anew(service, trained)
    plain, _ = started_anew(service, replace(trained, model=replace(trained.model, position=None)))

    for person in ("reader", "other", "ann", "stranger"):
        one, same = other.page(person, limit=20), plain.page(person, limit=20)
        assert names(one) == names(same)
        assert one.scores == pytest.approx(same.scores, abs=1e-9)
