"""Purging the outbox, and where views show what no trigger writes into it."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import InternalError

from app.domain.errors import PositionExpired
from app.domain.ids import post_uuid
from app.domain.repositories.feed_log import LogPosition
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.postgres import settle
from tests.support.storage_under_test import SqlTables, a_post, a_user

PUBLIC = SchemaName()
AGED = "UPDATE feed_change SET created_at = created_at - interval '8 days'"
WEEK = timedelta(days=7)


@pytest.fixture
def tables(engine: Engine) -> SqlTables:
    """Anna, Bert and two posts: four changes."""
    made = SqlTables(engine, PUBLIC)
    made.add_users(a_user("anna"), a_user("bert"))
    made.add_posts(a_post("first", "anna"), a_post("second"))
    settle(engine)
    return made


def changes_kept(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM feed_change").scalar_one())


def test_old_changes_are_purged_and_a_reader_that_had_read_them_continues(
    engine: Engine, tables: SqlTables
) -> None:
    log = SqlFeedLog(engine)
    position = log.read_all().position
    tables.run(AGED)
    tables.add_posts(a_post("third"))

    purged = log.purge(WEEK)

    assert purged == 4
    assert changes_kept(engine) == 1
    assert [post.external_id for post in log.read_changes(position).posts] == ["third"]
    assert log.can_resume_from(position)
    assert log.purge(WEEK) == 0


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_position_before_purged_changes_has_expired(
    engine: Engine, tables: SqlTables, forgetful: bool
) -> None:
    log = SqlFeedLog(engine)
    position = log.read_all().position
    if forgetful:
        position = LogPosition(position.source, position.xid)
    tables.remove_post(post_uuid("first"))
    tables.run(AGED)
    settle(engine)

    log.purge(WEEK)

    with pytest.raises(PositionExpired):
        log.read_changes(position)
    assert not log.can_resume_from(position)
    assert list(log.read_changes(log.read_all().position).posts) == []


def test_a_purge_removes_portions_until_no_old_change_remains(
    engine: Engine, tables: SqlTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.infrastructure.database.feed_log_impl.MAX_ROWS_PER_PURGE", 3)
    tables.run(AGED)

    assert SqlFeedLog(engine).purge(WEEK) == 4
    assert changes_kept(engine) == 0


def test_a_change_is_kept_while_a_transaction_as_old_as_it_is_open(engine: Engine, tables: SqlTables) -> None:
    log = SqlFeedLog(engine)
    with engine.connect() as long_one:
        long_one.exec_driver_sql("UPDATE posts SET visible = false WHERE external_id = 'first'")
        position = log.read_all().position  # which sees nothing from the open transaction on
        tables.add_posts(a_post("third"))
        tables.run(AGED)
        during = log.purge(WEEK)
        read = log.read_changes(position)
        long_one.commit()

    assert during == 4
    assert [post.external_id for post in read.posts] == ["third"]
    tables.run(AGED)
    settle(engine)
    assert log.purge(WEEK) == 2


def test_a_purged_change_that_was_uncommitted_at_the_position_expires_it(
    engine: Engine, tables: SqlTables
) -> None:
    log = SqlFeedLog(engine)
    with engine.connect() as long_one:
        long_one.exec_driver_sql("UPDATE posts SET visible = false WHERE external_id = 'first'")
        tables.add_posts(a_post("third"))
        position = log.read_all().position  # which sees the third post and not the older change
        long_one.commit()
    tables.run(AGED)
    settle(engine)

    log.purge(WEEK)

    with pytest.raises(PositionExpired):
        log.read_changes(position)


def test_changes_younger_than_an_hour_are_never_purged(engine: Engine, tables: SqlTables) -> None:
    with pytest.raises(InternalError, match="an hour at least"):
        SqlFeedLog(engine).purge(timedelta(minutes=59))


def test_the_purged_position_of_another_cluster_is_ignored(engine: Engine, tables: SqlTables) -> None:
    tables.run("UPDATE feed_change_swept SET xid = '999999999'")  # as pg_restore leaves it
    log = SqlFeedLog(engine)

    assert log.read_changes(log.read_all().position).events == []
    migrate(engine, PUBLIC)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT xid::text FROM feed_change_swept").scalar_one() == "0"


VIEW = "CREATE OR REPLACE VIEW feed_posts AS SELECT id, external_id, author_id, content, tags,"
WAYS = {
    "filtered": f"{VIEW} visible, created_at, seq FROM posts WHERE created_at < now()",
    "joined": f"{VIEW} visible, created_at, seq FROM posts, (SELECT count(*) FROM users) AS u",
    "by the hour": f"{VIEW} created_at < now() AS visible, created_at, seq FROM posts",
    "unwatched": "CREATE OR REPLACE VIEW feed_users AS SELECT id, username AS external_id, created_at FROM users",
    "gone": "DROP VIEW feed_follows",
    "disabled": "ALTER TABLE posts DISABLE TRIGGER feed_posts_update",
    "dropped": "DROP TRIGGER feed_follows_delete ON follows",
    "not ours": "COMMENT ON TABLE users IS 'of a team'",
}


@pytest.mark.parametrize("changed", WAYS.values(), ids=WAYS)
def test_a_view_that_can_change_without_a_trigger_is_noticed(
    engine: Engine, tables: SqlTables, changed: str
) -> None:
    log = SqlFeedLog(engine)
    position = log.read_all().position
    before = log.has_complete_change_capture(), log.can_resume_from(position)

    tables.run(changed)

    assert before == (True, True)
    assert (log.has_complete_change_capture(), log.can_resume_from(position)) == (False, False)
