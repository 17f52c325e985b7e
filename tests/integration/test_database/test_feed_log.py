"""The log where transactions overlap, roll back, are huge, or come from another database."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog
from sqlalchemy import Connection, Engine, event

from app.domain.entities import Interaction
from app.domain.errors import PositionExpired, StorageUnavailable
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.feed_log import FeedLog, LogPosition
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.full_read import column_parts
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user, did

PUBLIC = SchemaName()
VIEW = "INSERT INTO user_interaction (user_id, post_id, interaction_type, request_id) VALUES (%s, %s, 'view', %s)"


@pytest.fixture
def tables(engine: Engine) -> SqlTables:
    """Anna, Bert and two posts."""
    made = SqlTables(engine, PUBLIC)
    made.add_users(a_user("anna"), a_user("bert"))
    made.add_posts(a_post("first", "anna"), a_post("second"))
    return made


def view(connection: Connection, name: str) -> None:
    """Likes of one post by one user would wait for each other, because they are counted."""
    connection.exec_driver_sql(VIEW, (str(user_uuid("anna")), str(post_uuid("first")), name))


class Reader:
    """Follows the log as the service does: each event once by its number, from position to position."""

    def __init__(self, log: FeedLog, *, forgetful: bool = False) -> None:
        self.log = log
        self.forgetful = forgetful  # keeps no detail of its position, as one that was written down may not
        self.position = log.read_all().position
        self.seen: list[str] = []
        self._counted: set[int] = set()

    def poll(self) -> Sequence[str]:
        changes = self.log.read_changes(self.position)
        new = [one for one in changes.events if one.seq not in self._counted]
        self._counted |= {one.seq for one in new}
        self.seen += [one.interaction.request_id or "" for one in new]
        self.position = changes.position
        if self.forgetful:
            self.position = LogPosition(changes.position.source, changes.position.xid)
        return [one.interaction.request_id or "" for one in changes.events]


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_late_commit_with_an_early_number_is_not_lost(
    engine: Engine, tables: SqlTables, forgetful: bool
) -> None:
    reader = Reader(SqlFeedLog(engine), forgetful=forgetful)

    with engine.connect() as early, engine.connect() as late:
        view(early, "early number, late commit")
        view(late, "late number, early commit")
        late.commit()
        reader.poll()
        seen_while_open = list(reader.seen)
        early.commit()
    reader.poll()
    reader.poll()

    assert seen_while_open == ["late number, early commit"]
    assert reader.seen == ["late number, early commit", "early number, late commit"]


def test_a_full_read_and_the_changes_after_it_leave_no_gap(engine: Engine, tables: SqlTables) -> None:
    log = SqlFeedLog(engine)
    with engine.connect() as open_one, engine.connect() as other:
        view(open_one, "open during the full read")
        view(other, "committed before it")
        other.commit()
        whole = log.read_all()
        open_one.commit()

    in_whole = set(whole.dataset.events.seq.tolist())
    kept = log.read_changes(whole.position).events
    forgotten = log.read_changes(LogPosition(whole.position.source, whole.position.xid)).events

    assert [one.interaction.request_id for one in kept] == ["open during the full read"]
    assert len(in_whole) == 1
    assert whole.recent == in_whole
    assert {one.seq for one in forgotten} - whole.recent == {one.seq for one in kept}


def test_a_long_transaction_holds_nothing_up_and_makes_nothing_come_twice(
    engine: Engine, tables: SqlTables
) -> None:
    reader = Reader(SqlFeedLog(engine))
    with engine.connect() as long_one, engine.connect() as others:
        view(long_one, "long")
        delivered = []
        for name in ("one", "two", "three"):
            view(others, name)
            others.commit()
            delivered.append(reader.poll())
        long_one.commit()

    assert delivered == [["one"], ["two"], ["three"]]
    assert reader.poll() == ["long"]
    assert reader.poll() == []


def test_what_was_rolled_back_never_comes(engine: Engine, tables: SqlTables) -> None:
    reader = Reader(SqlFeedLog(engine))
    with engine.connect() as connection:
        view(connection, "rolled back")
        reader.poll()
        connection.rollback()
        view(connection, "kept")
        with connection.begin_nested() as savepoint:
            view(connection, "rolled back to a savepoint")
            savepoint.rollback()
        with connection.begin_nested():
            view(connection, "kept by a savepoint")
        connection.commit()
    reader.poll()

    assert reader.seen == ["kept", "kept by a savepoint"]


def test_overlapping_transactions_in_every_order_deliver_each_event_once(
    engine: Engine, tables: SqlTables
) -> None:
    reader, forgetful = Reader(SqlFeedLog(engine)), Reader(SqlFeedLog(engine), forgetful=True)
    commit_order = (3, 0, 4, 1, 2)

    with ExitStack() as stack:
        connections = [stack.enter_context(engine.connect()) for _ in commit_order]
        for name, connection in enumerate(connections):
            view(connection, str(name))
        for name in commit_order:
            connections[name].commit()
            reader.poll()
            forgetful.poll()

    assert reader.seen == [str(name) for name in commit_order]
    assert forgetful.seen == reader.seen


def test_an_open_transaction_that_deletes_a_post_is_read_after_its_commit(
    engine: Engine, tables: SqlTables
) -> None:
    log = SqlFeedLog(engine)
    position = log.read_all().position
    with engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM posts WHERE external_id = 'first'")
        tables.add_posts(a_post("third"))
        during = log.read_changes(position)
        connection.commit()

    after = log.read_changes(during.position)

    assert ([post.external_id for post in during.posts], list(during.removed_posts)) == (["third"], [])
    assert (list(after.posts), list(after.removed_posts)) == ([], [post_uuid("first")])


def test_one_huge_transaction_comes_in_parts_posts_before_events(engine: Engine, tables: SqlTables) -> None:
    log = SqlFeedLog(engine, max_rows_per_read=10)
    position = log.read_all().position
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO posts (id, external_id) SELECT gen_random_uuid(), 'huge ' || n FROM generate_series(1, 25) n"
        )
        connection.exec_driver_sql(
            "INSERT INTO user_interaction (user_id, post_id, interaction_type, request_id) "
            "SELECT (SELECT id FROM users LIMIT 1), id, 'view', external_id FROM posts WHERE external_id LIKE 'huge%%'"
        )
    posts: set[UUID] = set()
    events: list[str] = []
    for turn in range(8):
        if turn == 2:  # somebody goes on writing in the middle of it
            with engine.begin() as connection:
                view(connection, "meanwhile")
        changes = log.read_changes(position)
        assert len(changes.posts) <= 10
        assert len(changes.events) <= 10
        posts |= {post.id for post in changes.posts}
        assert {one.interaction.post_id for one in changes.events} <= posts | {post_uuid("first")}
        events += [one.interaction.request_id or "" for one in changes.events]
        position = changes.position

    assert len(posts) == 25
    assert sorted(events) == sorted(["meanwhile", *(f"huge {n}" for n in range(1, 26))])


def test_a_failed_read_is_followed_by_smaller_ones_that_grow_again(engine: Engine, tables: SqlTables) -> None:
    log = SqlFeedLog(engine, max_rows_per_read=8, lock_seconds=0.01)
    position = log.read_all().position
    with engine.begin() as connection:
        for number in range(15):
            view(connection, str(number))
    with engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE user_interaction")
        with pytest.raises(StorageUnavailable):
            log.read_changes(position)

    sizes = []
    for _ in range(3):
        changes = log.read_changes(position)
        sizes.append(len(changes.events))
        position = changes.position

    assert sizes == [4, 8, 3]


def test_a_part_read_with_its_detail_lost_starts_over_and_loses_nothing(
    engine: Engine, tables: SqlTables
) -> None:
    log = SqlFeedLog(engine, max_rows_per_read=2)
    position = log.read_all().position
    with engine.begin() as connection:
        for name in "abcde":
            view(connection, name)
    part = log.read_changes(position)

    everything = SqlFeedLog(engine).read_changes(LogPosition(part.position.source, part.position.xid))

    assert len(part.events) == 2
    assert len(everything.events) == 5


def test_counters_of_a_post_alone_are_no_news(engine: Engine, tables: SqlTables) -> None:
    log = SqlFeedLog(engine)
    position = log.read_all().position

    tables.run("UPDATE {posts} SET like_count = 7, comment_count = 1")
    tables.run("UPDATE {users} SET follower_count = 7, username = 'Anna'")

    changes = log.read_changes(position)
    assert (list(changes.posts), list(changes.users)) == ([], [])


def test_a_key_that_was_changed_is_one_removed_and_one_added(engine: Engine, tables: SqlTables) -> None:
    log = SqlFeedLog(engine)
    position = log.read_all().position

    tables.run("UPDATE {posts} SET id = %s WHERE external_id = 'second'", str(post_uuid("other")))

    changes = log.read_changes(position)
    assert [post.id for post in changes.posts] == [post_uuid("other")]
    assert list(changes.removed_posts) == [post_uuid("second")]


def test_truncated_rows_are_read_as_removed(engine: Engine, tables: SqlTables) -> None:
    tables.add_follow(user_uuid("anna"), user_uuid("bert"))
    log = SqlFeedLog(engine)
    position = log.read_all().position

    tables.run("TRUNCATE {follows}")

    changes = log.read_changes(position)
    assert list(changes.removed_follows) == [(user_uuid("anna"), user_uuid("bert"))]


@pytest.mark.parametrize("table", ["user_interaction", "users"])
def test_truncated_events_expire_the_position(engine: Engine, tables: SqlTables, table: str) -> None:
    log = SqlFeedLog(engine)
    position = log.read_all().position

    tables.run(f"TRUNCATE {{{table}}} CASCADE")

    with pytest.raises(PositionExpired, match="all events were removed"):
        log.read_changes(position)
    assert log.read_changes(log.read_all().position).is_empty


def test_events_deleted_by_sql_are_read_as_removed_for_each_user_and_post(
    engine: Engine, tables: SqlTables
) -> None:
    given = [did("anna", "first"), did("anna", "first"), did("bert", "first"), did("bert", "second")]
    stored = SqlInteractionRepository(engine, budget_seconds=20).record(given).stored
    log = SqlFeedLog(engine)
    position = log.read_all().position

    tables.run("DELETE FROM {user_interaction} WHERE seq = ANY(%s)", [one.seq for one in stored[1:3]])

    removed = {(one.user_id, one.post_id): one for one in log.read_changes(position).removed_events}
    anna = removed.pop((user_uuid("anna"), post_uuid("first")))
    bert = removed.pop((user_uuid("bert"), post_uuid("first")))
    assert not removed
    assert (list(anna.seqs), list(anna.remaining)) == ([stored[1].seq], [stored[0]])
    assert (list(bert.seqs), list(bert.remaining)) == ([stored[2].seq], [])


def test_rows_written_by_hand_do_not_stop_the_log(engine: Engine, tables: SqlTables) -> None:
    log = SqlFeedLog(engine)
    position = log.read_all().position
    tables.run("INSERT INTO {users} (external_id) VALUES ('zoë \U0001f600 \\ \t')")
    tables.run("INSERT INTO {posts} (external_id, content, tags) VALUES ('bare', NULL, '{{NULL,a}}')")
    tables.run(
        "INSERT INTO {user_interaction} (user_id, post_id, interaction_type, metadata, occurred_at) "
        "VALUES (%s, %s, 'view', jsonb_build_object('long', repeat('x', 10000)), '9999-12-01Z')",
        str(user_uuid("anna")), str(post_uuid("first")),
    )  # fmt: skip

    changes = log.read_changes(position)
    history = log.read_all().dataset

    assert [user.external_id for user in changes.users] == ["zoë \U0001f600 \\ \t"]
    assert [(post.content, post.tags) for post in changes.posts] == [("", ("a",))]
    assert [one.interaction.occurred_at for one in changes.events] == [changes.events[0].received_at]
    assert len(history.events) == 1
    assert history.posts.text[history.posts.external_id.index("bare")] == ""


@pytest.mark.slow
def test_more_events_than_a_page_of_the_full_read_are_all_read(
    engine: Engine, tables: SqlTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.infrastructure.database.full_read.RECORDS_PER_PAGE", 7)
    monkeypatch.setattr("app.infrastructure.database.full_read.ROWS_PER_FETCH", 2)
    monkeypatch.setattr("app.infrastructure.database.full_read._PAGES_PER_REPORT", 1)
    tables.add_users(*(a_user(f"u{n}") for n in range(20)))
    for n in range(20):
        tables.add_follow(user_uuid(f"u{n}"), user_uuid("anna"))
    given = [did(f"u{n}", "second", at=NOON + timedelta(seconds=n)) for n in range(20)]
    SqlInteractionRepository(engine, budget_seconds=20).record(given)

    with structlog.testing.capture_logs() as logs:
        history = SqlFeedLog(engine).read_all().dataset

    assert len(history.follows) == 20
    assert [history.users.external_id[row] for row in history.events.user] == [f"u{n}" for n in range(20)]
    assert [one["events"] for one in logs if one["event"] == "feed.reading"] == [7, 14, 20]


@pytest.fixture
def long_log(engine: Engine, tables: SqlTables) -> LogPosition:
    """The position before 20,000 events."""
    before = SqlFeedLog(engine).read_all().position
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"{VIEW.partition('VALUES')[0]} SELECT %s, %s, 'view', k::text FROM generate_series(1, 20000) k",
            (str(user_uuid("anna")), str(post_uuid("first"))),
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE user_interaction")
    return before


def plans_of_new_rows(engine: Engine, log: FeedLog, position: LogPosition) -> list[dict[str, Any]]:
    """The plans, with what they read, of the statements by which `log` reads the changes since a position."""
    statements: list[tuple[str, Any]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_others: Any) -> None:
        if "ORDER BY xid" in statement:
            statements.append((statement, parameters))

    log.read_changes(position)
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        return [
            connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values
            ).scalar_one()[0]
            for statement, values in statements
        ]


def test_looking_for_changes_does_not_read_the_past(engine: Engine, long_log: LogPosition) -> None:
    log = SqlFeedLog(engine)

    plans = plans_of_new_rows(engine, log, log.read_all().position)

    assert len(plans) == 3
    for plan in plans:
        assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 20


def test_each_part_of_a_backlog_is_read_without_sorting_the_rest(
    engine: Engine, long_log: LogPosition
) -> None:
    log = SqlFeedLog(engine, max_rows_per_read=100)
    changes = log.read_changes(long_log)
    assert changes.more

    [*_, plan] = plans_of_new_rows(engine, log, changes.position)

    assert "Sort" not in str(plan)
    assert plan["Plan"]["Actual Rows"] == 101


def test_a_full_read_receives_the_rows_of_one_part_at_a_time(engine: Engine) -> None:
    with engine.connect() as connection:
        parts = column_parts(connection, ["n"], "generate_series(1, 25) n", rows=10)
        first = next(parts)
        cursors = connection.exec_driver_sql("SELECT count(*) FROM pg_cursors").scalar_one()
        others = list(parts)

    assert cursors == 1  # the server has the rows that follow
    assert [len(rows) for (rows,) in (first, *others)] == [10, 10, 5]


def test_databases_schemas_and_rebuilt_tables_have_different_sources(engine: Engine) -> None:
    other = SchemaName("other")
    migrate(engine, other)
    sources = [SqlFeedLog(engine).source(), SqlFeedLog(engine, other).source()]
    again = SqlFeedLog(engine).source()
    migrate(engine, PUBLIC, "base")
    migrate(engine, PUBLIC)

    sources.append(SqlFeedLog(engine).source())

    assert again == sources[0]
    assert len(set(sources)) == 3


def test_rows_restored_from_an_older_cluster_are_read_once_and_do_not_come_again(
    engine: Engine, tables: SqlTables
) -> None:
    tables.run(  # as pg_restore leaves it: transaction numbers that this cluster reaches in a while
        "INSERT INTO {user_interaction} (user_id, post_id, interaction_type, request_id, xid) "
        "SELECT u.id, p.id, 'view', 'restored', (pg_current_xact_id()::text::bigint + 3)::text::xid8 "
        "FROM {users} u, {posts} p LIMIT 1"
    )
    migrate(engine, PUBLIC)
    reader = Reader(SqlFeedLog(engine))
    whole = reader.log.read_all()

    for name in "abcdefgh":  # the cluster gets there and beyond
        with engine.begin() as connection:
            view(connection, name)
        reader.poll()

    assert (len(whole.dataset.events), whole.recent) == (1, frozenset())
    assert reader.seen == list("abcdefgh")


def test_a_batch_is_one_transaction_also_for_the_reader(engine: Engine, tables: SqlTables) -> None:
    reader = Reader(SqlFeedLog(engine))
    batch: list[Interaction] = [did("anna", "second"), did("bert", "second", "like")]

    stored = SqlInteractionRepository(engine, budget_seconds=20).record(batch).stored

    assert [(one.seq, one.xid) for one in reader.log.read_changes(reader.position).events] == [
        (one.seq, one.xid) for one in stored
    ]
