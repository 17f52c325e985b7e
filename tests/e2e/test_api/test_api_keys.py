"""Scopes of API keys, over real HTTP."""

from collections.abc import Iterator

import httpx
import pytest
from structlog.testing import capture_logs

from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions
from app.presentation.api.route_scopes import ROUTE_SCOPES
from app.shared.api_keys import SCOPES, ApiKey, plain_keys, sha256
from app.shared.monitoring import Metrics
from tests.e2e.test_api.test_recommendations import problem
from tests.support.fake_use_cases import Running
from tests.support.http_server import served


@pytest.fixture
def api(running: Running) -> Iterator[httpx.Client]:
    """A key for each scope, which is also its name, and a plain key."""
    keys = {sha256(scope.encode()): ApiKey(scope, frozenset({scope})) for scope in SCOPES}
    find_key = {**keys, **plain_keys(["plain"])}.get
    with served(create_api(ApiOptions(find_key=find_key), Metrics(), running.open, version="1")) as client:
        yield client


def test_every_route_has_a_scope_and_no_scope_is_of_a_route_that_is_gone(running: Running) -> None:
    api = create_api(ApiOptions(), Metrics(), running.open, version="1")

    paths = {route.path_format for route in api.router.routes if hasattr(route, "path_format")}

    assert paths - {"/openapi.json"} == set(ROUTE_SCOPES)


def test_a_key_opens_the_routes_of_its_scopes_alone(api: httpx.Client) -> None:
    with_scope = {path: scope for path, scope in ROUTE_SCOPES.items() if scope is not None}
    methods = {path: next(iter(item)).upper() for path, item in api_paths(api).items()}

    for path, needed in with_scope.items():
        address = path.translate({ord("{"): None, ord("}"): None})
        for scope in SCOPES:
            answer = api.request(methods[path], address, headers={"X-API-Key": scope})
            if scope == needed:
                assert answer.status_code != 403, path
            else:
                assert problem(answer) == (403, "missing_scope"), path
                assert needed in answer.json()["detail"]
        plain = api.request(methods[path], address, headers={"X-API-Key": "plain"})
        assert (plain.status_code == 403) == (needed == "admin"), path


def test_forcing_a_variant_needs_the_scope_admin_beside_feed(running: Running) -> None:
    keys = {sha256(b"both"): ApiKey("both", frozenset({"feed", "admin"}))}
    keys[sha256(b"feed")] = ApiKey("feed", frozenset({"feed"}))
    options = ApiOptions(find_key=keys.get)
    body = {"user_id": "alice", "context": {"variants": {"order": "other"}}}
    with served(create_api(options, Metrics(), running.open, version="1")) as client:
        answers = [
            client.post("/recommendations/generate", json=body, headers={"X-API-Key": key})
            for key in ("feed", "both")
        ]

    assert problem(answers[0]) == (403, "missing_scope")
    assert "context.variants needs a key with the scope admin" in answers[0].json()["detail"]
    assert answers[1].status_code == 200


def api_paths(api: httpx.Client) -> dict[str, dict[str, object]]:
    paths: dict[str, dict[str, object]] = api.get("/openapi.json", headers={"X-API-Key": "admin"}).json()[
        "paths"
    ]
    return paths


def test_the_access_log_has_the_name_of_the_key_and_never_the_key(api: httpx.Client) -> None:
    with capture_logs() as lines:
        api.post("/recommendations/generate", headers={"X-API-Key": "track"})
        api.post("/recommendations/generate", headers={"X-API-Key": "secret-word"})

    [rejected, unknown] = [line for line in lines if line["event"] == "request"]
    assert (rejected["status"], rejected["code"], rejected["key"]) == (403, "missing_scope", "track")
    assert "key" not in unknown
    assert "secret-word" not in str(lines)
