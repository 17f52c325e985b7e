"""Variants of experiments that are another version of the registry."""

from dataclasses import replace

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.domain.entities.model_record import CHANNELS, Channel
from app.domain.errors import InvalidArtifact
from app.domain.experiments.experiment import INTERLEAVED, Experiment, Variant
from app.domain.experiments.team_draft import CONTROL_TEAM, VARIANT_TEAM
from app.domain.feed.event_counting import CountingRule
from app.domain.ranking.model_interface import PublishedModel
from app.infrastructure.ml.content_scorer import TextSpace
from app.infrastructure.ml.model_loader import ServedModel
from tests.support.experiments import FakeExperiments, an_experiment, an_interleaving
from tests.support.small_service import FEW_CANDIDATES, SmallService, names, service_with_posts
from tests.unit.test_application.test_experiments import CONTROL_USER, OTHER_USER


def an_experiment_with_a_model(version: str = "candidate") -> Experiment:
    control, other = an_experiment().variants
    return replace(an_experiment(), variants=(control, Variant(other.name, other.share, {}, version)))


def a_service(candidate: PublishedModel | None = None) -> SmallService:
    """A service that serves the formula, and has a learned candidate in its registry."""
    service = SmallService(
        tables=service_with_posts().tables,
        options=FEW_CANDIDATES,
        experiments=FakeExperiments([an_experiment_with_a_model()]),
    )
    service.catch_up()
    service.models.earlier = [candidate or service.train(learned=True, version="candidate")]
    service.publish()
    service.check_experiments()
    return service


def changed(service: SmallService, **fields: object) -> PublishedModel:
    """The candidate with other parts."""
    [candidate] = service.models.earlier
    assert isinstance(candidate.model, ServedModel)
    return replace(candidate, model=replace(candidate.model, **fields))  # type: ignore[arg-type]


def test_users_of_the_variant_are_ranked_by_its_version_over_the_one_state() -> None:
    service = a_service()
    plain = SmallService(tables=service.tables, options=FEW_CANDIDATES, clock=service.clock)
    plain.catch_up()
    plain.publish(service.models.earlier[0])

    page, control = service.page(OTHER_USER, limit=10), service.page(CONTROL_USER, limit=10)

    assert (page.variants, page.model_version) == ({"order": "other"}, "candidate")
    assert service.shown[0].model_version == "candidate"
    assert names(page) == names(plain.page(OTHER_USER, limit=10))
    assert control.model_version == service.feed.ranker.model_version != "candidate"
    assert service.fallbacks == []
    assert service.explain.post(OTHER_USER, names(page)[0], 10).model_version == "candidate"
    assert service.explain.post(CONTROL_USER, names(page)[0], 10).model_version == control.model_version
    later = service.page(OTHER_USER, limit=5, cursor=page.next_cursor)
    assert (later.variants, later.model_version) == ({"order": "other"}, "candidate")


def test_the_variant_goes_on_when_another_model_is_served() -> None:
    service = a_service()
    earlier = service.models.earlier
    service.publish()
    assert service.models.earlier is earlier

    assert service.page(OTHER_USER, limit=5).model_version == "candidate"
    service.check_experiments()
    assert service.page(OTHER_USER, limit=5).model_version == "candidate"


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        (
            {"text_space": TextSpace(["word"], np.ones(1, np.float32), np.ones((1, 1), np.float32))},
            "candidate has another text space than v1, which is served",
        ),
        (
            {"options": replace(FEW_CANDIDATES, counting=CountingRule(window_minutes=7.0))},
            "candidate counts events in another way than v1",
        ),
    ],
)
def test_a_version_that_cannot_rank_the_state_is_replaced_and_counted(
    fields: dict[str, object], cause: str
) -> None:
    with capture_logs() as lines:
        service = a_service(changed(a_service(), **fields))
    page = service.page(OTHER_USER, limit=5)

    assert (page.variants, page.model_version) == ({}, service.feed.ranker.model_version)
    assert service.shown[-1].failed_variants == {"order": "other"}
    assert service.fallbacks == [("order", "other")]
    assert any(cause in line.get("cause", "") for line in lines)


