"""The Python examples of docs/adopting.md work as they are written."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.domain.ids import user_uuid
from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions, Services
from app.shared.monitoring import Metrics
from tests.support.http_server import served
from tests.support.small_service import service_with_posts

PAGE = Path(__file__).parents[3] / "docs" / "adopting.md"


def test_the_examples_give_what_the_text_says() -> None:
    service = service_with_posts()

    @asynccontextmanager
    async def open_services() -> AsyncIterator[Services]:
        yield service.use_cases

    names: dict[str, Any] = {}
    with served(create_api(ApiOptions(), Metrics(), open_services, version="1")) as client:
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(block.replace("http://localhost:8000", str(client.base_url).rstrip("/")), names)

    assert set(names["results"]) == {"p4", "p9", "p16"}
    assert isinstance(names["more_like_this"], list)
    assert set(names["who_to_follow"]) <= {"cay", "dan"}
    assert {user: len(posts) for user, posts in names["digests"].items()} == {"reader": 5, "other": 5}
    first_page = names["first_page"]["recommendations"]
    assert {post["reason"] for post in first_page} <= {
        "content_similarity",
        "recent",
        "trending",
        "exploration",
    }
    assert names["merged"] == "merged"
    assert user_uuid("without-events") not in service.tables.users
