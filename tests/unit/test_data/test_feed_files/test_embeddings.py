"""Embeddings in posts files: every format, and the errors of rows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.domain.feed.embeddings import unit_embedding
from data.feed_files.options import ReadOptions
from data.feed_files.reader import FeedFile, read_feed
from data.schemas import FeedFileError
from tests.support.feed_writing import VIEW, write_rows


def read(tmp_path: Path, posts: Path, columns: Mapping[str, str] = MappingProxyType({})) -> FeedFile:
    options = ReadOptions(columns=columns, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    return read_feed(write_rows(tmp_path / "i.csv", [VIEW]), posts=posts, options=options)


def embedding_rows(feed: FeedFile, *ids: str) -> list[list[float]]:
    posts = feed.dataset.posts
    assert posts.embedding is not None
    return [posts.embedding[posts.external_id.index(one)].tolist() for one in ids]


@pytest.mark.parametrize(
    ("form", "given"),
    [("csv", "[3, 4]"), ("csv", "{3,4}"), ("ndjson", [3, 4]), ("ndjson", "[3.0,4]"), ("json", [3, 4])],
)
def test_every_format_gives_unit_vectors_and_zeros_for_posts_without_one(
    tmp_path: Path, form: str, given: Any
) -> None:
    rows = [{"id": "a", "embedding": given}, {"id": "b", "embedding": None}]

    feed = read(tmp_path, write_rows(tmp_path / f"p.{form}", rows, "posts"))

    unit = unit_embedding([3, 4]).tolist()
    assert embedding_rows(feed, "a", "b", VIEW["post_id"]) == [unit, [0, 0], [0, 0]]


def test_parquet_has_lists_of_any_numbers(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    column = pa.array([[3.0, 4.0], None], pa.list_(pa.float32()))
    pq.write_table(pa.table({"id": ["a", "b"], "embedding": column}), path)

    assert embedding_rows(read(tmp_path, path), "a", "b") == [unit_embedding([3, 4]).tolist(), [0, 0]]


def test_without_the_column_there_are_none(tmp_path: Path) -> None:
    assert (
        read(tmp_path, write_rows(tmp_path / "p.csv", [{"id": "a"}], "posts")).dataset.posts.embedding is None
    )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("[1, 2, 3]", "has another length than the first embedding, which has 2 numbers"),
        ("[1]", "has 1 numbers"),
        ("[0, 0]", "has no number but 0"),
        ("[1e999, 1]", "not"),
        ("[true, 1]", "is not an array of numbers"),
        ("0.1 0.2", "is not an array of numbers"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_column(tmp_path: Path, given: str, problem: str) -> None:
    rows = [{"id": "a", "embedding": "[1, 0]"}, {"id": "b", "embedding": given}]

    with pytest.raises(FeedFileError) as error:
        read(tmp_path, write_rows(tmp_path / "p.csv", rows, "posts"))

    assert problem in str(error.value)
    assert "line 3" in str(error.value)
    assert "column embedding" in str(error.value)


def test_a_column_of_another_meaning_can_be_omitted(tmp_path: Path) -> None:
    posts = write_rows(tmp_path / "p.csv", [{"id": "a", "embedding": "an iframe"}], "posts")

    feed = read(tmp_path, posts, columns={"embedding": ""})

    assert feed.dataset.posts.embedding is None
