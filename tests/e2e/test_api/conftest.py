"""The whole HTTP side around fake use cases, on a real port."""

from collections.abc import Iterator

import httpx
import pytest

from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions
from app.shared.monitoring import Metrics
from tests.support.fake_use_cases import Running
from tests.support.http_server import served


@pytest.fixture
def running() -> Running:
    return Running()


@pytest.fixture
def options() -> ApiOptions:
    return ApiOptions(body_limit_bytes=100_000, body_budget_seconds=0.5, track_concurrency=2)


@pytest.fixture
def api(running: Running, options: ApiOptions) -> Iterator[httpx.Client]:
    with served(create_api(options, Metrics(), running.open, version="1.2.3")) as client:
        yield client
