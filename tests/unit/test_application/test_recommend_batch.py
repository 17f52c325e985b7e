"""The first pages of several users."""

from datetime import timedelta

import pytest

from app.application.dto import RecommendationResponse
from app.domain.errors import InvalidId
from app.domain.feed.live_posts import LivePostLimits
from tests.support.small_service import SmallService, names, service_with_posts


def batch(service: SmallService, *users: str, limit: int = 20) -> list[RecommendationResponse]:
    return [
        page if isinstance(page, RecommendationResponse) else page.complete()
        for page in service.use_cases.recommend_batch(users, limit)
    ]


@pytest.mark.parametrize("model", ["formula", "learned"])
def test_the_pages_are_those_of_single_calls_without_a_cursor(model: str) -> None:
    service, users = service_with_posts(model), ("reader", "other", "nobody")

    pages = batch(service, *users)

    for user, page in zip(users, pages, strict=True):
        single = service.page(user, limit=20, record=False)
        assert (page.user_id, names(page), page.scores) == (user, names(single), single.scores)
        assert (page.reasons, page.source) == (single.reasons, single.source)
        assert single.next_cursor is not None
        assert page.next_cursor is None


def test_the_pages_do_not_count_as_shown_and_leave_the_lists_of_offsets_alone() -> None:
    service = service_with_posts()
    first = service.page("reader", limit=10)
    shown, served = list(service.shown), list(service.served)
    service.track("other", "p40", "share")

    batch(service, "reader", "other", limit=10)
    second = service.page("reader", limit=10, offset=10)

    assert service.shown[: len(shown)] == shown
    assert len(service.shown) == len(shown) + 1  # the second page
    assert len(service.served) == len(served) + 1
    assert not set(names(first)) & set(names(second))


def test_all_pages_are_of_one_time() -> None:
    service = service_with_posts()
    pages = service.use_cases.recommend_batch(["reader", "other"], 5)

    first = next(pages)
    service.pass_time(60)
    second = next(pages)

    assert isinstance(first, RecommendationResponse)
    assert isinstance(second, RecommendationResponse)
    assert first.generated_at == second.generated_at


def test_a_page_goes_on_with_posts_that_are_not_live() -> None:
    service = SmallService(live_posts=LivePostLimits(newest=4, strongest=0, engaged_days=0))
    service.add_users("reader", "ann")
    for number in range(12):
        service.add_post(f"p{number}", "ann", age=timedelta(hours=number))
    service.catch_up()
    service.evict()

    [page] = batch(service, "reader", limit=10)

    assert len(page.post_ids) == 10
    assert (page.next_cursor, page.exhausted) == (None, False)


def test_an_invalid_id_is_an_error_before_the_first_page() -> None:
    with pytest.raises(InvalidId):
        service_with_posts().use_cases.recommend_batch(["reader", "\0"], 5)
