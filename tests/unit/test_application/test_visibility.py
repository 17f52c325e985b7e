"""No list shows a post to someone who may not see it: every mode and page, after each change, on every process."""

from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import UnknownPost
from app.domain.ids import post_uuid
from tests.support.live_feeds import HOUR, LogWithoutTriggers, reconcile_now
from tests.support.restarts import a_folder, started_from, with_snapshots
from tests.support.small_service import SmallService, names

MODES = ("ranked", "newest", "following")


def a_club(**options: Any) -> SmallService:
    """Ann posts for everybody, her followers and a club; the reader is neither, the fan follows, the member joined."""
    service = SmallService(**options)
    service.add_users("ann", "reader", "fan")
    service.add_users("member", audiences=("club",))
    service.follow("fan", "ann")
    for number in range(3):
        age = number * HOUR
        service.add_post(f"public{number}", "ann", age=age)
        service.add_post(f"followers{number}", "ann", age=age, visibility="followers")
        service.add_post(f"club{number}", "ann", age=age, visibility="members", audience_id="club")
        service.add_post(f"other{number}", "ann", age=age, visibility="members", audience_id="other club")
        service.add_post(f"nobody{number}", "ann", age=age, visibility="members")
        service.add_post(f"unknown{number}", "ann", age=age, visibility="friends")
    service.catch_up()
    return service


def shown(service: SmallService, user: str) -> set[str]:
    """The kinds of posts that the user gets in any mode, on any page."""
    pages = [page for mode in MODES for page in service.all_pages(user, limit=2, mode=mode)]
    return {name.rstrip("012") for name in names(*pages)}


@pytest.mark.parametrize("model", ["none", "formula", "learned"])
def test_a_post_is_shown_to_its_audience_alone(model: str) -> None:
    service = a_club()
    for number in range(3):  # all of them are popular
        service.track("member", f"club{number}", "share")
        service.track("fan", f"followers{number}", "share")
    if model != "none":
        service.publish(learned=model == "learned")
    service.add_users("other-fan", audiences=("club",))
    service.follow("other-fan", "ann")
    service.catch_up()

    assert shown(service, "reader") == {"public"}
    assert shown(service, "nobody-knows-me") == {"public"}
    assert shown(service, "other-fan") == {"public", "followers", "club"}


def test_who_leaves_an_audience_or_stops_following_gets_no_further_post_of_it() -> None:
    service = a_club()
    process = SmallService(tables=service.tables)
    process.catch_up()
    first = service.page("member", limit=2)
    service.page("member", limit=2, mode="newest")

    service.add_users("member")
    service.tables.remove_follow(*next(iter(service.tables.follows)))
    for each in (service, process):
        each.catch_up()

        assert shown(each, "member") == {"public"}
        assert shown(each, "fan") == {"public"}
    rest = service.page("member", limit=20, cursor=first.next_cursor)
    assert {name.rstrip("012") for name in names(rest)} <= {"public"}


def test_a_post_that_becomes_restricted_leaves_every_list() -> None:
    service = a_club()
    before = shown(service, "reader")

    for number in range(3):
        service.add_post(f"public{number}", "ann", age=number * HOUR, visibility="followers")
    service.catch_up()

    assert before == {"public"}
    assert shown(service, "reader") == set()
    assert shown(service, "fan") == {"public", "followers"}


def test_an_author_who_is_not_discoverable_reaches_followers_alone() -> None:
    service = a_club()

    service.add_users("ann", discoverable=False)
    service.catch_up()
    hidden = shown(service, "reader"), shown(service, "fan")
    service.add_users("ann")
    service.catch_up()

    assert hidden == (set(), {"public", "followers"})
    assert shown(service, "reader") == {"public"}


def test_declared_languages_and_sensitive_posts_are_shown_by_the_users_settings() -> None:
    service = SmallService()
    service.add_users("ann", "anyone")
    service.add_users("german", languages=("de-CH",))
    service.add_users("open", languages=("de", "EN"), show_sensitive=True)
    service.add_post("undeclared", "ann")
    service.add_post("german", "ann", language="de-AT")
    service.add_post("english", "ann", language="en")
    service.add_post("sensitive", "ann", sensitive=True)
    service.catch_up()

    assert shown(service, "anyone") == {"undeclared", "german", "english"}
    assert shown(service, "unknown") == {"undeclared", "german", "english"}
    assert shown(service, "german") == {"undeclared", "german"}
    assert shown(service, "open") == {"undeclared", "german", "english", "sensitive"}


