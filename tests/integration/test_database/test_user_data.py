"""SqlUserDataRepository: everything about one user."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from app.application.workers.recommendation_writer import RecommendationWriter
from app.domain.entities import Impression, Reason
from app.domain.errors import ErasedUser, InvalidMerge, InvalidPost, StorageUnavailable, UnknownUser
from app.domain.feed.state import NO_KEY
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.bulk_load import load_feed
from app.infrastructure.database.entity_repository_impl import SqlEntityRepository
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from app.infrastructure.database.recommendation_repository_impl import SqlRecommendationRepository
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.tombstones import Tombstones
from app.infrastructure.database.user_data_repository_impl import SqlUserDataRepository
from app.infrastructure.database.user_tables import INTERNAL_COLUMNS, OTHER_TABLES, USER_TABLES
from app.shared.exceptions import ConfigurationError
from data.loading import FeedDatabase
from tests.integration.test_database.test_entities import contents
from tests.support.database_feed import small_feed
from tests.support.fake_use_cases import FixedClock
from tests.support.postgres import TestServer, settle
from tests.support.small_service import SmallService
from tests.support.sql_services import a_process, assert_as_read_completely
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user
from tests.support.user_rows import ANNA, add_rows_of_anna

PUBLIC = SchemaName()
COUNTS = (
    "SELECT p.external_id || ' ' || c.shown || ' ' || c.seen FROM impression_count c "
    "JOIN posts p ON p.seq = c.post ORDER BY 1"
)
TOMBSTONES = Tombstones([b"secret of the tests"])


@pytest.fixture(scope="module")
def filled_url(postgres: TestServer) -> Iterator[str]:
    with postgres.filled_database(lambda engine: add_rows_of_anna(SqlTables(engine, PUBLIC))) as url:
        yield url


@pytest.fixture
def own_database_url(postgres: TestServer, filled_url: str) -> Iterator[str]:
    with postgres.copy_of(filled_url) as url:
        yield url


@pytest.fixture
def user_data(engine: Engine) -> SqlUserDataRepository:
    return SqlUserDataRepository(engine, budget_seconds=20, tombstones=TOMBSTONES)


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
    assert column("interests", "tag") == ["sport"]
    assert column("impressions", "posts") == [ids("bert-2", "carl-2")]
    assert column("impressions", "seen") == ["10"]
    assert [(row["metric"], row["count"]) for row in found["experiments"]] == [("page", 1), ("post", 2)]
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
        "experiment_user_day": 2, "user_interest": 1, "user_interaction": 3, "user_recommendation": 1,
        "user_feedback": 2, "follows": 1, "impression": 1,
    }  # fmt: skip
    assert set(again.rows.values()) == {0}
    found = exported(user_data, "anna")
    assert {field for field, rows in found.items() if rows} == {
        "user_id", "exported_at", "users", "posts", "follows", "memberships",
    }  # fmt: skip
    assert [row["follower_id"] for row in found["follows"]] == [str(user_uuid("carl"))]
    assert len(exported(user_data, "bert")["controls"]) == 3


def test_removed_pages_no_longer_count(tables: SqlTables, user_data: SqlUserDataRepository) -> None:
    before = values(tables, COUNTS)
    user_data.reset("anna")

    assert before == ["anna-1 1 0", "bert-2 1 1", "carl-2 2 0"]
    assert values(tables, COUNTS) == ["anna-1 1 0", "bert-2 0 0", "carl-2 1 0"]


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
    return known_of_row(service, service.feed.state.user_rows[user_uuid(user).bytes])


def known_of_row(service: SmallService, row: int) -> dict[str, int]:
    state = service.feed.state
    active = state.controls.active(row, service.clock.at.timestamp(), state.post_rows)
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


# -- erasure -----------------------------------------------------------------------------------------------------------

AGE = (
    "UPDATE feed_change SET created_at = created_at - interval '2 hours'; "
    "UPDATE erased_user SET erased_at = erased_at - interval '2 hours'"
)


def tables_that_name(tables: SqlTables, pattern: str) -> list[str]:
    """The tables of the schema with a row in which any column contains the pattern."""
    every = (
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    return [
        name
        for name in values(tables, every)
        if values(tables, f"SELECT count(*) FROM \"{name}\" t WHERE t::text ~ '{pattern}'") != [0]
    ]


def test_after_an_erasure_no_table_names_the_user(
    tables: SqlTables, user_data: SqlUserDataRepository, engine: Engine
) -> None:
    pattern = f"(?i)anna|{ANNA}|{user_uuid('anna').hex}"
    before = tables_that_name(tables, pattern)

    receipt = user_data.erase("anna")
    at_once = tables_that_name(tables, pattern)
    tables.run(AGE)
    settle(engine)
    SqlFeedLog(engine).purge(timedelta(days=7))

    listed = {table.name for table in USER_TABLES}
    assert listed - {"feed_user_key"} <= set(before)
    assert at_once == ["feed_change"]
    assert tables_that_name(tables, pattern) == []
    assert receipt.managed_elsewhere == []
    assert receipt.rows == {
        "experiment_user_day": 2, "user_interest": 2, "user_interaction": 4, "user_recommendation": 2,
        "user_feedback": 4, "memberships": 1, "follows": 2, "impression": 1, "impression_count": 1, "posts": 2,
        "users": 1, "feed_user_key": 0,
    }  # fmt: skip
    assert values(tables, COUNTS) == ["bert-2 0 0", "carl-2 1 0"]


def test_a_repeated_erasure_returns_the_same_receipt(
    tables: SqlTables, user_data: SqlUserDataRepository
) -> None:
    first, again = user_data.erase("anna"), user_data.erase(" anna ")

    assert (again.erased_at, again.rows, again.changes) == (first.erased_at, first.rows, None)
    with pytest.raises(UnknownUser, match="nobody"):
        user_data.erase("nobody")


def test_an_erasure_without_a_secret_removes_nothing(tables: SqlTables, engine: Engine) -> None:
    with pytest.raises(StorageUnavailable, match="ERASURE_SECRET"):
        SqlUserDataRepository(engine, budget_seconds=20).erase("anna")

    assert values(tables, "SELECT count(*) FROM users") == [3]


def test_an_erasure_holds_at_once_here_and_in_another_process_after_its_next_read(
    tables: SqlTables, engine: Engine
) -> None:
    (here, _), (there, log) = a_process(engine), a_process(engine)
    row, posts = here.feed.state.user_rows[user_uuid("anna").bytes], rows_of_posts(here, "anna-1", "anna-2")

    here.user_data.erase("anna")
    at_once = contents(here.feed.state)
    there.catch_up()
    here.catch_up()
    after = a_process(engine)[0].feed.state

    assert at_once == contents(here.feed.state) == contents(there.feed.state) == contents(after)
    assert log.full_reads == 1
    for service in (here, there):
        state = service.feed.state
        assert known_of_row(service, row) == {"events": 0, "follows": 0, "impressions": 0, "controls": 0}
        assert (len(state.visibility.audiences.get(row, ())), state.accounts_created[row]) == (0, -np.inf)
        assert [state.post_key(post) for post in posts] == [NO_KEY] * 2
        assert [state.external_ids[post] for post in posts] == [None] * 2
        assert state.post_words.words.lengths(np.array(posts)).tolist() == [0, 0]
        assert state.followers.tolist()[:3] == after_erasure_followers(service)


def after_erasure_followers(service: SmallService) -> list[int]:
    """By row of the first three users: carl follows bert."""
    rows = service.feed.state.user_rows
    return [int(row == rows[user_uuid("bert").bytes]) for row in range(3)]


def rows_of_posts(service: SmallService, *names: str) -> list[int]:
    return [service.feed.state.post_rows[post_uuid(name).bytes] for name in names]


def test_no_row_of_an_erased_user_is_stored_again(
    tables: SqlTables, user_data: SqlUserDataRepository, engine: Engine
) -> None:
    entities = SqlEntityRepository(engine, budget_seconds=20, tombstones=TOMBSTONES)
    impressions = SqlImpressionRepository(engine, budget_seconds=20, tombstones=TOMBSTONES)
    page = Impression(
        "later", user_uuid("anna"), datetime.now(UTC), "ranked", None, [2], [Reason.RECENT], False
    )
    user_data.erase("anna")

    for spelling in ("anna", ANNA):
        with pytest.raises(ErasedUser):
            entities.put_user(spelling, {}, NOON)
        with pytest.raises(InvalidPost, match=r"posts\[1\]: the author was erased"):
            entities.put_posts([("new", {"author_id": "dan"}), ("newer", {"author_id": spelling})], NOON)
    impressions.save([page, replace(page, user_id=user_uuid("visitor"))])
    counts = load_feed(engine, small_feed(), tombstones=TOMBSTONES)
    again = load_feed(engine, small_feed(), tombstones=TOMBSTONES)

    assert tables_that_name(tables, f"(?i)anna|{ANNA}") == ["feed_change"]
    assert values(tables, "SELECT user_id FROM impression WHERE request_id = 'later'") == [
        user_uuid("visitor")
    ]
    assert sorted(values(tables, "SELECT external_id FROM users")) == ["bert", "carl", "zoë"]
    assert (counts.users, counts.posts, counts.erased_users) == (1, 1, 1)
    assert (again.users, again.posts, again.interactions, again.erased_users) == (0, 0, 0, 1)


def test_a_load_with_another_secret_than_that_of_the_tombstones_is_rejected(
    tables: SqlTables, user_data: SqlUserDataRepository, engine: Engine
) -> None:
    user_data.erase("anna")

    for secrets in ((), (b"another secret",)):
        with pytest.raises(ConfigurationError, match="1 hashes of erased users are of another secret"):
            load_feed(engine, small_feed(), tombstones=Tombstones(secrets))
    assert (
        load_feed(engine, small_feed(), tombstones=Tombstones([b"new", *TOMBSTONES.secrets])).erased_users
        == 1
    )
    assert values(tables, "SELECT count(*) FROM users WHERE external_id = 'anna'") == [0]


def test_an_id_that_is_not_derived_is_recognised_in_every_spelling(
    tables: SqlTables, user_data: SqlUserDataRepository, engine: Engine
) -> None:
    entities = SqlEntityRepository(engine, budget_seconds=20, tombstones=TOMBSTONES)
    other = "00000000-0000-4000-8000-00000000000a"
    tables.run("INSERT INTO {users} (id, external_id) VALUES (%s, 'dora')", other)

    user_data.erase("dora")

    for spelling in ("dora", other):
        with pytest.raises(ErasedUser):
            entities.put_user(spelling, {}, NOON)


def test_an_erasure_leaves_the_tables_of_another_application(
    tables: SqlTables, user_data: SqlUserDataRepository
) -> None:
    tables.run("COMMENT ON TABLE {users} IS 'of a team'; COMMENT ON TABLE {posts} IS 'of a team'")

    receipt, again = user_data.erase("anna"), user_data.erase("anna")

    assert receipt.managed_elsewhere == ["feed_users", "feed_posts"]
    assert (receipt.rows["user_interaction"], receipt.rows["follows"]) == (4, 2)
    assert again.rows["user_interaction"] == 0
    assert values(tables, "SELECT count(*) FROM posts") == [6]


def test_users_whom_a_restore_brought_back_are_removed_by_the_command(
    tables: SqlTables, user_data: SqlUserDataRepository, engine: Engine
) -> None:
    user_data.erase("anna")
    tables.add_users(a_user("anna"))
    tables.add_posts(a_post("anna-1", "anna"))
    database = FeedDatabase(engine, PUBLIC, 30, TOMBSTONES)

    assert [database.apply_erasures() for _ in range(2)] == [1, 0]
    assert values(tables, "SELECT external_id FROM users ORDER BY 1") == ["bert", "carl"]
    with pytest.raises(ConfigurationError, match="ERASURE_SECRET"):
        replace(database, tombstones=Tombstones([b"another"])).apply_erasures()


# -- merge -------------------------------------------------------------------------------------------------------------


def test_a_merge_moves_every_row_and_leaves_none_that_names_the_user(
    tables: SqlTables, user_data: SqlUserDataRepository, engine: Engine
) -> None:
    pattern = f"{ANNA}|{user_uuid('anna').hex}"
    bert = str(user_uuid("bert"))

    receipt = user_data.merge("bert", "anna")
    again = user_data.merge(" bert ", ANNA)
    at_once = tables_that_name(tables, pattern)
    tables.run(AGE)
    settle(engine)
    SqlFeedLog(engine).purge(timedelta(days=7))

    assert at_once == ["feed_change"]
    assert tables_that_name(tables, pattern) == []
    assert (again.merged_at, again.rows, again.changes) == (receipt.merged_at, receipt.rows, None)
    found = exported(user_data, "bert")
    assert sorted(row["external_id"] for row in found["posts"]) == ["anna-1", "anna-2", "bert-1", "bert-2"]
    liked = [str(post_uuid(name)) for name in ("bert-1", "carl-1", "anna-2", "anna-1")]
    assert [row["post_id"] for row in found["interactions"]] == liked
    follows = {(row["follower_id"], row["followee_id"]) for row in found["follows"]}
    assert follows == {(str(user_uuid("carl")), bert)}
    actions = ["mute_word", "hide_post", "not_interested", "mute_tag"]  # bert had muted anna
    assert [row["action"] for row in found["controls"]] == actions
    assert [row["audience_id"] for row in found["memberships"]] == ["club"]
    assert [row["tag"] for row in found["interests"]] == ["sport"]  # and no longer anna as an author
    assert len(found["impressions"]) == 2
    assert [(row["metric"], row["count"]) for row in found["experiments"]] == [("page", 2), ("post", 4)]
    assert values(tables, COUNTS) == ["anna-1 1 0", "bert-2 1 1", "carl-2 2 0"]


def test_a_pair_that_both_like_counts_once_and_other_events_stay(
    tables: SqlTables, user_data: SqlUserDataRepository
) -> None:
    for kind in ("like", "view"):
        for user in ("carl", "anna"):
            tables.run(
                "INSERT INTO {user_interaction} (user_id, post_id, interaction_type) VALUES (%s, %s, %s)",
                str(user_uuid(user)), str(post_uuid("bert-2")), kind,
            )  # fmt: skip

    user_data.merge("carl", "anna")

    kinds = "SELECT interaction_type FROM user_interaction WHERE post_id = '{}' ORDER BY 1"
    assert values(tables, kinds.format(post_uuid("bert-2"))) == ["like", "view", "view"]
    assert values(tables, kinds.format(post_uuid("bert-1"))) == ["like"]


@pytest.mark.parametrize("pair", [("bert", "anna"), ("anna", "bert"), ("carl", "anna")])
def test_a_merge_holds_at_once_here_and_in_another_process_after_its_next_read(
    tables: SqlTables, engine: Engine, pair: tuple[str, str]
) -> None:
    (here, _), (there, log) = a_process(engine), a_process(engine)

    here.user_data.merge(*pair)
    at_once = contents(here.feed.state)
    there.catch_up()
    here.catch_up()

    assert at_once == contents(here.feed.state) == contents(there.feed.state)
    for service in (here, there):
        assert_as_read_completely(service, engine)
    assert log.full_reads == 1


def test_a_merge_with_an_unknown_user_or_with_oneself_changes_nothing(
    tables: SqlTables, user_data: SqlUserDataRepository, engine: Engine
) -> None:
    user_data.merge("bert", "anna")

    with pytest.raises(InvalidMerge):
        user_data.merge("bert", " bert")
    for pair in (("bert", "nobody"), ("nobody", "bert"), ("carl", "anna")):  # anna is bert
        with pytest.raises(UnknownUser):
            user_data.merge(*pair)
    with pytest.raises(UnknownUser):
        user_data.erase("anna")
    with pytest.raises(StorageUnavailable, match="ERASURE_SECRET"):
        SqlUserDataRepository(engine, budget_seconds=20).merge("bert", "carl")
    with pytest.raises(ErasedUser):
        SqlEntityRepository(engine, budget_seconds=20, tombstones=TOMBSTONES).put_user("anna", {}, NOON)
    assert values(tables, "SELECT external_id FROM users ORDER BY 1") == ["bert", "carl"]


def test_an_acknowledged_event_of_a_user_who_is_merged_is_not_lost(
    tables: SqlTables, user_data: SqlUserDataRepository, engine: Engine
) -> None:
    with engine.connect() as connection, ThreadPoolExecutor(1) as other:
        connection.exec_driver_sql(
            "INSERT INTO user_interaction (user_id, post_id, interaction_type) VALUES (%s, %s, 'share')",
            (ANNA, str(post_uuid("carl-2"))),
        )
        merge = other.submit(user_data.merge, "bert", "anna")
        wait_for_lock(engine)
        connection.commit()
        merge.result()

    shared = "SELECT user_id FROM user_interaction WHERE interaction_type = 'share'"
    assert values(tables, shared) == [user_uuid("bert")]


def wait_for_lock(engine: Engine) -> None:
    """Until another transaction waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = monotonic() + 10
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.exec_driver_sql(query).scalar_one():
            assert monotonic() < deadline
