"""Tables of others have no triggers of ours; what changes in them is found by comparison."""

from collections.abc import Sequence
from uuid import UUID

from app.domain.entities import Post
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.feed_log import FeedChecksums
from tests.support.fake_storage import InMemoryFeedLog, InMemoryPosts
from tests.support.live_feeds import (
    HOUR,
    UntoldLog,
    a_service,
    an_untold_service,
    compare_now,
    engagements,
    engagements_known,
    same_counts,
    whole_feed,
)
from tests.support.small_service import names


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


def test_a_new_post_that_no_trigger_told_of_comes_with_the_next_look_at_the_newest() -> None:
    service = an_untold_service()
    service.add_post("of next year", "ann", age=-8760 * HOUR)
    compare_now(service)
    service.add_post("new-post", "ann")
    object.__setattr__(service.keeper._intervals, "reconcile", 60.0)
    service.catch_up()
    before = names(service.page("reader", limit=1, mode="newest"))

    object.__setattr__(service.keeper._intervals, "newest", -1.0)
    service.catch_up()

    assert (before, names(service.page("reader", limit=1, mode="newest"))) == (["p0"], ["new-post"])


def test_a_comparison_with_the_tables_finds_whatever_no_trigger_told_of() -> None:
    service = an_untold_service()
    service.follow("reader", "ann")
    service.follow("other", "reader")
    service.add_users("leaves")
    compare_now(service)
    stays = service.feed.state.post_ids[0]

    service.add_post("new-post", "ann")
    service.remove_post("p1")
    service.add_post("p2", "ann", age=2 * HOUR, visible=False)
    service.add_post("p3", "other", age=9 * HOUR)
    service.tables.remove_follow(user_uuid("reader"), user_uuid("ann"))
    service.follow("other", "ann")
    service.add_users("comes")
    service.tables.remove_user(user_uuid("leaves"))
    before = set(names(service.page("reader", limit=50)))
    compare_now(service)

    state = service.feed.state
    assert {"p1", "p2"} <= before
    assert set(names(service.page("reader", limit=50))) == service.eligible("reader")
    assert same_counts(state, whole_feed(service), service.clock.at.timestamp())
    assert set(state.user_rows) == {one.bytes for one in service.tables.users}
    assert state.author[state.post_rows[post_uuid("p3").bytes]] == state.user_rows[user_uuid("other").bytes]
    assert state.post_ids[0] == stays


def test_a_post_that_a_view_hides_and_shows_again_is_the_same_to_who_met_it() -> None:
    service = an_untold_service()
    service.track("reader", "p1", "like")
    hidden = service.tables.posts.pop(post_uuid("p1"))
    compare_now(service)
    assert "p1" not in names(service.page("other", limit=50))

    service.tables.posts[hidden.id] = hidden
    compare_now(service)

    assert "p1" in names(service.page("other", limit=50))
    assert "p1" not in names(service.page("reader", limit=50))
    assert engagements(service, "p1") == 1


def test_a_comparison_reads_only_the_posts_that_changed() -> None:
    service = an_untold_service()
    asked: list[int] = []

    class Counted(InMemoryPosts):
        def posts(self, ids: Sequence[UUID]) -> Sequence[Post]:
            asked.append(len(ids))
            return super().posts(ids)

    service.keeper._updater._posts = Counted(service.tables)
    service.add_post("p2", "ann", age=2 * HOUR, tags=("other",))
    compare_now(service)
    compare_now(service)

    assert asked == [1]


def test_tables_that_tell_everything_are_not_compared() -> None:
    service = a_service()

    class Refusing(InMemoryFeedLog):
        def checksums(self) -> FeedChecksums:
            raise AssertionError("compared")

        def posts_created_since(self, created: float) -> Sequence[Post]:
            raise AssertionError(f"looked for posts since {created}")

    service.keeper._log = Refusing(service.tables)
    object.__setattr__(service.keeper._intervals, "newest", -1.0)
    compare_now(service)

    assert service.keeper.state().database_ok
