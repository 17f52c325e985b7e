"""Users join and leave audiences by the API: it holds from the next response on."""

import pytest

from app.domain.errors import InvalidId, UnknownUser
from app.domain.repositories.feed_log import FeedChanges, LogPosition
from tests.support.fake_storage import InMemoryFeedLog
from tests.support.small_service import SmallService, names


def a_service() -> SmallService:
    """A public post, and one for the club."""
    service = SmallService()
    service.add_users("ann", "reader")
    service.add_post("public", "ann")
    service.add_post("secret", "ann", visibility="members", audience_id="club")
    service.catch_up()
    return service


def shown(service: SmallService) -> set[str]:
    return set(names(service.page("reader", mode="newest")))


def test_a_membership_and_its_end_hold_in_the_next_response_and_reach_other_processes() -> None:
    service = a_service()
    other = SmallService(tables=service.tables)
    other.catch_up()

    for is_member, posts in ((True, {"public", "secret"}), (False, {"public"})):
        service.set_membership("reader", "club", is_member=is_member)
        at_once = shown(service)
        other.catch_up()

        assert at_once == shown(other) == posts


@pytest.mark.parametrize("is_member", [True, False])
def test_a_repeated_change_changes_nothing(is_member: bool) -> None:
    service = a_service()
    service.set_membership("reader", "club")
    service.set_membership("reader", "club", is_member=is_member)
    changes, posts = list(service.tables.changes), shown(service)

    service.set_membership("reader", "club", is_member=is_member)
    service.catch_up()

    assert service.tables.changes == changes
    assert shown(service) == posts


@pytest.mark.parametrize("last", [True, False])
def test_a_change_that_the_log_was_read_before_is_not_undone_by_it(last: bool) -> None:
    service = a_service()
    service.set_membership("reader", "club", is_member=last)
    service.catch_up()

    class BusyLog(InMemoryFeedLog):
        def read_changes(self, since: LogPosition) -> FeedChanges:
            changes = super().read_changes(since)
            if changes.users and not done:
                done.append(True)
                service.set_membership(
                    "reader", "club", is_member=last
                )  # after the read, before it is applied
            return changes

    done: list[bool] = []
    service.set_membership("reader", "club", is_member=not last)
    service.replace_log(log := BusyLog(service.tables))
    changes = log.read_changes(service.workers.updater.position)  # type: ignore[arg-type]
    service.workers.updater.apply_changes(changes)

    assert done
    assert ("secret" in shown(service)) is last


def test_changes_of_another_database_are_not_taken_for_earlier_ones() -> None:
    service = a_service()
    service.set_membership("reader", "club")

    service.disconnect()
    service.tables.next_xid = 1
    service.tables.changes.clear()
    service.reconnect(source="restored")
    before = shown(service)
    service.add_users("reader", audiences=())
    service.catch_up()

    assert before == {"public", "secret"}
    assert shown(service) == {"public"}


def test_a_wrong_user_or_audience_is_rejected_and_changes_nothing() -> None:
    service = a_service()
    changes = list(service.tables.changes)

    with pytest.raises(UnknownUser, match="nobody"):
        service.set_membership("nobody", "club")
    for audience in ("", "x" * 129, "a\0b"):
        with pytest.raises(InvalidId, match="audience id"):
            service.set_membership("reader", audience)

    assert service.tables.changes == changes
