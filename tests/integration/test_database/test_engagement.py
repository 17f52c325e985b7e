"""The counts that triggers keep: equal to a scan of the log, whatever is written, removed or rolled back."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Connection, Engine

from app.domain.entities import INTERACTION_TYPES, Interaction
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.migrations import engagement_backfill
from app.infrastructure.database.schema import SchemaName
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user

PUBLIC = SchemaName()
USERS = [user_uuid(f"user-{n}") for n in range(6)]
POSTS = [post_uuid(f"post-{n}") for n in range(4)]
COUNTS = "SELECT post_id, likes, comments, shares FROM feed_post_engagement ORDER BY post_id"
SCANNED_COUNTS = """
    SELECT post_id, count(DISTINCT user_id) FILTER (WHERE interaction_type = 'like'),
        count(*) FILTER (WHERE interaction_type = 'comment'),
        count(DISTINCT user_id) FILTER (WHERE interaction_type = 'share')
    FROM user_interaction WHERE interaction_type IN ('like', 'comment', 'share') GROUP BY post_id ORDER BY post_id
"""
BY_USER = "SELECT post_id, user_id, likes, comments, shares FROM feed_engagement ORDER BY post_id, user_id"
SCANNED_BY_USER = """
    SELECT post_id, user_id, count(*) FILTER (WHERE interaction_type = 'like'),
        count(*) FILTER (WHERE interaction_type = 'comment'), count(*) FILTER (WHERE interaction_type = 'share')
    FROM user_interaction WHERE interaction_type IN ('like', 'comment', 'share')
    GROUP BY post_id, user_id ORDER BY post_id, user_id
"""
ADD = "INSERT INTO user_interaction (user_id, post_id, interaction_type) VALUES (%s, %s, %s)"
Rows = Sequence[tuple[Any, ...]]


@pytest.fixture
def tables(engine: Engine) -> SqlTables:
    return with_users_and_posts(engine)


def with_users_and_posts(engine: Engine) -> SqlTables:
    tables = SqlTables(engine, PUBLIC)
    tables.add_users(*(a_user(f"user-{n}") for n in range(len(USERS))))
    tables.add_posts(*(a_post(f"post-{n}") for n in range(len(POSTS))))
    return tables


def rows(engine: Engine, query: str) -> Rows:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def assert_exact(engine: Engine) -> None:
    """Compare the counts with the log. A post without events may have a row of zeros."""
    assert [row for row in rows(engine, COUNTS) if any(row[1:])] == rows(engine, SCANNED_COUNTS)
    assert rows(engine, BY_USER) == rows(engine, SCANNED_BY_USER)


def write_at_random(connection: Connection, random: np.random.Generator) -> None:
    """Add, change or remove some events."""
    user, post = str(random.choice(USERS)), str(random.choice(POSTS))
    kind = str(random.choice(INTERACTION_TYPES))
    match random.integers(6):
        case 0 | 1 | 2:
            kinds = random.choice(INTERACTION_TYPES, 5)
            several = [
                (str(random.choice(USERS)), str(random.choice(POSTS)), str(one)) for one in [kind, *kinds]
            ]
            statement = ADD + ", (%s, %s, %s)" * 5
            connection.exec_driver_sql(statement, tuple(value for row in several for value in row))
        case 3:
            delete = (
                "DELETE FROM user_interaction WHERE user_id = %s AND post_id = %s AND interaction_type = %s"
            )
            connection.exec_driver_sql(delete, (user, post, kind))
        case 4:
            move = "UPDATE user_interaction SET post_id = %s, interaction_type = %s WHERE user_id = %s AND seq %% 3 = 0"
            connection.exec_driver_sql(move, (post, kind, user))
        case _:
            connection.exec_driver_sql(
                "DELETE FROM user_interaction WHERE seq %% 7 = %s", (int(random.integers(7)),)
            )


def test_counts_equal_a_scan_after_any_writes(engine: Engine, tables: SqlTables) -> None:
    random = np.random.default_rng(3)
    for step in range(60):
        with engine.connect() as connection:
            write_at_random(connection, random)
            if step % 5 == 0:
                connection.rollback()
            connection.commit()
    assert_exact(engine)

    tables.remove_user(USERS[0])
    tables.remove_post(POSTS[0])
    assert_exact(engine)

    tables.run("TRUNCATE user_interaction")
    assert rows(engine, COUNTS) == rows(engine, BY_USER) == []


def test_two_hundred_shares_of_one_user_count_once_until_the_last_is_removed(
    engine: Engine, tables: SqlTables
) -> None:
    repository = SqlInteractionRepository(engine, budget_seconds=20)
    user, post = USERS[0], POSTS[0]
    repository.record([Interaction(user, post, "share", NOON)] * 200)
    repository.record([Interaction(user, post, "like", NOON)] * 3)

    counted = rows(engine, COUNTS)
    repository.retract(user, post, "share")

    assert counted == [(post, 1, 0, 1)]
    assert rows(engine, COUNTS) == [(post, 1, 0, 0)]


def test_concurrent_writers_of_one_post_do_not_fail_and_count_exactly(
    engine: Engine, tables: SqlTables
) -> None:
    """Each transaction has several statements, whose posts and users come in another order each time."""

    def write(seed: int) -> None:
        random = np.random.default_rng(seed)
        with engine.connect() as connection:
            if seed == 0:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            for _ in range(25):
                for post in random.permutation(POSTS)[:3]:
                    connection.exec_driver_sql(ADD, (str(USERS[seed]), str(post), "like"))
                retract = "DELETE FROM user_interaction WHERE user_id = %s AND post_id = %s"
                connection.exec_driver_sql(retract, (str(USERS[seed]), str(random.choice(POSTS))))
                connection.commit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))

    assert_exact(engine)


def test_a_post_has_as_many_rows_as_it_had_writers_at_once(engine: Engine, tables: SqlTables) -> None:
    with engine.connect() as first, engine.connect() as second:
        for n in range(60):
            for writer, connection in enumerate((first, second)):
                connection.exec_driver_sql(ADD, (str(USERS[n % 3 + 3 * writer]), str(POSTS[0]), "comment"))
        for connection in (first, second):
            connection.commit()
    tables.run(ADD, str(USERS[0]), str(POSTS[0]), "comment")

    assert len(rows(engine, "SELECT FROM feed_engagement_count")) == 2
    assert rows(engine, COUNTS) == [(POSTS[0], 0, 121, 0)]


def test_a_transaction_does_not_wait_for_another_one_with_the_same_post(
    engine: Engine, tables: SqlTables
) -> None:
    with engine.connect() as first, engine.connect() as second:
        for connection, user in ((first, USERS[0]), (second, USERS[1])):
            connection.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
            connection.exec_driver_sql(ADD, (str(user), str(POSTS[0]), "like"))
        for connection in (first, second):
            connection.commit()

    assert rows(engine, COUNTS) == [(POSTS[0], 2, 0, 0)]


def test_a_transaction_does_not_wait_for_another_one_with_the_same_user_and_post(
    engine: Engine, tables: SqlTables
) -> None:
    """What it could not count is counted by the next write after the other one has ended."""
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            connection.exec_driver_sql("SET LOCAL statement_timeout = '1s'")
            connection.exec_driver_sql(ADD, (str(USERS[0]), str(POSTS[0]), "like"))
            connection.exec_driver_sql(ADD, (str(USERS[0]), str(POSTS[0]), "comment"))
        second.commit()
        meanwhile = rows(engine, COUNTS)
        first.commit()
    tables.run(ADD, str(USERS[1]), str(POSTS[0]), "like")

    assert meanwhile == []
    assert rows(engine, COUNTS) == [(POSTS[0], 2, 2, 0)]
    assert_exact(engine)
    assert rows(engine, "SELECT FROM feed_engagement_late") == []

    tables.remove_user(USERS[0])
    tables.remove_user(USERS[1])
    assert rows(engine, BY_USER) == []


def test_events_of_before_the_migration_are_counted_in_portions(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the portions writers remove and add events; an interrupted backfill continues."""
    engine, random = empty_engine, np.random.default_rng(5)
    migrate(engine, PUBLIC, "0015")
    with_users_and_posts(engine)
    for _ in range(30):
        with engine.begin() as connection:
            write_at_random(connection, random)
    monkeypatch.setattr(engagement_backfill, "EVENTS_PER_PORTION", 10)
    add, portions = engagement_backfill.add_engagement, 0

    def interrupted(schema: SchemaName, selected: str) -> str:
        nonlocal portions
        portions += 1
        if portions == 3:
            raise InterruptedError
        return add(schema, selected)

    with monkeypatch.context() as patch:
        patch.setattr(engagement_backfill, "add_engagement", interrupted)
        with pytest.raises(InterruptedError):
            migrate(engine, PUBLIC)
    for _ in range(10):
        with engine.begin() as connection:
            write_at_random(connection, random)
    migrate(engine, PUBLIC)

    assert portions == 3
    assert_exact(engine)


