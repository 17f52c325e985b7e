"""Variants that guardrails stop: which users get what, on every replica, and when it begins again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from app.application.workers.experiment_reader import ExperimentReader
from app.domain.errors import StorageUnavailable, UnknownVariant
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.preference import Preference
from app.domain.experiments.stop import Stop
from app.domain.experiments.user_counts import ExperimentData
from app.domain.experiments.user_credits import UserCredits
from tests.support.experiments import (
    FakeExperiments,
    FakeResults,
    an_experiment,
    an_interleaving,
    experiment_data,
    user_credits,
)
from tests.support.fake_use_cases import FixedClock
from tests.support.small_service import SmallService, in_memory_storage, names, service_with_posts
from tests.unit.test_application.test_experiments import CONTROL_USER, OTHER_USER, ranked_with

NOW = datetime(2026, 12, 22, 9, tzinfo=UTC)


def stop_of(experiment: Experiment, variant: str = "other") -> Stop:
    return Stop(experiment.name, experiment.salt, variant, "hide_post", "the figures", NOW)


def a_service(source: FakeExperiments, results: FakeResults) -> SmallService:
    tables = service_with_posts().tables
    storage = replace(in_memory_storage(tables), experiment_results=results)
    service = SmallService(tables=tables, storage=storage, experiments=source)
    service.catch_up()
    service.publish()
    service.check_experiments()
    return service


@pytest.mark.parametrize("by", ["cursor", "offset"])
def test_users_of_a_stopped_variant_have_the_served_ranking_at_once_also_in_lists_that_began(by: str) -> None:
    results = FakeResults()
    service = a_service(FakeExperiments([an_experiment()]), results)
    first = service.page(OTHER_USER, limit=5)
    assert first.variants == {"order": "other"}

    results.stored.append(stop_of(an_experiment()))
    service.check_experiments()
    place = {"cursor": first.next_cursor} if by == "cursor" else {"offset": 5}
    later = service.page(OTHER_USER, limit=5, **place)
    again = service.page(OTHER_USER, limit=10)

    assert later.variants == again.variants == service.shown[-1].variants == {}
    assert names(again) == ranked_with(service, {}, OTHER_USER)
    assert service.page(CONTROL_USER, limit=5).variants == {"order": "control"}
    assert service.state.stopped_variants == [("order", "other")]
    with pytest.raises(UnknownVariant):
        service.page(OTHER_USER, variants={"order": "other"})


def test_a_stop_lasts_until_the_experiment_has_another_salt() -> None:
    experiment = an_experiment()
    source, results = FakeExperiments([experiment]), FakeResults([stop_of(experiment)])
    service = a_service(source, results)
    for change in ({"enabled": False}, {"enabled": True}, {"held_back": 0.0}):
        source.change(replace(experiment, **change))
        service.check_experiments()
        assert service.page(OTHER_USER, limit=5).variants == {}

    source.change(replace(experiment, salt="another"))
    service.check_experiments()

    found = [service.page(f"u{number}", limit=1).variants.get("order") for number in range(20)]
    assert set(found) == {"control", "other"}
    assert service.state.stopped_variants == []


def test_no_variant_runs_before_the_stops_are_known_and_those_known_stay_in_an_outage() -> None:
    results = FakeResults([stop_of(an_experiment())])
    results.is_away = True
    service = a_service(FakeExperiments([an_experiment()]), results)
    assert service.page(CONTROL_USER, limit=5).variants == {}

    results.is_away = False
    service.check_experiments()
    assert service.page(CONTROL_USER, limit=5).variants == {"order": "control"}
    results.is_away = True
    service.check_experiments()
    assert service.page(CONTROL_USER, limit=5).variants == {"order": "control"}
    assert service.page(OTHER_USER, limit=5).variants == {}


def test_unchanged_experiments_build_no_pipelines_again() -> None:
    service = a_service(FakeExperiments([an_experiment()]), FakeResults([stop_of(an_experiment())]))
    ranker = service.feed.ranker
    service.check_experiments()

    assert service.feed.ranker is ranker


# -- who stops -----------------------------------------------------------------------------------------------------


class FakeCounts:
    """ExperimentCounts of users who hide a share of the posts."""

    def __init__(self, hides: tuple[float, float]) -> None:
        self.hides = hides
        self.reads = 0

    def read(self, experiment: Experiment, now: datetime) -> ExperimentData:
        self.reads += 1
        return experiment_data(hides=self.hides)


class FakeCredits:
    """ExperimentCredits of users who like the posts of the variant more."""

    def read(self, experiment: Experiment, now: datetime) -> UserCredits:
        return user_credits(1.0, 1.5)


def a_reader(counts: FakeCounts, results: FakeResults, experiments: Sequence[Experiment]) -> ExperimentReader:
    return ExperimentReader(lambda: experiments, counts, FakeCredits(), results, FixedClock(NOW), 3600)


def test_a_reader_stops_a_worse_variant_once_and_logs_it() -> None:
    results, counts = FakeResults(), FakeCounts((0.01, 0.02))
    reader = a_reader(counts, results, [an_experiment()])
    with capture_logs() as lines:
        reader.run()
        results.begun.clear()
        reader.run()

    [line] = [one for one in lines if one["event"] == "experiment.variant_stopped"]
    assert (line["experiment"], line["variant"], line["guardrail"]) == ("order", "other", "hide_post")
    assert [(one.variant, one.stopped_at) for one in results.stored] == [("other", NOW)]
    assert [one.variant for one in results.saved["order"].stops] == ["other"]


def test_of_several_replicas_one_reads_an_experiment_out() -> None:
    results, counts = FakeResults(), FakeCounts((0.01, 0.01))
    for _ in range(3):
        a_reader(counts, results, [an_experiment()]).run()

    assert counts.reads == 1
    assert results.stored == []
    assert set(results.saved) == {"order"}


def test_experiments_that_have_not_started_or_are_switched_off_are_not_read_out() -> None:
    results, counts = FakeResults(), FakeCounts((0.01, 0.02))
    later, off = an_experiment(start=NOW.timestamp() + 1), an_experiment("off", enabled=False)
    a_reader(counts, results, [later, off]).run()

    assert counts.reads == 0


def test_the_preference_of_an_interleaving_is_stored_and_stops_nothing() -> None:
    results, counts = FakeResults(), FakeCounts((0.01, 0.02))
    a_reader(counts, results, [an_interleaving()]).run()

    found = results.saved["order"]
    assert isinstance(found, Preference)
    assert (found.verdict, found.salt) == ("users prefer other", "salt of order")
    assert (counts.reads, results.stored) == (0, [])


def test_a_database_that_is_away_is_no_failure_of_the_worker() -> None:
    results = FakeResults()
    results.is_away = True
    with capture_logs() as lines:
        a_reader(FakeCounts((0.01, 0.02)), results, [an_experiment()]).run()

    assert [one["event"] for one in lines] == ["experiment.not_read_out"]
    with pytest.raises(StorageUnavailable):
        results.stops()
