"""Changes that no trigger captures, as those of adopted tables, are found by comparison."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from app.domain.entities import Post
from app.domain.feed.row_checksums import ChecksumSums, UnchangedRows
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.feed_log import FeedChanges, LogPosition, RowKeys, StoredRows
from tests.support.fake_storage import InMemoryFeedLog
from tests.support.live_feeds import (
    HOUR,
    LogWithoutTriggers,
    a_service,
    a_service_without_triggers,
    engagements,
    fully_read_state,
    is_known,
    reconcile_now,
    same_counts,
)
from tests.support.small_service import SmallService, names


def differences(service: SmallService) -> dict[str, int]:
    """How many rows of each kind differed at the last comparison; kinds without differences are omitted."""
    last = service.state.reconciliation
    assert last is not None
    return {kind: count for kind, count in last.differences.items() if count}


def test_users_and_posts_that_no_trigger_captured_arrive_with_their_first_event() -> None:
    service = a_service()
    service.replace_log(LogWithoutTriggers(service.tables))
    service.add_users("new-user")
    service.add_post("new-post", "ann")
    service.catch_up()
    assert is_known(service, "new-post") is False

    service.track("new-user", "p1", "like")
    at_once = service.page("new-user", limit=50)
    service.track("new-user", "new-post", "like")
    service.catch_up()

    assert "p1" not in names(at_once)
    assert engagements(service, "new-post") == 1


def test_a_new_post_that_no_trigger_captured_arrives_with_the_next_read_of_the_newest() -> None:
    service = a_service_without_triggers()
    service.add_post("of next year", "ann", age=-8760 * HOUR)
    reconcile_now(service)
    service.add_post("new-post", "ann")
    service.set_interval(reconcile_seconds=60.0)
    service.catch_up()
    before = names(service.page("reader", limit=1, mode="newest"))

    service.set_interval(newest_seconds=-1.0)
    service.catch_up()

    assert (before, names(service.page("reader", limit=1, mode="newest"))) == (["p0"], ["new-post"])


def test_a_comparison_with_the_tables_finds_every_change_that_no_trigger_captured() -> None:
    service = a_service_without_triggers()
    service.follow("reader", "ann")
    service.follow("other", "reader")
    service.add_users("removed")
    reconcile_now(service)
    first_post = service.feed.state.post_id(0)

    service.add_post("new-post", "ann")
    service.remove_post("p1")
    service.add_post("p2", "ann", age=2 * HOUR, visible=False)
    service.add_post("p3", "other", age=9 * HOUR)
    service.tables.remove_follow(user_uuid("reader"), user_uuid("ann"))
    service.follow("other", "ann")
    service.add_users("added")
    service.tables.remove_user(user_uuid("removed"))
    before = set(names(service.page("reader", limit=50)))
    reconcile_now(service)

    state = service.feed.state
    assert {"p1", "p2"} <= before
    assert set(names(service.page("reader", limit=50))) == service.eligible("reader")
    assert same_counts(state, fully_read_state(service), service.clock.at.timestamp())
    assert set(state.user_rows) == {user_id.bytes for user_id in service.tables.users}
    assert state.author[state.post_rows[post_uuid("p3").bytes]] == state.user_rows[user_uuid("other").bytes]
    assert state.post_id(0) == first_post


def test_a_post_that_a_view_hides_and_shows_again_keeps_its_events() -> None:
    service = a_service_without_triggers()
    service.track("reader", "p1", "like")
    hidden = service.tables.posts.pop(post_uuid("p1"))
    reconcile_now(service)
    assert "p1" not in names(service.page("other", limit=50))

    service.tables.posts[hidden.id] = hidden
    reconcile_now(service)

    assert "p1" in names(service.page("other", limit=50))
    assert "p1" not in names(service.page("reader", limit=50))
    assert engagements(service, "p1") == 1


def test_a_comparison_reads_only_the_rows_that_changed() -> None:
    service = a_service_without_triggers()
    reads: list[RowKeys] = []

    class CountingLog(LogWithoutTriggers):
        def read_rows(self, keys: RowKeys, position: LogPosition) -> FeedChanges:
            reads.append(keys)
            return super().read_rows(keys, position)

    service.replace_log(CountingLog(service.tables))
    service.add_post("p2", "ann", age=2 * HOUR, tags=("other",))
    reconcile_now(service)
    reconcile_now(service)

    assert [dict(keys.posts) for keys in reads] == [{post_uuid("p2"): 0}]
    assert not reads[0].users


def test_what_the_log_returns_is_no_difference() -> None:
    service = a_service()
    service.add_users("new")
    service.add_post("new-post", "new")
    service.follow("new", "ann")
    service.tables.remove_user(user_uuid("other"))
    service.track("new", "p1", "like")
    service.track("reader", "p1", "like")
    service.retract("reader", "p1", "like")
    service.feedback("reader", "mute_author", "ann")

    reconcile_now(service)

    assert differences(service) == {}


def test_rows_that_change_during_the_comparison_are_no_differences() -> None:
    service = a_service()

    class SlowLog(InMemoryFeedLog):
        def different_rows(
            self, known: ChecksumSums, unchanged: Callable[[], Mapping[str, UnchangedRows]]
        ) -> StoredRows:
            service.add_post("before the snapshot of the comparison", "ann")
            stored = super().different_rows(known, unchanged)
            service.remove_post("p3")
            service.track("reader", "p1", "like")
            return stored

    service.replace_log(SlowLog(service.tables))
    reconcile_now(service)

    assert differences(service) == {}
    assert is_known(service, "p3") is False


def test_the_newest_posts_are_not_polled_if_triggers_capture_every_change() -> None:
    service = a_service()

    class FailingLog(InMemoryFeedLog):
        def posts_created_since(self, created: float) -> Sequence[Post]:
            raise AssertionError(f"read the posts since {created}")

    service.replace_log(FailingLog(service.tables))
    service.set_interval(newest_seconds=-1.0)
    service.catch_up()

    assert service.state.database == "up"


def test_differences_that_are_too_many_to_read_one_by_one_lead_to_a_full_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.application.workers.reconciler._MAX_DIFFERENCES", 2)
    service = a_service_without_triggers()
    before = service.feed.state
    for number in range(3):
        service.add_post(f"new{number}", "ann")

    reconcile_now(service)

    assert differences(service) == {"posts": 3}
    assert service.feed.state is not before
    assert is_known(service, "new2")


def test_a_comparison_while_the_database_is_away_is_repeated_after_the_interval() -> None:
    service = a_service()
    service.disconnect()
    assert service.workers.reconciler is not None

    pause = service.workers.reconciler.run()

    assert 59 < pause <= 60
    assert service.state.reconciliation is None


def test_comparisons_take_at_most_a_twentieth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    service = a_service()
    reconciler = service.workers.reconciler
    assert reconciler is not None
    times = iter([100.0, 104.0])  # the start and the end of the comparison
    monkeypatch.setattr(reconciler, "compare", lambda: None)
    monkeypatch.setattr("app.application.workers.reconciler.monotonic", lambda: next(times))

    pause = reconciler.run()

    assert (reconciler.interval_seconds, pause) == (80.0, 76.0)


def test_reading_the_log_is_no_part_of_the_duration_of_a_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    service = a_service()
    reconciler, seconds = service.workers.reconciler, [0.0]
    assert reconciler is not None
    read_changes = service.workers.follower.read_backlog

    def read_slowly() -> None:
        read_changes()
        seconds[0] += 1000.0

    monkeypatch.setattr(service.workers.follower, "read_backlog", read_slowly)
    monkeypatch.setattr("app.application.workers.reconciler.monotonic", lambda: seconds[0])

    assert reconciler.run() == service.intervals.reconcile_seconds
