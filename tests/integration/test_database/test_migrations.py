"""What the migrations make, what they leave alone, and what the service's role may do."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from app.domain.entities import Impression, Interaction, Reason
from app.domain.entities.control import Control
from app.domain.errors import StorageUnavailable, UnknownPost, UnknownUser
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.recommendation_repository import SavedRecommendations
from app.infrastructure.database.bulk_load import LoadRejected, load_feed
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.control_repository_impl import SqlControlRepository
from app.infrastructure.database.embedded.locks import wait_until
from app.infrastructure.database.entity_repository_impl import SqlEntityRepository
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.follow_repository_impl import SqlFollowRepository
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.migrate import VERSION_TABLE, MigrationRejected, migrate
from app.infrastructure.database.migrations.concurrent_indexes import INDEXES
from app.infrastructure.database.post_repository_impl import SqlPostRepository
from app.infrastructure.database.recommendation_repository_impl import SqlRecommendationRepository
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.tombstones import Tombstones
from app.infrastructure.database.user_data_repository_impl import SqlUserDataRepository
from tests.support.database_feed import small_feed
from tests.support.postgres import migrate as migrate_by_command
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user, did

ROOT = Path(__file__).parents[3]
PUBLIC = SchemaName()
CATALOGUE = """
    SELECT 'relation', c.relname, c.relkind::text, obj_description(c.oid) FROM pg_class c
        WHERE relnamespace = to_regnamespace(%(schema)s) AND relkind IN ('r', 'v', 'i', 'S')
    UNION ALL SELECT 'column', attrelid::regclass::text || '.' || attname, format_type(atttypid, atttypmod), NULL
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = to_regnamespace(%(schema)s) AND relkind IN ('r', 'v') AND attnum > 0
    UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid), NULL FROM pg_constraint
        WHERE connamespace = to_regnamespace(%(schema)s)
    UNION ALL SELECT 'function', proname, NULL, NULL FROM pg_proc WHERE pronamespace = to_regnamespace(%(schema)s)
    UNION ALL SELECT 'trigger', tgname, NULL, NULL FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
        WHERE relnamespace = to_regnamespace(%(schema)s) AND NOT tgisinternal
    ORDER BY 1, 2, 3
