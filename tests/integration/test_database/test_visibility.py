"""Who may see which post, in PostgreSQL: the rules in SQL and in memory agree, and changes reach the log."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from app.domain.entities.post import VISIBILITIES
from app.domain.errors import UnknownPost, UnknownUser
from app.domain.feed.row_checksums import FeedChecksums
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.filters import NotExcluded, Published, VisibleToUser
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.membership_repository_impl import SqlMembershipRepository
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.storage_under_test import NOON, SqlTables, Storage, a_post, a_user, control_of, did

PUBLIC = SchemaName()
USERS = ("anna", "bert", "carl")
LANGUAGES = ("de", "de-AT", "EN-us", "fr")

user_settings = st.fixed_dictionaries(
    {
        "discoverable": st.sampled_from([True, True, False]),
        "languages": st.lists(st.sampled_from(LANGUAGES), max_size=2),
        "show_sensitive": st.booleans(),
        "audiences": st.sets(st.sampled_from(["club", "team"])).map(sorted),
    }
)
post_settings = st.fixed_dictionaries(
    {
        "author": st.sampled_from((*USERS, None)),
        "visible": st.sampled_from([True, True, True, False]),
        "visibility": st.sampled_from(VISIBILITIES),
        "audience_id": st.sampled_from([None, "club", "team"]),
        "language": st.sampled_from([None, *LANGUAGES]),
        "sensitive": st.sampled_from([False, False, True]),
    }
)
pairs_of_users = st.sets(
    st.tuples(st.sampled_from(USERS), st.sampled_from(USERS)).filter(lambda p: p[0] != p[1])
)
controls = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(USERS), st.just("hide_post"), st.integers(0, 3).map("p{}".format)),
        st.tuples(st.sampled_from(USERS), st.sampled_from(["mute_author", "block_author"]), st.just("anna")),
    ).filter(lambda control: control[0] != control[2]),
    max_size=2,
)


def fill(
    connection: Connection, users: list[Any], posts: list[Any], follows: set[Any], given: list[Any]
) -> None:
    """Replace the feed in one transaction."""

    def run(statement: str, *values: object) -> None:
        connection.exec_driver_sql(statement, values)

    def uuid(name: str | None) -> str | None:
        return None if name is None else str(user_uuid(name))

    run("TRUNCATE users, posts CASCADE")
    for name, one in zip(USERS, users, strict=True):
        run(
            "INSERT INTO users (id, external_id, discoverable, languages, show_sensitive) VALUES (%s, %s, %s, %s, %s)",
            *(uuid(name), name, one["discoverable"], one["languages"], one["show_sensitive"]),
        )
        run("INSERT INTO memberships SELECT %s, unnest(%s::text[])", uuid(name), one["audiences"])
    for n, one in enumerate(posts):
        run(
            "INSERT INTO posts (id, external_id, created_at, author_id, visible, visibility, audience_id, language, "
            "sensitive) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            *(str(post_uuid(f"p{n}")), f"p{n}", NOON, uuid(one["author"]), one["visible"], one["visibility"]),
            *(one["audience_id"], one["language"], one["sensitive"]),
        )
    for pair in follows:
        run("INSERT INTO follows VALUES (%s, %s)", *map(uuid, pair))
    for user, action, target in given:
        column, id_ = (
            ("post_id", str(post_uuid(target))) if action == "hide_post" else ("author_id", uuid(target))
        )
        run(
            f"INSERT INTO user_feedback (user_id, action, {column}) VALUES (%s, %s, %s)",
            uuid(user),
            action,
            id_,
        )


def state_in_memory(log: SqlFeedLog) -> FeedState:
    snapshot = log.read_all()
    state = FeedTimeline(snapshot.dataset, replay=False).apply_all()
    for one in snapshot.controls:
        state.set_controls(one.user_id.bytes, one.controls, one.seq)
    return state


def in_memory(state: FeedState, name: str) -> set[str]:
    """The posts that the filters allow, without the rule on own posts."""
    user = state.user_rows.get(user_uuid(name).bytes, -1)
    context, rows = RankingContext(state, user, datetime.now(UTC).timestamp()), np.arange(state.n_posts)
    allowed = [rule(context, rows) for rule in (Published(), NotExcluded(), VisibleToUser())]
    return {str(state.external_ids[row]) for row in rows[np.all(allowed, axis=0)]}


def in_sql(connection: Connection, name: str, function: str = "feed_visible_posts") -> set[str]:
    query = f"SELECT external_id FROM posts WHERE id IN (SELECT {function}(%s))"
    return set(connection.exec_driver_sql(query, (str(user_uuid(name)),)).scalars())


@settings(max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking takes minutes
@given(
    st.lists(user_settings, min_size=3, max_size=3),
    st.lists(post_settings, min_size=4, max_size=7),
    pairs_of_users,
    controls,
)
def test_sql_and_memory_show_the_same_posts(
    shared_engine: Engine, users: list[Any], posts: list[Any], follows: set[Any], given: list[Any]
) -> None:
    with shared_engine.begin() as connection:
        fill(connection, users, posts, follows, given)
    state = state_in_memory(SqlFeedLog(shared_engine))

    with shared_engine.connect() as connection:
        for name in (*USERS, "nobody"):
            shown = in_sql(connection, name)
            assert shown == in_memory(state, name)
            assert shown <= in_sql(connection, name, "feed_readable_posts")


@pytest.mark.parametrize(
    ("statement", "audiences"),
    [
        ("INSERT INTO memberships SELECT id, 'team' FROM users WHERE external_id = 'carl'", ("club", "team")),
        ("UPDATE memberships SET audience_id = 'team'", ("team",)),
        ("DELETE FROM memberships", ()),
        ("TRUNCATE memberships", ()),
    ],
)
def test_who_joins_or_leaves_an_audience_by_sql_is_a_change(
    engine: Engine, statement: str, audiences: tuple[str, ...]
) -> None:
    tables, log = SqlTables(engine, PUBLIC), SqlFeedLog(engine)
    tables.add_users(a_user("anna"), a_user("carl", audiences=("club",)))
    position = log.read_all().position

    tables.run(statement)

    assert log.read_changes(position).users == [a_user("carl", audiences=audiences)]


def test_new_settings_of_users_and_posts_are_changes(engine: Engine) -> None:
    tables, log = SqlTables(engine, PUBLIC), SqlFeedLog(engine)
    tables.add_users(a_user("anna"))
    tables.add_posts(a_post("first", "anna"))
    position = log.read_all().position

    tables.run("UPDATE {users} SET discoverable = false, languages = '{{de,fr}}'")
    tables.run(
        "UPDATE {posts} SET visibility = 'members', audience_id = 'club', root_id = id, sensitive = true"
    )

    changes = log.read_changes(position)
    assert changes.users == [a_user("anna", discoverable=False, languages=("de", "fr"))]
    [post] = changes.posts
    assert (post.visibility, post.audience_id, post.sensitive) == ("members", "club", True)
    assert post.root_id == post.id


def test_a_post_that_a_user_may_not_see_is_unknown_to_them(storage: Storage) -> None:
    storage.tables.add_users(a_user("anna"), a_user("bert"), a_user("carl", audiences=("club",)))
    storage.tables.add_follow(user_uuid("bert"), user_uuid("anna"))
    storage.tables.add_posts(
        a_post("for followers", "anna", visibility="followers"),
        a_post("for the club", "anna", visibility="members", audience_id="club"),
        a_post("without a club", "anna", visibility="members"),
    )
    readers = {
        "for followers": {"anna", "bert"},
        "for the club": {"anna", "carl"},
        "without a club": {"anna"},
    }

    for post, allowed in readers.items():
        for user in USERS:
            for request in (
                lambda user=user, post=post: storage.interactions.record([did(user, post)]),
                lambda user=user, post=post: storage.interactions.retract(
                    user_uuid(user), post_uuid(post), "view"
                ),
                lambda user=user, post=post: storage.controls.record(
                    control_of(user, "hide_post", post), undo=False, event_id=None
                ),
            ):
                if user in allowed:
                    request()
                else:
                    with pytest.raises(UnknownPost, match=str(post_uuid(post))):
                        request()


TEAMS_TABLES = """
CREATE TABLE members (id uuid PRIMARY KEY, tongues text[]);
CREATE TABLE articles (id uuid PRIMARY KEY, author uuid, circle text, until_approved text);
CREATE TABLE circles (member uuid, circle text);
CREATE OR REPLACE VIEW feed_users AS SELECT id, NULL::text AS external_id, NULL::timestamptz AS created_at FROM members;
CREATE OR REPLACE VIEW feed_posts AS SELECT a.id, NULL::text AS external_id, author AS author_id, 'text' AS content,
    NULL::text[] AS tags, NULL::boolean AS visible, '2026-01-01Z'::timestamptz AS created_at, n.seq
    FROM articles a LEFT JOIN feed_post_number n ON n.post_id = a.id;
