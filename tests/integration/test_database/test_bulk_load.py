"""Loading a whole feed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from app.domain.feed.dataset import NO_TIME, FeedDataset, microseconds
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.bulk_load import (
    LoadCounts,
    LoadRejected,
    TimeShift,
    load_feed,
)
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.database_feed import ODD, small_feed
from tests.support.storage_under_test import NOON, SqlTables, a_user, events_of

PUBLIC = SchemaName()
NOTHING = LoadCounts(0, 0, 0, 0)


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.begin() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def is_empty(engine: Engine) -> bool:
    history = SqlFeedLog(engine).read_all().dataset
    return not (len(history.users) or len(history.posts) or len(history.follows) or len(history.events))


def test_what_was_loaded_is_the_feed_that_was_given(engine: Engine) -> None:
    reported: list[tuple[str, int]] = []

    counts = load_feed(engine, small_feed(), progress=lambda table, done: reported.append((table, done)))

    noon = NOON.timestamp()
    history = SqlFeedLog(engine).read_all().dataset
    assert counts == LoadCounts(users=3, posts=2, follows=2, interactions=4)
    assert reported == [("users", 3), ("posts", 2), ("follows", 2), ("interactions", 4)]
    assert events_of(history) == [
        ("anna", "first", 0, noon),
        ("bert", "first", 2, noon + 1),
        ("zoë", ODD, 4, noon + 2),
        ("bert", ODD, 3, noon + 3),
    ]
    assert rows(engine, "SELECT external_id, username, follower_count FROM users ORDER BY seq") == [
        ("anna", "Anna", 3), ("bert", None, None), ("zoë", ODD, 0),
    ]  # fmt: skip
    posts = "SELECT external_id, author_id, content, tags, visible, like_count, comment_count FROM posts ORDER BY seq"
    assert rows(engine, posts) == [
        ("first", user_uuid("anna"), "", [], True, 1, None),
        (ODD, None, ODD, ["plain", ODD, ""], False, None, 2),
    ]
    assert rows(engine, "SELECT DISTINCT created_at = occurred_at FROM user_interaction") == [(True,)]
    assert rows(engine, "SELECT metadata FROM user_interaction ORDER BY seq") == [
        ({},), ({},), ({"source": "back\\slash\ttab"},), ({},),
    ]  # fmt: skip


def test_loading_again_adds_nothing_and_changes_nothing(engine: Engine) -> None:
    load_feed(engine, small_feed())
    position = SqlFeedLog(engine).read_all().position

    again = load_feed(engine, small_feed())

    changes = SqlFeedLog(engine).read_changes(position)
    assert again == NOTHING
    read = [changes.users, changes.posts, changes.follows, changes.events]
    assert not any(read)


def test_a_load_reaches_a_reader_of_the_log(engine: Engine) -> None:
    position = SqlFeedLog(engine).read_all().position

    load_feed(engine, small_feed())

    changes = SqlFeedLog(engine).read_changes(position)
    assert {post.id for post in changes.posts} == {post_uuid("first"), post_uuid("odd")}
    assert (len(changes.users), len(changes.follows), len(changes.events)) == (3, 2, 4)


def test_the_numbers_of_events_follow_the_order_given(engine: Engine) -> None:
    feed, n = small_feed(), 25_000
    many = replace(
        feed.events,
        user=np.zeros(n, np.int32), post=np.zeros(n, np.int32), kind=np.zeros(n, np.uint8),
        time_us=microseconds(NOON) + np.arange(n) // 1000 * 1_000_000, metadata=None, seq=np.zeros(n, np.int64),
        event_id=np.frombuffer(np.arange(2 * n, dtype=np.int64).tobytes(), "V16"),
    )  # fmt: skip

    reported: list[int] = []
    load_feed(engine, replace(feed, events=many), progress=lambda _table, done: reported.append(done))

    assert reported[-2:] == [20_000, n]
    ids = rows(engine, "SELECT event_id::text FROM user_interaction ORDER BY seq")
    assert [row[0].replace("-", "") for row in ids] == [one.tobytes().hex() for one in many.event_id]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (small_feed(metadata=np.array(["{}", "{not json", "{}", "{}"], np.object_)), "type json"),
        (small_feed(time_us=np.array([0, NO_TIME, 0, 0])), "created_at"),
        (small_feed(kind=np.array([0, 9, 0, 0], np.uint8)), "interaction_type"),
        (replace(small_feed(), posts=replace(small_feed().posts, text=["nul \0", ""])), r"\\u0000 cannot"),
        (
            replace(small_feed(), users=replace(small_feed().users, username=["\ud800", None, None])),
            "surrogate",
        ),
        (replace(small_feed(), users=replace(small_feed().users, external_id=["", "b", "c"])), "external_id"),
    ],
)
def test_a_feed_that_cannot_be_stored_is_rejected_in_one_line_and_nothing_is_left(
    engine: Engine, broken: FeedDataset, says: str
) -> None:
    with pytest.raises(LoadRejected, match=says) as rejected:
        load_feed(engine, broken, remember=TimeShift("feed", 1.5))

    assert "\n" not in str(rejected.value)
    assert is_empty(engine)
    assert rows(engine, "SELECT FROM feed_import") == []


def test_a_user_of_that_name_under_another_id_is_a_contradiction(engine: Engine) -> None:
    SqlTables(engine, PUBLIC).run("INSERT INTO {users} (external_id) VALUES ('anna')")

    with pytest.raises(LoadRejected, match="foreign key"):
        load_feed(engine, small_feed())


def test_rows_that_exist_already_stay_as_they_are(engine: Engine) -> None:
    SqlTables(engine, PUBLIC).add_users(a_user("anna"))

    counts = load_feed(engine, small_feed())

    assert counts.users == 2
    assert rows(engine, "SELECT username FROM users WHERE external_id = 'anna'") == [(None,)]


def test_the_shift_of_a_data_set_is_remembered_with_its_load(engine: Engine) -> None:
    load_feed(engine, small_feed(), remember=TimeShift("forum", 0.1))
    load_feed(engine, small_feed(), remember=TimeShift("forum", 0.1))
    with pytest.raises(LoadRejected, match=r"forum was loaded before with its times shifted by 0\.1 s"):
        load_feed(engine, small_feed(), remember=TimeShift("forum", 2))

    assert rows(engine, "SELECT name, shift_seconds FROM feed_import") == [("forum", 0.1)]


def test_a_feed_loads_into_another_schema(engine: Engine) -> None:
    other = SchemaName("other")
    migrate(engine, other)

    load_feed(engine, small_feed(), other)

    assert is_empty(engine)
    assert len(SqlFeedLog(engine, other).read_all().dataset.events) == 4
