"""POST /impressions and GET /authors/{author_id}/reach, over real HTTP."""

from typing import Any

import httpx
import pytest

from app.domain.entities import Impression, Post, Reason
from app.domain.ids import post_uuid, user_uuid
from tests.e2e.test_api.test_recommendations import problem
from tests.support.fake_use_cases import NOON, Running

IMPRESSIONS = "/impressions"
REPORT = {"user_id": "alice", "request_id": "r1", "seen": ["post-1"]}


def show(running: Running, post: str = "post-1") -> None:
    """A page of alice with one post, stored."""
    posts = [running.tables.posts[post_uuid(post)].seq]
    page = Impression("r1", user_uuid("alice"), NOON, "ranked", "v1", posts, [Reason.RECENT])
    running.impressions.save([page])


def test_what_was_on_screen_is_stored_and_a_repetition_changes_nothing(
    api: httpx.Client, running: Running
) -> None:
    show(running)

    answers = [api.post(IMPRESSIONS, json=REPORT) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert [answer.json() for answer in answers] == [{"status": "recorded", "seen": 1}] * 2
    assert running.tables.pages[0].page.seen.tolist() == [True]


@pytest.mark.parametrize("changes", [{"request_id": "unknown"}, {"user_id": "bob"}, {"seen": ["post-2"]}])
def test_posts_and_pages_that_are_not_stored_are_ignored(
    api: httpx.Client, running: Running, changes: dict[str, Any]
) -> None:
    show(running)

    answer = api.post(IMPRESSIONS, json=REPORT | changes)

    assert (answer.status_code, answer.json()) == (202, {"status": "recorded", "seen": 0})
    assert running.tables.pages[0].page.seen.tolist() == [False]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"user_id": "nobody"}, 404, "unknown_user"),
        ({"seen": []}, 422, "invalid_request"),
        ({"seen": ["post-1"] * 201}, 422, "invalid_request"),
        ({"seen": "post-1"}, 422, "invalid_request"),
        ({"seen": ["\0"]}, 422, "invalid_id"),
        ({"request_id": None}, 422, "invalid_request"),
        ({"request_id": "a b"}, 422, "invalid_request"),
    ],
)
def test_a_wrong_report_is_a_problem(
    api: httpx.Client, changes: dict[str, Any], status: int, code: str
) -> None:
    assert problem(api.post(IMPRESSIONS, json=REPORT | changes)) == (status, code)


def test_the_reach_of_an_author_is_listed_by_post(api: httpx.Client, running: Running) -> None:
    author = user_uuid("bob")
    running.tables.add_posts(Post(post_uuid("by-bob"), "by-bob", author, NOON, 0, "", (), True))
    show(running, "by-bob")
    api.post(IMPRESSIONS, json=REPORT | {"seen": ["by-bob"]})

    answer = api.get("/authors/bob/reach")

    assert answer.status_code == 200
    [post] = answer.json()["posts"]
    assert (post["post_id"], post["external_id"]) == (str(post_uuid("by-bob")), "by-bob")
    assert (post["shown"], post["seen"]) == (1, 1)
    assert set(post["interactions"]) == {"view", "click", "like", "comment", "share"}
    assert api.get("/authors/alice/reach").json() == {"author_id": "alice", "posts": []}
    assert problem(api.get("/authors/nobody/reach")) == (404, "unknown_user")


def test_a_database_that_is_away_rejects_reports_and_reach(api: httpx.Client, running: Running) -> None:
    running.tables.away = True

    for answer in (api.post(IMPRESSIONS, json=REPORT), api.get("/authors/bob/reach")):
        assert problem(answer) == (503, "storage_unavailable")
        assert int(answer.headers["retry-after"]) > 0
