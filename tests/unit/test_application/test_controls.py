"""Users steer their feed: what they hide, mute or block never comes back until they take it back."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.errors import InvalidControl, UnknownAuthor, UnknownPost, UnknownUser
from tests.support.restarts import a_folder, started_from, with_snapshots
from tests.support.small_service import SmallService, names

MODES = ("ranked", "newest", "following")


def service_with_authors() -> SmallService:
    """Two posts each of ann, bea and cem; the reader follows all, and liked as the twin did."""
    service = SmallService()
    service.add_users("ann", "bea", "cem", "reader", "twin")
    for age, author in enumerate(("ann", "bea", "cem")):
        for number in (1, 2):
            service.add_post(
                f"{author}{number}",
                author,
                age=timedelta(hours=age),
                tags=(f"about {author}", f"Tag{number}"),
                content=f"{author.title()}'s post {number}: news",
            )
        service.follow("reader", author)
    service.catch_up()
    return service


def lists(service: SmallService, user: str = "reader") -> list[str]:
    """The posts of every mode, page by page, to the end."""
    found: list[str] = []
    for mode in MODES:
        page = service.page(user, limit=2, mode=mode)
        found += names(page)
        while page.next_cursor is not None:
            page = service.page(user, limit=2, mode=mode, cursor=page.next_cursor)
            found += names(page)
    return found


ACTIONS: list[tuple[str, str, set[str]]] = [
    ("hide_post", "ann1", {"ann1"}),
    ("not_interested", "ann1", {"ann1"}),
    ("report_post", "ann1", {"ann1"}),
    ("mute_author", "ann", {"ann1", "ann2"}),
    ("block_author", "ann", {"ann1", "ann2"}),
    ("mute_tag", " #tag1", {"ann1", "bea1", "cem1"}),
    ("mute_tag", "About Ann", {"ann1", "ann2"}),
    ("mute_word", "ANN", {"ann1", "ann2"}),
    ("mute_word", "post 2", {"ann2", "bea2", "cem2"}),
]


@pytest.mark.parametrize(("action", "target", "hidden"), ACTIONS)
def test_a_control_holds_in_every_mode_and_page_until_it_is_taken_back(
    action: str, target: str, hidden: set[str]
) -> None:
    service = service_with_authors()
    other = SmallService(tables=service.tables)
    other.catch_up()
    before = lists(service)

    service.feedback("reader", action, target)  # type: ignore[arg-type]
    other.catch_up()

    assert hidden <= set(before)
    for process in (service, other):
        assert set(lists(process)) == set(before) - hidden
    assert set(lists(service, "twin")) == set(lists(other, "twin"))

    service.feedback("reader", action, target, undo=True)  # type: ignore[arg-type]
    other.catch_up()

    assert lists(service) == before
    assert set(lists(other)) == set(before)


def test_a_block_hides_each_from_the_other() -> None:
    service = service_with_authors()
    service.add_post("of reader", "reader")
    service.catch_up()
    assert "of reader" in lists(service, "ann")

    service.feedback("reader", "block_author", "ann")

    assert "of reader" not in lists(service, "ann")
    assert "of reader" in lists(service, "bea")


def test_a_control_with_an_end_stops_at_it() -> None:
    service = service_with_authors()
    service.feedback("reader", "mute_author", "ann", until=service.clock.at + timedelta(hours=1))
    during = set(lists(service))

    service.pass_time(3601)

    assert "ann1" not in during
    assert "ann1" in lists(service)
    assert service.list_controls("reader") == []


def test_a_post_on_a_later_page_of_a_list_is_omitted_once_it_is_hidden() -> None:
    service = service_with_authors()
    whole = names(service.page("reader", limit=6))
    first = service.page("reader", limit=2)

    service.feedback("reader", "hide_post", whole[3])
    rest = names(service.page("reader", limit=6, cursor=first.next_cursor))
    by_offset = names(service.page("reader", limit=4, offset=2))

    assert whole[3] not in rest + by_offset


def test_posts_like_one_without_interest_rank_lower_and_recover() -> None:
    service = service_with_authors()
    service.track("twin", "ann1", "share")
    service.track("twin", "ann2", "share")
    page = service.page("reader", limit=6)
    score_before = dict(zip(names(page), page.scores, strict=True))["ann2"]

    service.feedback("reader", "not_interested", "ann1")
    page = service.page("reader", limit=6)
    score_after = dict(zip(names(page), page.scores, strict=True))["ann2"]

    assert score_after == pytest.approx(0.2 * 0.2 * score_before, rel=1e-3)  # of the author and of the tag


def test_a_snapshot_keeps_controls_for_a_start_without_the_database(tmp_path: Path) -> None:
    service = service_with_authors()
    service.feedback("reader", "mute_author", "ann")
    with_snapshots(service, a_folder(tmp_path)).write_snapshot()
    service.tables.away = True

    alone = started_from(service, a_folder(tmp_path))

    assert "bea1" in names(alone.page("reader", limit=6))
    assert "ann1" not in names(alone.page("reader", limit=6))


def test_a_muted_word_hides_posts_that_get_it_later() -> None:
    service = service_with_authors()
    service.feedback("reader", "mute_word", "spoiler")

    service.add_post("ann1", "ann", age=timedelta(hours=1), content="the spoiler")
    service.add_post("bea1", "bea", age=timedelta(hours=1), content="no spoilers")
    service.add_post("new", "bea", content="a Spoiler!")
    service.catch_up()

    assert {"ann1", "new"}.isdisjoint(lists(service))
    assert "bea1" in lists(service)


def test_controls_in_force_are_listed_oldest_first() -> None:
    service = service_with_authors()
    service.feedback("reader", "mute_author", "ann")
    service.feedback("reader", "hide_post", "bea1")
    service.feedback("reader", "hide_post", "bea2")
    service.feedback("reader", "hide_post", "bea2", undo=True)
    service.feedback("reader", "mute_word", "Two  WORDS")

    listed = service.list_controls("reader")
    assert [control.action for control in listed] == ["mute_author", "hide_post", "mute_word"]
    assert listed[-1].word == "two words"


@pytest.mark.parametrize(
    ("give", "error", "message"),
    [
        (lambda s: s.feedback("nobody", "hide_post", "ann1"), UnknownUser, "nobody"),
        (lambda s: s.feedback("reader", "hide_post", "nothing"), UnknownPost, "nothing"),
        (lambda s: s.feedback("reader", "mute_author", "nobody"), UnknownAuthor, "nobody"),
        (lambda s: s.feedback("reader", "block_author", "reader"), InvalidControl, "themselves"),
        (lambda s: s.feedback("reader", "mute_word", "?!"), InvalidControl, "no letters"),
        (lambda s: s.feedback("reader", "mute_tag", "#"), InvalidControl, "no letters"),
        (
            lambda s: s.feedback("reader", "hide_post", "ann1", until=s.clock.at),
            InvalidControl,
            "in the past",
        ),
    ],
)
def test_a_wrong_action_is_rejected_and_changes_nothing(
    give: Callable[[SmallService], None], error: type[Exception], message: str
) -> None:
    service = service_with_authors()
    before = lists(service)

    with pytest.raises(error, match=message):
        give(service)

    assert lists(service) == before
