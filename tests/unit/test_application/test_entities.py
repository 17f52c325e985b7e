"""Users and posts are written by the API: it holds from the next response on."""

from datetime import timedelta

import pytest

from app.domain.errors import InvalidId, InvalidPost
from app.domain.repositories.feed_log import FeedChanges, LogPosition
from tests.support.fake_storage import InMemoryFeedLog
from tests.support.small_service import SmallService, names


def a_service() -> SmallService:
    service = SmallService()
    service.add_users("ann", "reader")
    service.add_post("first", "ann")
    service.catch_up()
    return service


def put(service: SmallService, post: str, **fields: object) -> None:
    service.entities.put_post(post, fields)


def shown(service: SmallService, user: str = "reader") -> list[str]:
    return names(service.page(user, mode="newest"))


def test_a_post_and_its_changes_hold_in_the_next_response_and_reach_other_processes() -> None:
    service = a_service()
    other = SmallService(tables=service.tables, clock=service.clock)
    other.catch_up()

    for change, posts in (
        (lambda: put(service, "second", author_id="new author"), {"first", "second"}),
        (lambda: put(service, "second", visible=False), {"first"}),
        (lambda: put(service, "second", visible=True, author_id="reader"), {"first"}),
        (lambda: put(service, "second", author_id=None), {"first", "second"}),
        (lambda: service.entities.delete_post("second"), {"first"}),
        (lambda: service.entities.delete_post("never there"), {"first"}),
    ):
        change()
        at_once = set(shown(service))
        other.catch_up()

        assert at_once == set(shown(other)) == posts


def test_a_setting_of_a_user_holds_in_the_next_response() -> None:
    service = a_service()
    put(service, "secret", author_id="ann", sensitive=True)
    before = shown(service)

    service.entities.put_user("reader", {"show_sensitive": True})

    assert ("secret" in before, "secret" in shown(service)) == (False, True)


def test_a_post_of_the_future_is_shown_when_its_time_comes() -> None:
    service = a_service()
    put(service, "later", author_id="ann", created_at=service.clock.at + timedelta(hours=1))
    before = shown(service)

    service.pass_time(3600)

    assert ("later" in before, "later" in shown(service)) == (False, True)


def test_a_deleted_post_takes_its_events_along() -> None:
    service = a_service()
    put(service, "second", author_id="ann")
    service.track("reader", "first", "like")
    service.track("reader", "second", "like")

    service.entities.delete_post("second")
    at_once = service.feed.interaction_count
    service.catch_up()

    assert at_once == service.feed.interaction_count == 1


@pytest.mark.parametrize("last", ["put", "delete"])
def test_a_change_that_the_log_was_read_before_is_not_undone_by_it(last: str) -> None:
    service = a_service()

    def change(kind: str) -> None:
        if kind == "put":
            put(service, "second", author_id="ann")
        else:
            service.entities.delete_post("second")

    class BusyLog(InMemoryFeedLog):
        def read_changes(self, since: LogPosition) -> FeedChanges:
            changes = super().read_changes(since)
            change(last)  # after the read, before it is applied
            return changes

    change("put")
    service.catch_up()
    change("delete" if last == "put" else "put")
    log = BusyLog(service.tables)
    service.workers.updater.apply_changes(log.read_changes(service.workers.updater.position))  # type: ignore[arg-type]

    assert ("second" in shown(service)) is (last == "put")


def test_a_wrong_batch_names_the_place_and_changes_nothing() -> None:
    service = a_service()
    changes = list(service.tables.changes)

    with pytest.raises(InvalidId, match=r"posts\[1\]: user id"):
        service.entities.put_posts([("a", {}), ("b", {"author_id": "x" * 129})])
    with pytest.raises(InvalidPost):
        service.entities.put_posts([("a", {}), ("a", {})])
    with pytest.raises(InvalidId, match=r"^post id"):
        put(service, "a", root_id="a\0b")

    assert service.tables.changes == changes
