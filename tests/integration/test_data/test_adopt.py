"""`python -m data.adopt` on the tables of teams, from the migration to the feed that users get."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url

from app.domain.errors import ManagedElsewhere
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.adoption import (
    COMPOSITE,
    CUID,
    DJANGO,
    PARTITIONED,
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
        engine = create_feed_engine(url, connect_seconds=10, pool_size=4)
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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_tables_of_django_with_scheduled_articles_and_events_of_several_types_become_a_feed(
    a_team: Callable[[str], Team],
) -> None:
    team = a_team(DJANGO)

    code, _, err = team.adopt("apply")
    assert (code, err.count("\n")) == (2, 1)
    assert "public.interactions.kind: what do 'meh' mean?" in err
    code, out, _ = team.adopt("apply", "--backfill", "--event-map", "meh=")

    assert code == 0
    assert "note: public.article_flags refers to users and posts and is not used" in out
    assert "dislike -> not counted" in out
    assert set(shown(team.service(), "new")) == {str(i) for i in range(1, 31) if i % 3 == 1}
    assert team.rows(
        "SELECT interaction_type, count(*) FROM feed.user_interaction GROUP BY 1 ORDER BY 1"
    ) == [("like", 30 + 15), ("share", 7), ("view", 7)]


@pytest.mark.slow
def test_partitions_views_and_names_in_upper_case_become_a_feed(a_team: Callable[[str], Team]) -> None:
    team = a_team(PARTITIONED)

    code, out, err = team.adopt("apply", "--schema", "App", "--triggers", "--backfill")
    team.run("""INSERT INTO "App"."POST" ("USER_ID", "TEXT", "DATE") VALUES (1, 'new', now())""")

    assert (code, err) == (0, "")
    assert "note: views have no triggers, so their changes are compared: App.USER" in out
    assert "App.LIKE -> like: 1 rows, 1 added" in out
    assert set(shown(team.service(), "new")) == {"1", "3", "4"}


@pytest.mark.slow
def test_a_key_of_two_columns_is_asked_and_may_be_an_expression(a_team: Callable[[str], Team]) -> None:
    team = a_team(COMPOSITE)
    answers = {
        one: ",".join(
            f"{column}={key.format(column.partition('.')[2])}"
            for column in ("feed_users.id", "feed_posts.id", "feed_posts.author_id")
        )
        for one, key in {"alone": "{}", "joined": "(t.tenant || ':' || t.{})"}.items()
    }

    assert "the key has the columns tenant and id" in team.adopt("apply")[2]
    assert "ids are repeated" in team.adopt("apply", "--map", answers["alone"])[2]
    assert team.adopt("apply", "--map", answers["joined"])[0] == 0

    assert set(shown(team.service(), "1:1")) == {"2:1"}


@pytest.mark.slow
def test_the_role_of_the_service_can_serve_adopted_tables(a_team: Callable[[str], Team]) -> None:
    team = a_team(SNAKE_INTEGER)
    assert team.adopt("apply")[0] == 0
    role = f"feed_service_{uuid4().hex[:8]}"
    grants = (CHECKOUT / "deploy/sql/least_privilege_role.sql").read_text()
    team.run(f"SET feed.schema = 'feed'; SET feed.role = '{role}'; {grants}")
    team.run(f"ALTER ROLE {role} PASSWORD 'pass'")
    url = make_url(team.engine.url).set(username=role, password="pass")
    engine = create_feed_engine(url.render_as_string(hide_password=False), connect_seconds=10)

    service = team.service(engine)
    team.run(
        "INSERT INTO users (username) VALUES ('new'); INSERT INTO posts (author_id, content) VALUES (21, 'new')"
    )
    newest = service.log.posts_created_since(datetime.now(UTC).timestamp() - 60)
    service.track("3", "11", "like")

    assert [post.external_id for post in newest] == ["61"]
    assert len(shown(service, "1")) == 57
    assert team.rows("SELECT count(*) FROM feed.user_interaction") == [(1,)]
    engine.dispose()


@pytest.mark.slow
def test_likes_that_are_skipped_or_too_early_give_a_warning_and_none_at_all_an_error(
    a_team: Callable[[str], Team],
) -> None:
    team = a_team(
        SNAKE_INTEGER
        + """
        CREATE TABLE likes (user_id bigint, post_id bigint, created_at timestamptz);
        CREATE TABLE post_views (user_id bigint, post_id bigint);
        CREATE TABLE comments (user_id bigint, commentable_id bigint, commentable_type text);
        INSERT INTO likes SELECT CASE WHEN i > 15 THEN 99 ELSE i END, i, now() - interval '9 days'
            FROM generate_series(1, 20) i;
        INSERT INTO comments VALUES (1, 1, 'Photo');
        """
    )

    code, out, _ = team.adopt("apply", "--backfill")
    assert code == 0
    assert "warning: public.likes -> like: 25% of the rows are skipped" in out
    assert (
        "warning: public.likes -> like: 100% are earlier than their post; is UTC the right time zone?" in out
    )
    assert "warning: public.comments -> comment: none of its rows is one of a post" in out
    team.run("INSERT INTO post_views VALUES (1, 1)")
    code, out, err = team.adopt("backfill")

    assert (code, err.count("\n")) == (2, 1)
    assert "public.post_views -> view: no row could be copied" in err


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


@pytest.mark.slow
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
    changed('TRUNCATE "Like"')
    assert service.state.interactions == 0


@pytest.mark.slow
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
        (
            "apply",
            "--map",
            "feed_posts.author_id=id,feed_users.id=(t.id + 1000)",
        ): "no author of a post is in feed_users",
        ("surprise",): "invalid choice",
    }

    for arguments, problem in mistakes.items():
        code, _, err = team.adopt(*arguments)

        assert (code, err.count("\n")) == (2, 1)
        assert problem in err
    assert team.rows("SELECT count(*) FROM feed.feed_posts") == [(0,)]
