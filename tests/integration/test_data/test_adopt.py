"""`python -m data.adopt` on the tables of teams, from the migration to the feed that users get."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.domain.errors import ManagedElsewhere
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.adoption import (
    CUID,
    PRISMA_INTEGER,
    SNAKE_INTEGER,
    UUID_SOFT_DELETE,
    Team,
    make_team,
    shown,
)
from tests.support.postgres import TestServer


@pytest.fixture(scope="module")
def migrated_url(postgres: TestServer) -> Iterator[str]:
    """A database that is migrated as beside the tables of a team: in the schema `feed`."""
    with postgres.database(migrated=False) as url:
        engine = create_feed_engine(url, connect_seconds=10)
        migrate(engine, SchemaName("feed"))
        engine.dispose()
        yield url


@pytest.fixture
def a_team(
    postgres: TestServer,
    migrated_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Iterator[Callable[[str], Team]]:
    with postgres.copy_of(migrated_url) as url:
        engine = create_feed_engine(url, connect_seconds=10)
        yield lambda sql: make_team(engine, sql, monkeypatch, capsys, tmp_path)
        engine.dispose()


def test_tables_of_prisma_with_integer_keys_become_a_feed_with_its_likes(
    a_team: Callable[[str], Team],
) -> None:
    team = a_team(PRISMA_INTEGER)

    code, out, err = team.adopt("apply", "--time-zone", "UTC", "--backfill")

    assert (code, err) == (0, "")
    assert "public.Like -> like: 300 rows, 300 added" in out
    service = team.service()
    published = {str(i) for i in range(1, 61) if i % 6}
    assert set(shown(service, "19")) == published - {"18", "38", "58"} - liked(team, 19)
    assert service.state.interactions == 300
    assert team.adopt("backfill", "--time-zone", "UTC")[1].count("300 there already") == 1
    service.track("3", "11", "like")
    assert team.rows("SELECT count(*) FROM feed.user_interaction")[0][0] == 301


def liked(team: Team, user: int) -> set[str]:
    return {str(post) for (post,) in team.rows(f'SELECT "postId" FROM "Like" WHERE "userId" = {user}')}


def test_tables_with_integer_keys_and_without_foreign_keys_become_a_feed(
    a_team: Callable[[str], Team],
) -> None:
    team = a_team(SNAKE_INTEGER)

    code, out, _ = team.adopt("apply")

    service = team.service()
    assert code == 0
    assert "feed_follows: 1 of 2 rows" in out
    assert set(shown(service, "1")) == {str(i) for i in range(1, 61) if i % 20}
    with pytest.raises(ManagedElsewhere):
        service.set_follow("1", "3")


def test_tables_with_cuid_keys_become_a_feed(a_team: Callable[[str], Team]) -> None:
    team = a_team(CUID)

    assert team.adopt("apply")[0] == 0

    posts = shown(team.service(), "clx" + "1".rjust(22, "0"))
    assert len(posts) == 57
    assert all(name.startswith("clp") for name in posts)


def test_deleted_posts_and_drafts_are_not_shown_and_local_times_need_a_zone(
    a_team: Callable[[str], Team],
) -> None:
    team = a_team(UUID_SOFT_DELETE)
    user = str(team.rows("SELECT id FROM users WHERE username = 'name1'")[0][0])

    code, out, err = team.adopt("apply")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "public.posts.created_at: the times have no zone; add --time-zone" in err
    code, out, _ = team.adopt("apply", "--time-zone", "Europe/Berlin")

    assert code == 0
    assert "posts: 36 are shown, 24 are deleted, drafts" in out
    assert "the newest one is 20 minutes old" in out
    texts = dict(team.rows("SELECT id::text, content FROM posts"))
    assert {texts[id_].split()[0] for id_ in shown(team.service(), user)} == {"text"}


def test_health_warns_of_tables_that_nobody_adopted_until_they_are(a_team: Callable[[str], Team]) -> None:
    team = a_team(PRISMA_INTEGER)
    service = team.service()
    follower = service.workers.follower
    assert follower is not None

    follower.look_for_warnings()
    before = service.state.warnings
    team.adopt("apply", "--time-zone", "UTC")
    follower.look_for_warnings()

    assert [text.partition(";")[0] for text in before] == [
        "feed_users is empty, although public.User has rows (id integer)",
        "feed_posts is empty, although public.Post has rows (id integer)",
    ]
    assert service.state.warnings == ()


def test_rows_that_are_added_later_get_their_ids_when_the_service_reads_them(
    a_team: Callable[[str], Team],
) -> None:
    team = a_team(SNAKE_INTEGER)
    team.adopt("apply")
    service = team.service()

    team.run(
        "INSERT INTO users (username) VALUES ('new'); INSERT INTO posts (author_id, content) VALUES (21, 'new')"
    )
    newest = service.log.posts_created_since(service.clock.at.timestamp() - 60)

    assert [(post.id, post.external_id, post.author_id) for post in newest] == [
        (post_uuid("61"), "61", user_uuid("21"))
    ]


def test_keys_that_have_one_id_in_the_api_stay_two_rows(a_team: Callable[[str], Team]) -> None:
    team = a_team(CUID + "INSERT INTO users (id) VALUES ('ann'), (' ann'), (E'a\\nb')")

    assert team.adopt("apply")[0] == 0

    ids = dict(team.rows("SELECT external_id, id FROM feed.feed_users WHERE external_id ~ '^ ?a'"))
    assert len(ids) == len(set(ids.values())) == 3
    assert user_uuid("ann") in ids.values()


def test_with_triggers_each_change_reaches_the_service_at_once(a_team: Callable[[str], Team]) -> None:
    team = a_team(
        PRISMA_INTEGER
        + """
        CREATE TABLE "Block" ("blockerId" int REFERENCES "User"(id), "blockedId" int REFERENCES "User"(id));
        ALTER TABLE "User" ADD "deletedAt" timestamp(3);
        """
    )
    assert team.adopt("apply", "--time-zone", "UTC", "--triggers", "--backfill")[0] == 0
    service = team.service()

    def changed(sql: str) -> set[str]:
        team.run(sql or "SELECT")
        service.clock.at = datetime.now(UTC)
        service.catch_up()
        return set(shown(service, "21"))

    assert "61" in changed(
        """INSERT INTO "User" (name) VALUES ('new');
        INSERT INTO "Post" ("authorId", content, published) VALUES (1, 'new', true)"""
    )
    assert {"1", "61"} <= changed("")
    assert "1" not in changed('UPDATE "Post" SET published = false WHERE id = 1')
    assert not {"2", "22", "42"} & changed('INSERT INTO "Block" VALUES (21, 3)')
    assert not {"3", "23", "43"} & changed('UPDATE "User" SET "deletedAt" = now() WHERE id = 4')
    assert "61" not in changed('DELETE FROM "Post" WHERE id = 61')
    assert "5" not in changed('INSERT INTO "Like" VALUES (21, 5, now())')
    assert service.state.interactions == 286  # without those of user 4
    changed('DELETE FROM "Like" WHERE "userId" = 21')
    assert service.state.interactions == 285
    with pytest.raises(ManagedElsewhere):
        service.feedback("21", "block_author", "7")
    service.feedback("21", "hide_post", "7")
    assert "7" not in changed("")
    assert team.adopt("backfill", "--time-zone", "UTC")[1].count(" 0 added") == 1


def test_views_can_be_dropped_for_a_migration_of_the_team(a_team: Callable[[str], Team]) -> None:
    team = a_team(PRISMA_INTEGER)
    team.adopt("apply", "--time-zone", "UTC", "--triggers")
    service = team.service()
    posts = shown(service, "1")
    relations = (
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'feed'::regnamespace AND relkind = 'v'"
    )
    triggers = "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'feed_adopted_%%' ORDER BY 1"
    before = sorted(team.rows(relations)), team.rows(triggers)

    assert team.adopt("drop-views")[0] == 0
    team.run("""ALTER TABLE "Post" ALTER content TYPE varchar(500), ALTER "createdAt" TYPE timestamp(6)""")
    assert service.workers.reconciler is not None
    service.workers.reconciler.run()
    assert shown(service, "1") == posts  # from memory
    assert team.adopt("create-views")[0] == 0

    service.catch_up()
    assert service.feed.database_ok
    assert (sorted(team.rows(relations)), team.rows(triggers)) == before
    assert team.adopt("check", "--time-zone", "UTC")[0] == 0


def test_a_mistake_is_one_line_and_changes_nothing(a_team: Callable[[str], Team]) -> None:
    team = a_team(SNAKE_INTEGER)
    mistakes = {
        ("apply", "--schema", "nowhere"): "the database has no such schema",
        ("apply", "--time-zone", "Mars/Olympus"): "no such time zone",
        ("apply", "--map", "feed_posts.content=nothing"): "has no such column",
        ("apply", "--map", "feed_posts.content=(no_such_column)"): "PostgreSQL rejects the views",
        ("apply", "--map", "feed_posts.visible=(false)"): "feed_posts shows no post",
        ("surprise",): "invalid choice",
    }

    for arguments, problem in mistakes.items():
        code, _, err = team.adopt(*arguments)

        assert (code, err.count("\n")) == (2, 1)
        assert problem in err
    assert team.rows("SELECT count(*) FROM feed.feed_posts") == [(0,)]
