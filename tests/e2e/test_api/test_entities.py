"""PUT of users, PUT and DELETE of posts, and POST /posts/batch, over real HTTP."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.domain.ids import post_uuid, user_uuid
from tests.e2e.test_api.test_recommendations import problem
from tests.support.fake_use_cases import Running

BLUESKY_ID = "at://did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.post/3l6oveex3ii2l"


def test_a_post_is_stored_changed_and_deleted(api: httpx.Client, running: Running) -> None:
    posts = running.tables.posts
    body = {
        "author_id": "carol",
        "content": "A walk",
        "tags": ["nature"],
        "created_at": "2026-02-01T10:00:00Z",
    }

    created = api.put("/posts/new", json=body)
    stored = posts[post_uuid("new")]
    changed = api.put("/posts/new", json={"content": None, "visible": False})
    after = posts[post_uuid("new")]
    deleted = [api.delete("/posts/new") for _ in range(2)]

    assert [(one.status_code, one.json()) for one in (created, changed)] == [(202, {"status": "stored"})] * 2
    assert (stored.author_id, stored.content, stored.tags) == (user_uuid("carol"), "A walk", ("nature",))
    assert stored.created_at == datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert (after.author_id, after.content, after.tags, after.visible) == (
        stored.author_id,
        "",
        ("nature",),
        False,
    )
    assert [(one.status_code, one.json()) for one in deleted] == [(202, {"status": "deleted"})] * 2
    assert post_uuid("new") not in posts


def test_a_user_is_stored_and_changed(api: httpx.Client, running: Running) -> None:
    created = api.put("/users/carol", json={"username": "Carol", "languages": ["de", "en-GB"]})
    api.put("/users/carol", json={"show_sensitive": True, "discoverable": False})

    interests = {"tags": ["nature"], "authors": ["alice", "bob"]}
    declared = api.put("/users/carol", json=interests)
    unknown = api.put("/users/carol", json={"authors": ["nobody"]})

    user = running.tables.users[user_uuid("carol")]
    assert (declared.status_code, problem(unknown)) == (202, (404, "unknown_author"))
    assert (user.tags, user.authors) == (("nature",), (user_uuid("alice"), user_uuid("bob")))
    assert (created.status_code, created.json()) == (202, {"status": "stored"})
    assert (user.languages, user.show_sensitive, user.discoverable) == (("de", "en-GB"), True, False)


def test_posts_of_a_batch_are_stored_all_or_none(api: httpx.Client, running: Running) -> None:
    batch = api.post("/posts/batch", json={"posts": [{"id": "one", "content": "1"}, {"id": "two"}]})
    twice = api.post("/posts/batch", json={"posts": [{"id": "three"}, {"id": "three"}]})
    bad = api.post("/posts/batch", json={"posts": [{"id": "three"}, {"id": "a\x7f"}]})
    no_vectors = api.post("/posts/batch", json={"posts": [{"id": "three", "embedding": [1, 2]}]})

    assert (batch.status_code, batch.json()) == (202, {"status": "stored", "accepted": 2})
    assert {post_uuid("one"), post_uuid("two")} <= running.tables.posts.keys()
    assert problem(twice) == problem(no_vectors) == (422, "invalid_post")
    assert "EMBEDDING_DIMENSIONS is 0" in no_vectors.json()["detail"]
    assert problem(bad) == (422, "invalid_id")
    assert bad.json()["detail"].startswith("posts[1]: post id")
    assert post_uuid("three") not in running.tables.posts


@pytest.mark.parametrize(
    "id_",
    [
        BLUESKY_ID,
        "a/b",
        "/",
        "a%2Fb",
        "batch",
        "日本 語",
        "x" * 128,
        "?a=b#c",
        "http://example.org/users/1/follows/2",
    ],
)
def test_ids_in_paths_are_percent_encoded(api: httpx.Client, running: Running, id_: str) -> None:
    path = quote(id_, safe="")

    answers = [
        api.put(f"/users/{path}", json={}),
        api.put(f"/posts/{path}", json={"author_id": id_}),
        api.put(f"/users/{path}/follows/alice"),
        api.put(f"/audiences/{path}/members/{path}"),
        api.get(f"/users/{path}/controls"),
    ]

    assert [one.status_code for one in answers] == [202, 202, 202, 202, 200]
    assert answers[-1].json()["user_id"] == id_
    assert running.tables.posts[post_uuid(id_)].author_id == user_uuid(id_)
    assert api.delete(f"/posts/{path}").status_code == 202
    assert post_uuid(id_) not in running.tables.posts


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/posts/new", {"visble": False}, "/visble"),
        ("/posts/new", {"embedding": [0.5]}, "/embedding"),
        ("/posts/new", {"embedding": [0.5] * 1537}, "/embedding"),
        ("/posts/new", {"embedding": [0.5, "1"]}, "/embedding/1"),
        ("/posts/new", {"embedding": "[0.5, 1]"}, "/embedding"),
        ("/posts/new", {"created_at": None}, "/created_at"),
        ("/posts/new", {"created_at": "yesterday"}, "/created_at"),
        ("/posts/new", {"created_at": "0001-01-01T00:00:00Z"}, "/created_at"),
        ("/posts/new", {"created_at": 1767225600}, "/created_at"),
        ("/posts/new", {"visibility": "friends"}, "/visibility"),
        ("/posts/new", {"visible": "false"}, "/visible"),
        ("/posts/new", {"tags": None}, "/tags"),
        ("/posts/new", {"tags": ["a", ""]}, "/tags/1"),
        ("/posts/new", {"content": "a\0b"}, "/content"),
        ("/posts/new", {"language": "de_AT"}, "/language"),
        ("/posts/new", {"author_id": ""}, "/author_id"),
        ("/users/carol", {"languages": ["de", "x y"]}, "/languages/1"),
        ("/users/carol", {"personalised": None}, "/personalised"),
        ("/users/carol", {"authors": ["ann", ""]}, "/authors/1"),
        ("/users/carol", {"tags": None}, "/tags"),
        ("/users/carol", {"interests": ["ann"]}, "/interests"),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    api: httpx.Client, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = api.put(path, json=body)

    assert problem(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("PUT", "/users/%00", "invalid_id"),
        ("PUT", f"/posts/{'x' * 129}", "invalid_id"),
        ("DELETE", "/posts/%7F", "invalid_id"),
    ],
)
def test_an_id_that_is_none_is_a_problem(api: httpx.Client, method: str, path: str, code: str) -> None:
    body = None if method == "DELETE" else {}

    assert problem(api.request(method, path, json=body)) == (422, code)


@pytest.mark.parametrize("count", [0, 501])
def test_a_batch_has_1_to_500_posts(api: httpx.Client, count: int) -> None:
    posts = [{"id": f"post {number}"} for number in range(count)]

    assert problem(api.post("/posts/batch", json={"posts": posts})) == (422, "invalid_request")


CALLS: list[tuple[str, str, Any]] = [
    ("PUT", "/users/carol", {}),
    ("PUT", "/posts/new", {}),
    ("DELETE", "/posts/new", None),
    ("POST", "/posts/batch", {"posts": [{"id": "new"}]}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_rows_of_another_application_are_a_conflict(
    api: httpx.Client, running: Running, method: str, path: str, body: Any
) -> None:
    running.entities.managed_elsewhere = True

    assert problem(api.request(method, path, json=body)) == (409, "managed_elsewhere")


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_a_database_that_is_away_rejects_entities(
    api: httpx.Client, running: Running, method: str, path: str, body: Any
) -> None:
    running.tables.away = True

    assert problem(api.request(method, path, json=body)) == (503, "storage_unavailable")


def test_one_bad_post_of_a_partial_batch_does_not_lose_the_others(
    api: httpx.Client, running: Running
) -> None:
    posts = [{"id": "one"}, {"id": "two", "visble": True}, {"id": "a\x7f"}, {"id": "one"}, {"id": "three"}]

    answer = api.post("/posts/batch?partial=true", json={"posts": posts})

    assert (answer.status_code, answer.json()) == (
        202,
        {
            "status": "stored",
            "accepted": 2,
            "rejected": [
                {"index": 1, "code": "invalid_request"},
                {"index": 2, "code": "invalid_id"},
                {"index": 3, "code": "invalid_post"},
            ],
        },
    )
    assert {post_uuid("one"), post_uuid("three")} <= running.tables.posts.keys()
    assert post_uuid("two") not in running.tables.posts
