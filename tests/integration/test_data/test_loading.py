"""Feeds go into a real database whole or not at all, and only once."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2
import pytest

from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from data import import_feed, seed_database
from data.generate_fake_data import DEMO
from data.generate_fake_data import main as generate
from data.synthetic.feed import FeedSize
from tests.support.feed_writing import VIEW, write_rows

DAY = 86_400


class Database:
    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET TimeZone TO 'UTC'")
                cursor.execute(query)
                return cursor.fetchall()
        finally:
            connection.close()

    def run(self, statement: str, *values: object) -> None:
        connection = psycopg2.connect(self.url)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
        connection.close()

    def counts(self) -> tuple[int, ...]:
        tables = ("users", "posts", "follows", "user_interaction")
        return self.rows("SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in tables))[0]

    def everything(self) -> list[list[tuple[Any, ...]]]:
        tables = ("users", "posts", "follows", "user_interaction", "feed_change", "feed_import")
        return [sorted(self.rows(f"SELECT {table}::text FROM {table}")) for table in tables]


@pytest.fixture
def database(own_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Database:
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.chdir(tmp_path)
    return Database(own_database_url)


def run_import(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        code = import_feed.main([str(one) for one in arguments])
    except SystemExit as left:
        code = int(left.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def feed_files(folder: Path) -> Mapping[str, Path]:
    return {
        "--interactions": write_rows(
            folder / "i.csv",
            [
                VIEW,
                VIEW,
                {**VIEW, "user_id": "bob", "interaction_type": "like", "created_at": "2026-01-03T00:00:00Z"},
                {**VIEW, "post_id": "p2", "created_at": 1767300000, "metadata": {"place": "top"}},
            ],
        ),
        "--posts": write_rows(
            folder / "p.csv",
            [
                {"id": "p1", "author_id": "cid", "content": "a, b\n\"c\" \\ é", "created_at": "2026-01-01",
                 "visible": "f", "like_count": 4, "tags": ["x y", 'q"', "{,}"]},
            ],
        ),
        "--users": write_rows(folder / "u.csv", [{"id": "ann", "username": "Ann", "follower_count": 9}]),
        "--follows": write_rows(folder / "f.csv", [{"follower_id": "ann", "followee_id": "dan"}]),
    }  # fmt: skip


def arguments(files: Mapping[str, Path]) -> list[object]:
    return [part for pair in files.items() for part in pair]


def test_all_values_of_the_files_are_in_the_tables(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run_import(capsys, *arguments(feed_files(tmp_path)))

    assert (code, err) == (0, "")
    assert out.endswith("i.csv: added 4 users, 2 posts, 1 follows, 4 interactions\n")
    assert database.rows("SELECT external_id, id::text, username, follower_count FROM users ORDER BY 1") == [
        ("ann", str(user_uuid("ann")), "Ann", 9),
        *((name, str(user_uuid(name)), None, None) for name in ("bob", "cid", "dan")),
    ]
    posts = database.rows(
        "SELECT p.external_id, p.id::text, u.external_id, content, tags, visible, like_count, p.created_at::text "
        "FROM posts p LEFT JOIN users u ON u.id = author_id ORDER BY 1"
    )
    assert [row[:5] for row in posts] == [
        ("p1", str(post_uuid("p1")), "cid", 'a, b\n"c" \\ é', ["x y", 'q"', "{,}"]),
        ("p2", str(post_uuid("p2")), None, posts[1][3], []),
    ]
    assert [row[5:] for row in posts] == [
        (False, 4, "2026-01-01 00:00:00+00"),
        (True, posts[1][6], "2026-01-01 20:40:00+00"),
    ]
    assert database.rows("SELECT created_at FROM follows") == [(None,)]
    assert database.rows(
        "SELECT interaction_type, occurred_at::text, created_at = occurred_at, metadata "
        "FROM user_interaction ORDER BY seq"
    ) == [
        ("view", "2026-01-01 20:40:00+00", True, {"place": "top"}),
        ("view", "2026-01-02 03:04:05+00", True, {}),
        ("view", "2026-01-02 03:04:05+00", True, {}),
        ("like", "2026-01-03 00:00:00+00", True, {}),
    ]


def test_ids_of_a_file_mean_the_rows_that_have_them_as_external_id(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ann, post, elsewhere = UUID(int=1), UUID(int=2), UUID(int=3)
    database.run("INSERT INTO users (id, external_id) VALUES (%s, 'ann')", str(ann))
    database.run(
        "INSERT INTO posts (id, external_id, author_id) VALUES (%s, %s, %s)", str(post), "caf\u00e9", str(ann)
    )
    database.run("INSERT INTO posts (id, external_id) VALUES (%s, 'elsewhere')", str(elsewhere))
    event = {**VIEW, "user_id": "bob", "post_id": "cafe\u0301"}
    files = {
        "--interactions": [event, {**VIEW, "user_id": " ann", "post_id": "p1"}],
        "--posts": [{"id": "p1", "author_id": "ann", "root_id": "elsewhere"},
                    {"id": "p2", "reply_to": "cafe\u0301", "root_id": "nowhere", "created_at": 1767300000}],
        "--follows": [{"follower_id": "bob", "followee_id": "ann "}],
        "--controls": [{"user_id": "bob", "action": "hide_post", "post_id": "cafe\u0301"},
                       {"user_id": "ann", "action": "mute_author", "author_id": "bob"}],
    }  # fmt: skip
    paths = {flag: write_rows(tmp_path / f"{flag[2:]}.csv", rows) for flag, rows in files.items()}

    first, again = (run_import(capsys, *arguments(paths)) for _ in range(2))

    assert (first[0], again[0]) == (0, 0), first + again
    assert again[1].endswith("nothing new\n")
    assert database.counts() == (2, 4, 1, 2)
    bob = str(user_uuid("bob"))
    assert database.rows("SELECT user_id::text, post_id::text FROM user_interaction ORDER BY user_id") == [
        (str(ann), str(post_uuid("p1"))), (bob, str(post)),
    ]  # fmt: skip
    assert database.rows("SELECT follower_id::text, followee_id::text FROM follows") == [(bob, str(ann))]
    posts = "SELECT external_id, author_id::text, reply_to::text, root_id::text FROM posts ORDER BY seq"
    assert database.rows(posts) == [
        ("caf\u00e9", str(ann), None, None), ("elsewhere", None, None, None),
        ("p1", str(ann), None, str(elsewhere)), ("p2", None, str(post), str(post_uuid("nowhere"))),
    ]  # fmt: skip
    feedback = "SELECT user_id::text, post_id::text, author_id::text FROM user_feedback ORDER BY user_id"
    assert database.rows(feedback) == [
        (str(ann), None, bob), (bob, str(post), None),
    ]  # fmt: skip


def test_controls_of_a_file_hold_in_the_database_and_are_loaded_once(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {
            "user_id": "ann",
            "action": "hide_post",
            "post_id": "p2",
            "created_at": "2026-01-03",
            "until": "2026-02-03",
        },
        {"user_id": "bob", "action": "block_author", "author_id": "cid"},
    ]
    files = {**feed_files(tmp_path), "--controls": write_rows(tmp_path / "c.ndjson", rows, "controls")}

    first, second = run_import(capsys, *arguments(files)), run_import(capsys, *arguments(files))

    assert first[1].endswith("added 4 users, 2 posts, 1 follows, 4 interactions, 2 controls\n")
    assert second[1].endswith("nothing new\n")
    assert database.rows(
        "SELECT user_id::text, action, target_post_id::text, target_user_id::text, until::text FROM feed_controls "
        "ORDER BY action DESC"
    ) == [
        (str(user_uuid("ann")), "hide_post", str(post_uuid("p2")), None, "2026-02-03 00:00:00+00"),
        (str(user_uuid("bob")), "block_author", None, str(user_uuid("cid")), None),
    ]
    assert database.rows("SELECT created_at::text FROM user_feedback WHERE action = 'hide_post'") == [
        ("2026-01-03 00:00:00+00",)
    ]


def test_audiences_languages_and_threads_of_files_are_in_the_views(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    post = {"id": "p1", "created_at": 1700000000, "visibility": "members", "audience_id": "choir", "language": "de",
            "sensitive": True, "reply_to": "p2", "root_id": "p2", "repost_of": None}  # fmt: skip
    user = {
        "id": "ann",
        "discoverable": False,
        "personalised": False,
        "languages": ["de"],
        "show_sensitive": True,
    }
    files = {
        "--interactions": write_rows(tmp_path / "i.csv", [VIEW, {**VIEW, "post_id": "p2"}]),
        "--posts": write_rows(tmp_path / "p.csv", [post]),
        "--users": write_rows(tmp_path / "u.csv", [user]),
        "--memberships": write_rows(tmp_path / "m.csv", [{"user_id": "ann", "audience_id": "choir"}]),
    }

    first, second = run_import(capsys, *arguments(files)), run_import(capsys, *arguments(files))

    assert first[1].endswith("added 1 users, 2 posts, 0 follows, 2 interactions, 1 memberships\n")
    assert second[1].endswith("nothing new\n")
    root = str(post_uuid("p2"))
    assert database.rows(
        "SELECT external_id, visibility, audience_id, language, sensitive, reply_to::text, root_id::text FROM posts "
        "ORDER BY 1"
    ) == [("p1", "members", "choir", "de", True, root, root), ("p2", "public", None, None, False, None, None)]
    assert database.rows("SELECT discoverable, personalised, languages, show_sensitive FROM users") == [
        (False, False, ["de"], True)
    ]
    assert database.rows("SELECT user_id::text, audience_id FROM feed_memberships") == [
        (str(user_uuid("ann")), "choir")
    ]


def test_recent_pages_of_a_file_are_stored_and_counted_once(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = int(time.time()) - 60
    page = {"user_id": "ann", "request_id": "r1", "created_at": now, "posts": ["p2", "p1"], "seen": ["p2"]}
    rows = [
        page,
        {**page, "request_id": "r2", "created_at": now - 5 * DAY, "posts": ["p1"], "seen": None},
        {**page, "created_at": now - 40 * DAY},
        {**page, "created_at": now + DAY},
    ]
    files = {**feed_files(tmp_path), "--impressions": write_rows(tmp_path / "s.ndjson", rows, "impressions")}

    first, second = run_import(capsys, *arguments(files)), run_import(capsys, *arguments(files))

    old = "skipped 2 of the impressions (not of the last IMPRESSION_DAYS)\n"
    assert first[1].endswith(f", 4 interactions, 2 impressions; {old}")
    assert second[1].endswith(f"nothing new; {old}")
    (seq_1,), (seq_2,) = database.rows("SELECT seq FROM posts ORDER BY external_id")
    assert database.rows(
        "SELECT user_id::text, extract(epoch FROM time)::bigint, request_id, mode, posts, sources, seen::text "
        "FROM impression ORDER BY time"
    ) == [
        (str(user_uuid("ann")), now - 5 * DAY, "r2", "ranked", [seq_1], "-", None),
        (str(user_uuid("ann")), now, "r1", "ranked", [seq_2, seq_1], "--", "10"),
    ]
    assert database.rows("SELECT post, shown, seen FROM impression_count ORDER BY shown DESC") == [
        (seq_1, 2, 0),
        (seq_2, 1, 1),
    ]


def test_skipped_rows_are_reported_in_the_summary(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = feed_files(tmp_path)
    for row in ("ann,Annie,3\n", "ann,Anne,4\n"):
        with files["--users"].open("a") as users:
            users.write(row)
    with files["--follows"].open("a") as follows:
        follows.write("dan,dan\n")

    code, out, _ = run_import(capsys, *arguments(files))

    assert code == 0
    assert out == (
        "read 4 interactions, 1 posts, 3 users, 2 follows\n"
        f"{files['--interactions']}: added 4 users, 2 posts, 1 follows, 4 interactions; skipped "
        f"2 of the users ({files['--users']}: line 3: column id: 'ann' is a duplicate id; the first row was kept), "
        f"1 of the follows ({files['--follows']}: line 3: column followee_id: 'dan' equals the follower)\n"
    )


def test_a_second_import_adds_nothing_and_a_longer_file_only_what_is_new(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = feed_files(tmp_path)
    run_import(capsys, *arguments(files))
    before = database.everything()

    again = run_import(capsys, *arguments(files))
    same = database.everything()
    with files["--interactions"].open("a") as more:
        more.write("eve,p3,share,2026-01-04,\n")
    longer = run_import(capsys, *arguments(files))

    rows = "read 4 interactions, 1 posts, 1 users, 1 follows\n"
    assert again[:2] == (0, f"{rows}{files['--interactions']}: nothing new\n")
    assert same == before
    assert longer[1].endswith("added 1 users, 1 posts, 0 follows, 1 interactions\n")


def test_shift_to_now_ends_the_feed_now_and_remembers_by_how_much(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = feed_files(tmp_path)
    began = time.time()

    assert run_import(capsys, *arguments(files), "--shift-to-now")[0] == 0
    ended = time.time()
    before = database.everything()
    # the same data set elsewhere, and longer: known again by how it begins
    moved = tmp_path / "moved.csv"
    moved.write_text(files["--interactions"].read_text() + "eve,p1,share,2026-01-03T00:00:10Z,\n")
    assert run_import(capsys, *arguments(files), "--shift-to-now")[1].endswith("nothing new\n")
    assert database.everything() == before
    assert run_import(capsys, "--interactions", moved, "--shift-to-now")[0] == 0

    times = [
        at
        for (at,) in database.rows(
            "SELECT extract(epoch FROM occurred_at)::float8 FROM user_interaction ORDER BY seq"
        )
    ]
    assert began - 0.001 <= times[3] <= ended + 0.001
    assert times[4] - times[3] == pytest.approx(10, abs=1e-3)
    post = database.rows("SELECT extract(epoch FROM created_at)::float8 FROM posts WHERE external_id = 'p1'")[
        0
    ][0]
    assert times[3] - post == pytest.approx(2 * DAY, abs=1e-3)
    assert database.rows("SELECT count(*) FROM feed_import") == [(1,)]


def test_a_time_that_would_be_moved_beyond_the_calendar_is_one_line(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_rows(tmp_path / "i.csv", [VIEW])
    control = {"user_id": "ann", "action": "mute_word", "word": "x", "until": "9999-12-29"}
    controls = write_rows(tmp_path / "c.csv", [control])

    code, _, err = run_import(capsys, "--interactions", path, "--controls", controls, "--shift-to-now")

    assert code == 2
    assert "9999-12-29T00:00:00.000000Z, shifted by " in err
    assert err.endswith("days, is beyond the years 1 to 9999\n")
    assert database.counts() == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "content"), [("i.ndjson", ""), ("i.json", '{"interactions": []}'), ("i.csv", ",".join(VIEW))]
)
def test_a_feed_in_which_nothing_has_happened_adds_nothing(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)

    for more in ([], ["--shift-to-now"]):
        code, out, err = run_import(capsys, "--interactions", tmp_path / name, *more)
        assert (code, err, out.endswith("nothing new\n")) == (0, "", True)


def test_other_event_names_are_mapped_by_an_argument(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_rows(tmp_path / "i.ndjson", [{**VIEW, "interaction_type": "BOOKMARK"}])

    rejected = run_import(capsys, "--interactions", path)
    mapped = run_import(capsys, "--interactions", path, "--event-map", "VIEW=view,BOOKMARK=like")

    assert rejected[0] == 2
    assert "i.ndjson: line 1: column interaction_type: 'BOOKMARK' is not one of view, click" in rejected[2]
    assert mapped[0] == 0
    assert database.rows("SELECT interaction_type FROM user_interaction") == [("like",)]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ([], "no file is given: use one of --interactions, --posts, --users"),
        (["--interactions", "none.csv"], "argument --interactions: none.csv: no such file"),
        (["--interactions", "."], "bad.csv: has no column 'user_id' for interactions; name it with"),
        (["--interactions", "i.csv", "--event-map", "VIEW"], "argument --event-map: 'VIEW' is not NAME=TYPE"),
        (["--interactions", "i.csv", "--event-map", "VIEW=look"], "'VIEW=look' is not NAME=TYPE"),
        (["--interactions", "i.csv", "--event-map", "V=view,V=like"], "'V' is mapped to view and to like"),
        (
            ["--interactions", "i.csv", "--posts", "bad.csv"],
            "bad.csv: line 2: column created_at: 'x' is not a time",
        ),
    ],
)
def test_bad_input_gives_one_line_and_exit_2_and_writes_nothing(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], said: str
) -> None:
    write_rows(tmp_path / "i.csv", [VIEW])
    write_rows(tmp_path / "bad.csv", [{"id": "p1", "created_at": "x"}])

    code, out, err = run_import(capsys, *extra)

    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert database.counts() == (0, 0, 0, 0)


def test_a_database_that_is_away_gives_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")

    code, _, err = run_import(capsys, "--interactions", write_rows(tmp_path / "i.csv", [VIEW]))

    assert code == 2
    assert "the database at 127.0.0.1:1 is not available: Connection refused" in err
    assert err.count("\n") == 1
    assert "secret" not in err


def test_tables_are_made_where_there_are_none(
    empty_database_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("DB_SCHEMA", "feed")

    code, _, err = run_import(capsys, "--interactions", write_rows(tmp_path / "i.csv", [VIEW]))

    assert (code, err) == (0, "")
    assert Database(empty_database_url).rows("SELECT count(*) FROM feed.user_interaction") == [(1,)]


@pytest.mark.parametrize(
    "size",
    [replace(DEMO, users=75, posts=400, interactions=5000), pytest.param(DEMO, marks=pytest.mark.slow)],
    ids=["small", "whole"],
)
def test_seeding_loads_a_demo_that_ends_now_and_a_second_time_changes_nothing(
    database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, size: FeedSize
) -> None:
    monkeypatch.setattr(seed_database, "DEMO", size)

    assert seed_database.main([]) == 0
    before = database.everything()
    first = capsys.readouterr().out
    assert seed_database.main([]) == 0
    assert seed_database.main(["--if-empty"]) == 0

    users, posts, _, interactions = database.counts()
    assert (users, posts, interactions) == (size.users, size.posts, size.interactions)
    assert first.startswith(f"demo feed: added {size.users} users, {size.posts:,} posts, ")
    assert first.endswith(f"demo feed: {size.posts // 4} pictures added\n")
    pictures = "SELECT count(*), min(position), max(position) FROM post_media"
    assert database.rows(pictures) == [(size.posts // 4, 0, 0)]
    assert capsys.readouterr().out == "demo feed: nothing new\nthe database already contains a feed\n"
    assert database.everything() == before
    latest, future = database.rows(
        "SELECT extract(epoch FROM now() - max(occurred_at))::float8, count(*) FILTER (WHERE occurred_at > now()) "
        "FROM user_interaction"
    )[0]
    assert 0 <= latest < 120
    assert future == 0
    pages, counted, seen = database.rows(
        "SELECT (SELECT count(*) FROM impression), sum(shown)::bigint, sum(seen)::bigint FROM impression_count"
    )[0]
    assert pages > size.interactions / 2
    assert counted > seen > pages
    author = database.rows("SELECT author_id FROM posts GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")[0][0]
    posts_of_author = SqlImpressionRepository(create_feed_engine(database.url, connect_seconds=10)).reach(
        UUID(author)
    )
    assert sum(one.shown > one.seen > one.interactions["click"] > 0 for one in posts_of_author) > 5


@pytest.mark.parametrize("name", ["feed.json", "feed.parquet"])
def test_seeding_loads_what_the_generator_wrote(database: Database, name: str) -> None:
    generate(f"--users 20 --posts 30 --interactions 400 --output {name}".split())

    assert seed_database.main(["--input", name]) == 0

    users, posts, follows, interactions = database.counts()
    assert (users, posts, interactions) == (20, 30, 400)
    assert follows > 20
