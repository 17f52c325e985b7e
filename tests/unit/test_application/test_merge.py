"""Two users who are one person."""

import pytest

from app.domain.errors import InvalidMerge, UnknownUser
from app.domain.ids import user_uuid
from tests.support.live_feeds import engagements, fully_read_state, same_counts
from tests.support.small_service import SmallService, names, service_with_posts


def merged(service: SmallService) -> None:
    service.user_data.merge("reader", "other")


def test_the_events_of_both_are_those_of_one_person_at_once_and_after_the_log() -> None:
    service = service_with_posts()
    service.track("reader", "p20", "like")
    service.pass_time(2 * 3600)
    service.track("other", "p20", "like")
    service.track("other", "p21", "share")
    assert engagements(service, "p20") == 2

    for _ in range(2):
        merged(service)
        assert engagements(service, "p20") == 1
        assert same_counts(service.feed.state, fully_read_state(service), service.clock.at.timestamp())
        assert user_uuid("other").bytes not in service.feed.state.user_rows
        assert not {"p20", "p21"} & set(names(*service.all_pages("reader")))
        service.catch_up()


def test_the_posts_and_follows_of_both_are_those_of_the_user() -> None:
    service = service_with_posts()
    service.add_post("by other", "other")
    service.follow("other", "cay")
    service.follow("dan", "other")
    service.catch_up()

    merged(service)

    state = service.feed.state
    row = state.user_rows[user_uuid("reader").bytes]
    assert state.author[state.post_rows[service.feed.post_id("by other").bytes]] == row
    assert "by other" not in names(*service.all_pages("reader"))
    followed = {state.user_key(one) for one in state.follows.row(row)[0].tolist()}
    assert followed == {user_uuid(name).bytes for name in ("ann", "ben", "cay")}
    assert state.followers[row] == 1


def test_another_service_reads_the_merge_from_the_log() -> None:
    service = service_with_posts()
    replica = SmallService(tables=service.tables, clock=service.clock)
    replica.catch_up()

    merged(service)
    replica.catch_up()

    assert same_counts(replica.feed.state, service.feed.state, service.clock.at.timestamp())
    assert user_uuid("other").bytes not in replica.feed.state.user_rows


def test_nobody_is_merged_with_themselves_or_with_an_unknown_user() -> None:
    service = service_with_posts()

    with pytest.raises(InvalidMerge):
        service.user_data.merge("reader", "reader")
    for pair in (("nobody", "reader"), ("reader", "nobody")):
        with pytest.raises(UnknownUser):
            service.user_data.merge(*pair)
