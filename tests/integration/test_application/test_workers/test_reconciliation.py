"""A random walk over SQL: after a comparison, memory is what a full read gives, whatever triggers missed."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from app.application.workers.post_evictor import PostEvictor
from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.list_limits import ListLimits
from app.domain.feed.live_posts import DEFAULT_LIMITS, LivePostLimits
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.options import RankingOptions
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.schema import SchemaName
from tests.support.live_feeds import reconcile_now
from tests.support.small_service import FEW_CANDIDATES
from tests.support.sql_services import a_process, assert_as_read_completely
from tests.support.storage_under_test import NOON, SqlTables, a_post, a_user, did

USERS, POSTS = 8, 16
SHORT_LISTS = replace(FEW_CANDIDATES, lists=ListLimits(events_per_user=4, users_per_post=3))
TABLES = ("users", "posts", "follows", "memberships", "user_feedback", "user_interaction")
REPLICA = "SET LOCAL session_replication_role = replica; "
VIEWS = """
CREATE SCHEMA team;
CREATE TABLE team.users (LIKE users INCLUDING ALL);
CREATE TABLE team.posts (LIKE posts INCLUDING ALL);
CREATE TABLE team.follows (LIKE follows INCLUDING ALL);
CREATE TABLE team.memberships (LIKE memberships INCLUDING ALL);
CREATE OR REPLACE VIEW feed_users AS SELECT id, external_id, created_at FROM team.users;
CREATE OR REPLACE VIEW feed_posts AS SELECT t.id, t.external_id, t.author_id, t.content, t.tags, t.visible,
    t.created_at, n.seq FROM team.posts t LEFT JOIN feed_post_number n ON n.post_id = t.id;
CREATE OR REPLACE VIEW feed_follows AS SELECT follower_id, followee_id, created_at FROM team.follows;
CREATE OR REPLACE VIEW feed_memberships AS SELECT user_id, audience_id FROM team.memberships;
ALTER TABLE user_interaction DROP CONSTRAINT user_interaction_user_id_fkey,
    DROP CONSTRAINT user_interaction_post_id_fkey;
