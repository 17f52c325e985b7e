"""Interleaved lists in requests: whose places they have, how they go on, and what happens when a ranking fails."""

from typing import Any

import pytest

from app.application.dto import RecommendationResponse
from app.domain.entities import Reason
from app.domain.experiments.experiment import INTERLEAVED
from app.domain.experiments.team_draft import CONTROL_TEAM, NO_TEAM, VARIANT_TEAM
from app.domain.services.ranking_context import RankingContext
from tests.support.experiments import FakeExperiments, an_experiment, an_interleaving
from tests.support.small_service import FEW_CANDIDATES, SmallService, names, service_with_posts

USER = "u1"
LISTED = {"order": INTERLEAVED}


def a_service(source: FakeExperiments, **options: Any) -> SmallService:
    """60 posts; an interleaving ranks them by trends of days and of an hour."""
    service = SmallService(
        tables=service_with_posts().tables, options=FEW_CANDIDATES, experiments=source, **options
    )
    service.catch_up()
    service.publish()
    return service


def ranked(service: SmallService, user: str, variant: str, limit: int = 30) -> list[str]:
    """The first posts by the ranking of one of the variants."""
    return names(service.page(user, limit=limit, variants={"order": variant}, record=False))


def drafted(page: RecommendationResponse, team: int) -> list[str]:
    return [post for post, of in zip(names(page), page.teams, strict=True) if of == team]


def test_a_page_has_equally_many_places_of_both_rankings_which_are_stored() -> None:
    service = a_service(FakeExperiments([an_interleaving()]))

    page = service.page(USER, limit=10)

    assert page.variants == service.shown[-1].variants == LISTED
    assert list(page.teams) == list(service.shown[-1].teams)
    assert abs(page.teams.count(CONTROL_TEAM) - page.teams.count(VARIANT_TEAM)) <= 1
    assert names(page) not in (ranked(service, USER, "control", 10), ranked(service, USER, "other", 10))
    assert page.scores == sorted(page.scores, reverse=True)


def test_a_list_goes_on_without_repeats_and_draws_new_teams_on_any_replica() -> None:
    services = [a_service(FakeExperiments([an_interleaving()])) for _ in range(2)]
    first = services[0].page(USER, limit=6)

    later = [service.page(USER, limit=6, cursor=first.next_cursor) for service in services]
    third = services[1].page(USER, limit=30, cursor=later[0].next_cursor)
    by_offset = services[0].page(USER, limit=6, offset=6)

    assert names(later[0]) == names(later[1])
    assert list(later[0].teams) == list(later[1].teams)
    assert len({*names(first, later[0], third)}) == 42
    assert not set(names(first)) & set(names(by_offset))
    assert later[0].variants == third.variants == by_offset.variants == LISTED
    assert {CONTROL_TEAM, VARIANT_TEAM} <= set(by_offset.teams)


def test_posts_after_the_ranked_ones_have_no_team() -> None:
    page = a_service(FakeExperiments([an_interleaving()])).page(USER, limit=60)

    assert set(page.teams[-5:]) == {NO_TEAM}
    assert len(page.teams) == len(page.post_ids) == len(set(page.post_ids))


def test_a_post_that_is_shown_for_exploration_has_no_team() -> None:
    experiments = [an_interleaving(), an_experiment("explore", {"exploration_share": 0.5}, shares=(0.0, 1.0))]
    page = a_service(FakeExperiments(experiments)).page(USER, limit=10)

    explored = [
        team for team, reason in zip(page.teams, page.reasons, strict=True) if reason is Reason.EXPLORATION
    ]
    assert explored
    assert set(explored) == {NO_TEAM}


def test_other_pages_have_no_teams() -> None:
    service = a_service(FakeExperiments([an_experiment()]))

    assert service.page(USER).teams == service.shown[-1].teams == ()


def test_users_who_are_held_back_get_the_served_ranking() -> None:
    page = a_service(FakeExperiments([an_interleaving(held_back=1.0)])).page(USER, limit=10)

    assert (page.variants, page.teams) == ({}, ())


@pytest.mark.parametrize("by", ["cursor", "offset"])
def test_the_kill_switch_ends_interleaving_at_once(by: str) -> None:
    source = FakeExperiments([an_interleaving()])
    service = a_service(source)
    first = service.page(USER, limit=5)
    source.change(an_interleaving(enabled=False))
    service.check_experiments()

    later = service.page(
        USER, limit=5, **({"cursor": first.next_cursor} if by == "cursor" else {"offset": 5})
    )

    assert (later.variants, later.teams) == ({}, ())
    assert not set(names(first)) & set(names(later))


def test_a_ranking_that_fails_falls_back_to_the_served_one_and_is_counted() -> None:
    service = a_service(FakeExperiments([an_interleaving()]))
    expected = ranked(service, USER, "control", 10)
    first = service.page(USER, limit=5)
    [broken] = service.feed.ranker.experiments.pipelines.values()

    def fail(context: RankingContext) -> None:
        raise ZeroDivisionError

    object.__setattr__(broken, "sources", [*broken.sources[:-1], fail])

    later, page = service.page(USER, limit=5, cursor=first.next_cursor), service.page("u2", limit=10)

    assert (later.variants, later.teams) == (page.variants, page.teams) == ({}, ())
    assert names(page) == expected
    assert service.fallbacks == [("order", INTERLEAVED)] * 2


def test_a_ranking_that_cannot_be_built_falls_back_as_well() -> None:
    service = a_service(FakeExperiments([an_interleaving({"no_such_option": 1})]))

    assert service.page(USER).variants == {}
    assert service.fallbacks == [("order", INTERLEAVED)]


def test_interleaving_can_be_forced_and_does_not_count_then() -> None:
    service = a_service(FakeExperiments([an_interleaving(held_back=1.0)]))

    page = service.page(USER, limit=10, variants=LISTED)

    assert page.variants == LISTED
    assert {CONTROL_TEAM, VARIANT_TEAM} <= set(page.teams)
    assert (service.shown[-1].variants, service.shown[-1].teams) == ({}, ())


def test_each_post_is_explained_by_a_ranking_that_has_it() -> None:
    page = a_service(FakeExperiments([an_interleaving()])).page(USER, limit=10, explain=True)

    assert all(page.explanations)


def test_interleaving_runs_with_an_ab_test() -> None:
    experiments = [an_interleaving(), an_experiment("second", {"interest_factor": 0.9})]
    service = a_service(FakeExperiments(experiments))

    pages = [service.page(f"u{number}", limit=4) for number in range(20)]

    assert {page.variants["order"] for page in pages} == {INTERLEAVED}
    assert {page.variants["second"] for page in pages} == {"control", "other"}
    assert all({CONTROL_TEAM, VARIANT_TEAM} <= set(page.teams) for page in pages)
