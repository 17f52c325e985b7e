"""Every response has the security headers, and none lets scripts of other origins read it."""

from collections.abc import Iterator

import httpx
import pytest

from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions
from app.presentation.api.route_scopes import ROUTE_SCOPES
from app.presentation.api.security_headers import SECURITY_HEADERS
from app.shared.api_keys import plain_keys
from app.shared.monitoring import Metrics
from tests.support.fake_use_cases import Running
from tests.support.http_server import served

KEY = {"X-API-Key": "first-key"}
OTHER_ORIGIN = {"Origin": "https://attacker.example"}
HEADERS = {name.decode(): value.decode() for name, value in SECURITY_HEADERS}
OWN_POLICY, MAY_BE_CACHED = {"/docs"}, {"/docs/swagger-ui.css"}


@pytest.fixture
def api(running: Running) -> Iterator[httpx.Client]:
    """A service with one key, whose feed requests have always waited too long."""
    options = ApiOptions(find_key=plain_keys(["first-key"]).get, max_wait_seconds=-1.0)
    with served(create_api(options, Metrics(), running.open, version="1")) as client:
        yield client


def test_every_response_has_the_security_headers(api: httpx.Client) -> None:
    paths = [path.translate({ord("{"): None, ord("}"): None}) for path in ROUTE_SCOPES]
    answers = [api.get(path, headers=KEY) for path in (*paths, "/docs/swagger-ui.css", "/openapi.json")]
    answers += [
        api.get("/openapi.json"),  # 401
        api.put("/users/alice", headers=KEY, content=b"{"),  # 400
        api.post("/recommendations/generate", headers=KEY, json={"user_id": "alice"}),  # 503, shed
        api.head("/livez"),
    ]

    assert {answer.status_code for answer in answers} >= {200, 400, 401, 404, 405, 503}
    for answer in answers:
        path = answer.url.path
        own = {"content-security-policy"} if path in OWN_POLICY else set()
        own |= {"cache-control"} if path in MAY_BE_CACHED else set()
        expected = {name: value for name, value in HEADERS.items() if name not in own}
        found = {name: answer.headers.get_list(name) for name in HEADERS}
        assert {name: found[name] for name in expected} == {n: [v] for n, v in expected.items()}, path
        assert all(len(values) == 1 for values in found.values()), path


def test_the_page_of_the_documentation_has_a_policy_that_names_no_other_host(api: httpx.Client) -> None:
    policy = api.get("/docs", headers=KEY).headers["content-security-policy"]
    directives = {name: values for name, *values in (part.split() for part in policy.split(";"))}

    assert directives["default-src"] == directives["frame-ancestors"] == ["'none'"]
    assert directives["script-src"] == directives["connect-src"] == ["'self'"]
    assert "//" not in policy


@pytest.mark.parametrize("path", ["/recommendations/generate", "/users/alice/export", "/health", "/docs"])
def test_no_response_allows_another_origin(api: httpx.Client, path: str) -> None:
    preflight = {**OTHER_ORIGIN, "Access-Control-Request-Method": "POST"}
    answers = [
        api.options(path, headers=preflight),
        api.get(path, headers={**OTHER_ORIGIN, **KEY}),
        api.post(path, headers={**OTHER_ORIGIN, **KEY}, json={"user_id": "alice"}),
    ]

    assert not answers[0].is_success
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control-")]
