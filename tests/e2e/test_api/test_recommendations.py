"""POST /recommendations/generate over real HTTP."""

import json
import socket
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.presentation.schemas.recommendation_schema import GenerateResponse
from tests.support.fake_use_cases import Running

GENERATE = "/recommendations/generate"


def page(api: httpx.Client, **body: Any) -> Any:
    answer = api.post(GENERATE, json={"user_id": "alice", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    assert {"type", "title", "detail"} <= body.keys()
    return answer.status_code, body["code"]


@pytest.mark.parametrize("context", [{}, {"mode": "newest"}, {"explain": True}])
def test_an_answer_has_the_documented_shape(api: httpx.Client, context: dict[str, Any]) -> None:
    answer = api.post(GENERATE, json={"user_id": "alice", "context": context})

    shaped = GenerateResponse.model_validate_json(answer.content)
    assert answer.headers["content-type"] == "application/json"
    assert shaped.metadata.total == len(shaped.recommendations) == 50
    assert ("probability" in answer.json()["recommendations"][0]) == ("explain" in context)


def test_the_user_id_comes_back_as_it_was_given(api: httpx.Client) -> None:
    for given in ("test-user", "Ünï ☃", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "x" * 128):
        assert page(api, user_id=given, limit=1)["user_id"] == given


def test_the_external_id_is_named_only_where_it_is_another_one(api: httpx.Client) -> None:
    posts = page(api, limit=2)["recommendations"]

    assert posts[0]["external_id"] == "post-0"
    assert "external_id" not in posts[1]  # the fake feed's second post was given its UUID


def test_a_limit_of_one_and_of_two_hundred_are_the_ends(api: httpx.Client) -> None:
    assert len(page(api, limit=1)["recommendations"]) == 1
    assert len(page(api, limit=200)["recommendations"]) == 200
    for limit in (0, -1, 201, 10**30):
        assert problem(api.post(GENERATE, json={"user_id": "alice", "limit": limit})) == (
            422,
            "invalid_request",
        )


def test_cursors_lead_to_the_end_without_a_repeat(api: httpx.Client) -> None:
    seen: list[str] = []
    cursor = None
    for _ in range(5):
        body = page(api, limit=80, cursor=cursor)
        seen += [post["post_id"] for post in body["recommendations"]]
        cursor = body["metadata"]["next_cursor"]
        if cursor is None:
            break

    assert body["metadata"]["exhausted"] is True
    assert len(seen) == len(set(seen)) == 300


def test_excluded_posts_stay_away(api: httpx.Client) -> None:
    unwanted = [post["post_id"] for post in page(api, limit=5)["recommendations"]]

    left = page(api, limit=200, exclude_ids=unwanted)

    assert not set(unwanted) & {post["post_id"] for post in left["recommendations"]}


def test_an_altered_or_foreign_cursor_is_a_400(api: httpx.Client) -> None:
    cursor = page(api, limit=5)["metadata"]["next_cursor"]
    altered = ("B" if cursor[0] == "A" else "A") + cursor[1:]

    for body in (
        {"user_id": "alice", "cursor": altered},
        {"user_id": "bob", "cursor": cursor},
        {"user_id": "alice", "cursor": cursor, "context": {"mode": "newest"}},
        {"user_id": "alice", "cursor": ""},
    ):
        assert problem(api.post(GENERATE, json=body)) == (400, "invalid_cursor")


def test_a_cursor_older_than_a_day_is_a_410(api: httpx.Client, running: Running) -> None:
    cursor = page(api, limit=5)["metadata"]["next_cursor"]
    running.clock.at += timedelta(hours=24, seconds=1)

    assert problem(api.post(GENERATE, json={"user_id": "alice", "cursor": cursor})) == (410, "expired_cursor")


def test_unknown_keys_of_the_context_are_ignored(api: httpx.Client) -> None:
    body = page(api, limit=3, context={"mode": "ranked", "some_future_key": [1, {"a": None}]})

    assert body["metadata"]["total"] == 3


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/user_id"),
        ({"user_id": 5}, "/user_id"),
        ({"user_id": ""}, "/user_id"),
        ({"user_id": "x" * 129}, "/user_id"),
        ({"user_id": "a", "limit": "5"}, "/limit"),
        ({"user_id": "a", "limit": True}, "/limit"),
        ({"user_id": "a", "limit": 5.0}, "/limit"),
        ({"user_id": "a", "limit": None}, "/limit"),
        ({"user_id": "a", "offset": -1}, "/offset"),
        ({"user_id": "a", "offset": 10**40}, "/offset"),
        ({"user_id": "a", "cursor": 7}, "/cursor"),
        ({"user_id": "a", "exclude_ids": "b"}, "/exclude_ids"),
        ({"user_id": "a", "exclude_ids": [1]}, "/exclude_ids/0"),
        ({"user_id": "a", "exclude_ids": ["b"] * 501}, "/exclude_ids"),
        ({"user_id": "a", "context": []}, "/context"),
        ({"user_id": "a", "context": {"mode": "best"}}, "/context/mode"),
        ({"user_id": "a", "context": {"exclude_seen": "yes"}}, "/context/exclude_seen"),
        ({"user_id": "a", "context": {"explain": 1}}, "/context/explain"),
        ([], ""),
        (None, ""),
    ],
)
def test_a_wrong_field_is_named(api: httpx.Client, body: object, pointer: str) -> None:
    answer = api.post(GENERATE, content=json.dumps(body))

    assert problem(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("given", ["a\x00b", "line\nbreak", "zero\u200bwidth"])
def test_an_id_that_cannot_be_printed_is_rejected(api: httpx.Client, given: str) -> None:
    assert problem(api.post(GENERATE, json={"user_id": given})) == (422, "invalid_id")
    assert problem(api.post(GENERATE, json={"user_id": "a", "exclude_ids": [given]})) == (422, "invalid_id")


def test_a_sane_request_id_is_taken_and_any_other_replaced(api: httpx.Client) -> None:
    body = {"user_id": "alice", "limit": 1}
    taken = api.post(GENERATE, json=body, headers={"X-Request-ID": "web-17.a:b_C"})
    replaced = api.post(GENERATE, json=body, headers={"X-Request-ID": "a b" * 50})
    made = api.post(GENERATE, json=body)

    assert taken.headers["x-request-id"] == taken.json()["metadata"]["request_id"] == "web-17.a:b_C"
    assert replaced.headers["x-request-id"] == replaced.json()["metadata"]["request_id"] != "a b" * 50
    assert made.headers["x-request-id"] != replaced.headers["x-request-id"]


def test_a_body_over_the_limit_is_a_413_announced_or_not(api: httpx.Client) -> None:
    large = b'{"user_id":"' + b"y" * 10_000_000 + b'"}'

    assert problem(api.post(GENERATE, content=large)) == (413, "body_too_large")
    assert problem(api.post(GENERATE, content=iter([large[:60_000], large[:60_000]]))) == (
        413,
        "body_too_large",
    )


@pytest.mark.parametrize("body_budget_seconds", [0.5])
def test_a_body_that_never_ends_is_given_up(own_api: httpx.Client) -> None:
    with socket.create_connection((own_api.base_url.host, own_api.base_url.port or 0), timeout=5) as line:
        line.sendall(b"POST /recommendations/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{")
        answer = line.recv(4096)

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_hangs_up_leaves_the_service_whole(api: httpx.Client) -> None:
    with socket.create_connection((api.base_url.host, api.base_url.port or 0), timeout=5) as line:
        line.sendall(b"POST /recommendations/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{")

    assert page(api, limit=1)["metadata"]["total"] == 1


def test_a_failure_of_the_service_returns_a_problem_without_internal_details(
    api: httpx.Client, running: Running
) -> None:
    running.recommend.fail_with = RuntimeError("password s3cret")

    answer = api.post(GENERATE, json={"user_id": "alice"})

    assert problem(answer) == (500, "internal_error")
    assert "s3cret" not in answer.text


def test_answers_are_counted_by_source_status_and_mode_and_timed_by_stage(own_api: httpx.Client) -> None:
    page(own_api, context={"mode": "newest"})
    own_api.post(GENERATE, content=b"{")
    own_api.post(GENERATE, json={"user_id": "a", "cursor": "x"})

    figures = own_api.get("/metrics").text

    count = "ml_recommendation_requests_total"
    assert f'{count}{{mode="newest",source="cold_start",status="200"}} 1.0' in figures
    assert f'{count}{{mode="none",source="none",status="400"}} 1.0' in figures
    assert f'{count}{{mode="ranked",source="none",status="400"}} 1.0' in figures
    for stage in ("encode", "total"):
        assert f'ml_recommendation_latency_seconds_count{{stage="{stage}"}} 1.0' in figures
    assert f'ml_http_requests_total{{method="POST",route="{GENERATE}",status="200"}} 1.0' in figures
