"""Probes, figures, documents, keys and problems over real HTTP."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog

from app.infrastructure.database.embedded.locks import wait_until
from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions
from app.presentation.api.route_scopes import ROUTE_SCOPES
from app.presentation.schemas.health_schema import HealthResponse
from app.shared.api_keys import plain_keys
from app.shared.logging import configure_logging
from app.shared.monitoring import Metrics
from tests.e2e.test_api.test_recommendations import problem
from tests.support.fake_use_cases import Running
from tests.support.http_server import served

KEYS = ("first-key", "second-key")


@pytest.fixture
def api(own_api: httpx.Client) -> httpx.Client:
    """The metrics of the server are those of the test."""
    return own_api


def test_a_whole_service_is_healthy(api: httpx.Client) -> None:
    answer = api.get("/health")

    health = HealthResponse.model_validate_json(answer.content)
    assert answer.status_code == 200
    assert (health.status, health.model_version, health.model_loaded) == ("healthy", "v1", True)
    assert (health.database, health.model_age_seconds) == ("up", 3600)


@pytest.mark.parametrize(
    ("missing", "database"),
    [
        ({"model_version": None, "model_created_at": None}, "up"),
        ({"database": "down"}, "down"),
        ({"database": "read_only"}, "read_only"),
        ({"database": "none"}, "none"),
        ({"tail_lag_seconds": 11.0}, "up"),
        ({"stopped_workers": ("log-follower",)}, "up"),
    ],
)
def test_a_missing_part_degrades_health_but_not_readiness(
    api: httpx.Client, running: Running, missing: dict[str, Any], database: str
) -> None:
    running.now_with(**missing)

    health = api.get("/health")

    assert (health.status_code, health.json()["status"], health.json()["database"]) == (
        200,
        "degraded",
        database,
    )
    assert api.get("/readyz").status_code == api.get("/livez").status_code == 200
    assert "ml_degraded 1.0" in api.get("/metrics").text


def test_workers_that_ended_are_counted(api: httpx.Client, running: Running) -> None:
    before = api.get("/metrics").text
    running.now_with(stopped_workers=("log-follower", "model-watcher"))

    assert "ml_workers_stopped 0.0" in before
    assert "ml_workers_stopped 2.0" in api.get("/metrics").text


@pytest.mark.parametrize(
    "path", ["/health", "/livez", "/readyz", "/metrics", "/openapi.json", "/users/alice/controls"]
)
def test_head_is_get_without_a_body(api: httpx.Client, path: str) -> None:
    get, head = api.get(path), api.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_head_is_no_method_where_get_is_none_and_503_while_a_service_starts(
    api: httpx.Client, running: Running
) -> None:
    running.now_with(ready=False)

    assert api.head("/interactions/track").status_code == 405
    assert api.head("/readyz").status_code == api.head("/health").status_code == 503
    assert 'method="HEAD",route="/readyz"' in api.get("/metrics").text


def test_a_starting_service_is_alive_but_not_ready(api: httpx.Client, running: Running) -> None:
    running.now_with(ready=False)

    assert api.get("/livez").status_code == 200
    for path in ("/readyz", "/health"):
        answer = api.get(path)
        assert problem(answer) == (503, "not_ready")
        assert "retry-after" in answer.headers


def test_a_failed_reload_shows_in_health_and_figures(api: httpx.Client, running: Running) -> None:
    running.now_with(last_reload_error="v2: the digest differs", reload_failures=3)

    assert api.get("/health").json()["last_reload_error"] == "v2: the digest differs"
    assert "ml_model_reload_failures_total 3.0" in api.get("/metrics").text


def test_the_present_state_is_among_the_figures(api: httpx.Client) -> None:
    answer = api.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        'ml_model_info{version="v1"} 1.0',
        "ml_model_age_seconds 3600.0",
        "ml_feed_tail_lag_seconds 0.2",
        "ml_degraded 0.0",
        "ml_database_up 1.0",
        "ml_feed_posts 300.0",
    ):
        assert line in answer.text
    assert "ml_recommendation_latency_seconds_bucket" in answer.text


def test_foreign_paths_and_methods_are_problems_too(api: httpx.Client) -> None:
    assert problem(api.get("/nope")) == (404, "not_found")
    assert problem(api.post("/health/")) == (404, "not_found")
    wrong = api.get("/recommendations/generate")
    assert problem(wrong) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"
    assert problem(api.put("/interactions/track")) == (405, "method_not_allowed")
    assert 'route="unmatched"' in api.get("/metrics").text
    assert "nope" not in api.get("/metrics").text


def test_docs_and_openapi_are_served(api: httpx.Client) -> None:
    assert "swagger" in api.get("/docs").text.lower()
    assert api.get("/openapi.json").json()["info"]["version"] == "1.2.3"


def test_the_documentation_needs_no_other_host(api: httpx.Client) -> None:
    page = api.get("/docs")
    links = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    answers = {link: api.get(f"/{link}") for link in links}

    assert {link.rpartition(".")[2] for link in links} == {"js", "css", "png"}
    assert not [link for link in links if "//" in link or link.startswith("/")]
    assert all(answer.status_code == 200 for answer in answers.values())
    assert "SwaggerUIBundle" in answers["docs/swagger-ui-bundle.js"].text
    assert answers["docs/start.js"].headers["content-type"].startswith("text/javascript")
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert [problem(api.get(f"/docs/{name}")) for name in ("__init__.py", "..%2Fmain.py")] == [
        (404, "not_found")
    ] * 2


@pytest.fixture
def behind_prefix(running: Running) -> Iterator[httpx.Client]:
    """A proxy has removed the prefix /feed from the path; uvicorn knows it from --root-path."""
    api = create_api(ApiOptions(find_key=plain_keys(KEYS).get), Metrics(), running.open, version="1")
    with served(api, root_path="/feed") as client:
        yield client


def test_behind_a_prefix_paths_keys_and_links_are_right(behind_prefix: httpx.Client) -> None:
    api, key = behind_prefix, {"X-API-Key": "first-key"}
    document = api.get("/openapi.json", headers=key).json()
    rejected = api.put("/posts/at%3A%2F%2Fa", json={"visible": 1}, headers=key)

    assert [api.get(path).status_code for path in ("/livez", "/readyz", "/health", "/metrics")] == [200] * 4
    assert api.get("/openapi.json").status_code == api.post("/recommendations/generate").status_code == 401
    assert document["servers"] == [{"url": "/feed"}]
    assert "/recommendations/generate" in document["paths"]
    assert api.get("/docs/start.js", headers=key).status_code == 200
    assert problem(rejected) == (422, "invalid_request")
    assert rejected.json()["type"] == "urn:feed:problem:invalid_request"
    assert api.put("/posts/at%3A%2F%2Fa", json={}, headers=key).status_code == 202
    assert 'route="/posts/{post_id}"' in api.get("/metrics").text


@pytest.fixture
def locked(running: Running) -> Iterator[httpx.Client]:
    with served(
        create_api(ApiOptions(find_key=plain_keys(KEYS).get), Metrics(), running.open, version="1")
    ) as client:
        yield client


def test_where_keys_are_set_a_valid_one_is_asked_for(locked: httpx.Client) -> None:
    for headers in (
        {"X-API-Key": "first-key"},
        {"X-API-Key": "second-key"},
        {"Authorization": "Bearer second-key"},
        {"Authorization": "bearer  first-key"},
    ):
        assert (
            locked.post("/recommendations/generate", json={"user_id": "a"}, headers=headers).status_code
            == 200
        )
    for headers in (
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "first"},
        {"X-API-Key": "first-key "[:-1] + "x"},
        {"Authorization": "Basic first-key"},
        {"Authorization": "first-key"},
    ):
        answer = locked.post("/recommendations/generate", json={"user_id": "a"}, headers=headers)
        assert problem(answer) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_probes_and_figures_need_no_key_unless_set_so(locked: httpx.Client, running: Running) -> None:
    for path in ("/health", "/livez", "/readyz", "/metrics"):
        assert locked.get(path).status_code == 200
    for path in ("/docs", "/openapi.json", "/nope"):
        assert locked.get(path).status_code == 401
    options = ApiOptions(find_key=plain_keys(KEYS).get, metrics_need_key=True)
    with served(create_api(options, Metrics(), running.open, version="1")) as strict:
        assert strict.get("/metrics").status_code == 401
        assert strict.get("/metrics", headers={"X-API-Key": KEYS[0]}).status_code == 200


def test_no_header_bytes_break_the_key_check(locked: httpx.Client) -> None:
    answer = locked.get("/docs", headers=[(b"x-api-key", b"\xff\xfe\xc3\x28")])

    assert answer.status_code == 401


@pytest.fixture
def logs() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, ours = root.handlers[:], root.level, structlog.get_config()
    configure_logging("INFO")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**ours)


@pytest.mark.usefixtures("logs")
def test_log_lines_are_json_and_carry_the_request_id(
    running: Running, capfd: pytest.CaptureFixture[str]
) -> None:
    lines: list[Any] = []

    def has_access_line() -> bool:
        lines.extend(json.loads(line) for line in capfd.readouterr().out.splitlines())
        return sum(line["event"] == "request" for line in lines) == 2

    with served(create_api(ApiOptions(), Metrics(), running.open, version="1")) as client:
        capfd.readouterr()
        client.post("/recommendations/generate", content=b"{", headers={"X-Request-ID": "find-me"})
        running.recommend.fail_with = RuntimeError("inside")
        client.post("/recommendations/generate", json={"user_id": "a"}, headers={"X-Request-ID": "failed"})
        assert wait_until(has_access_line, 10)

    [access] = [one for one in lines if one["event"] == "request" and one.get("request_id") == "find-me"]
    assert (access["status"], access["code"], access["path"]) == (
        400,
        "malformed_json",
        "/recommendations/generate",
    )
    [failure] = [one for one in lines if one["event"] == "request.failed"]
    assert failure["request_id"] == "failed"
    assert "RuntimeError: inside" in failure["exception"]


def test_log_lines_contain_no_id_of_a_user(capfd: pytest.CaptureFixture[str], running: Running) -> None:
    """Of no route, whatever its response, and of no path without a route."""
    paths = [re.sub(r"{\w+}", "secret-user", template) for template in ROUTE_SCOPES]
    paths += ["/users/secret-user/nothing", "/secret-user?user_id=secret-user"]
    running.recommend.fail_with = RuntimeError("inside")
    body = {"user_id": "secret-user", "post_id": "post-1", "interaction_type": "view"}
    configure_logging("INFO")
    lines = 0

    def are_written() -> bool:
        nonlocal lines
        output = capfd.readouterr().out.splitlines()
        written = [line for line in output if '"logger":"http' not in line]  # of the client
        assert [line for line in written if "secret-user" in line] == []
        lines += sum('"event":"request"' in line for line in written)
        return lines >= 3 * len(paths)  # those of probes are of another level

    with served(create_api(ApiOptions(), Metrics(), running.open, version="1")) as client:
        for path in paths:
            for method in ("GET", "POST", "PUT", "DELETE"):
                client.request(method, path, json=body)
        assert wait_until(are_written, 10)
