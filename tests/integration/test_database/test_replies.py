"""Replies: old comments become posts, and a post is deleted with the event that it has on another post."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.postgres import settle
from tests.support.storage_under_test import SqlTables, a_post, a_user

PUBLIC = SchemaName()
COMMENT = (
    "INSERT INTO user_interaction (user_id, post_id, interaction_type, event_id, metadata) "
    "VALUES (%s, %s, %s, %s, jsonb_build_object('text', %s::text))"
)
REPLY = "INSERT INTO posts (id, external_id, author_id, content, reply_to, root_id) VALUES (%s, %s, %s, 'Yes', %s, %s)"
ANNA, BERT = str(user_uuid("anna")), str(user_uuid("bert"))
FIRST, PRIVATE, CLUB = (str(post_uuid(name)) for name in ("first", "private", "club"))


def some_feed(engine: Engine) -> SqlTables:
    tables = SqlTables(engine, PUBLIC)
    tables.add_users(a_user("anna"), a_user("bert"))
    tables.add_posts(a_post("first", "anna"), a_post("private", "anna"), a_post("club", "anna"))
    tables.run("UPDATE {posts} SET visibility = 'followers' WHERE external_id = 'private'")
    tables.run("UPDATE {posts} SET visibility = 'members', audience_id = 'c' WHERE external_id = 'club'")
    return tables


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def reply(connection: Connection, name: str) -> str:
    """Write a reply of Bert to the first post with its event, as the web application does; return its id."""
    id_ = str(post_uuid(name))
    connection.exec_driver_sql(REPLY, (id_, id_, BERT, FIRST, FIRST))
    connection.exec_driver_sql(COMMENT, (BERT, FIRST, "comment", id_, "Yes"))
    return id_


def test_old_comments_become_replies_and_keep_their_events(empty_engine: Engine) -> None:
    migrate(empty_engine, PUBLIC, "0018")
    tables = some_feed(empty_engine)
    event = str(post_uuid("an event"))
    for user, post, kind, event_id, text in (
        (BERT, FIRST, "comment", event, "a comment"),
        (ANNA, FIRST, "comment", None, "one without event id"),
        (BERT, FIRST, "comment", None, "  "),
        (BERT, FIRST, "like", None, "no comment"),
        (BERT, PRIVATE, "comment", None, "for followers"),
        (ANNA, PRIVATE, "comment", None, "by the author"),
        (BERT, CLUB, "comment", None, "among members"),
    ):
        tables.run(COMMENT, user, post, kind, event_id, text)
    events = "SELECT id, event_id, metadata, seq FROM user_interaction ORDER BY seq"
    before = rows(empty_engine, events)

    migrate(empty_engine, PUBLIC)

    replies = (
        "SELECT content, author_id::text, reply_to::text, root_id::text, visibility, audience_id FROM posts "
        "WHERE reply_to IS NOT NULL ORDER BY seq"
    )
    assert rows(empty_engine, replies) == [
        ("a comment", BERT, FIRST, FIRST, "public", None),
        ("one without event id", ANNA, FIRST, FIRST, "public", None),
        ("by the author", ANNA, PRIVATE, PRIVATE, "followers", None),
        ("among members", BERT, CLUB, CLUB, "members", "c"),
    ]
    assert rows(empty_engine, events) == before
    ids = [id_ for (id_,) in rows(empty_engine, "SELECT id FROM posts WHERE reply_to IS NOT NULL")]
    assert str(ids[0]) == event


def test_the_previous_version_writes_comments_and_posts_as_before(engine: Engine) -> None:
    tables = some_feed(engine)

    tables.run(COMMENT, BERT, FIRST, "comment", None, "from the previous version")
    tables.run("INSERT INTO posts (external_id, author_id, content) VALUES ('new', %s, 'A post')", ANNA)
    tables.run("DELETE FROM posts WHERE external_id = 'new'")

    assert rows(engine, "SELECT metadata->>'text' FROM user_interaction") == [("from the previous version",)]


@pytest.mark.parametrize(
    "statement", ["DELETE FROM posts WHERE id = %s", "DELETE FROM posts WHERE id IN (%s, NULL)"]
)
def test_a_reply_and_its_event_are_removed_together(engine: Engine, statement: str) -> None:
    tables = some_feed(engine)
    with engine.begin() as connection:
        kept, gone = reply(connection, "kept"), reply(connection, "gone")
    tables.run(COMMENT, BERT, FIRST, "comment", None, "another comment")
    settle(engine)
    log = SqlFeedLog(engine)
    position = log.read_all().position

    tables.run(statement, gone)

    settle(engine)
    changes = log.read_changes(position)
    assert [str(id_) for id_ in changes.removed_posts] == [gone]
    assert rows(engine, "SELECT event_id::text FROM user_interaction ORDER BY seq") == [(kept,), (None,)]
    assert rows(engine, "SELECT comments FROM feed_post_engagement") == [(2,)]


def test_a_post_is_deleted_without_the_events_of_other_users_that_have_its_id(engine: Engine) -> None:
    tables = some_feed(engine)
    with engine.begin() as connection:
        id_ = str(post_uuid("mine"))
        connection.exec_driver_sql(REPLY, (id_, id_, BERT, FIRST, FIRST))
        connection.exec_driver_sql(COMMENT, (ANNA, FIRST, "comment", id_, "with the id of another post"))

    tables.run("DELETE FROM posts WHERE id = %s", id_)

    assert rows(engine, "SELECT event_id::text FROM user_interaction") == [(id_,)]


def test_posts_of_a_team_get_no_column_and_no_trigger(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE posts (id uuid PRIMARY KEY, author_id uuid, content text)")

    migrate(empty_engine, PUBLIC)

    columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'posts'::regclass AND attnum > 0"
    assert rows(empty_engine, columns) == [("id",), ("author_id",), ("content",)]
    assert rows(empty_engine, "SELECT tgname FROM pg_trigger WHERE tgrelid = 'posts'::regclass") == []
    assert rows(empty_engine, "SELECT * FROM feed_post_quotes") == []
