"""Embeddings in PostgreSQL: own tables and those of a team, full reads and changes."""

import numpy as np
from sqlalchemy import Engine

from app.domain.feed.dataset import FeedDataset
from app.domain.feed.embeddings import unit_embedding
from app.domain.ids import post_uuid
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.post_repository_impl import SqlPostRepository
from app.infrastructure.database.row_checksums import read_checksums
from app.infrastructure.database.schema import SchemaName
from tests.support.storage_under_test import SqlTables, a_post

PUBLIC = SchemaName()
EAST, NORTH = [unit_embedding(one).tobytes() for one in ([1, 0, 0], [0, 1, 0])]


def embedding(dataset: FeedDataset, post: str) -> bytes | None:
    """The embedding of a post in the form of Post; None for zeros."""
    embeddings = dataset.posts.embedding
    assert embeddings is not None
    [row] = np.flatnonzero(dataset.posts.key == np.void(post_uuid(post).bytes))
    return embeddings[row].tobytes() if embeddings[row].any() else None


def test_a_full_read_and_a_change_return_the_embedding(engine: Engine, tables: SqlTables) -> None:
    log = SqlFeedLog(engine)
    tables.add_posts(a_post("first", embedding=EAST), a_post("second"))
    whole = log.read_all()

    tables.run("UPDATE {posts} SET embedding = '{{0,5,0}}' WHERE external_id = 'second'")

    assert (embedding(whole.dataset, "first"), embedding(whole.dataset, "second")) == (EAST, None)
    assert [post.embedding for post in log.read_changes(whole.position).posts] == [NORTH]
    assert embedding(log.read_all().dataset, "second") == NORTH
    assert log.read_all(embeddings=False).dataset.posts.embedding is None


def test_a_post_without_an_embedding_keeps_its_checksum(engine: Engine, tables: SqlTables) -> None:
    tables.add_posts(a_post("first"), a_post("second", embedding=EAST))

    def checksums() -> list[int]:
        with engine.connect() as connection:
            keys = [post_uuid("first"), post_uuid("second")]
            return read_checksums(connection, PUBLIC, events=(), posts=keys).posts.values.tolist()

    with engine.connect() as connection:
        before = connection.exec_driver_sql(
            "SELECT hash_record(ROW(id, external_id, content, tags, visible, created_at, seq, visibility, "
            "audience_id, language, sensitive, root_id, repost_of)) FROM feed_complete_posts() ORDER BY seq"
        )
        without = list(before.scalars())
    found = checksums()
    whole = SqlFeedLog(engine).read_all().checksums

    assert whole is not None
    assert found[0] == without[0]
    assert found[1] != without[1]
    assert sorted(whole.posts.values.tolist()) == sorted(found)


def test_a_view_of_a_team_may_have_the_column_and_bad_vectors_count_as_none(
    engine: Engine, tables: SqlTables
) -> None:
    names = ("first", "second", "long", "zero", "endless", "nested", "empty", "none")
    tables.add_posts(*(a_post(name) for name in names))
    vectors = ["{2,0,0}", "{0,3,0}", "{1,2,3,4}", "{0,0,0}", "{NaN,1,1}", "{{1,0,0},{0,1,0}}", "{}", None]
    tables.run("CREATE TABLE vectors (post_id uuid PRIMARY KEY, vector float8[])")
    for name, vector in zip(names, vectors, strict=True):
        tables.run("INSERT INTO vectors VALUES (%s, %s::float8[])", str(post_uuid(name)), vector)
    tables.run(
        "CREATE OR REPLACE VIEW feed_posts AS SELECT p.id, p.external_id, p.author_id, p.content, p.tags, p.visible, "
        "p.created_at, p.seq, v.vector AS embedding FROM posts p LEFT JOIN vectors v ON v.post_id = p.id"
    )

    dataset = SqlFeedLog(engine).read_all().dataset
    posts, _ = SqlPostRepository(engine).posts([post_uuid(name) for name in names])

    assert {name: embedding(dataset, name) for name in names} == {
        **dict.fromkeys(names),
        "first": EAST,
        "second": NORTH,
    }
    of_posts = {post.external_id: post.embedding for post in posts}
    assert (
        of_posts.pop("long") == unit_embedding([1, 2, 3, 4]).tobytes()
    )  # the model decides which length it reads
    assert of_posts == {name: embedding(dataset, name) for name in names if name != "long"}
