"""The routes beside the feed, over real HTTP."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions, Services
from app.presentation.schemas.discovery_schema import RankResponse, SimilarResponse, SuggestedFollowsResponse
from app.presentation.schemas.recommendation_schema import PagesResponse
from app.shared.monitoring import Metrics
from tests.e2e.test_api.test_recommendations import problem
from tests.support.http_server import served
from tests.support.small_service import service_with_posts


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    services = service_with_posts().use_cases

    @asynccontextmanager
    async def open_services() -> AsyncIterator[Services]:
        yield services

    with served(create_api(ApiOptions(), Metrics(), open_services, version="1")) as client:
        yield client


def test_given_posts_are_ranked(api: httpx.Client) -> None:
    body = {"user_id": "reader", "post_ids": ["p1", "p2", "no-such-post"]}

    answer = api.post("/recommendations/rank", json=body)

    shaped = RankResponse.model_validate_json(answer.content)
    assert {post.external_id for post in shaped.recommendations} == {"p1", "p2"}
    assert (shaped.user_id, shaped.metadata.total, shaped.metadata.omitted) == ("reader", 2, 1)


def test_given_posts_are_explained(api: httpx.Client) -> None:
    body = {"user_id": "reader", "post_ids": ["p1", "p2"], "explain": True}

    answer = api.post("/recommendations/rank", json=body)

    for post in RankResponse.model_validate_json(answer.content).recommendations:
        assert {"collaborative", "content", "recency"} <= set(post.model_extra or {})
    too_many = {**body, "post_ids": [f"p{one}" for one in range(201)]}
    assert problem(api.post("/recommendations/rank", json=too_many)) == (422, "invalid_request")


def test_between_1_and_500_posts_can_be_ranked(api: httpx.Client) -> None:
    for number in (0, 501):
        body = {"user_id": "reader", "post_ids": [f"p{one}" for one in range(number)]}
        assert problem(api.post("/recommendations/rank", json=body)) == (422, "invalid_request")


def test_similar_posts_have_the_documented_shape(api: httpx.Client) -> None:
    for asked in ({"user_id": "reader", "limit": 3}, {}):
        answer = api.get("/posts/p1/similar", params=asked)
        assert SimilarResponse.model_validate_json(answer.content).post_id == "p1"


def test_a_bad_request_for_similar_posts_is_a_problem(api: httpx.Client) -> None:
    for asked in ({"limit": "0"}, {"limit": "101"}, {"limit": "many"}):
        assert problem(api.get("/posts/p1/similar", params=asked)) == (422, "invalid_request")
    assert problem(api.get("/posts/no-such-post/similar")) == (404, "unknown_post")
    assert problem(api.get("/posts/p1/similar", params={"user_id": "\n"})) == (422, "invalid_id")


def test_suggested_users_have_the_documented_shape(api: httpx.Client) -> None:
    answer = api.get("/users/reader/suggested-follows", params={"limit": 2})

    users = SuggestedFollowsResponse.model_validate_json(answer.content).users
    assert 0 < len(users) <= 2
    assert {user.external_id for user in users} <= {"cay", "dan"}  # the reader follows ann and ben
    assert problem(api.get("/users/reader/suggested-follows?limit=0")) == (422, "invalid_request")


def test_a_batch_has_one_page_for_each_user(api: httpx.Client) -> None:
    users = ["reader", "nobody", "reader"]

    answer = api.post("/recommendations/batch", json={"user_ids": users, "limit": 3})

    pages = PagesResponse.model_validate_json(answer.content).pages
    assert [page.user_id for page in pages] == users
    assert [page.metadata.total for page in pages] == [3, 3, 3]
    assert {page.metadata.next_cursor for page in pages} == {None}


def test_between_1_and_100_users_can_be_in_a_batch(api: httpx.Client) -> None:
    for users in ([], ["reader"] * 101):
        assert problem(api.post("/recommendations/batch", json={"user_ids": users})) == (
            422,
            "invalid_request",
        )
    assert problem(api.post("/recommendations/batch", json={"user_ids": ["reader", "\n"]})) == (
        422,
        "invalid_id",
    )
