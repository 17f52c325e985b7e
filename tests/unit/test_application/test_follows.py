"""Users follow each other by the API: it holds from the next response on."""

from collections.abc import Callable

import pytest

from app.domain.errors import InvalidFollow, UnknownUser
from app.domain.repositories.feed_log import FeedChanges, LogPosition
from tests.support.fake_storage import InMemoryFeedLog
from tests.support.small_service import SmallService, names


def a_service() -> SmallService:
    """Two posts each of ann and bea, and a reader who follows nobody."""
    service = SmallService()
    service.add_users("ann", "bea", "reader")
    for author in ("ann", "bea"):
        for number in (1, 2):
            service.add_post(f"{author}{number}", author)
    service.catch_up()
    return service


def followed_posts(service: SmallService) -> set[str]:
    return set(names(service.page("reader", mode="following")))


def test_a_follow_and_its_end_hold_in_the_next_response_and_reach_other_processes() -> None:
    service = a_service()
    other = SmallService(tables=service.tables)
    other.catch_up()

    for follows, posts in ((True, {"ann1", "ann2"}), (False, set())):
        service.set_follow("reader", "ann", follows=follows)
        at_once = followed_posts(service)
        other.catch_up()

        assert at_once == followed_posts(other) == posts


@pytest.mark.parametrize("follows", [True, False])
def test_a_repeated_change_changes_nothing(follows: bool) -> None:
    service = a_service()
    service.set_follow("reader", "ann")
    service.set_follow("reader", "ann", follows=follows)
    changes, posts = list(service.tables.changes), followed_posts(service)

    service.set_follow("reader", "ann", follows=follows)
    service.catch_up()

    assert service.tables.changes == changes
    assert followed_posts(service) == posts


def test_the_posts_of_an_unfollowed_author_leave_the_following_pages_of_every_list() -> None:
    service = a_service()
    service.set_follow("reader", "ann")
    service.set_follow("reader", "bea")
    service.page("reader", mode="following", limit=4)
    first = service.page("reader", mode="following", limit=1)

    service.set_follow("reader", "ann", follows=False)
    service.set_follow("reader", "bea", follows=False)
    by_offset = service.page("reader", mode="following", limit=3, offset=1)
    by_cursor = service.page("reader", mode="following", limit=3, cursor=first.next_cursor)

    assert names(first, by_offset, by_cursor) == names(first)
    assert by_cursor.exhausted


@pytest.mark.parametrize("first", [True, False])
def test_a_change_that_the_log_was_read_before_is_not_undone_by_it(first: bool) -> None:
    service = a_service()
    service.set_follow("reader", "ann", follows=not first)
    service.catch_up()

    class BusyLog(InMemoryFeedLog):
        def read_changes(self, since: LogPosition) -> FeedChanges:
            changes = super().read_changes(since)
            if changes.follow_seqs and not done:
                done.append(True)
                service.set_follow("reader", "ann", follows=not first)  # after the read, before it is applied
                after.append(followed_posts(service))
            return changes

    done: list[bool] = []
    after: list[set[str]] = []
    service.set_follow("reader", "ann", follows=first)
    service.replace_log(BusyLog(service.tables))
    service.catch_up()

    assert done
    assert followed_posts(service) == after[0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s, f: s.set_follow("nobody", "ann", follows=f), UnknownUser, "nobody"),
        (lambda s, f: s.set_follow("reader", "nobody", follows=f), UnknownUser, "nobody"),
        (lambda s, f: s.set_follow("reader", "reader", follows=f), InvalidFollow, "themselves"),
    ],
)
@pytest.mark.parametrize("follows", [True, False])
def test_a_wrong_follow_is_rejected(
    change: Callable[[SmallService, bool], None], error: type[Exception], message: str, follows: bool
) -> None:
    with pytest.raises(error, match=message):
        change(a_service(), follows)
