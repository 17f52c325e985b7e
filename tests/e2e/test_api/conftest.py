"""The whole HTTP side around fake use cases, on a real port."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions
from app.shared.monitoring import Metrics
from tests.support.fake_use_cases import Running
from tests.support.http_server import served


@pytest.fixture
def running() -> Running:
    return Running()


def new_app(running: Running, body_budget_seconds: float = 10) -> FastAPI:
    options = ApiOptions(
        body_limit_bytes=100_000, body_budget_seconds=body_budget_seconds, track_concurrency=2
    )
    return create_api(options, Metrics(), running.open, version="1.2.3")


@pytest.fixture(scope="module")
def shared_app() -> Iterator[tuple[FastAPI, httpx.Client]]:
    app = new_app(Running())
    with served(app) as client:
        yield app, client


@pytest.fixture
def api(running: Running, shared_app: tuple[FastAPI, httpx.Client]) -> httpx.Client:
    """The use cases are the test's own. The tests of a file share the server, its metrics and its threads."""
    app, client = shared_app
    app.state.services = running.services()
    return client


@pytest.fixture
def body_budget_seconds() -> float:
    """A test parametrizes it to have another one in `own_api`."""
    return 10


@pytest.fixture
def own_api(running: Running, body_budget_seconds: float) -> Iterator[httpx.Client]:
    """A server for one test: its metrics begin at 0 and its threads are free."""
    with served(new_app(running, body_budget_seconds)) as client:
        yield client
