"""Limits on calls, over real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

import httpx

from app.presentation.api.application import PROBES, create_api
from app.presentation.api.call_limits import CallLimits
from app.presentation.api.dependencies import ApiOptions
from app.presentation.api.route_scopes import ROUTE_SCOPES
from app.shared.api_keys import plain_keys
from app.shared.monitoring import Metrics
from tests.e2e.test_api.test_recommendations import problem
from tests.support.fake_use_cases import Running
from tests.support.http_server import served

GENERATE = "/recommendations/generate"
KEYS = ("one", "two")
BODIES: dict[str, dict[str, Any]] = {
    GENERATE: {},
    "/recommendations/updates": {"cursor": "c"},
    "/recommendations/rank": {"post_ids": ["p"]},
    "/interactions/track": {"post_id": "post-1", "interaction_type": "like"},
    "/interactions/retract": {"post_id": "post-1", "interaction_type": "like"},
    "/impressions": {"request_id": "r", "seen": ["post-1"]},
    "/feedback": {"action": "hide_post", "post_id": "post-1"},
}


@contextmanager
def limited(
    running: Running, *, open_to_all: bool = False, trusted: str = "", **limits: str
) -> Iterator[httpx.Client]:
    options = ApiOptions(
        find_key=None if open_to_all else plain_keys(KEYS).get,
        limits=CallLimits(**limits),
        trusted_proxies=[ip_network(trusted)] if trusted else [],
    )
    with served(create_api(options, Metrics(), running.open, version="1")) as client:
        yield client


def call(api: httpx.Client, key: str = "", user: str = "alice", forwarded: str = "6.6.6.6") -> httpx.Response:
    headers = {"X-API-Key": key, "X-Forwarded-For": forwarded}
    return api.post(GENERATE, json={"user_id": user}, headers=headers)


def test_calls_with_a_valid_key_are_limited_by_key(running: Running) -> None:
    with limited(running, per_key="2/hour", per_address="1/hour") as api:
        statuses = [call(api, key).status_code for key in ("one", "one", "one", "two", "two", "two")]
        answer = call(api, "one")
        figures = api.get("/metrics").text

    assert statuses == [200, 200, 429, 200, 200, 429]
    assert problem(answer) == (429, "too_many_requests")
    assert 3590 <= int(answer.headers["retry-after"]) <= 3600
    assert 'ml_http_requests_limited_total{by="key"} 3.0' in figures


def test_wrong_keys_are_limited_by_address_and_valid_ones_are_not(running: Running) -> None:
    with limited(running, per_address="2/hour") as api:
        statuses = [
            call(api, key, forwarded=f"6.6.6.{place}").status_code for place, key in enumerate("abcd")
        ]
        valid = [call(api, "one").status_code for _ in range(4)]
        probes = {api.get(path).status_code for path in (*PROBES, "/metrics") for _ in range(3)}

    assert statuses == [401, 401, 429, 429]
    assert valid == [200] * 4
    assert probes == {200}


def test_an_open_service_is_limited_by_the_address_that_a_trusted_proxy_wrote(running: Running) -> None:
    with limited(
        running, open_to_all=True, trusted="127.0.0.1", per_address="2/hour", per_user="1/hour"
    ) as api:
        statuses = [call(api, forwarded=address).status_code for address in ("6.6.6.6",) * 3 + ("7.7.7.7",)]

    assert statuses == [200, 200, 429, 200]


def test_a_user_is_limited_on_each_route_that_concerns_them(running: Running) -> None:
    with limited(running, per_user="1/hour") as api:
        api.headers["X-API-Key"] = "one"
        for path, body in BODIES.items():
            user = f"user of {path}"
            assert api.post(path, json={**body, "user_id": user}).status_code != 429
            assert problem(api.post(path, json={**body, "user_id": user})) == (429, "too_many_requests"), path
        events = {
            "interactions": [{**BODIES["/interactions/track"], "user_id": name} for name in ("ann", "ben")]
        }
        assert api.post("/interactions/batch", json=events).status_code != 429
        assert problem(api.post("/interactions/batch", json=events)) == (429, "too_many_requests")
        pages = {"user_ids": ["cay", "dan"]}
        assert api.post("/recommendations/batch", json=pages).status_code == 200
        assert problem(api.post("/recommendations/batch", json=pages)) == (429, "too_many_requests")
        methods = {path: next(iter(item)) for path, item in api.get("/openapi.json").json()["paths"].items()}
        for path in (
            path for path, scope in ROUTE_SCOPES.items() if "{user_id}" in path and scope != "admin"
        ):
            user = path.strip("/").replace("/", "-").replace("{", "").replace("}", "")
            address = path.replace("{user_id}", user).replace("{", "").replace("}", "")
            assert api.request(methods[path], address).status_code != 429
            assert problem(api.request(methods[path], address)) == (429, "too_many_requests"), path
        rest = {path for path, scope in ROUTE_SCOPES.items() if scope in {"feed", "track"}}

    assert {path for path in rest if "{" not in path} == {
        *BODIES,
        "/interactions/batch",
        "/recommendations/batch",
    }