"""
EVENT = "INSERT INTO user_interaction (user_id, post_id, interaction_type, event_id)"
FEEDBACK = "INSERT INTO user_feedback (user_id, action, post_id, author_id, tag)"
TEAMS_TABLES = """
CREATE TABLE users (id uuid PRIMARY KEY, email text, created_at timestamp);
CREATE TABLE posts (id uuid PRIMARY KEY, author_id uuid, content varchar(500), seq integer, created_at timestamp);
CREATE TABLE follows (follower_id uuid, followee_id uuid);
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('of_the_team');
"""


def catalogue(engine: Engine, schema: SchemaName = PUBLIC) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(CATALOGUE, {"schema": str(schema)})]


def run(engine: Engine, statement: str, *values: object) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(statement, values)


def test_up_then_down_then_up_is_the_same_schema_again(empty_engine: Engine) -> None:
    migrate(empty_engine, PUBLIC)
    up = catalogue(empty_engine)
    migrate(empty_engine, PUBLIC, "base")
    down = {name for _, name, *_ in catalogue(empty_engine)}
    migrate(empty_engine, PUBLIC)

    assert catalogue(empty_engine) == up
    assert {name.partition(".")[0] for name in down} <= {
        VERSION_TABLE, f"{VERSION_TABLE}_pkc", f"{VERSION_TABLE}_version_num_not_null",
    }  # fmt: skip


def test_the_owners_indexes_have_their_names_and_columns(engine: Engine) -> None:
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname LIKE 'idx_user%%'"
        )
        found = {name: definition.partition(" USING btree ")[2] for name, definition in rows}

    assert found.items() >= {
        ("idx_user_interaction_user", "(user_id, created_at)"),
        ("idx_user_interaction_post", "(post_id, created_at)"),
        ("idx_user_interaction_time", "(created_at)"),
        ("idx_user_reco_user_score", "(user_id, score DESC)"),
        ("idx_user_reco_expires", "(user_id, expires_at)"),
        ("idx_user_reco_cleanup", "(expires_at)"),
    }


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO users (external_id) VALUES ('')",
        "INSERT INTO users (external_id) VALUES ('anna')",
        "INSERT INTO follows SELECT id, id FROM users",
        "INSERT INTO posts (external_id, created_at) VALUES ('p', 'infinity')",
        "INSERT INTO posts (external_id, author_id) VALUES ('p', gen_random_uuid())",
        f"{EVENT} SELECT u.id, p.id, 'bookmark', NULL FROM users u, posts p",
        f"{EVENT} SELECT u.id, u.id, 'view', NULL FROM users u",
        f"{EVENT} SELECT u.id, p.id, 'view', p.id FROM users u, posts p, generate_series(1, 2)",
        "INSERT INTO feed_change (entity, op, key) VALUES ('follow', 'upsert', gen_random_uuid())",
        f"{FEEDBACK} SELECT u.id, 'ignore', p.id, NULL, NULL FROM users u, posts p",
        f"{FEEDBACK} SELECT u.id, 'hide_post', NULL, u.id, NULL FROM users u",
        f"{FEEDBACK} SELECT u.id, 'block_author', p.id, u.id, NULL FROM users u, posts p",
        f"{FEEDBACK} SELECT u.id, 'mute_tag', NULL, NULL, '' FROM users u",
        f"{FEEDBACK} SELECT p.id, 'hide_post', p.id, NULL, NULL FROM posts p",
    ],
)
def test_the_tables_reject_what_contradicts_the_feed(engine: Engine, statement: str) -> None:
    tables = SqlTables(engine, PUBLIC)
    tables.add_users(a_user("anna"))
    tables.add_posts(a_post("first"))

    with pytest.raises(IntegrityError):
        run(engine, statement)


def test_another_schema_is_made_and_nothing_outside_it_is_touched(empty_engine: Engine) -> None:
    migrate(empty_engine, SchemaName("feed_of_ours"))

    assert catalogue(empty_engine) == []
    names = {name for _, name, *_ in catalogue(empty_engine, SchemaName("feed_of_ours"))}
    assert {"users", "user_interaction", "feed_posts", VERSION_TABLE, "feed_users_insert"} <= names


def test_migrations_at_the_same_time_wait_for_each_other(
    empty_database_url: str, empty_engine: Engine
) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate_by_command, [empty_database_url] * 2))

    assert "feed_users" in {name for _, name, *_ in catalogue(empty_engine)}


def test_a_locked_table_ends_the_migrations_in_one_line_and_changes_nothing(
    empty_database_url: str, empty_engine: Engine
) -> None:
    migrate(empty_engine, PUBLIC, "0010")
    before = catalogue(empty_engine)
    with empty_engine.begin() as other:
        other.exec_driver_sql("LOCK TABLE user_interaction IN ACCESS EXCLUSIVE MODE")
        ran = alembic(empty_database_url)

    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert "lock timeout; repeat it once the transaction" in ran.stderr.splitlines()[-1]
    assert catalogue(empty_engine) == before
    assert alembic(empty_database_url).returncode == 0


def test_an_index_on_an_existing_table_is_built_while_writers_hold_it(empty_engine: Engine) -> None:
    """CREATE INDEX without CONCURRENTLY would wait for the writer, whose transaction is open."""
    migrate(empty_engine, PUBLIC, "0013")
    with empty_engine.connect() as connection, ThreadPoolExecutor(1) as pool:
        writer = connection.begin()
        connection.exec_driver_sql("LOCK TABLE posts IN ROW EXCLUSIVE MODE")
        building = pool.submit(migrate, empty_engine, PUBLIC)
        assert wait_until(lambda: is_building_an_index(empty_engine), 20)
        run(empty_engine, "INSERT INTO users (external_id) VALUES ('written-meanwhile')")
        writer.commit()
        building.result(30)

    assert is_valid(empty_engine, "idx_posts_author_created")


def test_an_index_of_an_interrupted_build_is_built_again(engine: Engine) -> None:
    run(
        engine,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_posts_author_created'::regclass",
    )
    invalid = not is_valid(engine, "idx_posts_author_created")

    migrate(engine, PUBLIC)

    assert invalid
    assert is_valid(engine, "idx_posts_author_created")


def test_indexes_are_built_before_the_migrations_exactly_as_they_build_them(empty_engine: Engine) -> None:
    definitions = "SELECT indexdef FROM pg_indexes WHERE indexname = ANY (%s) ORDER BY indexname"
    found = []
    for first in ("0013", "base"):
        migrate(empty_engine, PUBLIC, first)
        migrate(empty_engine, PUBLIC)
        with empty_engine.connect() as connection:
            found.append(connection.exec_driver_sql(definitions, ([*INDEXES],)).all())

    assert len(found[0]) == len(INDEXES)
    assert found[0] == found[1]


def alembic(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def is_building_an_index(engine: Engine) -> bool:
    with engine.connect() as connection:
        phases = connection.exec_driver_sql("SELECT phase FROM pg_stat_progress_create_index").all()
    return any("waiting for writers" in phase for (phase,) in phases)


def is_valid(engine: Engine, index: str) -> bool:
    query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql(query, (index,)).scalar())


def test_a_teams_tables_are_adopted_and_left_as_they_are(empty_engine: Engine) -> None:
    run(empty_engine, TEAMS_TABLES)
    before = catalogue(empty_engine)
    migrate(empty_engine, PUBLIC)

    kept = {"users", "posts", "follows", "alembic_version"}
    theirs = [row for row in catalogue(empty_engine) if row[1].partition(".")[0] in kept]
    assert theirs == [row for row in before if row[1].partition(".")[0] in kept]
    triggers = {row[1] for row in catalogue(empty_engine) if row[0] == "trigger"}
    assert triggers == {  # of our own logs
        "feed_user_interaction_delete", "feed_user_interaction_truncate", "feed_user_interaction_update",
        "feed_user_feedback_insert", "feed_user_feedback_update", "feed_user_feedback_delete",
        "feed_user_feedback_truncate", "feed_memberships_insert", "feed_memberships_update", "feed_memberships_delete",
        "feed_memberships_truncate", "feed_impression_delete", "feed_engagement_insert", "feed_engagement_update",
        "feed_engagement_delete", "feed_engagement_truncate", "feed_user_interest_insert", "feed_user_interest_update",
        "feed_user_interest_delete", "feed_user_interest_truncate", "feed_experiment_impression",
        "feed_experiment_user_interaction", "feed_experiment_user_feedback",
    }  # fmt: skip

    migrate(empty_engine, PUBLIC, "base")
    left = [row for row in catalogue(empty_engine) if VERSION_TABLE not in row[1]]
    assert left == before


def test_a_teams_tables_serve_as_a_feed(empty_engine: Engine) -> None:
    engine = empty_engine
    run(engine, TEAMS_TABLES)
    migrate(engine, PUBLIC)
    user, author, post, unknown = (UUID(int=n) for n in range(1, 5))
    run(
        engine,
        "INSERT INTO users VALUES (%s, 'a@b', '2026-01-01'), (%s, 'c@d', NULL)",
        str(user),
        str(author),
    )
    run(engine, "INSERT INTO posts VALUES (%s, %s, 'hello', 3, '2026-01-01 12:00')", str(post), str(author))
    run(
        engine,
        "INSERT INTO follows VALUES (%s, %s), (%s, %s)",
        str(user),
        str(author),
        str(user),
        str(unknown),
    )
    log, interactions = SqlFeedLog(engine), SqlInteractionRepository(engine, budget_seconds=20)

    before = log.read_all()
    recorded = interactions.record([Interaction(user, post, "like", NOON)])
    with pytest.raises(UnknownUser, match=str(unknown)):
        interactions.record([Interaction(unknown, post, "like", NOON)])
    with pytest.raises(UnknownPost, match=str(unknown)):
        interactions.record([Interaction(user, unknown, "like", NOON)])
    SqlRecommendationRepository(engine).save([SavedRecommendations(user, [str(post)], [0.5], NOON, NOON)])

    history = before.dataset
    assert set(history.users.external_id) == {str(user), str(author)}
    assert history.posts.external_id == [str(post)]
    assert history.users.key[history.posts.author[0]].tobytes() == author.bytes
    assert history.posts.created.tolist() == [1767268800.0]  # their times carry no zone: UTC
    assert len(history.follows) == 1
    assert log.read_changes(before.position).events == list(recorded.stored)


def test_posts_of_a_team_are_numbered_densely_and_permanently_when_first_read(empty_engine: Engine) -> None:
    engine = empty_engine
    run(engine, TEAMS_TABLES)
    migrate(engine, PUBLIC)
    add = "INSERT INTO posts VALUES (%s, NULL, 'text', NULL, %s)"
    run(engine, add, str(UUID(int=9)), "2026-01-02")
    run(engine, add, str(UUID(int=8)), "2026-01-01")
    log = SqlFeedLog(engine)
    first = {post.id: post.seq for post in log.posts_created_since(0)}
    run(engine, add, str(UUID(int=7)), "2026-01-03")

    checksums = log.read_all().checksums
    assert checksums is not None
    assert checksums.posts.by_key().keys() == {UUID(int=n).bytes for n in (7, 8, 9)}
    then = {
        post.id: post.seq
        for post in SqlPostRepository(engine, budget_seconds=20).posts([UUID(int=n) for n in (7, 8, 9)])[0]
    }
    assert first == {UUID(int=8): 1, UUID(int=9): 2}
    assert then == {**first, UUID(int=7): 3}


def test_events_and_follows_of_removed_users_and_posts_are_not_read(empty_engine: Engine) -> None:
    engine = empty_engine
    run(engine, TEAMS_TABLES)
    migrate(engine, PUBLIC)
    user, gone, post = uuid4(), uuid4(), uuid4()
    run(engine, "INSERT INTO users VALUES (%s), (%s)", str(user), str(gone))
    run(engine, "INSERT INTO posts VALUES (%s, %s, '', NULL, now())", str(post), str(gone))
    SqlInteractionRepository(engine, budget_seconds=20).record(
        [Interaction(gone, post, "view", NOON), Interaction(user, post, "like", NOON)]
    )
    run(engine, "DELETE FROM users WHERE id = %s", str(gone))

    history = SqlFeedLog(engine).read_all().dataset

    assert history.events.kind.tolist() == [2]
    assert history.posts.author.tolist() == [-1]


def test_tables_without_uuids_give_empty_views_that_the_team_may_redefine(empty_engine: Engine) -> None:
    engine = empty_engine
    run(engine, "CREATE TABLE users (id bigint, name text); INSERT INTO users VALUES (1, 'anna')")
    migrate(engine, PUBLIC)
    empty = SqlFeedLog(engine).read_all().dataset.users

    run(
        engine,
        "CREATE OR REPLACE VIEW feed_users AS SELECT ('00000000-0000-0000-0000-' || lpad(id::text, 12, '0'))::uuid "
        "AS id, name AS external_id, NULL::timestamptz AS created_at FROM users",
    )

    assert len(empty) == 0
    assert list(SqlFeedLog(engine).read_all().dataset.users.external_id) == ["anna"]


def test_a_log_of_interactions_that_is_not_ours_is_rejected_and_nothing_is_made(empty_engine: Engine) -> None:
    run(empty_engine, "CREATE TABLE user_interaction (id uuid)")
    before = catalogue(empty_engine)

    with pytest.raises(MigrationRejected, match="DB_SCHEMA"):
        migrate(empty_engine, PUBLIC)

    assert catalogue(empty_engine) == before


def test_a_log_of_controls_that_is_not_ours_is_rejected_and_left_as_it_is(empty_engine: Engine) -> None:
    migrate(empty_engine, PUBLIC, "0003")
    run(empty_engine, "CREATE TABLE user_feedback (id uuid)")
    before = catalogue(empty_engine)

    with pytest.raises(MigrationRejected, match="DB_SCHEMA"):
        migrate(empty_engine, PUBLIC)

    assert catalogue(empty_engine) == before


def test_a_feed_is_not_loaded_into_tables_of_a_team(empty_engine: Engine) -> None:
    run(empty_engine, TEAMS_TABLES)
    migrate(empty_engine, PUBLIC)

    with pytest.raises(LoadRejected, match="was not created by the migrations of this service"):
        load_feed(empty_engine, small_feed())


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"DATABASE_URL": "mysql://nowhere"}, "DATABASE_URL"),
        ({"DB_SCHEMA": "bad name"}, "DB_SCHEMA"),
        ({"DATABASE_URL": "postgresql://feed:geheim@127.0.0.1:1/feed"}, "refused"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(environment: dict[str, str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
    assert "geheim" not in done.stderr


def test_a_database_that_is_not_migrated_counts_as_away(empty_engine: Engine) -> None:
    with pytest.raises(StorageUnavailable, match="feed_posts"):
        SqlFeedLog(empty_engine).read_all()


def test_tables_of_the_version_before_are_unavailable_until_they_are_migrated(empty_engine: Engine) -> None:
    migrate(empty_engine, PUBLIC, "0004")
    log = SqlFeedLog(empty_engine)

    with pytest.raises(StorageUnavailable, match="feed_complete_users"):
        log.read_all()

    migrate(empty_engine, PUBLIC)
    assert log.read_changes(log.read_all().position).is_empty


def test_the_services_role_can_serve_and_do_nothing_else(engine: Engine) -> None:
    tables = SqlTables(engine, PUBLIC)
    tables.add_users(a_user("anna"), a_user("bert"))
    tables.add_posts(a_post("first"))
    role = f"feed_service_{uuid4().hex[:8]}"  # roles belong to the server, not to this test's database
    grants = (ROOT / "deploy/sql/least_privilege_role.sql").read_text()
    for _ in range(2):  # twice: it changes nothing the second time
        run(engine, f"SET feed.role = '{role}'; {grants.replace('%', '%%')}")
    run(engine, f"ALTER ROLE {role} PASSWORD 'pass'")
    url = make_url(engine.url).set(username=role, password="pass").render_as_string(hide_password=False)
    served = create_feed_engine(url, connect_seconds=10)

    log = SqlFeedLog(served)
    whole = log.read_all()
    SqlInteractionRepository(served, budget_seconds=20).record([did("anna", "first")])
    SqlInteractionRepository(served, budget_seconds=20).record([did("anna", "first", "like")])
    SqlInteractionRepository(served).retract(user_uuid("anna"), post_uuid("first"), "like")
    controls = SqlControlRepository(served, budget_seconds=20)
    hidden = controls.record(
        Control(user_uuid("anna"), "hide_post", post_uuid("first")), undo=False, event_id=uuid4()
    )
    follows, pair = SqlFollowRepository(served, budget_seconds=20), (user_uuid("anna"), user_uuid("bert"))
    numbers = [follows.set_follow(*pair, follows=one).seq for one in (True, True, False)]
    whole_post = UUID(bytes=log.read_all().dataset.posts.key[0].tobytes())
    recommendations = SqlRecommendationRepository(served)
    saved = SavedRecommendations(did("anna", "first").user_id, [str(whole_post)], [0.5], NOON, NOON)
    recommendations.save([saved])
    recommendations.remove_expired(NOON)
    entities = SqlEntityRepository(served, budget_seconds=20)
    entities.put_posts([("second", {"author_id": "carl"})], NOON)
    entities.put_user("carl", {"languages": ["de"]}, NOON)
    entities.delete_post("second")
    impressions = SqlImpressionRepository(served, budget_seconds=20)
    impressions.maintain(30)
    impressions.save([Impression("r1", user_uuid("anna"), NOON, "ranked", None, [1], [Reason.RECENT])])
    impressions.report_seen(user_uuid("anna"), "r1", [post_uuid("first")])
    impressions.reach(user_uuid("anna"))
    user_data = SqlUserDataRepository(served, budget_seconds=20, tombstones=Tombstones([b"a secret"]))
    user_data.export("bert", lambda part: None)
    user_data.reset("bert")
    user_data.erase("bert")

    assert len(SqlPostRepository(served, budget_seconds=20).posts([whole_post])[0]) == 1
    assert len(log.read_changes(whole.position).events) == 1
    assert log.read_changes(whole.position).controls == [hidden]
    assert controls.controls_of(user_uuid("anna")) == hidden
    assert [number is None for number in numbers] == [False, True, False]
    run(served, "SELECT feed_visible_posts(gen_random_uuid())")
    assert log.can_resume_from(whole.position)
    assert log.purge(timedelta(hours=1)) == 0
    for forbidden in (
        "UPDATE user_interaction SET metadata = '{}'",
        "TRUNCATE user_interaction",
        "UPDATE user_feedback SET undo = true",
        "DELETE FROM user_feedback",
        "DELETE FROM impression",
        "UPDATE follows SET created_at = NULL",
        "DELETE FROM users",
        "TRUNCATE posts",
        "INSERT INTO feed_change (entity, op, key) VALUES ('user', 'delete', gen_random_uuid())",
        "DELETE FROM feed_change",
        "UPDATE feed_change_swept SET xid = '0'",
        "CREATE TABLE mine (x int)",
        "DROP VIEW feed_users",
        "SELECT shift_seconds FROM feed_import",
    ):
        with pytest.raises((ProgrammingError, DBAPIError), match=r"permission denied|must be owner"):
            run(served, forbidden)
    served.dispose()
    run(engine, f"DROP OWNED BY {role}; DROP ROLE {role}")
