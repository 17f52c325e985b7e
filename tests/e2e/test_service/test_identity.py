"""Rows that another program inserted, with UUIDs of their own, are found under their external ids."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg2
import psycopg2.extras
import pytest

from tests.support.service_process import Service, ids

ANN, BOB, POST, OTHER = (str(uuid4()) for _ in range(4))
BOB_NAME = "b\u00f6b"
SPELLINGS = (BOB_NAME, f" {BOB_NAME} ", "bo\u0308b")


@pytest.fixture(scope="module")
def rows(feed_url: str, service: Service) -> Iterator[Any]:
    """Asks the database, in which another program inserted two users and two posts."""
    connection = psycopg2.connect(feed_url)
    connection.autocommit = True

    def ask(query: str, *values: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    ask("INSERT INTO users (id, external_id) VALUES (%s, 'ann'), (%s, %s)", ANN, BOB, BOB_NAME)
    ask(
        "INSERT INTO posts (id, external_id, author_id, visibility, audience_id) "
        "VALUES (%s, 'hers', %s, 'public', NULL), (%s, 'for the club', NULL, 'members', 'club')",
        *(POST, ANN, OTHER),
    )
    service.until(lambda: POST in newest(service, "bob"), seconds=2)
    yield ask
    ask("DELETE FROM users WHERE id IN (%s, %s)", ANN, BOB)
    ask("DELETE FROM posts WHERE id = %s", OTHER)
    connection.close()


def newest(service: Service, user: str, **body: Any) -> list[str]:
    return ids(service.generate(user, limit=200, context={"mode": "newest"}, **body))


def status(service: Service, method: str, path: str, **body: Any) -> int:
    return service.client.request(method, path, json=body or None).status_code


def test_authors_do_not_get_their_own_posts(service: Service, rows: Any) -> None:
    for spelling in ("ann", " ann", ANN, ANN.upper(), f"{{{ANN}}}"):
        assert POST not in newest(service, spelling)
        assert POST in newest(service, "somebody else")


def test_events_retractions_and_excluded_posts_reach_the_rows(service: Service, rows: Any) -> None:
    for spelling in SPELLINGS:
        assert service.track(spelling, " hers", "like").status_code == 202
    events = rows(
        "SELECT DISTINCT user_id::text, post_id::text FROM user_interaction WHERE post_id = %s", POST
    )
    answer = service.generate(f" {BOB_NAME} ", limit=5)
    taken_back = service.client.post(
        "/interactions/retract",
        json={"user_id": "bo\u0308b", "post_id": "hers", "interaction_type": "like"},
    )

    assert events == [(BOB, POST)]
    assert (answer["user_id"], answer["metadata"]["source"]) == (f" {BOB_NAME} ", "personalized")
    assert taken_back.json() == {"status": "retracted", "removed": 3}
    assert POST in newest(service, BOB_NAME)
    assert POST not in newest(service, BOB_NAME, exclude_ids=["hers"])


def test_follows_feedback_and_audiences_reach_the_rows(service: Service, rows: Any) -> None:
    following = {"context": {"mode": "following"}}

    assert status(service, "PUT", f"/users/{BOB_NAME}/follows/ann") == 202
    assert ids(service.generate("bo\u0308b", **following)) == [POST]
    assert status(service, "PUT", f"/audiences/club/members/{BOB_NAME}") == 202
    assert OTHER in newest(service, BOB_NAME)
    mute = {"user_id": BOB_NAME, "action": "mute_author", "author_id": "ann"}
    assert status(service, "POST", "/feedback", **mute) == 202
    assert ids(service.generate(BOB_NAME, **following)) == []
    [control] = service.client.get(f"/users/{BOB_NAME}/controls").json()["controls"]
    assert control["author_id"] == ANN
    assert status(service, "POST", "/feedback", **mute, undo=True) == 202
    hide = {"user_id": BOB_NAME, "action": "hide_post", "post_id": "hers"}
    assert status(service, "POST", "/feedback", **hide) == 202
    assert POST not in newest(service, BOB_NAME)
    visible = rows("SELECT feed_visible_posts(feed_user_id(%s))::text", f" {BOB_NAME}")
    assert (OTHER,) in visible
    assert (POST,) not in visible
    assert status(service, "POST", "/feedback", **hide, undo=True) == 202


def test_impressions_and_updates_reach_the_rows(service: Service, rows: Any) -> None:
    page = service.generate(BOB_NAME, limit=20)
    shown = [post.get("external_id", post["post_id"]) for post in page["recommendations"][:2]]
    about = page["metadata"]

    report = {"user_id": f" {BOB_NAME}", "request_id": about["request_id"], "seen": shown}
    seen = service.client.post("/impressions", json=report)
    rows("INSERT INTO posts (external_id) VALUES ('later')")
    service.until(lambda: "later" in str(service.generate(BOB_NAME, context={"mode": "newest"})), seconds=2)
    updates = service.client.post(
        "/recommendations/updates", json={"user_id": BOB_NAME, "cursor": about["next_cursor"]}
    )
    rows("DELETE FROM posts WHERE external_id = 'later'")

    assert (seen.status_code, seen.json()["seen"]) == (202, 2)
    assert updates.json() == {"new": 1, "capped": False}
    reach = service.client.get("/authors/ann/reach").json()
    assert [post["external_id"] for post in reach["posts"]] == ["hers"]


def test_a_row_that_gets_another_external_id_is_found_under_it_alone(service: Service, rows: Any) -> None:
    rows("UPDATE posts SET external_id = 'renamed' WHERE id = %s", POST)
    service.until(lambda: POST not in newest(service, BOB_NAME, exclude_ids=["renamed"]), seconds=2)

    assert POST in newest(service, BOB_NAME, exclude_ids=["hers"])
    assert service.track(BOB_NAME, "hers", "view").status_code == 404
    [post] = [
        one for one in service.generate(BOB_NAME, limit=200, context={"mode": "newest"})["recommendations"]
        if one["post_id"] == POST
    ]  # fmt: skip
    assert post["external_id"] == "renamed"
