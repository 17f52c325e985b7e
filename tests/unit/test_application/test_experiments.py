"""Experiments in requests: who gets which variant, for how long, and what happens when one fails."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.errors import UnknownVariant
from app.domain.ids import user_uuid
from app.domain.ranking.options import RankingOptions
from app.domain.services.ranking_context import RankingContext
from tests.support.experiments import FakeExperiments, an_experiment
from tests.support.small_service import FEW_CANDIDATES, SmallService, names, service_with_posts


def a_service(source: FakeExperiments, **options: Any) -> SmallService:
    """60 posts, and some users of each variant."""
    tables = service_with_posts().tables
    service = SmallService(tables=tables, options=FEW_CANDIDATES, experiments=source, **options)
    service.catch_up()
    service.publish()
    return service


def users_of(variant: str, count: int = 3) -> list[str]:
    """Users without events who have the variant."""
    wanted = an_experiment().running_variant(variant)
    found = (f"u{number}" for number in range(1000))
    return [user for user in found if an_experiment().variant_of(user_uuid(user)) == wanted][:count]


CONTROL_USER, OTHER_USER = users_of("control")[0], users_of("other")[0]


def ranked_with(service: SmallService, options: Mapping[str, Any], user: str, limit: int = 10) -> list[str]:
    """The first page as a service with these options for everyone ranks it."""
    plain = SmallService(
        tables=service.tables,
        options=RankingOptions(**{**_as_dict(FEW_CANDIDATES), **options}),
        clock=service.clock,
    )
    plain.catch_up()
    plain.publish()
    return names(plain.page(user, limit=limit))


def _as_dict(options: RankingOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in RankingOptions.__dataclass_fields__}


def test_each_variant_ranks_its_users_as_a_service_with_its_options_does() -> None:
    service = a_service(FakeExperiments([an_experiment()]))

    pages = {user: service.page(user, limit=10) for user in (CONTROL_USER, OTHER_USER)}

    assert pages[CONTROL_USER].variants == {"order": "control"}
    assert pages[OTHER_USER].variants == {"order": "other"}
    assert names(pages[CONTROL_USER]) == ranked_with(service, {}, CONTROL_USER)
    assert names(pages[OTHER_USER]) == ranked_with(service, {"author_repeat_factor": 1.0}, OTHER_USER)
    assert names(pages[CONTROL_USER]) != ranked_with(service, {"author_repeat_factor": 1.0}, CONTROL_USER)
    assert [one.variants for one in service.shown] == [{"order": "control"}, {"order": "other"}]


def test_two_replicas_and_a_restart_assign_the_same_variants() -> None:
    users = [f"u{number}" for number in range(50)]
    answers = []
    for _ in range(2):
        service = a_service(FakeExperiments([an_experiment(), an_experiment("second", {"candidates": 50})]))
        answers.append([service.page(user, limit=1).variants for user in users])

    assert answers[0] == answers[1]
    assert len({tuple(sorted(one.items())) for one in answers[0]}) == 4


def test_without_an_experiment_no_variant_is_named() -> None:
    for service in (service_with_posts(), a_service(FakeExperiments())):
        assert service.page(OTHER_USER).variants == {}
        assert service.shown[-1].variants == {}


@pytest.mark.parametrize("mode", ["newest", "following"])
def test_lists_by_time_take_no_part(mode: str) -> None:
    assert a_service(FakeExperiments([an_experiment()])).page(OTHER_USER, mode=mode).variants == {}


def test_users_who_are_held_back_get_the_served_ranking_and_no_variant() -> None:
    service = a_service(FakeExperiments([an_experiment(shares=(0.0, 0.0))]))

    page = service.page(OTHER_USER, limit=10)

    assert page.variants == {}
    assert names(page) == ranked_with(service, {}, OTHER_USER)


def test_users_without_personalised_ranking_take_no_part() -> None:
    service = a_service(FakeExperiments([an_experiment()]))
    service.add_users(OTHER_USER, personalised=False)
    service.catch_up()

    page = service.page(OTHER_USER, limit=10)

    assert (page.variants, service.shown[-1].variants) == ({}, {})
    assert names(page) == ranked_with(service, {}, OTHER_USER)


@pytest.mark.parametrize("by", ["cursor", "offset"])
@pytest.mark.parametrize("happens", ["the end", "another share", "another model"])
def test_a_list_keeps_its_variant_to_its_end(by: str, happens: str) -> None:
    source = FakeExperiments([an_experiment()])
    service = a_service(source)
    first = service.page(OTHER_USER, limit=5)
    if happens == "the end":
        source.change(an_experiment(end=service.clock.at.timestamp()))
    elif happens == "another share":
        source.change(an_experiment(shares=(1.0, 0.0)))
    else:
        service.publish()
    service.check_experiments()

    place = {"cursor": first.next_cursor} if by == "cursor" else {"offset": 5}
    second = service.page(OTHER_USER, limit=5, **place)
    third = service.page(OTHER_USER, limit=5, cursor=second.next_cursor)

    assert second.variants == third.variants == {"order": "other"}
    assert len(set(names(first, second, third))) == 15


def test_a_list_that_began_before_the_experiment_keeps_the_served_ranking() -> None:
    source = FakeExperiments()
    service = a_service(source)
    first = service.page(OTHER_USER, limit=5)
    source.change(an_experiment())
    service.check_experiments()

    assert service.page(OTHER_USER, limit=5, cursor=first.next_cursor).variants == {}
    assert service.page(OTHER_USER, limit=5).variants == {"order": "other"}


@pytest.mark.parametrize("by", ["cursor", "offset"])
def test_the_kill_switch_ends_a_variant_at_once(by: str) -> None:
    source = FakeExperiments([an_experiment()])
    service = a_service(source)
    first = service.page(OTHER_USER, limit=5)
    source.change(an_experiment(enabled=False))
    service.check_experiments()

    place = {"cursor": first.next_cursor} if by == "cursor" else {"offset": 5}
    later = service.page(OTHER_USER, limit=5, **place)
    again = service.page(OTHER_USER, limit=10)

    assert later.variants == again.variants == service.shown[-1].variants == {}
    assert names(again) == ranked_with(service, {}, OTHER_USER)


def test_experiments_that_cannot_be_read_leave_those_of_before() -> None:
    source = FakeExperiments([an_experiment()])
    service = a_service(source)
    source.change(problem="experiments.toml: is not TOML")
    service.check_experiments()

    assert service.state.experiments_failing
    assert service.page(OTHER_USER).variants == {"order": "other"}

    source.change(an_experiment("next"))
    service.check_experiments()
    assert not service.state.experiments_failing
    assert set(service.page(OTHER_USER).variants) == {"next"}


def test_a_variant_that_fails_falls_back_to_the_served_ranking_and_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = a_service(FakeExperiments([an_experiment()]))
    [broken] = service.feed.ranker.experiments.pipelines.values()

    def fail(context: RankingContext) -> None:
        raise ZeroDivisionError

    object.__setattr__(broken, "sources", [*broken.sources[:-1], fail])

    page = service.page(OTHER_USER, limit=10)

    assert (page.variants, service.shown[-1].variants) == ({}, {})
    assert names(page) == ranked_with(service, {}, OTHER_USER)
    assert service.fallbacks == [("order", "other")]
    assert service.shown[-1].failed_variants == {"order": "other"}
    assert service.page(CONTROL_USER).variants == {"order": "control"}
    assert service.shown[-1].failed_variants == {}


def test_a_variant_that_cannot_be_built_falls_back_as_well() -> None:
    service = a_service(FakeExperiments([an_experiment(options={"no_such_option": 1})]))

    assert service.page(OTHER_USER).variants == {}
    assert service.fallbacks == [("order", "other")]


def test_a_page_that_takes_long_is_slow_and_one_without_a_part_is_degraded() -> None:
    service = a_service(FakeExperiments([an_experiment()]))
    seconds = iter([0.0, 0.01, 1.0, 1.2, 2.0, 2.0])
    service.use_cases.recommend.reports.slow_seconds = 0.1
    service.use_cases.recommend.reports.timer = lambda: next(seconds)

    service.page(OTHER_USER, limit=5)
    service.page(OTHER_USER, limit=6)
    service.disconnect()
    service.page(OTHER_USER, limit=7)

    assert [one.slow for one in service.shown] == [False, True, False]
    assert [one.degraded for one in service.shown] == [False, False, True]


def test_a_forced_variant_ranks_any_user_and_does_not_count() -> None:
    service = a_service(FakeExperiments([an_experiment(start=2e10, end=3e10)]))
    forced = {"order": "other"}

    first = service.page(CONTROL_USER, limit=5, variants=forced)
    second = service.page(CONTROL_USER, limit=5, cursor=first.next_cursor, variants=forced)

    assert first.variants == second.variants == forced
    assert names(first, second)[:5] == ranked_with(service, {"author_repeat_factor": 1.0}, CONTROL_USER, 5)
    assert [one.variants for one in service.shown] == [{}, {}]
    assert service.page(CONTROL_USER, limit=5, cursor=first.next_cursor).variants == {}


def test_a_forced_variant_must_run() -> None:
    service = a_service(FakeExperiments([an_experiment()]))
    for forced in ({"order": "third"}, {"none": "control"}):
        with pytest.raises(UnknownVariant, match="no enabled experiment"):
            service.page(CONTROL_USER, variants=forced)
    with pytest.raises(UnknownVariant):
        service_with_posts().page(CONTROL_USER, variants={"order": "other"})


def test_cached_lists_and_responses_are_of_one_variant() -> None:
    service = a_service(FakeExperiments([an_experiment()]))
    forced = {"order": "other"}
    own = service.page(CONTROL_USER, limit=10)

    other = service.page(CONTROL_USER, limit=10, variants=forced)
    own_again, other_again = (
        service.page(CONTROL_USER, limit=10),
        service.page(CONTROL_USER, limit=10, variants=forced),
    )
    later = service.page(CONTROL_USER, limit=10, offset=10)

    assert (own_again.variants, other_again.variants) == ({"order": "control"}, forced)
    assert names(own) == names(own_again) != names(other) == names(other_again)
    assert later.variants == {"order": "control"}
    assert not set(names(later)) & set(names(own))


def test_the_explanation_of_a_page_is_that_of_the_users_variant() -> None:
    service = a_service(FakeExperiments([an_experiment()]))
    page = service.page(OTHER_USER, limit=10, record=False)

    for place, post in enumerate(names(page), 1):
        assert service.explain.post(OTHER_USER, post, 10).position == place
