"""What is served keeps up with the log, with what this process commits, and with the registry."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.entities import INTERACTION_TYPES, Interaction
from app.domain.errors import InvalidArtifact, ModelUnavailable, StorageUnavailable
from app.domain.feed.chronicle import Chronicle
from app.domain.feed.state import FeedState
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.feed_log import FeedChanges, LogPosition, WholeFeed
from app.domain.repositories.interaction_repository import StoredInteraction
from tests.fakes.storage import InMemoryFeedLog
from tests.unit.small_service import SmallService, names

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
        def whole(self) -> WholeFeed:
            found = super().whole()
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

    whole = Chronicle(service.log.whole().history, replay=False).finish()

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
    _, at, _ = state.histories.row(state.user_rows[user_uuid("reader").bytes])
    assert at.tolist() == sorted(one.timestamp() for one in times)


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
        and np.allclose(one.heat.at(now, a), other.heat.at(now, b), rtol=1e-9)
        and np.allclose(one.strong_heat.at(now, a), other.strong_heat.at(now, b), rtol=1e-9)
        and all(_met(one, key) == _met(other, key) for key in users)
        and all(_followed(one, key) == _followed(other, key) for key in users)
    )


def _met(state: FeedState, user: bytes) -> list[tuple[str, float, int]]:
    """Events of a user with posts that are there."""
    there = set(state.post_rows.values())
    events = zip(*(one.tolist() for one in state.histories.row(state.user_rows[user])), strict=True)
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


@settings(max_examples=40)
@given(changes=changes, by_this_process=st.booleans())
def test_following_the_log_ends_where_reading_it_as_a_whole_does(
    changes: list[tuple[str, int, int]], by_this_process: bool
) -> None:
    service = a_service(6)
    writer = service if by_this_process else a_service(0)
    writer._track._repository._tables = service.tables
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
    service.catch_up()

    whole = Chronicle(service.log.whole().history, replay=False).finish()

    assert same_counts(service.feed.state, whole, service.clock.at.timestamp())


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


class UntoldLog(InMemoryFeedLog):
    """Tables without our triggers: the outbox is silent."""

    def changes(self, since: LogPosition) -> FeedChanges:
        told = super().changes(since)
        return FeedChanges([], [], [], [], [], [], told.events, told.position)


def test_users_and_posts_that_no_trigger_told_of_come_with_their_first_event() -> None:
    service = a_service()
    service.keeper._log = UntoldLog(service.tables)
    service.add_users("new-user")
    service.add_post("new-post", "ann")
    service.catch_up()
    assert engagements_known(service, "new-post") is False

    service.track("new-user", "p1", "like")
    at_once = service.page("new-user", limit=50)
    service.track("new-user", "new-post", "like")
    service.catch_up()

    assert "p1" not in names(at_once)
    assert engagements(service, "new-post") == 1


def engagements_known(service: SmallService, post: str) -> bool:
    return post_uuid(post).bytes in service.feed.state.post_rows


def test_a_new_post_that_no_trigger_told_of_comes_with_the_next_look_at_the_newest() -> None:
    service = a_service()
    service.add_post("of next year", "ann", age=-8760 * HOUR)
    service.catch_up()
    service.keeper._log = UntoldLog(service.tables)
    service.add_post("new-post", "ann")
    service.catch_up()
    before = names(service.page("reader", limit=1, mode="newest"))

    object.__setattr__(service.keeper._pace, "newest", -1.0)
    service.catch_up()

    assert (before, names(service.page("reader", limit=1, mode="newest"))) == (["p0"], ["new-post"])


def test_a_comparison_with_the_tables_brings_and_removes_what_no_trigger_told_of() -> None:
    service = a_service()
    service.keeper._log = UntoldLog(service.tables)
    service.add_post("new-post", "ann")
    service.remove_post("p1")
    service.catch_up()
    before = set(names(service.page("reader", limit=50)))

    object.__setattr__(service.keeper._pace, "reconcile", -1.0)
    service.catch_up()

    assert {"p1"} <= before != service.eligible("reader")
    assert set(names(service.page("reader", limit=50))) == service.eligible("reader")


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

        def changes(self, since: LogPosition) -> FeedChanges:
            if self.left == 0:
                raise StorageUnavailable("cut off")
            self.left -= 1
            return super().changes(since)

    service.keeper._log = Cut(service.tables)
    for number in range(3):
        service.add_post(f"late-{number}", "ann")
        service.catch_up()
        service.keeper._log.left = 1

    service.keeper._log = service.log
    service.catch_up()
    assert set(names(service.page("reader", limit=50))) == service.eligible("reader")


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


# -- models ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", [True, False])
def test_a_start_without_a_database_serves_what_the_model_remembers(database: bool) -> None:
    trained = a_service().train()
    service = SmallService(database=database)
    service.tables.away = True
    service.publish(trained)
    service.catch_up()

    answer = service.page("reader")
    assert (len(answer.post_ids), answer.degraded, answer.model_version) == (12, True, "v1")
    assert service.keeper.state().database_ok is (False if database else None)


def test_what_the_model_remembers_is_brought_up_to_date_when_the_database_comes() -> None:
    origin = a_service()
    origin.track("reader", "p1", "like")
    trained = origin.train()
    origin.track("reader", "p2", "like")
    origin.remove_post("p3")
    service = SmallService()
    service.tables = origin.tables
    service.keeper._log = origin.log
    origin.tables.away = True
    service.publish(trained)
    service.catch_up()
    remembered = names(service.page("reader"))
    origin.tables.away = False
    service.catch_up()

    assert {"p2", "p3"} <= set(remembered)
    assert set(names(service.page("reader"))) == origin.eligible("reader")
    assert [engagements(service, post) for post in ("p1", "p2")] == [1, 1]


def test_without_a_database_a_newer_model_brings_its_newer_feed() -> None:
    origin = a_service()
    service = SmallService(database=False)
    service.publish(origin.train())
    origin.add_post("newer", "ann")

    service.publish(origin.train())

    assert "newer" in names(service.page("reader", limit=50))


def test_a_new_model_ranks_the_running_feed() -> None:
    service = a_service()
    trained = service.train()
    service.add_post("newer", "ann")
    service.catch_up()
    service.track("reader", "p1", "like")

    service.publish(trained)

    answer = service.page("reader", limit=50)
    assert answer.model_version == "v1"
    assert set(names(answer)) == service.eligible("reader")


@pytest.mark.parametrize(
    "error", [InvalidArtifact("the SHA-256 is not the registered one"), ModelUnavailable("no")]
)
def test_a_failed_reload_keeps_the_old_model_and_shows_in_health(error: ModelUnavailable) -> None:
    service = a_service()
    service.publish()

    service.break_models(error)
    for _ in range(3):
        service.keeper.look_for_model()

    state = service.keeper.state()
    assert (state.model_version, state.last_reload_error, state.reload_failures) == ("v1", str(error), 1)
    assert service.page("reader").model_version == "v1"
    service.broken = None
    assert service.publish() == service.keeper.state().model_version != "v1"
    assert service.keeper.state().last_reload_error is None


def test_a_model_of_other_features_is_refused_beside_the_one_that_serves() -> None:
    service = a_service()
    service.publish()
    stranger = service.train(learned=True)
    object.__setattr__(stranger.model.choice, "names", ("some", "other", "features"))

    service.publish(stranger)

    assert service.keeper.state().model_version == "v1"
    assert "other features" in str(service.keeper.state().last_reload_error)


def test_a_registry_that_was_begun_anew_may_use_a_version_again() -> None:
    service = a_service()
    service.publish(service.train(version="v1"))
    service.track("reader", "p1", "like")
    service.publish(anew := service.train(version="v1"))

    assert service.keeper._model is anew


def test_a_registry_that_was_emptied_takes_no_model_away() -> None:
    service = a_service()
    service.publish()
    service.published = None
    service._fingerprint += 1
    service.keeper.look_for_model()

    assert service.page("reader").model_version == "v1"
    assert service.keeper.state().last_reload_error is None


def test_the_threads_keep_up_on_their_own_and_end() -> None:
    service = a_service()
    keeper = service.keeper
    object.__setattr__(keeper._pace, "tail", 0.005)
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
