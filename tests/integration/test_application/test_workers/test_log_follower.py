"""The keeper over PostgreSQL: a start from a snapshot, and tables of a team that change under a running service."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Engine

from app.domain.entities import INTERACTION_TYPES
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.model_interface import PublishedModel
from app.domain.repositories.feed_log import FeedSnapshot
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.post_repository_impl import SqlPostRepository
from app.infrastructure.database.schema import SchemaName
from tests.support.small_service import SmallService, names
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user, did

MINUTE = timedelta(minutes=1)
PEOPLE = [f"u{n}" for n in range(12)]
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
    made = create_feed_engine(own_database_url, connect_seconds=10)
    yield made
    made.dispose()


class CountedLog(SqlFeedLog):
    """How often the feed was read as a whole."""

    whole_reads = 0

    def read_all(self) -> FeedSnapshot:
        self.whole_reads += 1
        return super().read_all()


def a_process(engine: Engine, trained: PublishedModel | None = None) -> tuple[SmallService, CountedLog]:
    """Another process of the service, which has started."""
    service, log = SmallService(), CountedLog(engine)
    service.clock.at = NOON + timedelta(days=1)
    service.log = service.keeper._log = log
    service.keeper._posts = service.keeper._updater._posts = SqlPostRepository(engine, budget_seconds=20)
    if trained is not None:
        service.publish(trained)
    service.catch_up()
    return service, log


# -- from a snapshot ---------------------------------------------------------------------------------------------------


def a_lively_hour(engine: Engine, start: int, *, posts: int) -> None:
    """Some posts, follows and events, a minute apart each; `start` in minutes."""
    rng = np.random.default_rng(start)
    tables, interactions = (
        SqlTables(engine, SchemaName()),
        SqlInteractionRepository(engine, budget_seconds=20),
    )
    for n in range(posts):
        at = NOON + (start + n) * MINUTE
        tables.add_posts(a_post(f"p{start + n}", PEOPLE[int(rng.integers(12))], at=at))
    there = [f"p{start + n}" for n in range(posts)]
    interactions.record(
        [
            did(
                PEOPLE[int(rng.integers(12))],
                there[int(rng.integers(posts))],
                INTERACTION_TYPES[int(rng.integers(5))],
                at=NOON + (start + posts + n) * MINUTE,
            )
            for n in range(60)
        ]
    )


@pytest.mark.parametrize("deletes", [False, True])
def test_a_process_that_starts_from_a_snapshot_answers_as_one_that_read_everything(
    engine: Engine, deletes: bool
) -> None:
    tables = SqlTables(engine, SchemaName())
    tables.add_users(*(a_user(name) for name in PEOPLE))
    a_lively_hour(engine, 0, posts=20)
    trained = a_process(engine)[0].train(learned=True)
    tables.add_users(a_user("late"))
    tables.add_follow(user_uuid("u1"), user_uuid("u2"))
    tables.run("UPDATE {posts} SET visible = false WHERE external_id = 'p3'")
    a_lively_hour(engine, 100, posts=10)
    if deletes:
        tables.remove_post(post_uuid("p5"))

    started, log = a_process(engine, trained)
    object.__setattr__(trained.model, "position", None)
    reader, whole_log = a_process(engine, trained)

    assert (log.whole_reads, whole_log.whole_reads) == (int(deletes), 1)
    for person in [*PEOPLE, "late", "stranger"]:
        one, other = started.page(person, limit=40), reader.page(person, limit=40)
        assert names(one) == names(other)
        assert one.scores == pytest.approx(other.scores, abs=1e-9)


# -- tables of a team --------------------------------------------------------------------------------------------------

READER, WRITER, OTHER = (UUID(int=n) for n in (1, 2, 3))
ARTICLES = [UUID(int=n) for n in range(10, 15)]


@pytest.fixture
def team(engine: Engine) -> Callable[..., None]:
    """Runs a statement on a team's tables, which stand behind the views."""

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
    """What a running service must hear of."""
    team("UPDATE team.articles SET hidden = true WHERE article = %s", ARTICLES[0])
    team("UPDATE team.articles SET writer = %s WHERE article = %s", OTHER, ARTICLES[1])
    team("DELETE FROM team.articles WHERE article = %s", ARTICLES[2])
    team("INSERT INTO team.articles VALUES (%s, %s, 'new', false, 0, %s)", UUID(int=20), WRITER, NOON)
    team("UPDATE team.subscriptions SET writer = %s", OTHER)


def seen(service: SmallService, mode: str) -> set[str]:
    return set(service.page(str(READER), limit=50, mode=mode).post_ids)


def shows_the_rewritten_feed(service: SmallService) -> None:
    assert seen(service, "newest") == {str(UUID(int=20)), *map(str, (ARTICLES[1], ARTICLES[3], ARTICLES[4]))}
    assert seen(service, "following") == {str(ARTICLES[1])}


def test_changes_of_a_teams_tables_are_found_by_comparison(engine: Engine, team: Callable[..., None]) -> None:
    service, _ = a_process(engine)
    before = seen(service, "following")

    rewrite(team)
    service.catch_up()
    unheard = seen(service, "following")
    object.__setattr__(service.keeper._intervals, "reconcile", -1.0)
    service.catch_up()

    assert before == unheard == set(map(str, ARTICLES))
    shows_the_rewritten_feed(service)


def test_with_triggers_on_a_teams_tables_changes_are_heard_of_at_once(
    engine: Engine, team: Callable[..., None]
) -> None:
    for _ in range(2):  # running it again changes nothing
        team(WITH_TRIGGERS.replace("%", "%%"))
    service, _ = a_process(engine)

    rewrite(team)
    service.catch_up()

    shows_the_rewritten_feed(service)


def outbox(engine: Engine) -> list[tuple[str, str, str]]:
    with engine.begin() as connection:
        found = connection.exec_driver_sql("DELETE FROM feed_change RETURNING entity, op, key::text")
        return sorted(tuple(row) for row in found)


def test_triggers_on_a_teams_tables_write_what_matters_once(
    engine: Engine, team: Callable[..., None]
) -> None:
    team(WITH_TRIGGERS.replace("%", "%%"))
    team("UPDATE team.articles SET reads = reads + 1")
    nothing = outbox(engine)
    team("UPDATE team.articles SET article = %s WHERE article = %s", UUID(int=30), ARTICLES[0])
    moved = outbox(engine)
    team("INSERT INTO team.subscriptions VALUES (NULL, %s)", WRITER)
    team("TRUNCATE team.members")

    assert nothing == []
    assert moved == [("post", "delete", str(ARTICLES[0])), ("post", "upsert", str(UUID(int=30)))]
    assert outbox(engine) == [("user", "delete", str(one)) for one in (READER, WRITER, OTHER)]


def test_a_team_writes_on_when_the_feed_is_taken_down(engine: Engine, team: Callable[..., None]) -> None:
    team(WITH_TRIGGERS.replace("%", "%%"))
    migrate(engine, SchemaName(), "base")

    team("UPDATE team.articles SET hidden = true")
