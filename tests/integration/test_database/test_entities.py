"""SqlEntityRepository: users and posts that callers write, in PostgreSQL and in memory."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import Engine

from app.application.use_cases.write_entities import WriteEntities
from app.domain.entities import Post, User
from app.domain.errors import InvalidPost, ManagedElsewhere, StorageUnavailable
from app.domain.feed.state import FeedState
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.entity_repository import EntityChange, EntityRepository
from app.infrastructure.database.entity_repository_impl import SqlEntityRepository
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.schema import SchemaName
from tests.support.fake_use_cases import FixedClock
from tests.support.replicas import Replica
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user, did

PUBLIC = SchemaName()


@pytest.fixture
def entities(engine: Engine) -> EntityRepository:
    return SqlEntityRepository(engine, budget_seconds=20)


def rows(tables: SqlTables, query: str, *values: object) -> list[tuple[Any, ...]]:
    with tables.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query, values)]


def put(entities: EntityRepository, post_id: str, **fields: object) -> Post:
    [post] = entities.put_posts([(post_id, fields)], NOON).posts
    return post


def test_fields_that_are_omitted_stay_and_null_clears(entities: EntityRepository, tables: SqlTables) -> None:
    everything = {
        "author_id": "anna",
        "content": "A walk",
        "created_at": NOON - timedelta(days=1),
        "tags": ["nature", 'odd "{,}\\ tag'],
        "visible": False,
        "visibility": "members",
        "audience_id": "club",
        "language": "de-AT",
        "sensitive": True,
        "reply_to": "parent",
        "root_id": "root",
        "repost_of": "original",
        "embedding": [0.0, -1.0, 0.0],
    }
    first = put(entities, "new", **everything)
    same = put(entities, "new")
    cleared = put(entities, "new", author_id=None, content=None, language=None, root_id=None, visible=True)
    without = put(entities, "new", embedding=None)

    assert first == same
    assert (first.author_id, first.content, first.tags) == (
        user_uuid("anna"),
        "A walk",
        tuple(everything["tags"]),
    )
    assert (first.created_at, first.visible, first.visibility) == (everything["created_at"], False, "members")
    assert (first.audience_id, first.language, first.sensitive) == ("club", "de-AT", True)
    assert (first.root_id, first.repost_of) == (post_uuid("root"), post_uuid("original"))
    assert (cleared.author_id, cleared.content, cleared.language, cleared.root_id) == (None, "", None, None)
    assert (cleared.visible, cleared.tags, cleared.repost_of) == (True, first.tags, first.repost_of)
    embedding = np.array([0, -1, 0], np.float16).tobytes()
    assert (first.embedding, cleared.embedding, without.embedding) == (embedding, embedding, None)
    assert rows(tables, "SELECT reply_to FROM posts") == [(post_uuid("parent"),)]


def test_a_new_row_has_the_defaults_and_a_dense_number(entities: EntityRepository) -> None:
    first = put(entities, "first")
    for _ in range(3):
        put(entities, "first", content="again")
    second = put(entities, "second")
    user = entities.put_user("anna", {"username": "Anna"}, NOON).users[0]

    assert first == Post(post_uuid("first"), "first", None, NOON, first.seq)
    assert second.seq == first.seq + 1
    assert user == User(user_uuid("anna"), "anna", NOON)


def test_declared_tags_and_authors_are_replaced_apart(entities: EntityRepository) -> None:
    entities.put_user("bert", {}, NOON)
    both = entities.put_user("anna", {"tags": ["art"], "authors": ["bert"]}, NOON).users[0]
    without_authors = entities.put_user("anna", {"tags": ["art", "news"], "authors": []}, NOON).users[0]
    entities.put_user("anna", {"authors": ["bert"]}, NOON)
    without_tags = entities.put_user("anna", {"tags": []}, NOON).users[0]

    assert (both.tags, both.authors) == (("art",), (user_uuid("bert"),))
    assert (sorted(without_authors.tags), without_authors.authors) == (["art", "news"], ())
    assert (without_tags.tags, without_tags.authors) == ((), (user_uuid("bert"),))


def test_an_author_without_a_row_gets_one_and_known_ones_are_left_alone(
    entities: EntityRepository, tables: SqlTables
) -> None:
    entities.put_user("anna", {"languages": ["de"]}, NOON)
    change = entities.put_posts([("one", {"author_id": "anna"}), ("two", {"author_id": "bert"})], NOON)

    assert {user.external_id: user.languages for user in change.users} == {"anna": ("de",), "bert": ()}
    assert {post.author_id for post in change.posts} == {user_uuid("anna"), user_uuid("bert")}


def test_an_id_means_the_row_with_this_external_id(entities: EntityRepository, tables: SqlTables) -> None:
    user_id, post_id = uuid4(), uuid4()
    tables.run("INSERT INTO {users} (id, external_id) VALUES (%s, 'anna')", str(user_id))
    tables.run("INSERT INTO {posts} (id, external_id) VALUES (%s, 'first')", str(post_id))

    by_name = put(entities, " first ", author_id="anna", root_id="first")
    by_uuid = put(entities, str(post_id).upper(), sensitive=True)

    assert (by_name.id, by_name.author_id, by_name.root_id) == (post_id, user_id, post_id)
    assert (by_uuid.id, by_uuid.external_id, by_uuid.author_id) == (post_id, "first", user_id)
    assert rows(tables, "SELECT count(*) FROM posts") == rows(tables, "SELECT count(*) FROM users") == [(1,)]


@pytest.mark.parametrize(
    "ids", [("a", "a"), ("a", " a"), ("caf\u00e9", "cafe\u0301"), (str(post_uuid("a")), "a")]
)
def test_a_batch_with_two_spellings_of_one_post_is_rejected(
    entities: EntityRepository, tables: SqlTables, ids: tuple[str, str]
) -> None:
    with pytest.raises(InvalidPost, match=r"posts\[2\]: the same post as posts\[1\]"):
        entities.put_posts([("other", {}), (ids[0], {}), (ids[1], {})], NOON)

    assert rows(tables, "SELECT FROM posts") == []


def test_a_post_for_members_needs_an_audience(entities: EntityRepository, tables: SqlTables) -> None:
    with pytest.raises(InvalidPost, match=r"posts\[1\]: visibility members needs an audience_id"):
        entities.put_posts([("a", {}), ("b", {"visibility": "members"})], NOON)
    put(entities, "c", visibility="members", audience_id="club")
    with pytest.raises(InvalidPost):
        put(entities, "c", audience_id=None)

    assert rows(tables, "SELECT external_id, audience_id FROM posts") == [("c", "club")]


def test_posts_that_cannot_be_stored_are_named_and_the_others_are_stored(
    entities: EntityRepository, tables: SqlTables
) -> None:
    write = WriteEntities(entities, FixedClock(NOON), lambda change: None)
    members = {"visibility": "members"}

    rejected = write.put_valid_posts(
        [("a", {}), ("b", members), (" a", {}), ("c", {"audience_id": "club", **members}), ("d", members)]
    )

    assert {place: type(error) for place, error in rejected.items()} == dict.fromkeys((1, 2, 4), InvalidPost)
    assert rows(tables, "SELECT external_id FROM posts ORDER BY 1") == [("a",), ("c",)]


def test_deleting_a_post_removes_its_events_and_can_be_repeated(
    entities: EntityRepository, tables: SqlTables, engine: Engine
) -> None:
    tables.add_users(a_user("anna"), a_user("bert"))
    tables.add_posts(a_post("first"), a_post("second"))
    [kept, *stored] = (
        SqlInteractionRepository(engine)
        .record(
            [did("anna", "second"), did("anna", "first"), did("bert", "first"), did("bert", "first", "like")]
        )
        .stored
    )

    first, again = entities.delete_post("first"), entities.delete_post("first")

    assert list(first.removed_posts) == list(again.removed_posts) == [post_uuid("first")]
    removed = {(one.user_id, one.post_id): set(one.seqs) for one in first.removed_events}
    assert removed == {
        (user_uuid("anna"), post_uuid("first")): {stored[0].seq},
        (user_uuid("bert"), post_uuid("first")): {stored[1].seq, stored[2].seq},
    }
    assert (again.removed_events, again.post_seqs) == ([], {post_uuid("first"): 0})
    assert rows(tables, "SELECT seq FROM user_interaction") == [(kept.seq,)]


TEAM_VIEWS = {
    "feed_users": "SELECT gen_random_uuid() AS id, 'a'::text AS external_id, now() AS created_at",
    "feed_posts": "SELECT gen_random_uuid() AS id, 'a'::text AS external_id, NULL::uuid AS author_id, "
    "NULL::text AS content, NULL::text[] AS tags, true AS visible, now() AS created_at, 1::bigint AS seq",
}


@pytest.mark.parametrize("view", TEAM_VIEWS)
def test_rows_of_a_team_are_managed_elsewhere(
    entities: EntityRepository, tables: SqlTables, view: str
) -> None:
    tables.run(f"CREATE OR REPLACE VIEW {view} AS {TEAM_VIEWS[view]}")
    calls: list[Callable[[], EntityChange]] = [lambda: entities.put_user("anna", {}, NOON)]
    if view == "feed_posts":
        calls = [lambda: entities.put_posts([("a", {})], NOON), lambda: entities.delete_post("a")]

    for call in calls:
        with pytest.raises(ManagedElsewhere, match=view):
            call()

    assert rows(tables, "SELECT id FROM users") == rows(tables, "SELECT id FROM posts") == []


def test_tables_that_are_not_migrated_are_unavailable(empty_engine: Engine) -> None:
    entities = SqlEntityRepository(empty_engine, budget_seconds=20)

    with pytest.raises(StorageUnavailable):
        put(entities, "first")
    with pytest.raises(StorageUnavailable):
        entities.delete_post("first")


def test_a_post_of_an_author_in_a_table_of_a_team_is_stored(
    entities: EntityRepository, tables: SqlTables
) -> None:
    tables.run("CREATE TABLE members (id uuid, external_id text, created_at timestamptz)")
    tables.run("CREATE OR REPLACE VIEW feed_users AS SELECT * FROM members")
    tables.run("ALTER TABLE posts DROP CONSTRAINT posts_author_id_fkey")

    put(entities, "first", author_id="anna")

    assert rows(tables, "SELECT author_id::text FROM posts") == [(str(user_uuid("anna")),)]
    assert rows(tables, "SELECT FROM users") == []


# -- the same state as a full read -------------------------------------------------------------------------------------


def test_a_sequence_of_calls_gives_the_state_of_a_full_read(own_database_url: str) -> None:
    """Over HTTP, with events in between; the log is read at some steps, so its changes come before or after the own."""
    draw = random.Random(4)
    clock = FixedClock(datetime.now(UTC))
    replica = Replica(own_database_url, clock)
    try:
        for step in range(120):
            random_call(replica, draw)
            if step == 70:
                assert replica.call("DELETE", "/users/a").status_code == 202
            clock.at += timedelta(seconds=draw.choice((0, 1)))
            if draw.random() < 0.2:
                replica.service.catch_up()
        at_once = contents(replica.service.feed.state)
        replica.service.catch_up()
        after = contents(replica.service.feed.state)
        replica.restart(None)

        assert len(at_once["posts"]) > 5
        assert at_once == after == contents(replica.service.feed.state)
    finally:
        replica.close()


def random_call(replica: Replica, draw: random.Random) -> None:
    """One call over HTTP that writes; each is accepted, except for events of unknown users and posts."""
    user, post, other = draw.choice("abcd"), f"p{draw.randrange(12)}", f"p{draw.randrange(12)}"
    fields = {
        "author_id": draw.choice(("a", "b", "e", None)),
        "content": draw.choice(("river", "stone", None)),
        "tags": draw.sample(["art", "news"], draw.randint(0, 2)),
        "visible": draw.random() < 0.8,
        "visibility": draw.choice(("public", "followers")),
        "language": draw.choice(("de", None)),
        "sensitive": draw.random() < 0.2,
        "root_id": draw.choice((other, None)),
        "created_at": (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=draw.randrange(9))).isoformat(),
    }
    some = {name: fields[name] for name in draw.sample(sorted(fields), draw.randint(0, 4))}
    settings = {"discoverable": draw.random() < 0.5, "languages": draw.choice(([], ["de"]))}
    event = {"user_id": user, "post_id": post, "interaction_type": draw.choice(("view", "like"))}
    method, path, body = draw.choice(
        [
            ("PUT", f"/users/{user}", settings),
            ("PUT", f"/posts/{post}", some),
            ("PUT", f"/posts/{post}", some),
            ("DELETE", f"/posts/{post}", None),
            ("POST", "/posts/batch", {"posts": [{"id": one, **some} for one in {post, other}]}),
            ("POST", "/interactions/track", event),
            ("POST", "/interactions/track", event),
            ("POST", f"/users/{user}/reset", None),
        ]
    )
    status = replica.call(method, path, body).status_code
    needs_user = path == "/interactions/track" or path.endswith("/reset")
    allowed = {404} if needs_user else {410, 422}  # a row of an erased user is rejected
    assert status == 202 or status in allowed


def contents(state: FeedState) -> dict[str, Any]:
    """What a state holds, by ids instead of rows."""
    users = {row: UUID(bytes=key) for key, row in state.user_rows.items()}
    posts = {row: UUID(bytes=key) for key, row in state.post_rows.items()}
    visibility = state.visibility
    topics = {number: tag for tag, number in state.topic_ids.items()}
    return {
        "posts": {
            id_: (
                users.get(int(state.author[row])),
                float(state.created[row]),
                bool(state.visible[row]),
                int(state.seq[row]),
                topics.get(int(state.topic[row])),
                int(visibility.visibility[row]),
                int(visibility.language[row]) >= 0,
                bool(visibility.sensitive[row]),
                sorted((str(users[user]), kind) for user, kind in zip(*columns_of(state, row), strict=True)),
                state.post_counters.values(2e9, np.array([row]))[-1].round(9).tolist(),
            )
            for row, id_ in posts.items()
        },
        "users": {
            id_: (bool(visibility.discoverable[row]), len(visibility.languages.get(row, ())))
            for row, id_ in users.items()
        },
        "events": state.n_events,
        "threads": sorted(thread for thread in threads_of(state, posts) if len(thread) > 1),
    }


def threads_of(state: FeedState, posts: dict[int, UUID]) -> list[list[str]]:
    """The posts of each thread. A thread of one post has no effect."""
    threads: dict[int, list[str]] = {}
    for row, id_ in posts.items():
        threads.setdefault(int(state.groups.thread[row]), []).append(str(id_))
    threads.pop(-1, None)
    return [sorted(thread) for thread in threads.values()]


def columns_of(state: FeedState, post: int) -> tuple[list[int], list[int]]:
    who, _, kinds = state.users_by_post.row(post)
    return who.tolist(), kinds.tolist()
