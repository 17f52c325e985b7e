"""What is served keeps up with the log, with what this process commits, and with the registry."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.entities import Interaction
from app.domain.errors import StorageUnavailable
from app.domain.feed.timeline import FeedTimeline
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.feed_log import FeedChanges, FeedSnapshot, LogPosition
from app.domain.repositories.interaction_repository import StoredInteraction
from tests.support.fake_storage import InMemoryFeedLog
from tests.support.live_feeds import (
    HOUR,
    a_service,
    changes,
    engagements,
    engagements_known,
    make,
    same_counts,
    whole_feed,
)
from tests.support.small_service import SmallService, names

# -- the log -----------------------------------------------------------------------------------------------------------


def test_what_this_process_committed_counts_once_though_the_log_brings_it_again() -> None:
    service = a_service()

    service.track("reader", "p1", "like")
    at_once = engagements(service, "p1")
    for _ in range(3):
        service.catch_up()

    assert (at_once, engagements(service, "p1")) == (1, 1)
    assert service.keeper.state().interactions == 1


def test_an_event_committed_while_the_feed_is_read_as_a_whole_counts_once() -> None:
    service = a_service()
    service.track("reader", "p1", "like")

    class Busy(InMemoryFeedLog):
        def read_all(self) -> FeedSnapshot:
            found = super().read_all()
            service.track("reader", "p2", "like")  # after the read, before it is served
            return found

    keeper = service.keeper
    keeper._log = Busy(service.tables)
    service.tables.away = True
    service.catch_up()
    service.tables.away, service.tables.source = False, "another database"
    service.catch_up()

    assert [engagements(service, post) for post in ("p1", "p2")] == [1, 1]


def test_another_process_is_heard_of_with_the_next_look_at_the_log() -> None:
    one, other = a_service(), SmallService()
    other.tables = one.tables
    other.keeper._log = one.log
    other.catch_up()

    one.track("reader", "p1", "like")
    before = engagements(other, "p1")
    other.catch_up()

    assert (before, engagements(other, "p1")) == (0, 1)


def test_late_and_unordered_events_leave_the_state_that_a_whole_read_gives() -> None:
    service = a_service()
    now = service.clock.at
    for back, post in ((0, "p1"), (5, "p2"), (2, "p1"), (120, "p3"), (1, "p2")):
        service.track("reader", post, "like", now - back * HOUR)
        service.track("other", post, "share", now - (back + 3) * HOUR)

    whole = FeedTimeline(service.log.read_all().dataset, replay=False).apply_all()

    assert same_counts(service.feed.state, whole, now.timestamp())


def test_a_batch_is_counted_in_the_order_in_which_it_happened() -> None:
    service = a_service()
    times = [service.clock.at - back * HOUR for back in (1, 5, 3)]
    events = [
        StoredInteraction(
            100 + place, 1, Interaction(user_uuid("reader"), post_uuid(f"p{place}"), "view", at)
        )
        for place, at in enumerate(times)
    ]

    service.keeper.apply(events)

    state = service.feed.state
    _, at, _ = state.events_by_user.row(state.user_rows[user_uuid("reader").bytes])
    assert at.tolist() == sorted(one.timestamp() for one in times)


@settings(max_examples=40)
@given(changes=changes, by_this_process=st.booleans())
def test_following_the_log_ends_where_reading_it_as_a_whole_does(
    changes: list[tuple[str, int, int]], by_this_process: bool
) -> None:
    service = a_service(6)
    writer = service if by_this_process else a_service(0)
    writer._track._repository._tables = service.tables
    make(changes, service, writer)
    service.catch_up()

    assert same_counts(service.feed.state, whole_feed(service), service.clock.at.timestamp())


def test_a_deleted_user_takes_his_posts_and_is_a_stranger() -> None:
    service = a_service()
    service.track("reader", "p1", "like")
    service.publish()

    service.tables.remove_user(user_uuid("ann"))
    service.tables.remove_user(user_uuid("reader"))
    service.catch_up()

    assert service.page("other").post_ids == []
    assert service.page("reader").source == "cold_start"


def test_a_post_that_comes_back_is_another_one() -> None:
    service = a_service()
    service.track("reader", "p1", "like")
    service.remove_post("p1")
    service.add_post("p1", "ann")
    service.catch_up()

    assert "p1" in names(service.page("reader", limit=50))
    assert engagements(service, "p1") == 0


# -- outages -----------------------------------------------------------------------------------------------------------


def test_while_the_database_is_away_memory_answers_and_health_says_so() -> None:
    service = a_service()
    service.tables.away = True
    service.catch_up()

    state = service.keeper.state()
    assert (state.ready, state.database_ok, state.posts) == (True, False, 12)
    assert len(service.page("reader").post_ids) == 12

    service.tables.away = False
    service.add_post("meanwhile", "ann")
    service.catch_up()
    assert service.keeper.state().database_ok is True
    assert "meanwhile" in names(service.page("reader", limit=50))


def test_an_outage_in_the_middle_of_a_read_loses_nothing() -> None:
    service = a_service()

    class Cut(InMemoryFeedLog):
        left = 1

        def read_changes(self, since: LogPosition) -> FeedChanges:
            if self.left == 0:
                raise StorageUnavailable("cut off")
            self.left -= 1
            return super().read_changes(since)

    service.keeper._log = Cut(service.tables)
    for number in range(3):
        service.add_post(f"late-{number}", "ann")
        service.catch_up()
        service.keeper._log.left = 1

    service.keeper._log = service.log
    service.catch_up()
    assert set(names(service.page("reader", limit=50))) == service.eligible("reader")


def test_a_reader_whose_changes_were_swept_reads_everything() -> None:
    service, fresh = a_service(), a_service()
    service.add_post("missed", "ann")
    fresh.keeper.purge_outbox()
    service.keeper.purge_outbox()
    service.catch_up()
    fresh.catch_up()

    assert service.tables.changes == []
    assert set(names(service.page("reader", limit=50))) == service.eligible("reader") >= {"missed"}
    assert fresh.keeper.state().posts == 12


def test_a_database_that_is_away_is_swept_another_time() -> None:
    service = a_service()
    service.tables.away = True

    service.keeper.purge_outbox()

    assert service.keeper.state().database_ok
    assert len(service.tables.changes) > 0


def test_a_database_that_was_empty_at_the_start_fills_the_feed_later() -> None:
    service = SmallService()
    service.catch_up()
    assert service.page("anyone").exhausted

    service.add_users("ann")
    service.add_post("first", "ann")
    service.catch_up()

    assert names(service.page("anyone")) == ["first"]


def test_another_database_in_the_place_of_the_first_is_read_as_a_whole() -> None:
    service, other = a_service(), a_service(3)
    service.tables.away = True
    service.catch_up()
    other.tables.source = "another"
    service.keeper._log = other.log
    service.catch_up()

    assert sorted(names(service.page("reader"))) == ["p0", "p1", "p2"]


# -- threads ----------------------------------------------------------------------------------------------------------


def test_the_threads_keep_up_on_their_own_and_end() -> None:
    service = a_service()
    keeper = service.keeper
    object.__setattr__(keeper._intervals, "tail", 0.005)
    keeper.open()
    try:
        service.add_post("by-itself", "ann")
        for _ in range(2_000):
            if engagements_known(service, "by-itself"):
                break
            keeper._stop.wait(0.005)
        assert engagements_known(service, "by-itself")
    finally:
        keeper.close()
    assert not any(thread.is_alive() for thread in keeper._threads)
