"""What another application stores is rejected, and nothing is written."""

import pytest
from sqlalchemy import Engine

from app.domain.errors import ManagedElsewhere
from app.domain.ids import user_uuid
from app.infrastructure.database.control_repository_impl import SqlControlRepository
from app.infrastructure.database.follow_repository_impl import SqlFollowRepository
from app.infrastructure.database.membership_repository_impl import SqlMembershipRepository
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.storage_under_test import SqlTables, a_post, a_user, control_of

PUBLIC = SchemaName()
FOLLOWS_OF_A_TEAM = """
CREATE TABLE subscriptions (reader uuid, writer uuid);
CREATE OR REPLACE VIEW feed_follows AS
SELECT reader AS follower_id, writer AS followee_id, NULL::timestamptz AS created_at FROM subscriptions
"""
FOLLOWS_OF_BOTH = FOLLOWS_OF_A_TEAM + " UNION ALL SELECT follower_id, followee_id, created_at FROM follows"
CONTROLS_OF_A_TEAM = """
CREATE TABLE blocks (blocker uuid, blocked uuid);
CREATE OR REPLACE VIEW feed_controls AS
SELECT blocker AS user_id, 'block_author' AS action, blocked AS target_user_id, NULL::uuid AS target_post_id,
    NULL::text AS tag, NULL::text AS word, now() AS created_at, NULL::timestamptz AS until, NULL::bigint AS seq
FROM blocks
"""


@pytest.fixture
def tables(engine: Engine) -> SqlTables:
    made = SqlTables(engine, PUBLIC)
    made.add_users(a_user("anna"), a_user("bert"))
    made.add_posts(a_post("first", "anna"))
    return made


def count(tables: SqlTables, table: str) -> int:
    with tables.engine.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


@pytest.mark.parametrize("follows", [True, False])
def test_a_follow_is_rejected_where_the_view_shows_the_table_of_a_team(
    tables: SqlTables, follows: bool
) -> None:
    tables.run(FOLLOWS_OF_A_TEAM)

    with pytest.raises(ManagedElsewhere, match="feed_follows"):
        SqlFollowRepository(tables.engine).set_follow(user_uuid("anna"), user_uuid("bert"), follows=follows)

    assert count(tables, "follows") == 0


def test_a_follow_is_rejected_where_the_table_is_of_a_team(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE follows (follower_id uuid, followee_id uuid)")
    migrate(empty_engine, PUBLIC)
    tables = SqlTables(empty_engine, PUBLIC)
    tables.add_users(a_user("anna"), a_user("bert"))

    with pytest.raises(ManagedElsewhere, match="feed_follows"):
        SqlFollowRepository(empty_engine).set_follow(user_uuid("anna"), user_uuid("bert"), follows=True)

    assert count(tables, "follows") == 0


def test_a_follow_is_stored_where_the_view_shows_the_own_table_among_others(tables: SqlTables) -> None:
    tables.run(FOLLOWS_OF_BOTH)

    SqlFollowRepository(tables.engine).set_follow(user_uuid("anna"), user_uuid("bert"), follows=True)

    assert count(tables, "feed_follows") == 1


def test_a_membership_is_rejected_where_the_view_shows_the_table_of_a_team(tables: SqlTables) -> None:
    tables.run(
        "CREATE OR REPLACE VIEW feed_memberships AS SELECT id AS user_id, 'club' AS audience_id FROM users"
    )
    memberships = SqlMembershipRepository(tables.engine)

    with pytest.raises(ManagedElsewhere, match="feed_memberships"):
        memberships.set_membership(user_uuid("anna"), "team", is_member=True)

    assert count(tables, "memberships") == 0


def test_a_control_is_rejected_where_the_view_shows_the_table_of_a_team(tables: SqlTables) -> None:
    tables.run(CONTROLS_OF_A_TEAM)
    controls = SqlControlRepository(tables.engine)

    with pytest.raises(ManagedElsewhere, match="feed_controls"):
        controls.record(control_of("bert", "hide_post", "first"), undo=False, event_id=None)

    assert count(tables, "user_feedback") == 0
    assert list(controls.controls_of(user_uuid("bert")).controls) == []
