"""Whatever is sent, the answer is a 4xx problem: never a 5xx, never a hang."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from app.infrastructure.database.embedded import CHECKOUT
from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions
from app.shared.monitoring import Metrics
from tests.support.fake_use_cases import Running
from tests.support.http_server import served

PATHS = (
    "/recommendations/generate",
    "/recommendations/updates",
    "/recommendations/rank",
    "/recommendations/batch",
    "/interactions/track",
    "/interactions/batch",
)
EVENT = b'"post_id":"post-1","interaction_type":"view"'

CORPUS: dict[str, bytes] = {
    "nothing": b"",
    "a blank": b" ",
    "an open brace": b"{",
    "a list": b"[]",
    "null": b"null",
    "a string": b'"x"',
    "a number": b"5",
    "a huge number": b"1e999",
    "NaN": b'{"user_id":"alice","limit":NaN}',
    "infinity": b'{"user_id":"alice","limit":-Infinity}',
    "an exponent": b'{"user_id":"alice","limit":1e999}',
    "many digits": b'{"user_id":"alice","offset":' + b"9" * 5000 + b"}",
    "more than 64 bits": b'{"user_id":"alice","offset":99999999999999999999}',
    "a lone surrogate": b'{"user_id":"\\ud800",' + EVENT + b"}",
    "a lone surrogate in a key": b'{"user_id":"alice","\\udfff":1,' + EVENT + b',"context":{"\\udfff":1}}',
    "a lone surrogate in metadata": b'{"user_id":"alice",' + EVENT + b',"metadata":{"a":"\\udc00"}}',
    "a NUL": b'{"user_id":"a\\u0000b",' + EVENT + b"}",
    "a NUL in metadata": b'{"user_id":"alice",' + EVENT + b',"metadata":{"a":"\\u0000"},"limit":0}',
    "a raw control character": b'{"user_id":"a\x01b",' + EVENT + b"}",
    "broken UTF-8": b'{"user_id":"\xc3\x28"}',
    "UTF-16": '{"user_id":"alice"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a key twice": b'{"user_id":"alice","user_id":"bob",' + EVENT + b"}",
    "a key twice inside": b'{"user_id":"alice","context":{"mode":"newest","mode":"ranked"},"metadata":{"a":1,"a":2}}',
    "a key twice among very many": b'{"user_id":"alice","context":{'
    + b",".join(b'"%d":0' % number for number in range(60_000))
    + b',"59999":0}}',
    "an event id that is none": b'{"user_id":"alice",'
    + EVENT
    + b',"event_id":"1234_5678_1234_5678_1234_5678_12","limit":0}',
    "deep lists": b"[" * 90_000,
    "deep objects": b'{"a":' * 15_000,
    "deep and closed": b'{"user_id":"alice","context":{"a":' + b"[" * 900 + b"]" * 900 + b'},"limit":0}',
    "ten megabytes": b'{"user_id":"' + b"y" * 10_000_000 + b'"}',
    "wrong types": b'{"user_id":["alice"],"post_id":{},"interaction_type":1,"interactions":{}}',
    "a batch in a batch": b'{"interactions":[{"interactions":[]}]}',
    "NUL in a batch": b'{"interactions":[{"user_id":"alice",' + EVENT + b',"request_id":"\\u0000"}]}',
    "a date out of range": b'{"user_id":"alice",'
    + EVENT
    + b',"occurred_at":"0000-00-00T99:99:99Z","limit":0}',
}


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    with served(create_api(ApiOptions(), Metrics(), Running().open, version="1")) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", CORPUS.values(), ids=CORPUS.keys())
def test_bad_input_is_a_problem_of_the_caller(api: httpx.Client, path: str, body: bytes) -> None:
    answer = api.post(path, content=body)

    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"]


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.sampled_from(["alice", "post-1", "view", "ranked", "2026-03-01T12:00:00Z"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
fields = st.sampled_from(
    [
        "user_id",
        "post_id",
        "interaction_type",
        "limit",
        "offset",
        "cursor",
        "exclude_ids",
        "context",
        "metadata",
        "event_id",
        "occurred_at",
        "request_id",
        "interactions",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(fields, values, max_size=8), path=st.sampled_from(PATHS))
def test_no_json_at_all_gives_a_5xx(api: httpx.Client, body: dict[str, Any], path: str) -> None:
    valid = {"user_id": "alice", "post_id": "post-1", "interaction_type": "view"}
    sent = {"interactions": [valid | body]} if path.endswith("batch") else valid | body

    answer = api.post(path, content=json.dumps(sent).encode("utf-8"))

    assert answer.status_code < 500, (sent, answer.text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200), path=st.sampled_from(PATHS))
def test_no_bytes_at_all_give_a_5xx(api: httpx.Client, body: bytes, path: str) -> None:
    assert 400 <= api.post(path, content=body).status_code < 500


# The cases of the coverage phase are made while tests are collected, by each worker: only with the thorough profile.
phases = {"coverage": {"enabled": settings().max_examples >= 100}}
# Read from the file, which test_openapi_document compares with the code: each worker would start an API to ask it.
schema = schemathesis.openapi.from_path(
    CHECKOUT / "openapi.json",
    config=schemathesis.Config.from_dict({"phases": phases}),
)


@schema.include(path_regex="^/(recommendations|interactions|users|health|livez|readyz)").parametrize()
@settings(suppress_health_check=list(HealthCheck))
def test_answers_are_what_the_own_document_says(api: httpx.Client, case: schemathesis.Case) -> None:
    case.call_and_validate(
        base_url=str(api.base_url),
        checks=[status_code_conformance, response_schema_conformance, schemathesis.checks.not_a_server_error],
    )
