"""A server that freezes, dies or is full: an answer within the budget, and work again when it is back."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import psycopg2.extensions
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app.domain.entities import Interaction
from app.domain.errors import InvalidInteraction, StorageUnavailable, UnknownPost, UnknownUser
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.connection import (
    ConnectionCheck,
    create_feed_engine,
    deadline,
    install_deadlines,
    is_unavailable,
    storage_errors,
    transaction,
)
from app.infrastructure.database.embedded import EmbeddedPostgres
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.recommendation_repository_impl import SqlRecommendationRepository
from app.infrastructure.database.schema import SchemaName
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user, did

Answer = TypeVar("Answer")
BUDGET = 0.4
SLACK = 0.6  # for a machine that is busy with other tests


@pytest.fixture
def deadlines() -> Iterator[None]:
    """This process keeps deadlines, as the service does."""
    install_deadlines()
    yield
    psycopg2.extensions.set_wait_callback(None)


class Server:
    """A PostgreSQL of this module's own, which may be frozen and killed."""

    def __init__(self, root: Path, url: str) -> None:
        self.url = url
        self._pid_file = root / ".local/postgres/data/postmaster.pid"

    def processes(self) -> list[int]:
        """The postmaster and its children."""
        postmaster = int(self._pid_file.read_text().splitlines()[0])
        children = [
            int(one.parent.name)
            for one in Path("/proc").glob("[0-9]*/stat")
            if int(one.read_text().rpartition(")")[2].split()[1]) == postmaster
        ]
        return [postmaster, *children]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        frozen = self.processes()
        for process in frozen:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in reversed(frozen):
                os.kill(process, signal.SIGCONT)

    def kill(self) -> None:
        for process in self.processes():
            os.kill(process, signal.SIGKILL)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture
def server(root: Path) -> Iterator[Server]:
    """The server, started again if the test before killed it."""
    with EmbeddedPostgres(root, durable=False) as url:
        yield Server(root, url)


@pytest.fixture
def pooled(server: Server, deadlines: None) -> Iterator[Engine]:
    """As the service has it: few connections, short waits; Anna and one post are there."""
    engine = create_feed_engine(server.url, pool_size=2, pool_wait_seconds=0.2, connect_seconds=BUDGET)
    with deadline(30):
        migrate(engine, SchemaName())
        tables = SqlTables(engine, SchemaName())
        tables.run("TRUNCATE {users}, {posts} CASCADE")
        tables.add_users(a_user("anna"))
        tables.add_posts(a_post("first"))
    yield engine
    engine.dispose()


def seconds(action: Callable[[], object]) -> float:
    """How long it takes to say that the store is unavailable."""
    start = time.monotonic()
    with pytest.raises(StorageUnavailable):
        action()
    return time.monotonic() - start


def until_it_works(action: Callable[[], Answer]) -> Answer:
    """As a client that tries again; the server needs a moment to come back."""
    for _ in range(100):
        try:
            return action()
        except StorageUnavailable:
            time.sleep(0.1)  # between tries of a client, not a wait for a state
    return action()


def recorded_times(server: Server, event: UUID) -> int:
    engine = create_feed_engine(server.url, connect_seconds=10)
    with engine.connect() as connection:
        query = "SELECT count(*) FROM user_interaction WHERE event_id = %s"
        found: int = connection.exec_driver_sql(query, (str(event),)).scalar_one()
    engine.dispose()
    return found


@pytest.mark.parametrize(("budget_seconds", "interval"), [(300, "10s"), (1, "0")])
def test_a_long_statement_ends_soon_after_its_client(
    engine: Engine, budget_seconds: float, interval: str
) -> None:
    with transaction(engine, budget_seconds) as connection:
        [found] = connection.exec_driver_sql("SHOW client_connection_check_interval").scalars()

    assert found == interval


def test_a_frozen_server_is_given_up_within_the_budget_and_used_again_when_it_thaws(
    server: Server, pooled: Engine
) -> None:
    interactions = SqlInteractionRepository(pooled, budget_seconds=BUDGET)
    log = SqlFeedLog(pooled, budget_seconds=BUDGET)
    recommendations = SqlRecommendationRepository(pooled, budget_seconds=BUDGET)
    event = did("anna", "first", event=uuid4())
    interactions.record([did("anna", "first")])

    with server.frozen():
        took = [
            seconds(lambda: interactions.record([event])),  # on a connection that was made before
            seconds(lambda: interactions.record([event])),  # on a new one
            seconds(log.source),
            seconds(lambda: recommendations.remove_expired(NOON)),
        ]

    assert max(took) < BUDGET + SLACK
    until_it_works(lambda: interactions.record([event]))
    assert recorded_times(server, event.event_id or UUID(int=0)) == 1


