"""Users whom a user may want to follow."""

from datetime import timedelta

import pytest

from app.application.dto import Reason
from app.application.use_cases.unfinished import Unfinished
from app.domain.ids import user_uuid
from tests.support.small_service import SmallService, completed

AUTHORS = ("liked", "twice-removed", "of-neighbours", "popular")


def a_service() -> SmallService:
    """Each of AUTHORS is near the reader in another way; the reader follows a friend."""
    service = SmallService()
    service.add_users("reader", "friend", "twin", "fan1", "fan2", *AUTHORS)
    for author in ("friend", *AUTHORS):
        for number in range(3):
            service.add_post(f"{author}-{number}", author, age=timedelta(hours=1 + number))
    service.follow("reader", "friend")
    service.follow("friend", "twice-removed")
    service.catch_up()
    service.track("reader", "liked-0", "like")
    service.track("twin", "liked-0", "like")
    service.track("twin", "of-neighbours-0", "like")
    for fan in ("fan1", "fan2"):
        for number in range(3):
            service.track(fan, f"popular-{number}", "like")
    return service


def suggested(service: SmallService, user: str = "reader", limit: int = 10) -> dict[str, Reason]:
    found = completed(service.use_cases.suggest_follows(user, limit))
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(0 <= one.score <= 1 for one in found)
    return {str(one.external_id): one.reason for one in found}


def test_authors_are_suggested_for_four_reasons() -> None:
    assert suggested(a_service()) == {
        "liked": Reason.CONTENT_SIMILARITY,
        "twice-removed": Reason.FOLLOWING,
        "of-neighbours": Reason.COLLABORATIVE_FILTERING,
        "popular": Reason.POPULAR_AUTHOR,
    }


def test_a_list_has_the_best_users_up_to_its_limit() -> None:
    service = a_service()

    assert list(suggested(service, limit=2)) == list(suggested(service))[:2]


def test_an_unknown_user_and_a_user_without_events_get_popular_authors() -> None:
    service = a_service()
    service.add_users("new")
    service.catch_up()

    for user in ("new", "nobody"):
        found = suggested(service, user)
        assert next(iter(found)) == "popular"
        assert set(found.values()) == {Reason.POPULAR_AUTHOR}


@pytest.mark.parametrize(
    "how", ["follows", "muted", "blocked", "blocking", "hermit", "erased", "no visible post"]
)
@pytest.mark.parametrize("author", AUTHORS)
def test_nobody_is_suggested_whom_the_user_may_not_or_does_not_want_to_see(author: str, how: str) -> None:
    service = a_service()
    if how == "follows":
        service.set_follow("reader", author)
    elif how in ("muted", "blocked"):
        service.feedback("reader", "mute_author" if how == "muted" else "block_author", author)
    elif how == "blocking":
        service.feedback(author, "block_author", "reader")
    elif how == "hermit":
        service.add_users(author, discoverable=False)
    elif how == "erased":
        service.user_data.erase(author)
    else:
        for number in range(3):
            service.add_post(f"{author}-{number}", author, age=timedelta(hours=1), visibility="followers")
    service.catch_up()

    assert set(suggested(service)) == set(AUTHORS) - {author}


def test_the_follows_of_somebody_whom_the_user_muted_or_blocked_do_not_count() -> None:
    service = a_service()
    service.feedback("reader", "mute_author", "friend")

    assert "twice-removed" not in suggested(service)


def test_nobody_is_suggested_to_themselves() -> None:
    service = a_service()
    service.follow("popular", "fan1")
    service.follow("fan1", "popular")
    service.catch_up()
    service.track("popular", "popular-0", "like")

    assert "popular" not in suggested(service, "popular")


def test_a_user_without_personalised_ranking_gets_no_suggestion_from_their_events() -> None:
    service = a_service()
    service.add_users("reader", personalised=False)
    service.catch_up()

    assert suggested(service) | {"liked": None} == {
        "twice-removed": Reason.FOLLOWING,
        "popular": Reason.POPULAR_AUTHOR,
        "liked": None,
        "of-neighbours": Reason.POPULAR_AUTHOR,
    }


def test_without_the_database_the_suggestions_are_the_same_without_given_ids() -> None:
    service = a_service()
    answer = service.use_cases.suggest_follows("reader", 10)
    assert isinstance(answer, Unfinished)
    service.disconnect()

    found = service.use_cases.suggest_follows("reader", 10)

    assert not isinstance(found, Unfinished)
    assert found == answer.without_storage()
    assert {one.user_id for one in found} == {user_uuid(author) for author in AUTHORS}
    assert {one.external_id for one in found} == {None}