"""


def test_a_teams_views_may_lack_the_columns_and_may_add_them(engine: Engine) -> None:
    reader, post, pending = uuid4(), uuid4(), uuid4()
    tables, log = SqlTables(engine, PUBLIC), SqlFeedLog(engine)
    tables.run(TEAMS_TABLES)
    tables.run("INSERT INTO members VALUES (%s, '{{de,NULL}}')", str(reader))
    tables.run("INSERT INTO articles VALUES (%s, NULL, 'club', NULL)", str(post))
    tables.run("INSERT INTO articles VALUES (%s, NULL, NULL, 'pending')", str(pending))
    tables.run("INSERT INTO circles VALUES (%s, 'club'), (%s, NULL)", str(reader), str(uuid4()))
    without = log.read_all().dataset
    shown_without = visible_ids(engine, reader)

    tables.run(
        "CREATE OR REPLACE VIEW feed_users AS SELECT id, NULL::text AS external_id, NULL::timestamptz AS created_at, "
        "tongues AS languages FROM members; "
        "CREATE OR REPLACE VIEW feed_memberships AS SELECT member AS user_id, circle AS audience_id FROM circles; "
        "CREATE OR REPLACE VIEW feed_posts AS SELECT a.id, NULL::text AS external_id, author AS author_id, "
        "'text' AS content, NULL::text[] AS tags, NULL::boolean AS visible, '2026-01-01Z'::timestamptz AS created_at, "
        "n.seq, coalesce(until_approved, 'members')::varchar AS visibility, circle AS audience_id "
        "FROM articles a LEFT JOIN feed_post_number n ON n.post_id = a.id"
    )
    with_columns = log.read_all().dataset

    assert (without.posts.visibility, without.users.languages) == (["public", "public"], [()])
    assert shown_without == {post, pending}
    assert set(with_columns.posts.visibility or []) == {"members", "pending"}
    assert with_columns.users.languages == [("de",)]
    assert with_columns.memberships.audience_id == ["club"]
    assert visible_ids(engine, reader) == {post}
    assert visible_ids(engine, uuid4()) == set()


def visible_ids(engine: Engine, viewer: UUID) -> set[UUID]:
    with engine.connect() as connection:
        return set(connection.exec_driver_sql("SELECT feed_visible_posts(%s)", (str(viewer),)).scalars())


def test_a_table_of_memberships_of_a_team_is_left_alone(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE memberships (paid_until date)")
    migrate(empty_engine, PUBLIC)

    assert len(SqlFeedLog(empty_engine).read_all().dataset.memberships) == 0
    assert not SqlFeedLog(empty_engine).has_complete_change_capture()
    migrate(empty_engine, PUBLIC, "base")


def test_checksums_differ_after_each_change_of_a_user_or_post(engine: Engine) -> None:
    tables, log = SqlTables(engine, PUBLIC), SqlFeedLog(engine)
    tables.add_users(a_user("anna"))
    tables.add_posts(a_post("first"))

    def checksums() -> FeedChecksums:
        found = log.read_all().checksums
        assert found is not None
        return found

    of_user, of_post = set(checksums().users.values.tolist()), set(checksums().posts.values.tolist())

    user_changes = [
        "discoverable = false",
        "personalised = false",
        "show_sensitive = true",
        "languages = '{{de}}'",
    ]
    for change in user_changes:
        tables.run(f"UPDATE {{users}} SET {change}")
        of_user |= set(checksums().users.values.tolist())
    tables.run("INSERT INTO memberships SELECT id, 'club' FROM {users}")
    of_user |= set(checksums().users.values.tolist())
    post_changes = ["visibility = 'members'", "audience_id = 'club'", "language = 'de'", "sensitive = true"]
    for change in [*post_changes, "root_id = id", "repost_of = id", "embedding = '{{1,0}}'"]:
        tables.run(f"UPDATE {{posts}} SET {change}")
        of_post |= set(checksums().posts.values.tolist())

    assert (len(of_user), len(of_post)) == (6, 8)


def test_a_membership_is_stored_with_the_number_of_its_change(engine: Engine) -> None:
    tables, log, memberships = SqlTables(engine, PUBLIC), SqlFeedLog(engine), SqlMembershipRepository(engine)
    tables.add_users(a_user("anna"))
    position = log.read_all().position

    joined = memberships.set_membership(user_uuid("anna"), "club", is_member=True)
    again = memberships.set_membership(user_uuid("anna"), "club", is_member=True)
    after_join = log.read_changes(position)
    left = memberships.set_membership(user_uuid("anna"), "club", is_member=False)
    after_end = log.read_changes(after_join.position)

    assert (joined.user, again.seq) == (a_user("anna", audiences=("club",)), None)
    assert after_join.users == [joined.user]
    assert after_join.user_seqs == {user_uuid("anna"): joined.seq}
    assert after_end.users == [left.user] == [a_user("anna")]
    assert after_end.user_seqs == {user_uuid("anna"): left.seq}
    with pytest.raises(UnknownUser):
        memberships.set_membership(user_uuid("nobody"), "club", is_member=True)