@pytest.mark.slow
def test_counts_of_twenty_posts_with_a_million_events_are_read_in_five_milliseconds(
    engine: Engine, tables: SqlTables
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (external_id) SELECT 'reader-' || n FROM generate_series(1, 50000) n"
        )
        connection.exec_driver_sql(
            "INSERT INTO posts (external_id) SELECT 'popular-' || n FROM generate_series(1, 20) n"
        )
        connection.exec_driver_sql(
            "INSERT INTO user_interaction (user_id, post_id, interaction_type) "
            "SELECT u.id, p.id, (ARRAY['view', 'click', 'like', 'comment', 'share'])[1 + (u.seq + p.seq) %% 5] "
            "FROM posts p, users u WHERE p.external_id LIKE 'popular-%%' AND u.external_id LIKE 'reader-%%'"
        )
        connection.exec_driver_sql(
            "INSERT INTO feed_engagement_count (post_id, likes, comments, shares) "
            "SELECT gen_random_uuid(), 1, 0, 0 FROM generate_series(1, 200000)"
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
        ids: list[UUID] = list(
            connection.exec_driver_sql("SELECT id FROM posts WHERE external_id LIKE 'popular-%%'").scalars()
        )
        seconds = []
        for _ in range(20):
            began = time.perf_counter()
            found = connection.exec_driver_sql(
                "SELECT e.* FROM feed_posts p CROSS JOIN LATERAL (SELECT sum(likes), sum(comments), sum(shares) "
                "FROM feed_engagement_count c WHERE c.post_id = p.id) e WHERE p.id = ANY(%s::uuid[])",
                (ids,),
            ).all()
            seconds.append(time.perf_counter() - began)

    assert [tuple(row) for row in found] == [(10_000, 10_000, 10_000)] * 20
    assert min(seconds) <= 0.005