def test_callers_of_a_frozen_server_do_not_queue_up_behind_each_other(server: Server, pooled: Engine) -> None:
    interactions = SqlInteractionRepository(pooled, budget_seconds=BUDGET)
    took: list[float] = []

    with server.frozen():
        callers = [
            threading.Thread(
                target=lambda: took.append(seconds(lambda: interactions.record([did("anna", "first")])))
            )
            for _ in range(8)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

    assert len(took) == 8
    assert max(took) < BUDGET + SLACK


def test_a_server_that_accepts_and_says_nothing_is_given_up_within_the_budget(deadlines: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        engine = create_feed_engine(f"postgres://feed:feed@127.0.0.1:{port}/feed", connect_seconds=BUDGET)

        assert seconds(SqlFeedLog(engine, budget_seconds=5).source) < BUDGET + SLACK


def test_after_kill_9_everything_acknowledged_is_there_and_work_goes_on(
    tmp_path: Path, deadlines: None
) -> None:
    with EmbeddedPostgres(tmp_path) as url:  # a durable one: what is acknowledged is on the disk
        server = Server(tmp_path, url)
        engine = create_feed_engine(url, pool_size=2, pool_wait_seconds=0.2, connect_seconds=BUDGET)
        with deadline(30):
            migrate(engine, SchemaName())
        tables = SqlTables(engine, SchemaName())
        tables.add_users(a_user("anna"))
        tables.add_posts(a_post("first"))
        interactions = SqlInteractionRepository(engine, budget_seconds=5)
        acknowledged = [
            one.seq
            for _ in range(20)
            for one in interactions.record([did("anna", "first"), did("anna", "first")]).stored
        ]

        server.kill()
        took = seconds(lambda: interactions.record([did("anna", "first")]))
        with EmbeddedPostgres(tmp_path) as again:
            after = until_it_works(lambda: interactions.record([did("anna", "first", event=uuid4())]))
            events = until_it_works(SqlFeedLog(engine).read_all).dataset.events
        engine.dispose()

    assert again == url
    assert took < BUDGET + SLACK
    assert set(acknowledged) <= set(events.seq.tolist())
    assert len(after.stored) == 1


def test_a_slow_statement_is_ended_and_its_connection_does_not_stay_lost(pooled: Engine) -> None:
    def sleep() -> None:
        with transaction(pooled, BUDGET) as connection:
            connection.exec_driver_sql("SELECT pg_sleep(5)")

    took = [seconds(sleep) for _ in range(4)]  # more often than there are connections

    assert max(took) < BUDGET + SLACK
    assert len(SqlInteractionRepository(pooled, budget_seconds=10).record([did("anna", "first")]).stored) == 1


def test_a_lost_connection_leaves_the_others_of_the_pool_open(pooled: Engine) -> None:
    backend = "SELECT pg_backend_pid()"
    with pooled.connect() as first, pooled.connect() as second:
        lost, kept = (one.exec_driver_sql(backend).scalar_one() for one in (first, second))
        second.exec_driver_sql(f"SELECT pg_terminate_backend({lost})")
        with pytest.raises(DBAPIError):
            first.exec_driver_sql(backend)

    with pooled.connect() as first, pooled.connect() as second:
        assert kept in {one.exec_driver_sql(backend).scalar_one() for one in (first, second)}


def test_a_full_pool_is_waited_for_no_longer_than_its_budget(pooled: Engine) -> None:
    with pooled.connect(), pooled.connect():
        assert 0.15 < seconds(SqlFeedLog(pooled, budget_seconds=20).source) < 0.2 + SLACK


def test_an_inner_deadline_never_reaches_beyond_an_outer_one(pooled: Engine) -> None:
    with deadline(BUDGET):
        took = seconds(lambda: run_with(pooled, 20, "SELECT pg_sleep(5)"))

    assert took < BUDGET + SLACK


def run_with(engine: Engine, budget: float, statement: str) -> None:
    with transaction(engine, budget) as connection:
        connection.exec_driver_sql(statement)


def test_transactions_leave_no_state_in_the_session(pooled: Engine) -> None:
    shown = "SELECT current_setting('TimeZone'), current_setting('statement_timeout'), current_setting('search_path')"
    engine = create_feed_engine(
        pooled.url.render_as_string(hide_password=False), connect_seconds=10, pool_size=1
    )
    with deadline(10), engine.connect() as connection:
        connection.exec_driver_sql("SET SESSION TIME ZONE 'Asia/Tokyo'")
        connection.commit()
        before = tuple(connection.exec_driver_sql(shown).one())
    with transaction(engine, 10, snapshot=True) as connection:
        inside = tuple(connection.exec_driver_sql(shown).one())
    with deadline(10), engine.connect() as connection:
        after = tuple(connection.exec_driver_sql(shown).one())
        isolation = connection.exec_driver_sql("SHOW transaction_isolation").scalar_one()
    engine.dispose()

    assert inside[:2] == ("UTC", "10s")
    assert after == before
    assert isolation == "read committed"


@pytest.mark.parametrize(
    ("code", "away"),
    [
        ("08006", True), ("53300", True), ("53100", True), ("57014", True), ("57P01", True), ("57P03", True),
        ("58030", True), ("40001", True), ("40P01", True), ("25006", True), ("55P03", True), ("42P01", True),
        ("42501", True), ("23505", False), ("23503", False), ("22P02", False), ("42601", False), ("54000", False),
    ],
)  # fmt: skip
def test_an_sqlstate_says_whether_the_database_is_away_or_the_request_is_wrong(
    pooled: Engine, code: str, away: bool
) -> None:
    def fail() -> None:
        with storage_errors(), pooled.connect() as connection:
            connection.exec_driver_sql(
                f"DO $$ BEGIN RAISE SQLSTATE '{code}' USING MESSAGE = 'planted'; END $$"
            )

    with deadline(10), pytest.raises(Exception, match="planted") as raised:
        fail()

    assert isinstance(raised.value, StorageUnavailable) is away
    assert is_unavailable(raised.value.__cause__ if away else raised.value) is away  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "odd",
    [
        Interaction(user_uuid("anna"), post_uuid("first"), "view", NOON, request_id="nul \0"),
        Interaction(user_uuid("anna"), post_uuid("first"), "view", NOON, request_id="half \ud800"),
        Interaction(user_uuid("anna"), post_uuid("first"), "view", NOON, metadata={"nul": "\0"}),
        Interaction(user_uuid("anna"), post_uuid("first"), "view", NOON, metadata={"nan": float("nan")}),
    ],
)
def test_what_postgres_cannot_hold_is_an_invalid_interaction(pooled: Engine, odd: Interaction) -> None:
    interactions = SqlInteractionRepository(pooled, budget_seconds=10)

    with pytest.raises(InvalidInteraction):
        interactions.record([did("anna", "first"), odd])

    with deadline(10):
        assert len(SqlFeedLog(pooled).read_all().dataset.events) == 0


def test_odd_but_printable_strings_come_back_as_they_went(pooled: Engine) -> None:
    odd = "%s %% {} ' \" \\ \t\n $1 😀 \u202e"
    given = Interaction(
        user_uuid("anna"), post_uuid("first"), "view", NOON, request_id=odd, metadata={odd: [odd, None]}
    )

    SqlInteractionRepository(pooled, budget_seconds=10).record([given])

    with deadline(10), pooled.connect() as connection:
        row = connection.exec_driver_sql("SELECT request_id, metadata FROM user_interaction").one()
    assert tuple(row) == (odd, {odd: [odd, None]})


@pytest.mark.parametrize(
    ("statement", "error"),
    [("DELETE FROM users", UnknownUser), ("DELETE FROM posts", UnknownPost)],
)
def test_who_is_deleted_while_an_event_is_recorded_is_unknown(
    pooled: Engine, statement: str, error: type[Exception]
) -> None:
    raised: list[BaseException] = []

    def record() -> None:
        try:
            SqlInteractionRepository(pooled, budget_seconds=20).record([did("anna", "first")])
        except Exception as one:  # noqa: BLE001 - looked at below
            raised.append(one)

    with deadline(30), pooled.connect() as deleting:
        deleting.exec_driver_sql(statement)
        recording = threading.Thread(target=record)
        recording.start()
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not deleting.exec_driver_sql(blocked).scalar_one():
            assert recording.is_alive()
        deleting.commit()
        recording.join()

    assert [type(one) for one in raised] == [error]
    assert str(raised[0]) in {str(user_uuid("anna")), str(post_uuid("first"))}


def test_one_event_sent_twice_at_the_same_time_is_stored_once(server: Server, pooled: Engine) -> None:
    event = uuid4()
    results: list[int] = []
    interactions = SqlInteractionRepository(pooled, budget_seconds=20)
    senders = [
        threading.Thread(
            target=lambda: results.append(
                len(interactions.record([did("anna", "first", event=event)]).stored)
            )
        )
        for _ in range(2)
    ]

    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert sorted(results) == [0, 1]
    assert recorded_times(server, event) == 1


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_a_dsn_means_psycopg2(scheme: str) -> None:
    engine = create_feed_engine(f"{scheme}://a:b@c/d", connect_seconds=10)

    assert engine.url.render_as_string(hide_password=False) == "postgresql+psycopg2://a:b@c/d"


def test_a_check_notices_a_frozen_server_within_its_budget_and_survives_a_closed_connection(
    server: Server, deadlines: None
) -> None:
    engine = create_feed_engine(server.url, connect_seconds=10)
    check = ConnectionCheck(engine, BUDGET)
    for _ in range(2):
        check()
    with engine.connect() as other:
        other.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT 1'"
        )

    check()
    with server.frozen():
        took = seconds(check)
    until_it_works(check)
    check.close()

    assert BUDGET - 0.05 < took < BUDGET + SLACK
