"""A second import changes what is stored to what the files say, if `--update` is given, and else says what differs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from data import import_feed
from tests.support.feed_writing import VIEW, write_rows

POSTS = [
    {"id": "p1", "author_id": "a1", "content": "first words", "created_at": "2026-11-20T09:00:00Z", "visible": "true",
     "tags": "cats", "like_count": 1},
    {"id": "p2", "author_id": "a2", "content": "second", "created_at": "2026-11-20T09:00:00Z", "visible": "true",
     "tags": "", "like_count": 1},
]  # fmt: skip
CHANGED = [
    {**POSTS[0], "content": "edited words", "visible": "false", "tags": "dogs", "like_count": 99},
    {**POSTS[1], "author_id": "a3"},
]


class Import:
    def __init__(self, folder: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.url, self.capsys = folder, url, capsys

    def run(self, *flags: str, **files: Sequence[dict[str, Any]]) -> str:
        paths = [
            part
            for kind, rows in files.items()
            for part in (f"--{kind}", str(write_rows(self.folder / f"{kind}.csv", rows, kind)))
        ]
        code = import_feed.main([*paths, *flags])
        out, err = self.capsys.readouterr()
        assert (code, err) == (0, "")
        return out.splitlines()[-1].partition(": ")[2]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()
        finally:
            connection.close()

    def posts(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "SELECT p.external_id, u.external_id, content, visible, tags, like_count "
            "FROM posts p LEFT JOIN users u ON u.id = author_id ORDER BY 1"
        )

    def follows(self) -> list[str]:
        return [
            "".join(pair)
            for pair in self.rows(
                "SELECT a.external_id, b.external_id FROM follows "
                "JOIN users a ON a.id = follower_id JOIN users b ON b.id = followee_id ORDER BY 1, 2"
            )
        ]


@pytest.fixture
def imports(
    own_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Import:
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.chdir(tmp_path)
    return Import(tmp_path, own_database_url, capsys)


def test_posts_become_what_the_file_says_only_with_update(imports: Import) -> None:
    imports.run(interactions=[VIEW], posts=POSTS)
    before = imports.posts()

    said = imports.run(posts=CHANGED)
    assert said == (
        "added 1 users, 0 posts, 0 follows, 0 interactions; 2 posts differ from the stored ones: --update applies this"
    )
    assert imports.posts() == before

    assert imports.run("--update", posts=CHANGED) == "nothing new; changed 2 posts"
    assert imports.posts() == [
        ("p1", "a1", "edited words", False, ["dogs"], 99),
        ("p2", "a3", "second", True, [], 1),
    ]
    assert imports.run("--update", posts=CHANGED) == imports.run(posts=CHANGED) == "nothing new"


def test_only_columns_and_rows_of_the_file_are_changed(imports: Import) -> None:
    imports.run(interactions=[VIEW], posts=POSTS)
    before = imports.posts()

    rows = [{"id": "p2", "visible": "f"}, {"id": "p1", "visible": ""}]
    said = imports.run("--update", "--created-at", "2026-01-01", posts=rows)

    assert said == "nothing new; changed 1 posts"
    assert imports.posts() == [before[0], (*before[1][:3], False, *before[1][4:])]


def test_an_empty_value_takes_a_stored_one_back(imports: Import) -> None:
    post = {**POSTS[0], "visibility": "followers", "language": "de"}
    imports.run(posts=[post])

    said = imports.run("--update", posts=[{**post, "author_id": "", "visibility": "", "language": ""}])

    assert said == "nothing new; changed 1 posts"
    assert imports.rows("SELECT author_id, visibility, language FROM posts") == [(None, "public", None)]


def test_settings_of_users_are_changed(imports: Import) -> None:
    users = [{"id": name.lower(), "discoverable": "t", "username": name} for name in ("Ann", "Bob")]
    imports.run(users=users)

    said = imports.run("--update", users=[{"id": "ann", "discoverable": "f"}])

    assert said == "nothing new; changed 1 users"
    assert imports.rows("SELECT username, discoverable FROM users ORDER BY 1") == [
        ("Ann", False),
        ("Bob", True),
    ]


def test_follows_become_the_set_of_the_file_for_its_followers(imports: Import) -> None:
    def follows(*pairs: str) -> list[dict[str, str]]:
        return [{"follower_id": one, "followee_id": other} for one, other in pairs]

    imports.run(follows=follows("ux", "uy", "vx", "vy"))

    expected = "1 follows that are stored are not in the files: --update applies this"
    assert imports.run(follows=follows("uy")) == f"nothing new; {expected}"
    assert len(imports.follows()) == 4

    said = imports.run("--update", follows=follows("uy", "uz"))

    assert said == "added 1 users, 0 posts, 1 follows, 0 interactions; removed 1 follows"
    assert imports.follows() == ["uy", "uz", "vx", "vy"]


def test_memberships_become_the_set_of_the_file_for_its_users(imports: Import) -> None:
    imports.run(memberships=[{"user_id": "ann", "audience_id": name} for name in ("choir", "band")])

    said = imports.run("--update", memberships=[{"user_id": "ann", "audience_id": "band"}])

    assert said == "nothing new; removed 1 memberships"
    assert imports.rows("SELECT audience_id FROM memberships") == [("band",)]


def test_a_change_reaches_the_services_by_the_outbox(imports: Import) -> None:
    imports.run(posts=POSTS, follows=[{"follower_id": "u", "followee_id": "a1"}])
    (start,) = imports.rows("SELECT max(seq) FROM feed_change")[0]

    imports.run("--update", posts=CHANGED, follows=[{"follower_id": "u", "followee_id": "a2"}])

    query = f"SELECT entity, op, count(*) FROM feed_change WHERE seq > {start} GROUP BY 1, 2 ORDER BY 1, 2"
    assert imports.rows(query) == [
        ("follow", "delete", 1),
        ("follow", "upsert", 1),
        ("post", "upsert", 2),
        ("user", "upsert", 1),
    ]


def test_bad_rows_cannot_remove_follows(imports: Import) -> None:
    path = write_rows(imports.folder / "f.csv", [{"follower_id": "a", "followee_id": "b"}])

    with pytest.raises(SystemExit) as left:
        import_feed.main(["--follows", str(path), "--update", "--skip-bad-rows", "bad.csv"])

    assert left.value.code == 2
    assert "a bad row would remove its follow" in imports.capsys.readouterr().err


def test_the_file_of_bad_rows_cannot_replace_a_file_that_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_rows(tmp_path / "i.csv", [VIEW])
    before = path.read_text()

    code = import_feed.main(["--interactions", str(path), "--skip-bad-rows", str(path)])

    assert (code, path.read_text()) == (2, before)
    assert "is read, so --skip-bad-rows must be another file" in capsys.readouterr().err
