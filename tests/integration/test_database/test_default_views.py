"""The default views over the tables of a team: what they hide, and which warnings say why they are empty."""

import os
import subprocess
import sys

import pytest
from sqlalchemy import Engine

from app.infrastructure.database.adoption.warnings import adoption_warnings
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.adoption import PRISMA_INTEGER, SNAKE_INTEGER, UUID_SOFT_DELETE

PUBLIC = SchemaName()


def run(engine: Engine, sql: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(sql.replace("%", "%%"))


def warnings(engine: Engine, schema: SchemaName = PUBLIC) -> list[str]:
    with engine.connect() as connection:
        return adoption_warnings(connection, schema)


def test_default_views_hide_deleted_posts_drafts_and_posts_of_deleted_users(empty_engine: Engine) -> None:
    run(empty_engine, UUID_SOFT_DELETE)
    run(
        empty_engine,
        "ALTER TABLE users ADD is_banned boolean; UPDATE users SET is_banned = username = 'name1'",
    )
    migrate(empty_engine, PUBLIC)

    with empty_engine.connect() as connection:
        shown = connection.exec_driver_sql(
            "SELECT content, username FROM feed_posts v LEFT JOIN users u ON u.id = author_id WHERE v.visible"
        ).all()
        users = connection.exec_driver_sql("SELECT count(*) FROM feed_users").scalar_one()

    assert {content.split()[0] for content, _ in shown} == {"text"}
    assert "name1" not in {username for _, username in shown}
    assert users == 19
    assert warnings(empty_engine) == []


@pytest.mark.parametrize(
    ("column", "warning"),
    [
        ("status integer", "feed_posts is empty: public.posts.status (integer) has an unknown meaning"),
        pytest.param(
            "moderation jsonb",
            "feed_posts is empty: public.posts.moderation (jsonb) has an unknown meaning",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "pub_date timestamptz DEFAULT now() + interval '1 day'",
            "feed_posts: none of its posts is visible",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_column_of_unknown_meaning_hides_all_posts_and_a_warning_names_it(
    empty_engine: Engine, column: str, warning: str
) -> None:
    run(empty_engine, f"{UUID_SOFT_DELETE}; ALTER TABLE posts DROP deleted_at, DROP status, ADD {column}")
    migrate(empty_engine, PUBLIC)

    with empty_engine.connect() as connection:
        visible = connection.exec_driver_sql("SELECT count(*) FROM feed_posts WHERE visible").scalar_one()

    assert visible == 0
    assert warnings(empty_engine) == [f"{warning}; run `python -m data.adopt`"]


def test_tables_with_keys_that_are_no_uuids_give_a_warning_with_column_and_type(empty_engine: Engine) -> None:
    run(empty_engine, SNAKE_INTEGER)
    migrate(empty_engine, PUBLIC)

    assert warnings(empty_engine) == [
        "feed_users is empty: public.users.id (bigint) must be uuid; run `python -m data.adopt`",
        "feed_posts is empty: public.posts.id (bigint) must be uuid; run `python -m data.adopt`",
    ]


@pytest.mark.slow
def test_the_migrations_warn_of_the_tables_of_a_team_beside_the_schema_of_the_service(
    empty_engine: Engine,
) -> None:
    run(empty_engine, PRISMA_INTEGER)
    environment = {name: value for name, value in os.environ.items() if name != "DB_SCHEMA"}

    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=CHECKOUT,
        env=environment | {"DATABASE_URL": empty_engine.url.render_as_string(hide_password=False)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert "warning: feed_users is empty, although public.User has rows (id integer)" in done.stderr
    assert "warning: feed_posts is empty, although public.Post has rows (id integer)" in done.stderr
    schema = feed_schema(empty_engine, None)
    assert schema.plain == "feed"
    assert len(warnings(empty_engine, schema)) == 2


@pytest.mark.slow
def test_tables_in_any_schema_of_a_team_give_a_warning(empty_engine: Engine) -> None:
    run(empty_engine, "CREATE SCHEMA app; SET LOCAL search_path TO app;" + SNAKE_INTEGER)
    migrate(empty_engine, PUBLIC)

    assert warnings(empty_engine) == [
        "feed_users is empty, although app.users has rows (id bigint); run `python -m data.adopt --schema app`",
        "feed_posts is empty, although app.posts has rows (id bigint); run `python -m data.adopt --schema app`",
    ]


def test_an_empty_database_keeps_the_schema_public(empty_engine: Engine) -> None:
    schema = feed_schema(empty_engine, None)
    assert schema.plain == "public"
    migrate(empty_engine, schema)
    run(empty_engine, "CREATE TABLE of_others (id integer)")

    assert (schema.plain, feed_schema(empty_engine, None).plain) == ("public", "public")
    assert warnings(empty_engine) == []


def test_a_schema_that_was_chosen_before_the_migration_is_chosen_again_after_it(empty_engine: Engine) -> None:
    schema = feed_schema(empty_engine, None)
    assert schema.plain == "public"
    run(empty_engine, "CREATE TABLE of_others (id integer)")

    with empty_engine.connect():
        pass

    assert schema.plain == "feed"
