"""A newly published model replaces the active one, unless it fails to load."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from app.application.workers.post_evictor import PostEvictor
from app.domain.entities import Post
from app.domain.errors import InvalidArtifact, ModelUnavailable, UnknownVersion
from app.domain.feed.live_posts import LivePostLimits
from app.domain.ids import post_uuid
from app.domain.ranking.model_interface import PublishedModel
from app.domain.repositories.entity_repository import EntityChange
from app.infrastructure.ml.content_scorer import TextSpace
from app.infrastructure.ml.model_loader import ServedModel
from tests.support.live_feeds import HOUR, a_service, engagements
from tests.support.restarts import a_folder, started_from, with_snapshots
from tests.support.small_service import SmallService, names


@pytest.mark.parametrize("database", [True, False])
def test_a_start_without_a_database_serves_the_trending_posts_of_the_model(database: bool) -> None:
    trained = a_service().train()
    service = SmallService(database=database)
    service.tables.away = True
    service.publish(trained)
    service.catch_up()

    response = service.page("reader")
    assert (len(response.post_ids), response.degraded, response.model_version) == (12, True, "v1")
    assert service.state.database == ("down" if database else "none")


def test_trending_posts_are_replaced_when_the_database_becomes_available() -> None:
    origin = a_service()
    origin.track("reader", "p1", "like")
    trained = origin.train()
    origin.track("reader", "p2", "like")
    origin.remove_post("p3")
    service = SmallService(tables=origin.tables)
    origin.tables.away = True
    service.publish(trained)
    service.catch_up()
    trending = names(service.page("reader"))
    service.reconnect()

    assert {"p2", "p3"} <= set(trending)
    assert set(names(service.page("reader"))) == origin.eligible("reader")
    assert [engagements(service, post) for post in ("p1", "p2")] == [1, 1]


def test_while_controls_are_unknown_the_posts_of_a_model_are_not_shown() -> None:
    service = SmallService()
    service.feed.needs_controls = True
    service.tables.away = True
    service.publish(a_service().train())
    service.catch_up()

    response = service.page("reader")
    assert (response.post_ids, response.degraded, response.exhausted) == ([], True, False)
    assert (service.state.has_controls, service.state.model_version) == (False, "v1")


def test_without_a_database_a_newer_model_replaces_the_feed() -> None:
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

    response = service.page("reader", limit=50)
    assert response.model_version == "v1"
    assert set(names(response)) == service.eligible("reader")


@pytest.mark.parametrize(
    "error", [InvalidArtifact("the SHA-256 is not the registered one"), ModelUnavailable("no")]
)
def test_a_failed_reload_keeps_the_active_model_and_appears_in_health(error: ModelUnavailable) -> None:
    service = a_service()
    service.publish()

    service.break_models(error)
    for _ in range(3):
        service.check_for_new_model()

    state = service.state
    assert (state.model_version, state.last_reload_error, state.reload_failures) == ("v1", str(error), 1)
    assert service.page("reader").model_version == "v1"
    service.models.error = None
    assert service.publish() == service.state.model_version != "v1"
    assert service.state.last_reload_error is None


def with_text_space(trained: PublishedModel) -> PublishedModel:
    """The same model with a text space of two dimensions, for which texts of newer posts are read."""
    model = trained.model
    space = TextSpace(["word"], np.ones(1, np.float32), np.ones((2, 1), np.float32))
    return replace(trained, model=replace(model, text_space=space))


def test_a_model_published_during_an_outage_is_loaded_once_and_installed_afterwards() -> None:
    service = a_service()
    service.publish()
    trained = with_text_space(service.train())
    service.add_post("newer", "ann")
    service.catch_up()
    fetches_before = service.models.fetches
    service.tables.away = True

    service.publish(trained)
    for _ in range(3):
        service.check_for_new_model()
    during_outage, version = service.state, service.page("reader").model_version
    service.tables.away = False
    service.check_for_new_model()

    assert (during_outage.last_reload_error, during_outage.reload_failures) == ("the store is away", 1)
    assert (version, service.page("reader").model_version) == ("v1", trained.record.version)
    assert service.state.last_reload_error is None
    assert service.models.fetches == fetches_before + 1


def test_a_re_created_post_has_a_vector_though_its_row_is_before_that_of_the_removed_post() -> None:
    service = a_service()
    trained = with_text_space(service.train())
    service.add_post("again", "ann", content="word")
    service.catch_up()
    PostEvictor(service.workers.updater, LivePostLimits(newest=4, strongest=0, engaged_days=0)).run()
    state = service.feed.state
    key = post_uuid("again").bytes
    removed_row = state.post_rows[key]
    service.remove_post("again")
    service.add_post("again", "ann", content="word")
    service.catch_up()
    assert state.post_rows[key] < removed_row

    service.publish(trained)

    assert np.linalg.norm(state.text[state.post_rows[key]]) == pytest.approx(1.0)


def test_a_post_that_comes_while_a_model_is_installed_has_a_vector_in_its_space(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = a_service()
    service.publish()
    trained = with_text_space(service.train())
    service.add_post("newer", "ann", content="word")
    service.catch_up()
    posts = service.workers.updater.stored_posts
    read = posts.posts

    def read_while_a_post_comes(ids: Sequence[UUID]) -> Sequence[Post]:
        found = read(ids)
        if post_uuid("meanwhile").bytes not in service.feed.state.post_rows:
            service.add_post("meanwhile", "ann", content="word")
            service.workers.updater.posts.add_missing([service.tables.posts[post_uuid("meanwhile")]])
        return found

    monkeypatch.setattr(posts, "posts", read_while_a_post_comes)
    service.publish(trained)

    state = service.feed.state
    for name in ("newer", "meanwhile"):
        vector = state.text[state.post_rows[post_uuid(name).bytes]]
        assert np.linalg.norm(vector) == pytest.approx(1.0)


def test_a_post_whose_text_changes_while_a_model_is_installed_has_the_new_vector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = a_service()
    service.publish()
    trained = with_text_space(service.train())
    posts, updater = service.workers.updater.stored_posts, service.workers.updater
    read = posts.posts

    def change_after_the_read(ids: Sequence[UUID]) -> Sequence[Post]:
        found = read(ids)
        if not service.tables.posts[post_uuid("p1")].content:
            service.add_post("p1", "ann", age=HOUR, content="word")
            updater.apply_entities(EntityChange(posts=[service.tables.posts[post_uuid("p1")]]))
        return found

    monkeypatch.setattr(posts, "posts", change_after_the_read)
    service.publish(trained)

    state = service.feed.state
    assert np.linalg.norm(state.text[state.post_rows[post_uuid("p1").bytes]]) == pytest.approx(1.0)


def test_during_an_outage_a_model_ranks_a_snapshot_of_another_model_without_its_vectors(
    tmp_path: Path,
) -> None:
    service = a_service()
    service.add_post("with text", "ann", content="word")
    with_snapshots(service, a_folder(tmp_path)).write_snapshot()
    trained = with_text_space(service.train())
    service.tables.away = True

    started = started_from(service, a_folder(tmp_path), trained)
    during = started.page("reader", limit=50)
    started.reconnect()

    assert (during.model_version, len(during.post_ids)) == ("v1", 13)
    state = started.feed.state
    assert np.linalg.norm(state.text[state.post_rows[post_uuid("with text").bytes]]) == pytest.approx(1.0)


def test_a_model_with_other_features_is_rejected_and_the_active_one_stays() -> None:
    service = a_service()
    service.publish()
    incompatible = service.train(learned=True)
    object.__setattr__(incompatible.model.choice_model, "names", ("some", "other", "features"))

    service.publish(incompatible)

    assert service.state.model_version == "v1"
    assert "other features" in str(service.state.last_reload_error)


def test_a_re_created_registry_may_reuse_a_version() -> None:
    service = a_service()
    service.publish(service.train(version="v1"))
    service.track("reader", "p1", "like")
    service.publish(second := service.train(version="v1"))

    assert service.feed.ranker.published is not None
    assert service.feed.ranker.published.record == second.record


def test_an_emptied_registry_leaves_the_active_model() -> None:
    service = a_service()
    service.publish()
    service.models.published = None
    service.models.version += 1
    service.check_for_new_model()

    assert service.page("reader").model_version == "v1"
    assert service.state.last_reload_error is None


BAD = InvalidArtifact("the SHA-256 is not the registered one")


def with_three_versions() -> tuple[SmallService, list[str]]:
    """A service that started with nothing published, and the versions in its registry, newest first."""
    service = a_service()
    models = [service.train() for _ in range(3)]
    service.models.published, *service.models.earlier = reversed(models)
    return service, [one.record.version for one in reversed(models)]


@pytest.mark.parametrize(
    "error", [BAD, UnknownVersion("it was pruned"), RuntimeError("0x7f2a"), MemoryError()]
)
def test_a_start_with_a_bad_newest_model_serves_the_newest_good_one(error: Exception) -> None:
    service, (newest, middle, oldest) = with_three_versions()
    service.models.errors = {newest: error, middle: BAD}

    with structlog.testing.capture_logs() as logs:
        service.check_for_new_model()

    state = service.state
    assert (state.model_version, state.reload_failures) == (oldest, 2)
    assert state.last_reload_error is not None
    assert state.last_reload_error.startswith(f"{newest} is not served: ")
    assert "0x7f2a" not in state.last_reload_error
    assert [one["version"] for one in logs if one["event"] == "model.reload_failed"] == [newest, middle]


def test_a_bad_new_model_leaves_the_active_one_without_loading_it_again() -> None:
    service, (newest, middle, _) = with_three_versions()
    published, service.models.published = service.models.published, service.models.earlier.pop(0)
    service.check_for_new_model()
    assert published is not None
    assert service.models.published is not None
    service.models.published, service.models.earlier = published, [service.models.published]
    service.models.errors = {newest: BAD}
    service.models.version += 1
    fetches_before = service.models.fetches

    service.check_for_new_model()

    assert (service.state.model_version, service.models.fetches - fetches_before) == (middle, 1)
    assert service.state.last_reload_error == f"{newest} is not served: {BAD}"


def test_a_model_that_cannot_be_installed_is_replaced_by_the_one_before() -> None:
    service = a_service()
    incompatible, good = service.train(learned=True), service.train()
    object.__setattr__(incompatible.model.choice_model, "names", ("some", "other", "features"))
    service.models.published, service.models.earlier = incompatible, [good]

    service.check_for_new_model()

    assert service.state.model_version == good.record.version
    assert "other features" in str(service.state.last_reload_error)


def test_an_unchanged_bad_registry_is_read_less_and_less_often_until_it_is_repaired() -> None:
    service, (newest, _, _) = with_three_versions()
    service.models.errors = {newest: BAD}
    for _ in range(200):
        service.check_for_new_model()

    assert service.models.fetches <= 12
    assert service.state.reload_failures == 1

    service.models.errors = {}
    for _ in range(40):
        service.check_for_new_model()
    assert (service.state.model_version, service.state.last_reload_error) == (newest, None)


def test_a_registry_that_disappears_is_one_line_in_the_log() -> None:
    service = a_service()
    version = service.publish()
    service.models.published = None
    service.models.version += 1

    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            service.check_for_new_model()

    assert [(one["event"], one["serving"]) for one in logs] == [("model.none_published", version)]


def test_new_weights_of_the_active_model_embed_no_post_again(monkeypatch: pytest.MonkeyPatch) -> None:
    service = a_service()
    base = service.train(learned=True)
    service.publish(base)
    before = names(service.page("reader", limit=50))
    text = service.feed.state.text
    other = service.train(learned=True)
    assert isinstance(base.model, ServedModel)
    assert base.model.choice_model is not None
    weights = replace(base.model.choice_model, linear=-base.model.choice_model.linear)
    record = replace(other.record, config={"base": {"version": "v1", "sha256": base.record.sha256}})
    embedded: list[str] = []
    embed = ServedModel.embed

    def recorded(model: ServedModel, texts: Sequence[str]) -> NDArray[np.float32]:
        embedded.extend(one for one in texts if one)
        return embed(model, texts)

    monkeypatch.setattr(ServedModel, "embed", recorded)

    service.publish(PublishedModel(record, replace(base.model, choice_model=weights)))

    assert embedded == []
    assert service.feed.state.text is text
    assert service.page("reader").model_version == record.version
    assert names(service.page("reader", limit=50)) != before