ALTER TABLE user_feedback DROP CONSTRAINT user_feedback_user_id_fkey
"""


@pytest.fixture
def engine(own_database_url: str) -> Iterator[Engine]:
    made = create_feed_engine(own_database_url, connect_seconds=10, pool_size=4)
    yield made
    made.dispose()


class SqlWalk:
    """Changes the tables behind the views at random. `adopted`: those of a team, which have no triggers."""

    def __init__(self, engine: Engine, seed: int, *, adopted: bool) -> None:
        self.random = random.Random(seed)
        self.tables = SqlTables(engine, SchemaName())
        self.adopted = adopted
        if adopted:
            self.tables.run(VIEWS.replace("{", "{{").replace("}", "}}"))
        self.log: list[str] = []

    def step(self) -> None:
        steps = {
            self.insert_user: 4,
            self.insert_post: 8,
            self.insert_event: 30,
            self.insert_follow: 6,
            self.insert_membership: 3,
            self.insert_control: 4,
            self.update: 16,
            self.delete: 14,
            self.truncate: 0.15,
            self.restore: 0.3,
        }
        self.random.choices(list(steps), list(steps.values()))[0]()

    def insert_user(self) -> None:
        n = self.random.randrange(USERS)
        self.run("INSERT INTO {users} (id, external_id, created_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                 str(user_uuid(f"u{n}")), f"u{n}", NOON)  # fmt: skip

    def insert_post(self) -> None:
        n = self.random.randrange(POSTS)
        self.run("INSERT INTO {posts} (id, external_id, author_id, content, tags, visible, created_at) "
                 "SELECT %s, %s, id, 'text', %s, true, %s FROM {users} WHERE id = %s ON CONFLICT DO NOTHING",
                 str(post_uuid(f"p{n}")), f"p{n}", [f"t{n % 3}"], self.time(), self.user())  # fmt: skip

    def insert_event(self) -> None:
        self.run("INSERT INTO {user_interaction} (user_id, post_id, interaction_type, occurred_at, created_at) "
                 "SELECT u.id, p.id, %s, %s, %s FROM {users} u, {posts} p WHERE u.id = %s AND p.id = %s",
                 self.random.choice(INTERACTION_TYPES), self.time(), self.time(), self.user(), self.post())  # fmt: skip

    def insert_follow(self) -> None:
        statement = (
            "INSERT INTO {follows} (follower_id, followee_id) SELECT a.id, b.id FROM {users} a, {users} b "
            "WHERE a.id = %s AND b.id = %s AND a.id <> b.id ON CONFLICT DO NOTHING"
        )
        self.run(statement, self.user(), self.user())

    def insert_membership(self) -> None:
        self.run("INSERT INTO {memberships} SELECT id, %s FROM {users} WHERE id = %s ON CONFLICT DO NOTHING",
                 self.random.choice(("club", "team")), self.user())  # fmt: skip

    def insert_control(self) -> None:
        statement = (
            "INSERT INTO {user_feedback} (user_id, action, post_id, undo) "
            "SELECT id, 'hide_post', %s, %s FROM {users} WHERE id = %s"
        )
        self.run(statement, self.post(), self.random.random() < 0.3, self.user())

    def update(self) -> None:
        statement, *values = self.random.choice(
            [
                ("UPDATE {posts} SET visible = NOT visible WHERE id = %s", self.post()),
                ("UPDATE {posts} SET tags = %s WHERE id = %s", [f"t{self.random.randrange(3)}"], self.post()),
                ("UPDATE {posts} SET created_at = %s WHERE id = %s", self.time(), self.post()),
                (
                    "UPDATE {posts} SET author_id = (SELECT id FROM {users} WHERE id = %s) WHERE id = %s",
                    self.user(),
                    self.post(),
                ),
                ("UPDATE {users} SET created_at = %s WHERE id = %s", self.time(), self.user()),
                ("UPDATE {user_interaction} SET interaction_type = 'like' WHERE user_id = %s", self.user()),
                ("UPDATE {user_interaction} SET occurred_at = %s WHERE post_id = %s", self.time(), self.post()),
                ("UPDATE {user_feedback} SET post_id = %s WHERE user_id = %s", self.post(), self.user()),
            ]
        )  # fmt: skip
        self.run(statement, *values)

    def delete(self) -> None:
        """An owner is deleted by cascade, or, if no trigger fires, without the rows that refer to it."""
        statement, value = self.random.choice(
            [
                ("DELETE FROM {users} WHERE id = %s", self.user()),
                ("DELETE FROM {posts} WHERE id = %s", self.post()),
                ("DELETE FROM {posts} WHERE id = %s", self.post()),
                ("DELETE FROM {follows} WHERE follower_id = %s", self.user()),
                ("DELETE FROM {memberships} WHERE user_id = %s", self.user()),
                ("DELETE FROM {user_feedback} WHERE user_id = %s", self.user()),
                ("DELETE FROM {user_interaction} WHERE user_id = %s", self.user()),
                ("DELETE FROM {user_interaction} WHERE post_id = %s", self.post()),
            ]
        )
        self.run(statement, value)

    def truncate(self) -> None:
        self.run("TRUNCATE {%s} CASCADE" % self.random.choice(TABLES))  # noqa: UP031 -- braces of the names

    def restore(self) -> None:
        """Empty all tables and copy an earlier content back, as a restore does."""
        copy = "CREATE TEMP TABLE copy_{0} ON COMMIT DROP AS SELECT * FROM {{{0}}};"
        copies = "".join(copy.format(name) for name in TABLES)
        fill = "INSERT INTO {{{0}}} OVERRIDING SYSTEM VALUE SELECT * FROM copy_{0};"
        fills = "".join(fill.format(name) for name in TABLES)
        empty = f"TRUNCATE {', '.join(f'{{{name}}}' for name in TABLES)} CASCADE;"
        deleted = self.random.choice(("", "DELETE FROM copy_posts WHERE external_id = 'p3';"))
        self.run(f"{copies} {empty} {deleted} {fills}", replica=True)

    def run(self, statement: str, *values: object, replica: bool | None = None) -> None:
        as_replica = self.random.random() < 0.4 if replica is None else replica
        if self.adopted:
            for name in ("users", "posts", "follows", "memberships"):
                statement = statement.replace(f"{{{name}}}", f"team.{name}")
        self.log.append(f"{'replica: ' * as_replica}{statement} {values}")
        self.tables.run((REPLICA if as_replica else "") + statement, *values)

    def user(self) -> str:
        return str(user_uuid(f"u{self.random.randrange(USERS)}"))

    def post(self) -> str:
        return str(post_uuid(f"p{self.random.randrange(POSTS)}"))

    def time(self) -> object:
        return NOON + timedelta(minutes=self.random.randrange(10_000))


def walk(
    engine: Engine,
    seed: int,
    steps: int,
    *,
    every: int,
    adopted: bool,
    live: LivePostLimits = DEFAULT_LIMITS,
    options: RankingOptions = FEW_CANDIDATES,
) -> None:
    changes = SqlWalk(engine, seed, adopted=adopted)
    service, _ = a_process(engine, options=options)
    service.clock.at = NOON + timedelta(days=8)
    try:
        for number in range(1, steps + 1):
            changes.step()
            if changes.random.random() < 0.3:
                service.catch_up()
            if changes.random.random() < 0.1:
                PostEvictor(service.workers.updater, live).run()
            if number % every == 0:
                reconcile_now(service)
                assert_as_read_completely(service, engine)
    except BaseException:
        print(f"seed {seed}", *changes.log[-2 * every :], sep="\n")
        raise


def test_a_missed_follow_is_found_although_another_of_the_same_user_was_captured(engine: Engine) -> None:
    tables = SqlTables(engine, SchemaName())
    tables.add_users(*map(a_user, ("ann", "bob", "cleo")))
    service, _ = a_process(engine)

    missed = "INSERT INTO {follows} (follower_id, followee_id) VALUES (%s, %s)"
    tables.run(REPLICA + missed, str(user_uuid("ann")), str(user_uuid("bob")))
    tables.add_follow(user_uuid("ann"), user_uuid("cleo"))
    service.catch_up()
    reconcile_now(service)

    assert_as_read_completely(service, engine)
    assert service.feed.state.followers[service.feed.state.user_rows[user_uuid("bob").bytes]] == 1


def test_events_of_a_user_whose_return_was_missed_count_after_the_comparison(engine: Engine) -> None:
    tables = SqlTables(engine, SchemaName())
    tables.add_users(a_user("ann"))
    tables.add_posts(a_post("p1"))
    SqlInteractionRepository(engine, budget_seconds=20).record([did("ann", "p1")])
    tables.run(REPLICA + "DELETE FROM {users}")  # the event stays in the log
    service, _ = a_process(engine)
    assert service.feed.state.engagements[0] == 0

    tables.run("UPDATE {user_interaction} SET interaction_type = 'like'")
    tables.run(REPLICA + "INSERT INTO {users} (id, external_id) VALUES (%s, 'ann')", str(user_uuid("ann")))
    service.catch_up()
    reconcile_now(service)

    assert_as_read_completely(service, engine)
    assert service.feed.state.engagements[0] == 1


@pytest.mark.parametrize("adopted", [False, True], ids=["own tables", "a team's tables"])
def test_after_a_comparison_memory_is_what_a_full_read_gives(engine: Engine, adopted: bool) -> None:
    walk(engine, seed=1, steps=120, every=30, adopted=adopted)


@pytest.mark.parametrize("adopted", [False, True], ids=["own tables", "a team's tables"])
def test_after_a_comparison_memory_is_what_a_full_read_gives_without_evicted_posts(
    engine: Engine, adopted: bool
) -> None:
    walk(engine, seed=3, steps=40, every=20, adopted=adopted, live=LivePostLimits(3, 1, 0.2))


@pytest.mark.parametrize("adopted", [False, True], ids=["own tables", "a team's tables"])
def test_after_a_comparison_memory_has_the_lists_of_a_full_read(engine: Engine, adopted: bool) -> None:
    live = LivePostLimits(6, 1, 0.2)
    walk(engine, seed=4, steps=60, every=20, adopted=adopted, live=live, options=SHORT_LISTS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("adopted", "live"),
    [
        pytest.param(False, DEFAULT_LIMITS, id="own tables, all posts"),
        pytest.param(False, LivePostLimits(3, 1, 0.2), id="own tables, live posts"),
        pytest.param(True, DEFAULT_LIMITS, id="a team's tables, all posts"),
        pytest.param(True, LivePostLimits(3, 1, 0.2), id="a team's tables, live posts"),
    ],
)
def test_after_each_of_many_comparisons_memory_is_what_a_full_read_gives(
    engine: Engine, adopted: bool, live: LivePostLimits
) -> None:
    walk(engine, seed=2, steps=5_000, every=50, adopted=adopted, live=live)


@pytest.mark.slow
@pytest.mark.parametrize("adopted", [False, True], ids=["own tables", "a team's tables"])
def test_after_each_of_many_comparisons_memory_has_the_lists_of_a_full_read(
    engine: Engine, adopted: bool
) -> None:
    live = LivePostLimits(6, 1, 0.2)
    walk(engine, seed=5, steps=2_000, every=50, adopted=adopted, live=live, options=SHORT_LISTS)