def test_a_version_that_is_published_later_is_loaded_then() -> None:
    service = a_service()
    candidate = service.models.earlier.pop()
    missing = FakeExperiments([an_experiment_with_a_model("missing")])
    assert service.workers.experiments_watcher is not None
    service.workers.experiments_watcher.source = missing
    fetches = service.models.fetches
    for _ in range(3):
        service.check_experiments()
    assert service.page(OTHER_USER, limit=5).variants == {}
    assert service.models.fetches == fetches

    record = replace(candidate.record, version="missing")
    service.models.earlier = [replace(candidate, record=record)]
    service.models.version += 1
    service.check_experiments()

    assert service.page(OTHER_USER, limit=6).model_version == "missing"


def test_a_version_that_no_variant_names_any_more_is_dropped() -> None:
    service = a_service()
    watcher = service.workers.experiments_watcher
    assert watcher is not None
    assert set(watcher.models.loaded) == {"candidate"}

    watcher.source = FakeExperiments([replace(an_experiment_with_a_model(), enabled=False)])
    service.check_experiments()

    assert watcher.models.loaded == {}


# -- channels ----------------------------------------------------------------------------------------------------------


def a_channel_experiment(channel: Channel) -> Experiment:
    control, other = an_experiment().variants
    return replace(an_experiment(), variants=(control, Variant(other.name, other.share, {}, channel=channel)))


def a_service_with_weights(channel: Channel) -> SmallService:
    """A variant ranks with a channel. Weights over a base were published, and are served."""
    service = SmallService(
        tables=service_with_posts().tables,
        options=FEW_CANDIDATES,
        experiments=FakeExperiments([a_channel_experiment(channel)]),
    )
    service.catch_up()
    base = service.train(learned=True, version="base")
    publish(service, base, weights_over(base, "weights 1", -1.0))
    service.check_experiments()
    return service


def weights_over(base: PublishedModel, version: str, factor: float) -> PublishedModel:
    assert isinstance(base.model, ServedModel)
    assert base.model.choice_model is not None
    weights = replace(base.model.choice_model, linear=base.model.choice_model.linear * factor)
    config = {"base": {"version": base.record.version, "sha256": base.record.sha256}}
    record = replace(base.record, version=version, sha256=f"hash of {version}", config=config)
    return PublishedModel(record, replace(base.model, choice_model=weights))


def publish(service: SmallService, base: PublishedModel, weights: PublishedModel | None = None) -> None:
    """Serve the base, or weights over it, which are the versions of the channels from now on."""
    service.models.earlier = [base]
    served = weights or base
    service.models.channels = {"full": base.record.version, "continuous": served.record.version}
    service.publish(served)


@pytest.mark.parametrize(("channel", "version"), [("full", "base"), ("continuous", "weights 1")])
def test_a_channel_ranks_with_its_newest_version(channel: Channel, version: str) -> None:
    service = a_service_with_weights(channel)
    [base] = service.models.earlier
    plain = SmallService(tables=service.tables, options=FEW_CANDIDATES, clock=service.clock)
    plain.catch_up()
    plain.publish(base if channel == "full" else weights_over(base, version, -1.0))

    page, control = service.page(OTHER_USER, limit=10), service.page(CONTROL_USER, limit=10)

    assert (page.variants, page.model_version) == ({"order": "other"}, version)
    assert names(page) == names(plain.page(OTHER_USER, limit=10))
    assert (control.variants, control.model_version) == ({"order": "control"}, "weights 1")
    assert (service.shown[0].model_version, service.shown[0].failed_variants) == (version, {})
    assert service.fallbacks == []


