"""SqlUserDataRepository: everything about one user."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine

from app.domain.errors import UnknownUser
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.user_data_repository_impl import SqlUserDataRepository
from app.infrastructure.database.user_tables import INTERNAL_COLUMNS, OTHER_TABLES, USER_TABLES
from tests.support.storage_under_test import SqlTables
from tests.support.user_rows import ANNA, add_rows_of_anna

PUBLIC = SchemaName()


@pytest.fixture
def tables(engine: Engine) -> SqlTables:
    made = SqlTables(engine, PUBLIC)
    add_rows_of_anna(made)
    return made


@pytest.fixture
def user_data(engine: Engine) -> SqlUserDataRepository:
    return SqlUserDataRepository(engine, budget_seconds=20)


def exported(user_data: SqlUserDataRepository, user_id: str) -> dict[str, Any]:
    parts: list[bytes] = []
    user_data.export(user_id, parts.append)
    whole: dict[str, Any] = json.loads(b"".join(parts))
    return whole


def test_every_table_is_listed_with_its_rows_about_users_or_without(engine: Engine) -> None:
    query = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT relispartition"
    )
    with engine.connect() as connection:
        stored = set(connection.exec_driver_sql(query).scalars())

    listed = [table.name for table in USER_TABLES] + list(OTHER_TABLES)
    assert set(listed) == stored, "add the new table to app/infrastructure/database/user_tables.py"
    assert len(listed) == len(set(listed))


def test_an_export_holds_all_rows_about_the_user_and_no_others(
    tables: SqlTables, user_data: SqlUserDataRepository
) -> None:
    found = exported(user_data, "anna")

    def column(field: str, name: str) -> list[Any]:
        return [row[name] for row in found[field]]

    def ids(*names: str) -> list[str]:
        return [str(post_uuid(name)) for name in names]

    assert (found["user_id"], found["managed_elsewhere"], found["keys"]) == ("anna", [], [])
    assert [(row["id"], row["external_id"], row["username"]) for row in found["users"]] == [
        (ANNA, "anna", "Anna A.")
    ]
    assert sorted(column("posts", "external_id")) == ["anna-1", "anna-2"]
    assert column("interactions", "post_id") == ids("bert-1", "carl-1", "anna-2")
    assert column("interactions", "metadata") == [{"place": 3}] * 3
    pairs = {(row["follower_id"], row["followee_id"]) for row in found["follows"]}
    assert pairs == {(ANNA, str(user_uuid("bert"))), (str(user_uuid("carl")), ANNA)}
    assert column("controls", "action") == ["mute_word", "hide_post"]
    assert column("memberships", "audience_id") == ["club"]
    assert column("impressions", "posts") == [ids("bert-2", "carl-2")]
    assert column("impressions", "seen") == ["10"]
    assert column("recommendations", "post_id") == ids("bert-2")
    rows = [row for table in USER_TABLES for row in found[table.field]]
    assert not any(name in row for row in rows for name in INTERNAL_COLUMNS)


def test_an_export_of_many_rows_is_whole(tables: SqlTables, user_data: SqlUserDataRepository) -> None:
    tables.run(
        "INSERT INTO {user_interaction} (user_id, post_id, interaction_type) "
        "SELECT %s, %s, 'view' FROM generate_series(1, 1200)",
        ANNA,
        str(post_uuid("bert-2")),
    )

    assert len(exported(user_data, ANNA.upper())["interactions"]) == 1203


def test_an_unknown_user_has_no_export(user_data: SqlUserDataRepository) -> None:
    parts: list[bytes] = []
    with pytest.raises(UnknownUser, match="nobody"):
        user_data.export("nobody", parts.append)

    assert parts == []


def test_rows_of_another_application_are_named_and_not_exported(
    tables: SqlTables, user_data: SqlUserDataRepository
) -> None:
    tables.run(
        "ALTER VIEW feed_follows RENAME TO feed_follows_before; "
        "CREATE VIEW feed_follows AS SELECT id AS follower_id, id AS followee_id, created_at FROM {users} WHERE false"
    )

    assert exported(user_data, "anna")["managed_elsewhere"] == ["feed_follows"]
