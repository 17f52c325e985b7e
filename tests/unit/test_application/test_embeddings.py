"""Embeddings from the call that stores them to the vectors in memory by which posts are ranked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import InvalidPost
from app.domain.feed.embeddings import unit_embedding
from app.domain.ids import post_uuid
from app.domain.ranking.model_interface import PublishedModel
from app.infrastructure.ml.embedding_projection import EmbeddingProjection
from app.infrastructure.ml.model_loader import ServedModel
from tests.support.restarts import a_folder, started_from, with_snapshots
from tests.support.small_service import SmallService

EAST, NORTH = [3.0, 0, 0], [0, 2.0, 0]


def a_service() -> SmallService:
    service = SmallService(settings={"embedding_dimensions": 3})
    service.add_users("ann", "reader")
    service.add_post("plain", "ann")
    service.add_post("stored", "ann", embedding=unit_embedding(NORTH).tobytes())
    service.catch_up()
    return service


def with_projection(trained: PublishedModel) -> PublishedModel:
    """The same model with a projection to the first two numbers."""
    assert isinstance(trained.model, ServedModel)
    projection = EmbeddingProjection(np.zeros(3, np.float32), np.eye(3, dtype=np.float32)[:2])
    return replace(trained, model=replace(trained.model, embedding_projection=projection))


def vector(service: SmallService, post: str) -> list[float]:
    state = service.feed.state
    return state.embeddings[state.post_rows[post_uuid(post).bytes]].tolist()


def put(service: SmallService, post: str, **fields: object) -> None:
    service.entities.put_post(post, fields)


def test_a_post_gets_keeps_changes_and_loses_its_vector() -> None:
    service = a_service()
    service.publish(with_projection(service.train()))
    assert (vector(service, "plain"), vector(service, "stored")) == ([0, 0], [0, 1])

    put(service, "new", embedding=EAST)
    put(service, "stored", content="other words")
    found = vector(service, "new"), vector(service, "stored")
    put(service, "stored", embedding=EAST)
    put(service, "new", embedding=None)

    assert found == ([1, 0], [0, 1])
    assert (vector(service, "stored"), vector(service, "new")) == ([1, 0], [0, 0])


def test_without_a_projection_memory_has_no_vectors_and_a_later_model_reads_the_stored_ones() -> None:
    service = a_service()
    service.publish()
    put(service, "new", embedding=EAST)
    before = service.feed.state.embeddings.size

    service.publish(with_projection(service.train()))

    assert before == 0
    assert (vector(service, "new"), vector(service, "stored")) == ([1, 0], [0, 1])
    service.publish()
    assert service.feed.state.embeddings.size == 0


def test_a_full_read_and_a_snapshot_give_the_same_vectors(tmp_path: Path) -> None:
    service = a_service()
    trained = with_projection(service.train())
    writer = with_snapshots(service, a_folder(tmp_path))
    writer.publish(trained)
    writer.write_snapshot()
    writer.reconnect("another database")  # read as a whole
    service.tables.away = True

    started = started_from(service, a_folder(tmp_path), trained)

    for one in (writer, started):
        assert (vector(one, "plain"), vector(one, "stored")) == ([0, 0], [0, 1])


@pytest.mark.parametrize(
    ("embedding", "problem"),
    [
        ([1.0, 2.0], "embedding: has 2 numbers, and EMBEDDING_DIMENSIONS is 3; send 3 numbers"),
        ([0.0, 0.0, 0.0], "embedding: has no number but 0, so it has no direction; omit it or send null"),
    ],
)
def test_an_unusable_embedding_is_rejected_with_the_remedy(embedding: list[float], problem: str) -> None:
    service = a_service()

    with pytest.raises(InvalidPost) as single:
        put(service, "new", embedding=embedding)
    with pytest.raises(InvalidPost) as batch:
        service.entities.put_posts([("good", {"embedding": EAST}), ("new", {"embedding": embedding})])
    rejected = service.entities.put_valid_posts(
        [("new", {"embedding": embedding}), ("good", {"embedding": EAST})]
    )

    assert (str(single.value), str(batch.value)) == (problem, f"posts[1]: {problem}")
    assert {place: str(error) for place, error in rejected.items()} == {0: problem}
    assert post_uuid("new") not in service.tables.posts
    assert service.tables.posts[post_uuid("good")].embedding == unit_embedding(EAST).tobytes()


def test_by_default_posts_have_no_embedding_and_the_error_names_the_setting() -> None:
    service = SmallService()

    with pytest.raises(InvalidPost, match="EMBEDDING_DIMENSIONS is 0; set it to the length of your vectors"):
        put(service, "new", embedding=EAST)


def test_evicted_rows_lose_their_vectors() -> None:
    service = a_service()
    service.publish(with_projection(service.train()))
    state, row = service.feed.state, service.feed.state.post_rows[post_uuid("stored").bytes]

    state.clear_posts(np.array([row]))

    assert not state.embeddings[row].any()
