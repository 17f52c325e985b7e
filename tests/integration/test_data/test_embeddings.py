"""Embeddings of files: loaded, exported, and read for training."""

from pathlib import Path

import numpy as np
import psycopg2
import pyarrow.parquet as pq
import pytest

from app.domain.feed.dataset import FeedDataset
from app.domain.feed.embeddings import unit_embedding
from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.connection import create_feed_engine
from data import export_log, import_feed
from data.log_export.arrow_tables import _sha256
from data.log_export.manifest import read_manifest
from tests.support.feed_writing import VIEW, write_rows
from tests.support.postgres import settle
from training.feed_source import read_database, read_exported

POSTS = [
    {"id": "a", "created_at": "2026-01-01", "embedding": [3, 4]},
    {"id": "b", "created_at": "2026-01-01", "embedding": None},
]


@pytest.fixture
def url(own_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.setenv("EMBEDDING_DIMENSIONS", "2")
    monkeypatch.chdir(tmp_path)
    return own_database_url


def load(*more: str) -> int:
    interactions = write_rows(Path("i.ndjson"), [VIEW])
    posts = write_rows(Path("p.ndjson"), POSTS, "posts")
    return import_feed.main(["--interactions", str(interactions), "--posts", str(posts), *more])


def stored(url: str) -> dict[str, list[float] | None]:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT external_id, embedding FROM posts")
        return dict(cursor.fetchall())


def embedding(dataset: FeedDataset, post: str) -> list[float]:
    posts = dataset.posts
    assert posts.embedding is not None
    return posts.embedding[posts.external_id.index(post)].tolist()


def test_they_are_stored_as_unit_vectors_and_loading_them_again_changes_nothing(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = unit_embedding([3, 4])

    assert (load(), load("--update")) == (0, 0)

    assert stored(url) == {"a": pytest.approx(unit), "b": None, VIEW["post_id"]: None}
    assert "changed" not in capsys.readouterr().out


def test_another_length_than_that_of_the_service_is_rejected_with_the_remedy(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMBEDDING_DIMENSIONS", "3")

    assert load() == 2

    assert "vectors of 2 numbers, and EMBEDDING_DIMENSIONS is 3; set it to 2" in capsys.readouterr().err
    assert stored(url) == {}


def test_training_reads_them_from_the_database_and_from_an_export(url: str) -> None:
    assert load() == 0
    settle(create_feed_engine(url, connect_seconds=5))
    assert export_log.main(["--output", "export"]) == 0
    settings = read_settings()

    unit = unit_embedding([3, 4]).tolist()
    for feed in (read_database(settings), read_exported(Path("export"), settings)):
        assert embedding(feed.dataset, "a") == pytest.approx(unit)
        assert embedding(feed.dataset, "b") == [0, 0]


def test_an_export_of_an_earlier_version_has_none(url: str) -> None:
    assert load() == 0
    settle(create_feed_engine(url, connect_seconds=5))
    assert export_log.main(["--output", "export"]) == 0
    manifest = read_manifest(Path("export"))
    file = manifest.tables["posts"]
    path = Path("export") / file.path
    pq.write_table(pq.read_table(path).drop_columns(["embedding"]), path)
    earlier = file.model_copy(update={"sha256": _sha256(path)})
    manifest.model_copy(update={"tables": {**manifest.tables, "posts": earlier}}).write(Path("export"))

    dataset = read_exported(Path("export"), read_settings()).dataset

    assert dataset.posts.embedding is None
    assert np.isin(["a", "b"], dataset.posts.external_id).all()
