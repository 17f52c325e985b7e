"""Events that SQL removes or changes: a running service is then as one that reads everything."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine

from app.domain.entities import INTERACTION_TYPES, Reason
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.schema import SchemaName
from tests.support.live_feeds import reconcile_now, same_counts
from tests.support.small_service import FEW_CANDIDATES, SmallService, names
from tests.support.sql_services import a_process
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user, did

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
REPLICA = "SET LOCAL session_replication_role = replica; "


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    made = create_feed_engine(database_url, connect_seconds=10, pool_size=4)
    yield made
    made.dispose()


@pytest.fixture
def tables(engine: Engine) -> SqlTables:
    """Six users, six posts of two authors, and 60 events at different times."""
    tables = SqlTables(engine, SchemaName())
    tables.run("TRUNCATE {users} CASCADE")
    tables.add_users(*(a_user(f"u{n}") for n in range(6)))
    tables.add_posts(*(a_post(f"p{n}", f"u{n % 2}", at=NOON + n * MINUTE) for n in range(6)))
    events = [
        did(
            f"u{n % 6}",
            f"p{n * 5 // 7 % 6}",
            INTERACTION_TYPES[n % 5],
            at=NOON + timedelta(hours=1) + n * MINUTE,
        )
        for n in range(60)
    ]
    SqlInteractionRepository(engine, budget_seconds=20).record(events)
    return tables


def assert_as_read_completely(service: SmallService, engine: Engine) -> None:
    fresh, _ = a_process(engine)
    state, expected = service.feed.state, fresh.feed.state
    assert set(state.user_rows) == set(expected.user_rows)
    assert same_counts(state, expected, service.clock.at.timestamp())
    assert state.n_events == expected.n_events


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {user_interaction} WHERE seq % 3 = 0",
        "DELETE FROM {user_interaction}",
        "DELETE FROM {users} WHERE external_id IN ('u0', 'u3')",
        "DELETE FROM {posts} WHERE external_id IN ('p1', 'p2')",
        "TRUNCATE {user_interaction}",
        "TRUNCATE {users} CASCADE",
        "UPDATE {user_interaction} SET interaction_type = 'share' WHERE seq % 2 = 0",
        "UPDATE {user_interaction} SET occurred_at = occurred_at - interval '3 hours'",
        "UPDATE {user_interaction} SET created_at = created_at - interval '3 hours' * seq",
        "UPDATE {user_interaction} SET post_id = (SELECT id FROM {posts} WHERE external_id = 'p5') WHERE seq % 2 = 0",
        "UPDATE {user_interaction} SET user_id = (SELECT id FROM {users} WHERE external_id = 'u5') WHERE seq % 2 = 0",
    ],
)
def test_events_that_sql_removes_or_changes_have_no_effect_after_the_next_read(
    engine: Engine, tables: SqlTables, statement: str
) -> None:
    service, log = a_process(engine)

    tables.run(statement.replace("%", "%%"))
    service.catch_up()

    assert_as_read_completely(service, engine)
    assert log.full_reads == (2 if "TRUNCATE" in statement else 1)


def test_an_update_of_metadata_alone_is_no_change(engine: Engine, tables: SqlTables) -> None:
    position = SqlFeedLog(engine).read_all().position

    tables.run("UPDATE {user_interaction} SET metadata = jsonb_build_object('seen', true)")

    assert SqlFeedLog(engine).read_changes(position).is_empty


@pytest.mark.parametrize("created_at", ["now()", "'2099-01-01Z'"])
def test_an_event_dated_in_the_future_counts_at_its_receipt(
    engine: Engine, tables: SqlTables, created_at: str
) -> None:
    service, _ = a_process(engine)
    service.clock.at = datetime.now(UTC)
    tables.run(
        "INSERT INTO {user_interaction} (user_id, post_id, interaction_type, occurred_at, created_at) "
        f"VALUES (%s, %s, 'like', '2099-01-01Z', {created_at})",
        str(user_uuid("u1")), str(post_uuid("p0")),
    )  # fmt: skip
    service.catch_up()
    fresh, _ = a_process(engine)

    for state in (service.feed.state, fresh.feed.state):
        row = state.post_rows[post_uuid("p0").bytes]
        now = datetime.now(UTC).timestamp()
        assert now - 600 < state.last_engaged[row] <= now
        assert state.post_counters.values(now, np.array([row]))[0, 0] < 2


def test_an_account_dated_in_the_future_is_a_new_one(engine: Engine, tables: SqlTables) -> None:
    tables.run("UPDATE {users} SET created_at = '2099-01-01Z' WHERE external_id = 'u1'")
    service, _ = a_process(engine)

    state = service.feed.state

    created = state.accounts_created[state.user_rows[user_uuid("u1").bytes]]
    assert created <= datetime.now(UTC).timestamp()


@pytest.mark.parametrize("captured", [True, False], ids=["by cascade", "without triggers"])
def test_spam_leaves_trending_when_the_accounts_of_bots_are_deleted(
    engine: Engine, tables: SqlTables, captured: bool
) -> None:
    """Twelve people like six posts, two each; then sixty bots like one post, a second apart."""
    tables.run("TRUNCATE {users}, {posts} CASCADE")
    people, bots = ([f"{kind}{n}" for n in range(count)] for kind, count in (("person", 12), ("bot", 60)))
    tables.add_users(*map(a_user, [*people, *bots, "reader"]))
    tables.add_posts(*(a_post(name) for name in ("spam", *(f"common{n}" for n in range(6)))))
    repository = SqlInteractionRepository(engine, budget_seconds=20)
    likes = [did(user, f"common{n % 6}", "like", at=NOON + n * MINUTE) for n, user in enumerate(people)]
    repository.record(likes)
    options = replace(FEW_CANDIDATES, exploration_share=0.0)
    without_spam, _ = a_process(engine, options=options)
    without_spam.clock.at = NOON + timedelta(hours=1)
    expected = without_spam.page("reader", limit=7)
    start = NOON + 31 * MINUTE
    repository.record([did(user, "spam", "like", at=start + n * SECOND) for n, user in enumerate(bots)])
    service, log = a_process(engine, options=options)
    service.clock.at = NOON + timedelta(hours=1)
    before = service.page("reader", limit=7)

    tables.run(("" if captured else REPLICA) + "DELETE FROM {users} WHERE external_id LIKE 'bot%%'")
    if captured:
        service.catch_up()
    else:
        reconcile_now(service)

    after = service.page("reader", limit=7)
    assert (names(before)[0], before.reasons[0]) == ("spam", Reason.TRENDING)
    assert (names(after), after.reasons) == (names(expected), expected.reasons)
    assert names(after)[-1] == "spam"
    assert len(service.feed.state.user_rows) == 13
    assert log.full_reads == 1
    assert_as_read_completely(service, engine)
    tables.run("DELETE FROM {user_interaction}")  # those without a user, too
