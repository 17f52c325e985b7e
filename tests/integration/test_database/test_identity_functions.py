"""The SQL functions that find rows by any id, compared with Python."""

import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.domain.ids import canonical_id, is_id, post_uuid, user_uuid
from app.infrastructure.database.migrate import MigrationRejected, migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.postgres import migrate as migrate_by_command

PUBLIC = SchemaName()
VECTORS = json.loads((Path(__file__).parents[2] / "support/ids.json").read_text())["ids"]
DERIVED = (
    "SELECT feed_canonical_id(given), feed_derived_id('user', given), feed_derived_id('post', given) "
    "FROM unnest(%s::text[]) WITH ORDINALITY AS g (given, place) ORDER BY place"
)
SPELLINGS = st.builds(
    str.format,
    st.sampled_from(["{}", "{{{}}}", "urn:uuid:{}", " {}", "{}x", "{{{}"]),
    st.uuids().flatmap(lambda one: st.sampled_from([str(one), str(one).upper(), one.hex])),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cn"]), min_size=1, max_size=128).filter(is_id)


def scalar(engine: Engine, statement: str, *values: object) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(statement, values).scalar_one()


def run(engine: Engine, statement: str, *values: object) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(statement, values)


def derived(engine: Engine, texts: list[str]) -> list[tuple[str, UUID, UUID]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(DERIVED, (texts,))]


def test_sql_derives_the_uuids_of_the_vectors(engine: Engine) -> None:
    expected = [(one["canonical"], UUID(one["user"]), UUID(one["post"])) for one in VECTORS]

    assert derived(engine, [one["given"] for one in VECTORS]) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS | SPELLINGS, min_size=1, max_size=8))
def test_sql_derives_the_uuids_that_python_derives(engine: Engine, texts: list[str]) -> None:
    assert derived(engine, texts) == [(canonical_id(one), user_uuid(one), post_uuid(one)) for one in texts]


def test_an_id_means_the_row_with_that_external_id(engine: Engine) -> None:
    ann, spaced, named_like_a_uuid = uuid4(), uuid4(), uuid4()
    text = str(uuid4())
    for row, external_id in ((ann, "ann"), (spaced, " bob"), (named_like_a_uuid, text)):
        run(engine, "INSERT INTO users (id, external_id) VALUES (%s, %s)", row, external_id)

    found = [
        scalar(engine, "SELECT feed_user_id(%s)", one)
        for one in ("ann", " ann", " bob", "bob", text, f"{{{text.upper()}}}", str(ann), "nobody", None)
    ]

    assert found == [
        ann, ann, spaced, user_uuid("bob"), named_like_a_uuid, named_like_a_uuid, ann, user_uuid("nobody"), None
    ]  # fmt: skip
    assert scalar(engine, "SELECT feed_post_id('ann')") == post_uuid("ann")


def test_of_rows_with_one_external_id_the_one_with_the_smallest_uuid_is_meant(empty_engine: Engine) -> None:
    migrate(empty_engine, PUBLIC)
    run(empty_engine, "CREATE TABLE members (id uuid PRIMARY KEY, name varchar(20))")
    run(
        empty_engine,
        "CREATE OR REPLACE VIEW feed_users AS SELECT id, name::text AS external_id, now() AS created_at FROM members",
    )
    smaller, larger = sorted([uuid4(), uuid4()])
    for one in (larger, user_uuid("ann"), smaller):
        run(empty_engine, "INSERT INTO members VALUES (%s, 'ann')", one)

    assert scalar(empty_engine, "SELECT feed_user_id('ann')") == smaller


@pytest.mark.parametrize("rows", [20_000])
def test_a_row_is_found_by_an_index(engine: Engine, rows: int) -> None:
    run(engine, "INSERT INTO users (external_id) SELECT 'user_' || n FROM generate_series(1, %s) n", rows)
    run(engine, "ANALYZE users")
    with engine.begin() as connection:
        for one in ("user_77", "nobody", str(uuid4())):
            connection.exec_driver_sql("SELECT feed_user_id(%s)", (one,))
        connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")

    assert scalar(engine, "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'users'") < rows * 3


def test_a_migration_stops_where_two_rows_would_become_one(empty_engine: Engine) -> None:
    migrate(empty_engine, PUBLIC, "0009")
    text = str(uuid4())
    for external_id in ("ann", " ann", "carl", text, text.upper(), "caf\u00e9", "cafe\u0301"):
        run(empty_engine, "INSERT INTO posts (external_id) VALUES (%s)", external_id)

    with pytest.raises(MigrationRejected) as raised:
        migrate(empty_engine, PUBLIC)

    assert str(raised.value) == (
        '"public"."posts": 3 groups of rows have external ids that mean the same post from this version on: '
        f"'ann' and ' ann'; '{text}' and '{text.upper()}'; 'caf\\xe9' and 'cafe\\u0301'; keep one row of each group "
        "(point the rows of other tables at it), or give the others another external_id, and migrate again"
    )
    run(empty_engine, "DELETE FROM posts WHERE external_id IN (' ann', %s, 'cafe\u0301')", text)
    migrate(empty_engine, PUBLIC)


@pytest.mark.slow
def test_the_command_names_ten_of_many_equal_ids_in_one_line(
    empty_database_url: str, empty_engine: Engine
) -> None:
    migrate(empty_engine, PUBLIC, "0009")
    run(
        empty_engine,
        "INSERT INTO users (external_id) SELECT p || n FROM generate_series(1, 12) n, unnest(%s) p",
        ["", " "],
    )

    with pytest.raises(AssertionError) as raised:
        migrate_by_command(empty_database_url)

    assert "Traceback" not in str(raised.value)
    [line] = [line for line in str(raised.value).splitlines() if line.startswith("migrations: ")]
    assert line.startswith('migrations: "public"."users": 12 groups of rows')
    assert line.count(" and ' ") == 10
