"""Models that are published beside the one that serves."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain.errors import InvalidArtifact, ModelUnavailable
from app.domain.ranking.model_interface import PublishedModel
from app.infrastructure.ml.content_scorer import TextSpace
from tests.support.live_feeds import a_service, engagements
from tests.support.small_service import SmallService, names


@pytest.mark.parametrize("database", [True, False])
def test_a_start_without_a_database_serves_what_the_model_remembers(database: bool) -> None:
    trained = a_service().train()
    service = SmallService(database=database)
    service.tables.away = True
    service.publish(trained)
    service.catch_up()

    answer = service.page("reader")
    assert (len(answer.post_ids), answer.degraded, answer.model_version) == (12, True, "v1")
    assert service.keeper.state().database_ok is (False if database else None)


def test_what_the_model_remembers_is_brought_up_to_date_when_the_database_comes() -> None:
    origin = a_service()
    origin.track("reader", "p1", "like")
    trained = origin.train()
    origin.track("reader", "p2", "like")
    origin.remove_post("p3")
    service = SmallService()
    service.tables = origin.tables
    service.keeper._log = origin.log
    origin.tables.away = True
    service.publish(trained)
    service.catch_up()
    remembered = names(service.page("reader"))
    origin.tables.away = False
    service.catch_up()

    assert {"p2", "p3"} <= set(remembered)
    assert set(names(service.page("reader"))) == origin.eligible("reader")
    assert [engagements(service, post) for post in ("p1", "p2")] == [1, 1]


def test_without_a_database_a_newer_model_brings_its_newer_feed() -> None:
    origin = a_service()
    service = SmallService(database=False)
    service.publish(origin.train())
    origin.add_post("newer", "ann")

    service.publish(origin.train())

    assert "newer" in names(service.page("reader", limit=50))


def test_a_new_model_ranks_the_running_feed() -> None:
    service = a_service()
    trained = service.train()
    service.add_post("newer", "ann")
    service.catch_up()
    service.track("reader", "p1", "like")

    service.publish(trained)

    answer = service.page("reader", limit=50)
    assert answer.model_version == "v1"
    assert set(names(answer)) == service.eligible("reader")


@pytest.mark.parametrize(
    "error", [InvalidArtifact("the SHA-256 is not the registered one"), ModelUnavailable("no")]
)
def test_a_failed_reload_keeps_the_old_model_and_shows_in_health(error: ModelUnavailable) -> None:
    service = a_service()
    service.publish()

    service.break_models(error)
    for _ in range(3):
        service.keeper.check_for_new_model()

    state = service.keeper.state()
    assert (state.model_version, state.last_reload_error, state.reload_failures) == ("v1", str(error), 1)
    assert service.page("reader").model_version == "v1"
    service.broken = None
    assert service.publish() == service.keeper.state().model_version != "v1"
    assert service.keeper.state().last_reload_error is None


def speaking(trained: PublishedModel) -> PublishedModel:
    """The same with a text space of two dimensions, so that posts it does not remember are read."""
    model = trained.model
    columns = {
        **model.snapshot["columns"],
        "text": np.zeros((len(model.snapshot["post_ids"]), 2), np.float32),
    }
    space = TextSpace(["word"], np.ones(1, np.float32), np.ones((2, 1), np.float32))
    return replace(
        trained, model=replace(model, text_space=space, snapshot={**model.snapshot, "columns": columns})
    )


def test_a_model_published_while_the_database_is_away_is_read_once_and_serves_when_texts_can_be_read() -> (
    None
):
    service = a_service()
    service.publish()
    trained = speaking(service.train())
    fetched: list[int] = []
    fetch = service.keeper._models.fetch
    service.keeper._models.fetch = lambda: fetched.append(1) or fetch()
    service.add_post("newer", "ann")
    service.catch_up()
    service.tables.away = True

    service.publish(trained)
    for _ in range(3):
        service.keeper.check_for_new_model()
    away, serving = service.keeper.state(), service.page("reader").model_version
    service.tables.away = False
    service.keeper.check_for_new_model()

    assert (away.last_reload_error, away.reload_failures) == ("the store is away", 1)
    assert (serving, service.page("reader").model_version) == ("v1", trained.record.version)
    assert service.keeper.state().last_reload_error is None
    assert len(fetched) == 1


def test_a_model_of_other_features_is_refused_beside_the_one_that_serves() -> None:
    service = a_service()
    service.publish()
    stranger = service.train(learned=True)
    object.__setattr__(stranger.model.choice_model, "names", ("some", "other", "features"))

    service.publish(stranger)

    assert service.keeper.state().model_version == "v1"
    assert "other features" in str(service.keeper.state().last_reload_error)


def test_a_registry_that_was_begun_anew_may_use_a_version_again() -> None:
    service = a_service()
    service.publish(service.train(version="v1"))
    service.track("reader", "p1", "like")
    service.publish(anew := service.train(version="v1"))

    assert service.keeper._model is anew


def test_a_registry_that_was_emptied_takes_no_model_away() -> None:
    service = a_service()
    service.publish()
    service.published = None
    service._fingerprint += 1
    service.keeper.check_for_new_model()

    assert service.page("reader").model_version == "v1"
    assert service.keeper.state().last_reload_error is None
