"""The OpenAPI document and the table of problems are whole."""

import inspect
import json
from contextlib import nullcontext
from functools import cache
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain import entities, errors, ids
from app.domain.entities.control import CONTROL_ACTIONS, TARGET_FIELDS, ControlAction
from app.presentation.api.application import PROBES, create_api
from app.presentation.api.dependencies import ApiOptions
from app.presentation.api.problems import DOMAIN_PROBLEMS, problem_of
from app.presentation.schemas.feedback_schema import FeedbackRequest
from app.presentation.schemas.interaction_schema import MAX_METADATA_BYTES, TrackRequest
from app.presentation.schemas.problem_schema import ProblemResponse
from app.presentation.schemas.recommendation_schema import EXAMPLE_ANSWER, GenerateRequest, GenerateResponse
from app.shared.api_keys import plain_keys
from app.shared.monitoring import Metrics
from tests.support.fake_use_cases import Running

ENDPOINTS = {
    "/recommendations/generate": "post",
    "/recommendations/updates": "post",
    "/recommendations/rank": "post",
    "/recommendations/batch": "post",
    "/posts/{post_id}/similar": "get",
    "/users/{user_id}/suggested-follows": "get",
    "/interactions/track": "post",
    "/interactions/batch": "post",
    "/interactions/retract": "post",
    "/feedback": "post",
    "/users/{user_id}/controls": "get",
    "/users/{user_id}/follows/{followee_id}": "put",
    "/audiences/{audience_id}/members/{user_id}": "put",
    "/users/{user_id}": "put",
    "/posts/{post_id}": "put",
    "/posts/batch": "post",
    "/impressions": "post",
    "/authors/{author_id}/reach": "get",
    "/admin/experiments": "get",
    "/admin/explain": "get",
    "/admin/users/{user_id}": "get",
    "/health": "get",
    "/livez": "get",
    "/users/{user_id}/export": "get",
    "/users/{user_id}/reset": "post",
    "/users/{user_id}/merge": "post",
    "/readyz": "get",
    "/metrics": "get",
}


@cache
def document(*keys: str) -> dict[str, Any]:
    return create_api(
        ApiOptions(find_key=plain_keys(keys).get if keys else None), Metrics(), Running().open, version="1"
    ).openapi()


def test_every_endpoint_is_documented_once() -> None:
    paths = document()["paths"]

    assert {path: next(iter(operations)) for path, operations in paths.items()} == ENDPOINTS
    assert all(operation["summary"] for operations in paths.values() for operation in operations.values())


def test_every_error_of_every_endpoint_has_an_example_that_fits_its_schema() -> None:
    for path, method in ENDPOINTS.items():
        for status, answer in document("a-key")["paths"][path][method]["responses"].items():
            if not status.startswith("4") and not status.startswith("5"):
                continue
            content = answer["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/ProblemResponse"}
            assert content["examples"], (path, status)
            for example in content["examples"].values():
                assert ProblemResponse.model_validate(example["value"]).status == int(status)


def test_the_examples_of_requests_and_answers_fit_their_schemas() -> None:
    for model in (GenerateRequest, TrackRequest):
        for example in model.model_json_schema()["examples"]:
            model.model_validate(example)
    assert GenerateResponse.model_validate_json(json.dumps(EXAMPLE_ANSWER))


def test_each_answer_of_success_has_an_example() -> None:
    whole = document()
    for path, method in ENDPOINTS.items():
        responses = whole["paths"][path][method]["responses"]
        [success] = [answer for status, answer in responses.items() if status.startswith("2")]
        [content] = success["content"].values()
        schema = content["schema"]
        referred = whole["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
        assert "example" in content or "examples" in referred, path


def test_every_reference_leads_somewhere() -> None:
    whole = document("a-key")

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [one for value in node.values() for one in references(value)]
        return [one for value in node for one in references(value)] if isinstance(node, list) else []

    found = references(whole)
    assert found
    assert {one.rpartition("/")[2] for one in found} <= whole["components"]["schemas"].keys()


def test_keys_are_documented_where_they_are_asked_for() -> None:
    open_document, locked = document(), document("a-key")

    assert "security" not in open_document
    assert "401" not in open_document["paths"]["/recommendations/generate"]["post"]["responses"]
    assert locked["security"] == [{"ApiKey": []}, {"Bearer": []}]
    assert "401" in locked["paths"]["/recommendations/generate"]["post"]["responses"]
    for path in PROBES:
        assert locked["paths"][path]["get"]["security"] == []


def test_the_schemas_allow_what_the_domain_allows() -> None:
    schemas = document()["components"]["schemas"]
    event = schemas["TrackRequest"]["properties"]

    assert event["interaction_type"]["enum"] == list(entities.INTERACTION_TYPES)
    assert event["user_id"]["maxLength"] == ids.MAX_ID_LENGTH
    assert entities.interaction.MAX_METADATA_BYTES == MAX_METADATA_BYTES
    assert schemas["Reason"]["enum"] == list(entities.Reason)
    for schema in ("FeedbackRequest", "ControlItem"):
        assert schemas[schema]["properties"]["action"]["enum"] == list(CONTROL_ACTIONS)


@pytest.mark.parametrize("action", CONTROL_ACTIONS)
def test_a_feedback_request_takes_the_target_that_the_domain_takes(action: ControlAction) -> None:
    targets = {"post_id": "a post", "author_id": "an author", "tag": "a tag", "word": "a word"}
    allowed = TARGET_FIELDS[action]

    for name, target in targets.items():
        with nullcontext() if name == allowed else pytest.raises(ValidationError):
            FeedbackRequest.model_validate({"user_id": "user", "action": action, name: target})


def test_every_domain_error_has_its_problem() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.DomainError) and kind is not errors.DomainError
    ]

    for kind in kinds:
        assert 400 <= problem_of(kind("x")).status <= 503
    codes = [problem.code for problem in DOMAIN_PROBLEMS.values()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("given", ["2026-03-01", "20260301T120000Z", "2026-03-01T12:00:00,5+02:00"])
def test_any_iso_8601_time_is_read(given: str) -> None:
    event = {"user_id": "a", "post_id": "b", "interaction_type": "view", "occurred_at": given}

    moment = TrackRequest.model_validate(event).occurred_at

    assert moment is not None
    assert moment.utcoffset() is not None


def test_unix_seconds_are_no_time_here() -> None:
    event = {"user_id": "a", "post_id": "b", "interaction_type": "view", "occurred_at": "1772366400"}

    with pytest.raises(ValidationError):
        TrackRequest.model_validate(event)
