"""How many posts are new since a list began."""

from datetime import timedelta

import pytest

from app.application.use_cases.count_updates import Updates
from app.domain.errors import ExpiredCursor, InvalidCursor
from tests.support.small_service import SmallService, names

MODES = ("ranked", "newest", "following")


def a_service(posts: int = 3) -> SmallService:
    """Old posts of ann, whom the reader follows."""
    service = SmallService()
    service.add_users("ann", "bea", "reader", "twin")
    service.follow("reader", "ann")
    for number in range(posts):
        service.add_post(f"old{number}", "ann", age=timedelta(hours=1 + number))
    service.catch_up()
    return service


def cursor_of(service: SmallService, mode: str = "ranked", user: str = "reader") -> str:
    cursor = service.page(user, limit=1, mode=mode).next_cursor
    assert cursor is not None
    service.pass_time()
    return cursor


@pytest.mark.parametrize("mode", MODES)
def test_posts_published_since_the_list_began_are_new_and_a_new_list_shows_them(mode: str) -> None:
    service = a_service()
    cursor = cursor_of(service, mode)
    before = service.count_updates("reader", cursor)

    service.add_post("new1", "ann")
    service.add_post("new2", "ann")
    service.catch_up()

    assert before == Updates(0, capped=False)
    assert service.count_updates("reader", cursor) == Updates(2, capped=False)
    assert {"new1", "new2"} <= set(names(service.page("reader", mode=mode)))


def test_only_posts_of_followed_authors_are_new_in_mode_following() -> None:
    service = a_service()
    cursors = {mode: cursor_of(service, mode) for mode in MODES}

    service.add_post("of bea", "bea")
    service.catch_up()

    counts = {mode: service.count_updates("reader", cursor).new for mode, cursor in cursors.items()}
    assert counts == {"ranked": 1, "newest": 1, "following": 0}


def test_posts_that_a_new_list_cannot_show_are_not_new() -> None:
    service = a_service()
    cursor = cursor_of(service)
    service.add_users("muted", "blocked", "blocking")
    service.add_post("own", "reader")
    service.add_post("invisible", "ann", visible=False)
    service.add_post("tomorrow", "ann", age=-timedelta(days=1))
    for name in ("hidden", "seen", "deleted", "visible"):
        service.add_post(name, "ann")
    for author in ("muted", "blocked", "blocking"):
        service.add_post(f"by {author}", author)
    service.catch_up()
    service.feedback("reader", "hide_post", "hidden")
    service.feedback("reader", "mute_author", "muted")
    service.feedback("reader", "block_author", "blocked")
    service.feedback("blocking", "block_author", "reader")
    service.track("reader", "seen", "view")
    service.remove_post("deleted")
    service.catch_up()

    assert service.count_updates("reader", cursor) == Updates(1, capped=False)


def test_new_posts_that_a_later_page_of_the_list_showed_are_not_new() -> None:
    service = a_service()
    first = cursor_of(service)
    service.add_post("new", "ann")
    service.catch_up()
    second = service.page("reader", limit=1, cursor=first)
    later = service.page("reader", limit=50, cursor=second.next_cursor)
    assert "new" in names(second, later)

    counted = service.count_updates("reader", second.next_cursor)

    assert counted.new == (0 if names(second) == ["new"] else 1)


@pytest.mark.parametrize(("posts", "capped"), [(100, False), (101, True)])
def test_the_count_is_capped(posts: int, capped: bool) -> None:
    service = a_service()
    cursor = cursor_of(service)
    for number in range(posts):
        service.add_post(f"new{number}", "ann")
    service.catch_up()

    assert service.count_updates("reader", cursor) == Updates(100, capped)


def test_an_unknown_user_has_updates_too() -> None:
    service = a_service()
    cursor = cursor_of(service, user="without-account")
    service.add_post("new", "ann")
    service.catch_up()

    assert service.count_updates("without-account", cursor) == Updates(1, capped=False)


def test_the_cursor_of_another_user_and_an_old_one_are_rejected() -> None:
    service = a_service()
    cursor = cursor_of(service)

    with pytest.raises(InvalidCursor):
        service.count_updates("twin", cursor)
    with pytest.raises(InvalidCursor):
        service.count_updates("reader", cursor + "A")
    service.pass_time(25 * 3600)
    with pytest.raises(ExpiredCursor):
        service.count_updates("reader", cursor)
