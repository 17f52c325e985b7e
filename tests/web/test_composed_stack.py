"""Tests of `docker compose up`: the web application, the service and Prometheus together."""

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from typing import Any

import pytest

from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.embedded.locks import (free_port, wait_until)
from tests.web.test_observability import queries

pytestmark = [pytest.mark.container, pytest.mark.timeout(1500)]

PORTS = ("WEB_PORT", "ML_SERVICE_PORT", "POSTGRES_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
# Queries without a value here: rates of events that do not happen, and averages over half an hour.
EMPTY_QUERIES = ('result="delayed"', "page_errors")


class Stack:
    def __init__(self) -> None:
        self.ports = {name: str(free_port()) for name in PORTS}
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def compose(self, *arguments: str, check: bool = True) -> str:
        result = subprocess.run(
            ["docker", "compose", "--project-name", f"webtest{os.getpid()}", *arguments],
            cwd=CHECKOUT,
            env={**os.environ, "COMPOSE_FILE": "docker-compose.dev.yml", **self.ports},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0 or not check, result.stderr[-6000:]
        return result.stdout

    def get(self, port: str, path: str) -> str:
        with self._opener.open(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=60) as response:
            return str(response.read().decode())

    def feed(self) -> dict[str, Any]:
        return dict(json.loads(self.get("WEB_PORT", "/api/feeds")))

    def samples(self, query: str) -> list[Any]:
        parameters = urllib.parse.urlencode({"query": query, "time": time.time()})
        answer = json.loads(self.get("PROMETHEUS_PORT", f"/api/v1/query?{parameters}"))
        return list(answer["data"]["result"])


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    if shutil.which("docker") is None:
        pytest.skip("no docker command")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("the docker engine does not answer")
    stack = Stack()
    try:
        stack.compose("up", "--build", "--detach", "--wait", "--wait-timeout", "1200")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--remove-orphans", check=False)


def test_a_visitor_of_the_composed_stack_gets_recommendations(stack: Stack) -> None:
    page = stack.get("WEB_PORT", "/")
    feed = stack.feed()

    assert "<h1>Strand</h1>" in page
    assert feed["source"] == "ml_recommendations"
    assert len(feed["posts"]) == 20


def test_prometheus_scrapes_every_target_and_has_data_for_every_panel(stack: Stack) -> None:
    stack.feed()

    assert wait_until(lambda: len(stack.samples("up == 1")) == 3, 60)
    expected = [query for query in queries() if not any(part in query for part in EMPTY_QUERIES)]
    assert wait_until(lambda: all(stack.samples(query) for query in expected), 120), [
        query for query in expected if not stack.samples(query)
    ]


def test_the_composed_feed_falls_back_while_the_service_is_stopped_and_recovers(stack: Stack) -> None:
    stack.compose("stop", "ml-service")
    fallback_page = stack.feed()
    stack.compose("start", "ml-service")

    assert fallback_page["source"] == "random_fallback"
    assert wait_until(lambda: stack.feed()["source"] == "ml_recommendations", 90)
