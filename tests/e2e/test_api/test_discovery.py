"""The routes beside the feed, over real HTTP."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions, Services
from app.presentation.schemas.discovery_schema import RankResponse
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
    assert (shaped.user_id, shaped.metadata.total, shaped.metadata.left_out) == ("reader", 2, 1)


def test_between_1_and_500_posts_can_be_ranked(api: httpx.Client) -> None:
    for number in (0, 501):
        body = {"user_id": "reader", "post_ids": [f"p{one}" for one in range(number)]}
        assert problem(api.post("/recommendations/rank", json=body)) == (422, "invalid_request")
