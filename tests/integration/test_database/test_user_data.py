"""SqlUserDataRepository: everything about one user."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from app.application.workers.recommendation_writer import RecommendationWriter
from app.domain.errors import UnknownUser
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.recommendation_repository_impl import SqlRecommendationRepository
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.user_data_repository_impl import SqlUserDataRepository
from app.infrastructure.database.user_tables import INTERNAL_COLUMNS, OTHER_TABLES, USER_TABLES
from tests.support.fake_use_cases import FixedClock
from tests.support.small_service import SmallService
from tests.support.sql_services import a_process
from tests.support.storage_under_test import NOON, SqlTables
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


# -- reset -------------------------------------------------------------------------------------------------------------


def values(tables: SqlTables, query: str) -> list[Any]:
    with tables.engine.connect() as connection:
        return list(connection.exec_driver_sql(query).scalars())


def test_a_reset_removes_what_the_user_did_and_was_shown(
    tables: SqlTables, user_data: SqlUserDataRepository
) -> None:
    removed = user_data.reset("anna")
    again = user_data.reset("anna")

    assert removed.rows == {
        "user_interaction": 3, "user_recommendation": 1, "user_feedback": 2, "follows": 1, "impression": 1,
    }  # fmt: skip
    assert set(again.rows.values()) == {0}
    found = exported(user_data, "anna")
    assert {field for field, rows in found.items() if rows} == {
        "user_id", "exported_at", "users", "posts", "follows", "memberships",
    }  # fmt: skip
    assert [row["follower_id"] for row in found["follows"]] == [str(user_uuid("carl"))]
    assert len(exported(user_data, "bert")["controls"]) == 3


def test_removed_pages_no_longer_count(tables: SqlTables, user_data: SqlUserDataRepository) -> None:
    counts = (
        "SELECT p.external_id || ' ' || c.shown || ' ' || c.seen FROM impression_count c "
        "JOIN posts p ON p.seq = c.post ORDER BY 1"
    )

    before = values(tables, counts)
    user_data.reset("anna")

    assert before == ["anna-1 1 0", "bert-2 1 1", "carl-2 2 0"]
    assert values(tables, counts) == ["anna-1 1 0", "bert-2 0 0", "carl-2 1 0"]


def test_a_reset_holds_at_once_here_and_in_another_process_after_its_next_read(
    tables: SqlTables, engine: Engine
) -> None:
    (here, _), (there, log) = a_process(engine), a_process(engine)
    before = known_of(there, "anna")

    here.user_data.reset("anna")
    at_once = known_of(here, "anna")
    there.catch_up()
    here.catch_up()

    nothing = {"events": 0, "follows": 0, "impressions": 0, "controls": 0}
    assert before == {"events": 2, "follows": 1, "impressions": 2, "controls": 2}
    assert at_once == known_of(here, "anna") == known_of(there, "anna") == nothing
    assert known_of(here, "bert") == known_of(there, "bert")
    assert known_of(here, "bert") == {"events": 1, "follows": 0, "impressions": 2, "controls": 3}
    assert log.full_reads == 1


def known_of(service: SmallService, user: str) -> dict[str, int]:
    """How much the state of a process holds of what a user did and was shown."""
    state = service.feed.state
    row = state.user_rows[user_uuid(user).bytes]
    active = state.controls.active(row, service.clock.at.timestamp(), state.post_rows.get)
    return {
        "events": state.events_by_user.length(row),
        "follows": len(state.follows.row(row)[0]),
        "impressions": len(state.impressions.of(row).posts),
        "controls": len(active.posts) + len(active.authors) + len(active.tags) + len(active.phrases),
    }


def test_what_a_writer_has_not_saved_is_dropped_by_a_reset(tables: SqlTables, engine: Engine) -> None:
    repository = SqlRecommendationRepository(engine, budget_seconds=20)
    writer = RecommendationWriter(repository, FixedClock(NOON), timedelta(days=1), 10)
    page = a_process(engine)[0].page("bert")
    for user in ("anna", "bert"):
        writer.enqueue(user_uuid(user), page)

    writer.discard(user_uuid("anna"))

    assert writer.pending == 1


def test_a_reset_leaves_the_tables_of_another_application(
    tables: SqlTables, user_data: SqlUserDataRepository
) -> None:
    tables.run("COMMENT ON TABLE {follows} IS 'of a team'")

    removed = user_data.reset("anna")

    assert removed.managed_elsewhere == ["feed_follows"]
    assert "follows" not in removed.rows
    assert values(tables, "SELECT count(*) FROM follows") == [3]