@pytest.mark.parametrize(("channel", "version"), [("full", "base"), ("continuous", "weights 2")])
def test_a_channel_follows_a_promotion(channel: Channel, version: str) -> None:
    service = a_service_with_weights(channel)
    [base] = service.models.earlier
    fetches = service.models.fetches

    publish(service, base, weights_over(base, "weights 2", 2.0))
    service.check_experiments()

    assert service.page(OTHER_USER, limit=5).model_version == version
    assert service.models.fetches == fetches + 1, "the served weights were loaded once, and the base is kept"


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_full_training_is_the_version_of_both_channels_at_once(channel: Channel) -> None:
    service = a_service_with_weights(channel)
    trained = changed_text_space(service.models.earlier[0], "trained again")

    publish(service, trained)

    for _ in range(2):  # before the channels are read again, and after it
        page = service.page(OTHER_USER, limit=5)
        assert (page.variants, page.model_version) == ({"order": "other"}, "trained again")
        assert (service.fallbacks, service.shown[-1].failed_variants) == ([], {})
        service.check_experiments()
        service.pass_time()


def changed_text_space(published: PublishedModel, version: str) -> PublishedModel:
    assert isinstance(published.model, ServedModel)
    text_space = TextSpace(["word"], np.ones(1, np.float32), np.ones((1, 1), np.float32))
    record = replace(published.record, version=version, sha256=f"hash of {version}")
    return PublishedModel(record, replace(published.model, text_space=text_space))


def test_a_channel_whose_version_cannot_be_loaded_keeps_the_one_before() -> None:
    service = a_service_with_weights("full")
    [base] = service.models.earlier
    again = PublishedModel(replace(base.record, version="again", sha256="hash of again"), base.model)
    service.models.errors["again"] = InvalidArtifact("damaged")

    with capture_logs() as lines:
        publish(service, again, weights_over(base, "weights 2", 2.0))
        service.check_experiments()

    assert service.page(OTHER_USER, limit=5).model_version == "base"
    assert [line["cause"] for line in lines if line["event"] == "experiment.model_not_loaded"] == ["damaged"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_without_a_model_the_served_ranking_replaces_a_channel_and_is_counted(channel: Channel) -> None:
    service = SmallService(
        tables=service_with_posts().tables, experiments=FakeExperiments([a_channel_experiment(channel)])
    )
    service.catch_up()
    service.check_experiments()

    page = service.page(OTHER_USER, limit=5)

    assert (page.variants, page.model_version) == ({}, None)
    assert service.shown[-1].failed_variants == {"order": "other"}


# -- interleaving ------------------------------------------------------------------------------------------------------


def an_interleaved_service(version: str) -> SmallService:
    """Interleaves the served formula with a learned candidate; no rule of pages changes the order."""
    interleaving = an_interleaving()
    control, other = interleaving.variants
    variants = control, Variant(other.name, other.share, {}, version)
    service = SmallService(
        tables=service_with_posts().tables,
        options=replace(FEW_CANDIDATES, author_repeat_factor=1.0, exploration_share=0.0),
        experiments=FakeExperiments([replace(interleaving, variants=variants)]),
    )
    service.catch_up()
    service.models.earlier = [service.train(learned=True, version="candidate")]
    service.publish()
    service.check_experiments()
    return service


def test_a_version_is_interleaved_with_the_served_ranking() -> None:
    service = an_interleaved_service("candidate")
    rankings = {
        team: names(service.page("u1", limit=12, variants={"order": variant}, record=False))
        for team, variant in ((CONTROL_TEAM, "control"), (VARIANT_TEAM, "other"))
    }
    assert rankings[CONTROL_TEAM] != rankings[VARIANT_TEAM]

    page = service.page("u1", limit=10)
    later = service.page("u1", limit=2, cursor=page.next_cursor)

    listed: list[str] = []
    for post, team in zip(names(page, later), [*page.teams, *later.teams], strict=True):
        assert post == next(one for one in rankings[team] if one not in listed)
        listed.append(post)
    assert page.teams.count(CONTROL_TEAM) == page.teams.count(VARIANT_TEAM) == 5
    served = service.feed.ranker.model_version
    assert (page.model_version, service.shown[-1].model_version, service.fallbacks) == (served, served, [])


def test_an_interleaving_with_a_version_that_is_missing_is_the_served_ranking_and_counted() -> None:
    service = an_interleaved_service("missing")

    page = service.page("u1", limit=5)

    assert (page.variants, page.teams) == ({}, ())
    assert service.shown[-1].failed_variants == {"order": INTERLEAVED}
    assert service.fallbacks == [("order", INTERLEAVED)]
