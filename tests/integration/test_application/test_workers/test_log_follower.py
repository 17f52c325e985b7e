"""Workers over PostgreSQL: a start from a snapshot, and adopted tables that change while the service runs."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Engine

from app.domain.entities import INTERACTION_TYPES
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.live_feeds import feed_differences, reconcile_now
from tests.support.restarts import a_folder
from tests.support.small_service import SmallService, names
from tests.support.sql_services import a_process
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user, did

MINUTE = timedelta(minutes=1)
USERS = [f"u{n}" for n in range(12)]
ADOPT = (Path(__file__).parents[4] / "deploy/sql/adopt_triggers.sql").read_text()
TEAMS_TABLES = """
CREATE SCHEMA team;
CREATE TABLE team.members (member uuid PRIMARY KEY);
CREATE TABLE team.articles (article uuid PRIMARY KEY, writer uuid, body text, hidden bool, reads int, made timestamptz);
CREATE TABLE team.subscriptions (reader uuid, writer uuid);
CREATE OR REPLACE VIEW feed_users AS SELECT member AS id, NULL::text AS external_id, NULL::timestamptz AS created_at
    FROM team.members;
CREATE OR REPLACE VIEW feed_posts AS SELECT article AS id, NULL::text AS external_id, writer AS author_id,
    body AS content, '{}'::text[] AS tags, NOT hidden AS visible, made AS created_at, n.seq
    FROM team.articles LEFT JOIN feed_post_number n ON n.post_id = article;
CREATE OR REPLACE VIEW feed_follows AS SELECT reader AS follower_id, writer AS followee_id,
    NULL::timestamptz AS created_at FROM team.subscriptions