def test_a_full_page_is_found_behind_many_posts_that_a_user_may_not_see() -> None:
    service = a_club()
    for number in range(100):
        service.add_post(f"secret{number}", "ann", visibility="members", audience_id="other club")
    service.catch_up()

    assert len(service.page("reader", limit=3).post_ids) == 3


def test_the_own_events_of_a_user_who_is_not_personalised_do_not_rank_their_feed() -> None:
    service = a_club()
    service.track("reader", "public0", "like")
    service.track("fan", "public0", "like")
    service.track("fan", "public1", "like")
    service.publish()
    service.add_users("reader", personalised=False)
    service.catch_up()

    page = service.page("reader", limit=20)
    as_unknown = service.page("unknown", limit=20, exclude_ids=["public0"])

    assert page.source == "cold_start"
    assert (names(page), page.scores) == (names(as_unknown), as_unknown.scores)
    assert service.page("fan").source == "personalized"


def test_events_and_feedback_on_a_post_that_a_user_may_not_see_name_an_unknown_post() -> None:
    service = a_club()

    for request in (service.track, service.retract):
        with pytest.raises(UnknownPost, match="club0"):
            request("reader", "club0")
    with pytest.raises(UnknownPost, match="club0"):
        service.feedback("reader", "hide_post", "club0")


def test_settings_that_no_trigger_captured_are_found_by_comparison() -> None:
    service = a_club()
    service.replace_log(LogWithoutTriggers(service.tables))
    reconcile_now(service)
    service.set_interval(reconcile_seconds=60.0)

    service.add_users("member")
    service.add_users("ann", discoverable=False)
    service.catch_up()
    before = shown(service, "member")
    reconcile_now(service)

    assert before == {"public", "club"}
    assert shown(service, "member") == set()
    assert shown(service, "fan") == {"public", "followers"}


def test_a_start_from_a_snapshot_keeps_who_may_see_what(tmp_path: Path) -> None:
    service = a_club()
    service.add_users("ann", discoverable=False)
    with_snapshots(service, a_folder(tmp_path)).write_snapshot()

    process = started_from(service, a_folder(tmp_path))

    assert process.feed.state.post_rows.keys() == {post_uuid(name).bytes for name in map(str, all_names())}
    assert shown(process, "member") == set()
    assert shown(process, "fan") == {"public", "followers"}


def all_names() -> list[str]:
    kinds = ("public", "followers", "club", "other", "nobody", "unknown")
    return [f"{kind}{number}" for kind in kinds for number in range(3)]


def test_a_start_without_the_database_shows_public_posts_alone_until_it_is_read(tmp_path: Path) -> None:
    service = a_club()
    service.feedback("member", "hide_post", "public0")
    trained = service.train()
    with_snapshots(service, a_folder(tmp_path)).write_snapshot()
    service.tables.away = True

    process = started_from(service, a_folder(tmp_path), trained)
    during = {user: set(names(*process.all_pages(user))) for user in ("member", "fan", "ann")}
    process.reconnect()

    assert process.state.has_controls
    assert during == {
        "member": {"public1", "public2"},
        "fan": {"public0", "public1", "public2"},
        "ann": set(),
    }
    assert shown(process, "member") == {"public", "club"}
    assert shown(process, "fan") == {"public", "followers"}


def test_a_start_without_database_and_model_is_not_ready_and_its_empty_list_has_not_ended() -> None:
    process = SmallService(tables=a_club().tables)
    process.feed.needs_controls = True
    process.tables.away = True
    process.catch_up()

    page = process.page("member", limit=50)
    ready = process.state.has_controls
    process.reconnect()
    rest = process.page("member", limit=50, cursor=page.next_cursor)

    assert (page.post_ids, page.degraded, page.exhausted, ready) == ([], True, False, False)
    assert {name.rstrip("012") for name in names(rest)} == {"public", "club"}
    assert process.state.has_controls
