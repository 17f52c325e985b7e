"""Pages that are drawn at random in requests: which ones, from what, and what is stored."""

from typing import Any

import pytest

from tests.support.experiments import FakeExperiments, an_interleaving
from tests.support.small_service import SmallService, names, service_with_posts


def a_service(share: float = 1.0, temperature: float = 5.0, **options: Any) -> SmallService:
    """60 posts."""
    settings = {"randomised_share": share, "randomised_temperature": temperature}
    service = SmallService(tables=service_with_posts().tables, settings=settings, **options)
    service.catch_up()
    service.publish()
    return service


def test_the_first_page_is_drawn_from_the_first_two_and_stored_with_probabilities() -> None:
    plain = names(service_with_posts().page("u1", limit=12))
    service = a_service()

    pages = [service.page(f"u{number}", limit=6) for number in range(1, 9)]

    assert all(set(names(page)) <= set(plain) for page in pages)
    assert len({tuple(names(page)) for page in pages}) > 1
    for page, shown in zip(pages, service.shown, strict=True):
        assert list(page.probabilities) == list(shown.probabilities)
        assert len(page.probabilities) == 6
        assert all(0 < one < 1 for one in page.probabilities)
        assert page.scores == sorted(page.scores, reverse=True)


def test_a_list_goes_on_without_chance_and_without_repeats() -> None:
    service = a_service()
    first = service.page("u1", limit=6)

    second = service.page("u1", limit=6, cursor=first.next_cursor)
    by_offset = service.page("u1", limit=6, offset=6)

    assert second.probabilities == by_offset.probabilities == service.shown[-1].probabilities == ()
    assert not set(names(first)) & set(names(second))
    assert not set(names(first)) & set(names(by_offset))


@pytest.mark.parametrize("options", [{"mode": "newest"}, {"mode": "following"}, {"record": False}])
def test_lists_by_time_and_pages_that_are_not_recorded_are_not_drawn(options: dict[str, Any]) -> None:
    assert a_service().page("u1", limit=6, **options).probabilities == ()


def test_interleaved_lists_are_not_drawn() -> None:
    page = a_service(experiments=FakeExperiments([an_interleaving()])).page("u1", limit=6)

    assert page.teams
    assert page.probabilities == ()


def test_a_share_of_the_lists_is_drawn() -> None:
    service = a_service(share=0.5)
    drawn = [bool(service.page(f"u{number}", limit=4).probabilities) for number in range(100)]

    assert 30 < sum(drawn) < 70
    assert not any(page.probabilities for page in map(service_with_posts().page, ("u1", "u2")))


def test_a_repeated_request_is_answered_with_the_same_page() -> None:
    service = a_service()

    first, again = service.page("u1", limit=6), service.page("u1", limit=6)

    assert names(first) == names(again)
    assert first.probabilities == again.probabilities