"""
WITH_TRIGGERS = (
    "SET feed.users = 'team.members'; SET feed.posts = 'team.articles'; SET feed.follows = 'team.subscriptions';"
    "SET feed.user_id = 'r.member'; SET feed.post_id = 'r.article'; SET feed.follower_id = 'r.reader';"
    "SET feed.followee_id = 'r.writer'; SET feed.post_watched = 'r.writer, r.body, r.hidden, r.made';" + ADOPT
)


@pytest.fixture
def engine(own_database_url: str) -> Iterator[Engine]:
    made = create_feed_engine(own_database_url, connect_seconds=10, pool_size=4)
    yield made
    made.dispose()


# -- from a snapshot ---------------------------------------------------------------------------------------------------


def add_activity(engine: Engine, start: int, *, posts: int) -> None:
    """Add posts and events, a minute apart each, from minute `start` on."""
    rng = np.random.default_rng(start)
    tables, interactions = (
        SqlTables(engine, SchemaName()),
        SqlInteractionRepository(engine, budget_seconds=20),
    )
    for n in range(posts):
        at = NOON + (start + n) * MINUTE
        tables.add_posts(a_post(f"p{start + n}", USERS[int(rng.integers(12))], at=at))
    post_names = [f"p{start + n}" for n in range(posts)]
    interactions.record(
        [
            did(
                USERS[int(rng.integers(12))],
                post_names[int(rng.integers(posts))],
                INTERACTION_TYPES[int(rng.integers(5))],
                at=NOON + (start + posts + n) * MINUTE,
            )
            for n in range(60)
        ]
    )


@pytest.mark.parametrize("deletes", [False, True])
def test_a_process_started_from_a_snapshot_responds_like_one_that_read_everything(
    engine: Engine, tmp_path: Path, deletes: bool
) -> None:
    tables = SqlTables(engine, SchemaName())
    tables.add_users(*(a_user(name) for name in USERS))
    add_activity(engine, 0, posts=20)
    running, _ = a_process(engine, snapshots=a_folder(tmp_path))
    running.publish(trained := running.train(learned=True))
    running.write_snapshot()
    tables.add_users(a_user("late"))
    tables.add_follow(user_uuid("u1"), user_uuid("u2"))
    tables.run("UPDATE {posts} SET visible = false WHERE external_id = 'p3'")
    add_activity(engine, 100, posts=10)
    if deletes:
        tables.remove_post(post_uuid("p5"))

    running.catch_up()
    started, log = a_process(engine, trained, snapshots=a_folder(tmp_path))
    fully_read, _ = a_process(engine, trained)

    assert log.full_reads == 0
    now = running.clock.at.timestamp()
    assert feed_differences(started.feed.state, fully_read.feed.state, now) == []
    # features count a deleted post as long as a process has its row
    same = running if deletes else fully_read
    for user in [*USERS, "late", "nobody"]:
        actual, expected = started.page(user, limit=40), same.page(user, limit=40)
        assert names(actual) == names(expected)
        assert actual.scores == pytest.approx(expected.scores, abs=1e-9)


# -- tables of a team --------------------------------------------------------------------------------------------------

READER, WRITER, OTHER = (UUID(int=n) for n in (1, 2, 3))
ARTICLES = [UUID(int=n) for n in range(10, 15)]


@pytest.fixture
def team(engine: Engine) -> Callable[..., None]:
    """Runs a statement on the tables of a team, which the views read."""

    def run(statement: str, *values: object) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement, tuple(map(str, values)))

    run(TEAMS_TABLES)
    for member in (READER, WRITER, OTHER):
        run("INSERT INTO team.members VALUES (%s)", member)
    for n, article in enumerate(ARTICLES):
        run(
            "INSERT INTO team.articles VALUES (%s, %s, 'text', false, 0, %s)",
            article,
            WRITER,
            NOON - n * MINUTE,
        )
    run("INSERT INTO team.subscriptions VALUES (%s, %s)", READER, WRITER)
    return run


def rewrite(team: Callable[..., None]) -> None:
    """Make changes that a running service must find."""
    team("UPDATE team.articles SET hidden = true WHERE article = %s", ARTICLES[0])
    team("UPDATE team.articles SET writer = %s WHERE article = %s", OTHER, ARTICLES[1])
    team("DELETE FROM team.articles WHERE article = %s", ARTICLES[2])
    team("INSERT INTO team.articles VALUES (%s, %s, 'new', false, 0, %s)", UUID(int=20), WRITER, NOON)
    team("UPDATE team.subscriptions SET writer = %s", OTHER)


def post_ids(service: SmallService, mode: str) -> set[str]:
    return set(service.page(str(READER), limit=50, mode=mode).post_ids)


def assert_rewritten(service: SmallService) -> None:
    assert post_ids(service, "newest") == {
        str(UUID(int=20)),
        *map(str, (ARTICLES[1], ARTICLES[3], ARTICLES[4])),
    }
    assert post_ids(service, "following") == {str(ARTICLES[1])}


def test_changes_of_a_teams_tables_are_found_by_comparison(engine: Engine, team: Callable[..., None]) -> None:
    service, _ = a_process(engine)
    before = post_ids(service, "following")

    rewrite(team)
    service.catch_up()
    before_comparison = post_ids(service, "following")
    reconcile_now(service)

    assert before == before_comparison == set(map(str, ARTICLES))
    assert_rewritten(service)


def test_the_external_ids_of_a_teams_tables_are_found_and_their_changes_by_comparison(
    engine: Engine, team: Callable[..., None]
) -> None:
    team("ALTER TABLE team.members ADD name text")
    team("UPDATE team.members SET name = 'ann' WHERE member = %s", WRITER)
    team(
        "CREATE OR REPLACE VIEW feed_users AS "
        "SELECT member AS id, name AS external_id, NULL::timestamptz AS created_at FROM team.members"
    )
    service, _ = a_process(engine)
    at_start = service.feed.user_id("ann")

    team("UPDATE team.members SET name = 'anna' WHERE member = %s", WRITER)
    reconcile_now(service)

    assert at_start == service.feed.user_id(" anna") == WRITER
    assert service.feed.user_id("ann") == user_uuid("ann")


def test_with_triggers_on_a_teams_tables_changes_arrive_at_once(
    engine: Engine, team: Callable[..., None]
) -> None:
    for _ in range(2):  # the second run changes nothing
        team(WITH_TRIGGERS.replace("%", "%%"))
    service, _ = a_process(engine)

    rewrite(team)
    service.catch_up()

    assert_rewritten(service)


def outbox(engine: Engine) -> list[tuple[str, str, str]]:
    with engine.begin() as connection:
        rows = connection.exec_driver_sql("DELETE FROM feed_change RETURNING entity, op, key::text")
        return sorted(tuple(row) for row in rows)


def test_triggers_on_a_teams_tables_write_each_relevant_change_once(
    engine: Engine, team: Callable[..., None]
) -> None:
    team(WITH_TRIGGERS.replace("%", "%%"))
    team("UPDATE team.articles SET reads = reads + 1")
    after_irrelevant = outbox(engine)
    team("UPDATE team.articles SET article = %s WHERE article = %s", UUID(int=30), ARTICLES[0])
    moved = outbox(engine)
    team("INSERT INTO team.subscriptions VALUES (NULL, %s)", WRITER)
    team("TRUNCATE team.members")

    assert after_irrelevant == []
    assert moved == [("post", "delete", str(ARTICLES[0])), ("post", "upsert", str(UUID(int=30)))]
    assert outbox(engine) == [("user", "delete", str(member)) for member in (READER, WRITER, OTHER)]


def test_a_team_can_write_after_the_feed_is_uninstalled(engine: Engine, team: Callable[..., None]) -> None:
    team(WITH_TRIGGERS.replace("%", "%%"))
    migrate(engine, SchemaName(), "base")

    team("UPDATE team.articles SET hidden = true")
