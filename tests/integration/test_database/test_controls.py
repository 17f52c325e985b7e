"""The controls of users in PostgreSQL: what SQL reads and writes, and writes at the same time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import Engine

from app.domain import words
from app.domain.entities.control import Control, ControlAction
from app.domain.errors import InvalidControl
from app.domain.feed.post_words import PostWords
from app.domain.ids import post_uuid, user_uuid
from app.domain.words import normal_phrase, normal_tag, word_codes
from app.infrastructure.database.control_repository_impl import SqlControlRepository
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.postgres import TestServer
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user, control_of

PUBLIC = SchemaName()
NAMES = ("first", "second", "third", "fourth")
HOUR = timedelta(hours=1)


def fill(engine: Engine) -> None:
    """Four posts: the first two by Anna, the third by Bert, the fourth by nobody."""
    made = SqlTables(engine, PUBLIC)
    made.add_users(a_user("anna"), a_user("bert"), a_user("carl"))
    for name, author in zip(NAMES, ("anna", "anna", "bert", None), strict=True):
        made.add_posts(a_post(name, author, at=NOON - timedelta(days=365)))


@pytest.fixture(scope="module")
def filled_url(postgres: TestServer) -> Iterator[str]:
    with postgres.filled_database(fill) as url:
        yield url


@pytest.fixture
def own_database_url(postgres: TestServer, filled_url: str) -> Iterator[str]:
    with postgres.copy_of(filled_url) as url:
        yield url


@pytest.fixture
def controls(engine: Engine) -> SqlControlRepository:
    return SqlControlRepository(engine, budget_seconds=20)


def record(
    controls: SqlControlRepository,
    user: str,
    action: ControlAction,
    target: str,
    *,
    undo: bool = False,
    until: datetime | None = None,
) -> None:
    controls.record(control_of(user, action, target, until=until), undo=undo, event_id=None)


def visible_to(engine: Engine, user: str) -> set[str]:
    with engine.connect() as connection:
        ids = set(
            connection.exec_driver_sql("SELECT feed_visible_posts(%s)", (str(user_uuid(user)),)).scalars()
        )
    by_id = {post_uuid(name): name for name in (*NAMES, "hidden", "future")}
    return {by_id[UUID(str(id_))] for id_ in ids}


def test_hidden_and_future_posts_are_visible_to_nobody(engine: Engine, tables: SqlTables) -> None:
    tables.add_posts(a_post("hidden", visible=False), a_post("future", at=datetime.now(UTC) + HOUR))

    assert visible_to(engine, "carl") == set(NAMES)
    assert visible_to(engine, "nobody") == set(NAMES)


@pytest.mark.parametrize("action", ["hide_post", "not_interested", "report_post"])
def test_a_post_is_hidden_from_the_user_alone_until_they_take_it_back(
    engine: Engine, tables: SqlTables, controls: SqlControlRepository, action: ControlAction
) -> None:
    record(controls, "carl", action, "first")
    hidden = visible_to(engine, "carl"), visible_to(engine, "bert")
    record(controls, "carl", action, "first", undo=True)

    assert hidden == (set(NAMES) - {"first"}, set(NAMES))
    assert visible_to(engine, "carl") == set(NAMES)


@pytest.mark.parametrize(
    ("action", "seen_by_anna"), [("mute_author", set(NAMES)), ("block_author", {"first", "second", "fourth"})]
)
def test_a_muted_author_is_hidden_and_a_block_hides_in_both_directions(
    engine: Engine,
    tables: SqlTables,
    controls: SqlControlRepository,
    action: ControlAction,
    seen_by_anna: set[str],
) -> None:
    record(controls, "bert", action, "anna")

    assert visible_to(engine, "bert") == {"third", "fourth"}
    assert visible_to(engine, "anna") == seen_by_anna
    assert visible_to(engine, "carl") == set(NAMES)


def test_a_control_holds_until_its_end(
    engine: Engine, tables: SqlTables, controls: SqlControlRepository
) -> None:
    now = datetime.now(UTC)
    for user, until in (("bert", now - HOUR), ("carl", now + HOUR)):
        record(controls, user, "block_author", "anna", until=until)
        record(controls, user, "hide_post", "fourth", until=until)

    assert visible_to(engine, "bert") == set(NAMES)
    assert visible_to(engine, "carl") == {"third"}
    assert visible_to(engine, "anna") == set(NAMES)


def test_a_time_that_cannot_be_stored_is_an_invalid_control(
    tables: SqlTables, controls: SqlControlRepository
) -> None:
    with pytest.raises(InvalidControl, match="cannot be stored"):
        record(controls, "carl", "hide_post", "first", until=datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("statement", "remaining"),
    [
        ("UPDATE {user_feedback} SET undo = true WHERE action = 'hide_post'", ["mute_author"]),
        ("DELETE FROM {user_feedback} WHERE action = 'mute_author'", ["hide_post"]),
        ("TRUNCATE {user_feedback}", []),
    ],
)
def test_controls_changed_by_sql_are_changes_with_a_later_number(
    engine: Engine, tables: SqlTables, controls: SqlControlRepository, statement: str, remaining: list[str]
) -> None:
    record(controls, "carl", "hide_post", "first")
    before = controls.record(control_of("carl", "mute_author", "anna"), undo=False, event_id=None)
    position = SqlFeedLog(engine).read_all().position

    tables.run(statement)

    [after] = SqlFeedLog(engine).read_changes(position).controls
    assert [one.action for one in after.controls] == remaining
    assert after.seq > before.seq


def test_a_user_moved_by_sql_changes_both_users(
    engine: Engine, tables: SqlTables, controls: SqlControlRepository
) -> None:
    record(controls, "carl", "hide_post", "first")
    position = SqlFeedLog(engine).read_all().position

    tables.run("UPDATE {user_feedback} SET user_id = %s", str(user_uuid("bert")))

    changed = SqlFeedLog(engine).read_changes(position).controls
    assert {one.user_id: len(one.controls) for one in changed} == {user_uuid("carl"): 0, user_uuid("bert"): 1}


def test_of_controls_recorded_at_the_same_time_the_later_state_contains_the_earlier(
    tables: SqlTables, controls: SqlControlRepository
) -> None:
    with ThreadPoolExecutor(4) as pool:
        given = [control_of("carl", "hide_post", name) for name in NAMES]
        states = list(pool.map(lambda one: controls.record(one, undo=False, event_id=None), given))

    states.sort(key=lambda state: state.seq)
    assert [len(state.controls) for state in states] == [1, 2, 3, 4]


def test_a_word_without_letters_is_not_read(tables: SqlTables, controls: SqlControlRepository) -> None:
    tables.run(
        "INSERT INTO {user_feedback} (user_id, action, word) VALUES (%s, 'mute_word', '...')",
        str(user_uuid("carl")),
    )

    state = controls.controls_of(user_uuid("carl"))

    assert list(state.controls) == []
    assert state.seq > 0


def test_users_of_a_team_have_controls_as_long_as_the_view_shows_them(empty_engine: Engine) -> None:
    user, author = uuid4(), uuid4()
    with empty_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE users (id uuid PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO users VALUES (%s), (%s)", (str(user), str(author)))
    migrate(empty_engine, PUBLIC)
    controls, log = SqlControlRepository(empty_engine, budget_seconds=20), SqlFeedLog(empty_engine)
    muted = controls.record(Control(user, "mute_author", author_id=author), undo=False, event_id=None)
    before = log.read_all()

    with empty_engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM users WHERE id = %s", (str(user),))

    assert before.controls == [muted]
    assert log.read_all().controls == []


def test_a_team_may_map_its_own_controls_through_the_view(engine: Engine, tables: SqlTables) -> None:
    tables.run(
        "CREATE OR REPLACE VIEW feed_controls AS SELECT u.id AS user_id, 'block_author' AS action, "
        "a.id AS target_user_id, NULL::uuid AS target_post_id, NULL::text AS tag, NULL::text AS word, "
        "now() AS created_at, NULL::timestamptz AS until, NULL::bigint AS seq "
        "FROM users u, users a WHERE u.external_id = 'carl' AND a.external_id = 'anna'"
    )

    [state] = SqlFeedLog(engine).read_all().controls

    assert [(one.action, one.author_id) for one in state.controls] == [("block_author", user_uuid("anna"))]
    assert state.seq == 0
    assert visible_to(engine, "carl") == {"third", "fourth"}


# every character of these is a letter or a mark, so all databases agree on lower case; capitals are ASCII or Latin-1
MUTED = ["Hund", "HUND", "straße", "a b", "東京", "ç", "\u03c3", "c++"]
CONTENTS = [
    "Der Hund, bellt",
    "Hunde",
    "a  B",
    "a, b c",
    "ab",
    "STRASSE",
    "いま東京は",
    "京東",
    "Ç",
    "\u0391\u03a3 \u03c2",
    "C",
    "wau🐕hund",
    "",
]


@pytest.mark.parametrize("word", MUTED)
def test_sql_and_memory_agree_on_posts_with_a_muted_word(
    engine: Engine, tables: SqlTables, controls: SqlControlRepository, word: str
) -> None:
    posts = [replace(a_post(f"text {number}"), content=content) for number, content in enumerate(CONTENTS)]
    tables.add_posts(*posts)
    record(controls, "carl", "mute_word", normal_phrase(word))
    with engine.connect() as connection:
        visible = set(
            connection.exec_driver_sql(
                "SELECT v::text FROM feed_visible_posts(%s) v", (str(user_uuid("carl")),)
            ).scalars()
        )

    in_memory = PostWords()
    in_memory.append(np.arange(len(posts)), CONTENTS, [()] * len(posts))
    has_word = in_memory.with_any_phrase(np.arange(len(posts)), [word_codes(word)])

    assert [str(post.id) not in visible for post in posts] == has_word.tolist()


@pytest.mark.parametrize(("tag", "hidden"), [("NEWS", True), ("# news", True), ("new", False)])
def test_a_muted_tag_hides_its_posts_in_sql(
    engine: Engine, tables: SqlTables, controls: SqlControlRepository, tag: str, hidden: bool
) -> None:
    tables.run("UPDATE {posts} SET tags = ARRAY['first', 'News'] WHERE external_id = 'first'")
    record(controls, "carl", "mute_tag", normal_tag(tag))

    assert ("first" not in visible_to(engine, "carl")) is hidden


def test_the_migration_and_memory_read_words_by_the_same_characters() -> None:
    migration = import_module("app.infrastructure.database.migrations.versions.0005_muted_words")

    assert migration.SINGLE_CHARACTERS == words.SINGLE_CHARACTERS
    assert migration.SEPARATORS == words.SEPARATORS
