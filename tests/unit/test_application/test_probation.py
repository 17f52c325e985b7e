"""Promoted weights on probation: a tenth of the users is ranked by the version of before, on every replica."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.domain.experiments.experiment import Experiment, Variant
from app.domain.experiments.probation import NEW, OLD, probation_config, probation_of
from app.domain.experiments.stop import Stop
from app.domain.ids import user_uuid
from app.domain.ranking.model_interface import PublishedModel
from tests.support.experiments import FakeExperiments, FakeResults, an_experiment
from tests.support.small_service import SmallService, in_memory_storage, names, service_with_posts


def a_service(
    experiments: FakeExperiments | None = None, results: FakeResults | None = None, *, tables: SmallService
) -> SmallService:
    storage = replace(in_memory_storage(tables.tables), experiment_results=results)
    service = SmallService(
        tables=tables.tables,
        clock=tables.clock,
        storage=storage,
        experiments=experiments,
        options=tables.options,
    )
    service.catch_up()
    return service


def promoted(service: SmallService, before: PublishedModel, minutes: float = 60) -> PublishedModel:
    """A version on probation against the one before."""
    model = service.train(learned=True)
    until = service.clock.at + timedelta(minutes=minutes)
    config = {"probation": probation_config(before.record.version, until, ["like"])}
    return replace(model, record=replace(model.record, config=config))


def on_probation(
    experiments: FakeExperiments | None = None, results: FakeResults | None = None
) -> tuple[SmallService, Experiment]:
    """A service whose served version is on probation for an hour."""
    service = a_service(experiments, results, tables=service_with_posts())
    before = service.train()
    service.models.earlier = [before]
    after = promoted(service, before)
    service.publish(after)
    service.check_experiments()
    probation = probation_of(after.record)
    assert probation is not None
    return service, probation


def a_user_of(probation: Experiment, variant: str) -> str:
    found = (f"u{number}" for number in range(1000))
    return next(user for user in found if probation.name_of(user_uuid(user)) == variant)


def test_a_tenth_of_the_users_is_ranked_by_the_version_of_before() -> None:
    service, probation = on_probation()
    [before] = service.models.earlier
    old, new = (service.page(a_user_of(probation, name), limit=10) for name in (OLD, NEW))
    plain = a_service(tables=service)
    plain.publish(before)

    assert (old.variants, old.model_version) == ({probation.name: OLD}, before.record.version)
    assert names(old) == names(plain.page(a_user_of(probation, OLD), limit=10))
    assert (new.variants, new.model_version) == ({probation.name: NEW}, service.feed.ranker.model_version)
    assert [one.model_version for one in service.shown] == [old.model_version, new.model_version]
    assert service.fallbacks == []


def test_two_replicas_give_a_user_the_same_version() -> None:
    service, probation = on_probation()
    replica = a_service(tables=service)
    replica.models = service.models
    replica.workers.watcher.models = service.models
    assert replica.workers.experiments_watcher is not None
    replica.workers.experiments_watcher.models.source = service.models
    replica.check_for_new_model()
    replica.check_experiments()

    for user in (a_user_of(probation, OLD), a_user_of(probation, NEW)):
        assert service.page(user, limit=5).model_version == replica.page(user, limit=5).model_version


def test_after_the_end_new_lists_have_the_promoted_version_and_old_lists_keep_theirs() -> None:
    service, probation = on_probation()
    user = a_user_of(probation, OLD)
    first = service.page(user, limit=5)

    service.pass_time(3601)

    assert service.page(user, limit=5, cursor=first.next_cursor).model_version == first.model_version
    assert service.page(user, limit=6).model_version == service.feed.ranker.model_version


def test_another_version_ends_the_probation() -> None:
    service, probation = on_probation()
    user = a_user_of(probation, OLD)

    service.publish()
    service.check_experiments()

    page = service.page(user, limit=5)
    assert (page.variants, page.model_version) == ({}, service.feed.ranker.model_version)


def test_a_stop_ends_the_probation_for_good() -> None:
    results = FakeResults()
    service, probation = on_probation(results=results)
    user = a_user_of(probation, OLD)
    now = datetime(2026, 12, 1, tzinfo=UTC)
    results.stored.append(Stop(probation.name, probation.salt, OLD, "choice", "the figures", now))

    service.check_experiments()

    assert service.page(user, limit=5).model_version == service.feed.ranker.model_version


def test_experiments_of_the_file_run_beside_the_probation_unless_they_change_the_model() -> None:
    source = FakeExperiments([an_experiment()])
    service, probation = on_probation(source)
    user = a_user_of(probation, OLD)
    assert set(service.page(user, limit=5).variants) == {"order", probation.name}

    control, other = an_experiment().variants
    source.change(replace(an_experiment(), variants=(control, Variant(other.name, other.share, {}, "v1"))))
    service.check_experiments()

    assert set(service.page(user, limit=6).variants) == {"order"}


def test_promotions_that_were_rolled_back_are_counted_until_the_next_full_training() -> None:
    service, _ = on_probation()
    [before] = service.models.earlier
    base = before.record
    assert service.state.promotions_rolled_back == 0

    weights = {"base": {"version": base.version, "sha256": base.sha256, "created_at": base.created_at}}
    service.models.replaced = [replace(base, version="v9", sha256="9" * 64, config=weights)]
    service.publish(before)
    assert service.state.promotions_rolled_back == 1

    service.publish()
    assert service.state.promotions_rolled_back == 0
