"""Adopted tables have no triggers: their changes are found by comparison."""

from collections.abc import Sequence
from uuid import UUID

from app.domain.entities import Post
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.feed_log import FeedChecksums
from tests.support.fake_storage import InMemoryFeedLog, InMemoryPosts
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
from tests.support.small_service import names


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
    first_post = service.feed.state.post_ids[0]

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
    assert state.post_ids[0] == first_post


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


def test_a_comparison_reads_only_the_posts_that_changed() -> None:
    service = a_service_without_triggers()
    reads: list[int] = []

    class CountingPosts(InMemoryPosts):
        def posts(self, ids: Sequence[UUID]) -> Sequence[Post]:
            reads.append(len(ids))
            return super().posts(ids)

    service.workers.updater.posts = CountingPosts(service.tables)
    service.add_post("p2", "ann", age=2 * HOUR, tags=("other",))
    reconcile_now(service)
    reconcile_now(service)

    assert reads == [1]


def test_tables_with_complete_change_capture_are_not_compared() -> None:
    service = a_service()

    class FailingLog(InMemoryFeedLog):
        def checksums(self) -> FeedChecksums:
            raise AssertionError("compared the tables")

        def posts_created_since(self, created: float) -> Sequence[Post]:
            raise AssertionError(f"read the posts since {created}")

    service.replace_log(FailingLog(service.tables))
    service.set_interval(newest_seconds=-1.0)
    reconcile_now(service)

    assert service.state.database == "up"
