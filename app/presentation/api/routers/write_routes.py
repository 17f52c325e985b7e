"""What routes that store something have in common: they respond 202 after the commit."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from starlette.responses import Response

from app.domain.errors import DomainError
from app.presentation.api.problems import Problem, ProblemError, error_responses, problem_of
from app.presentation.api.routers.recommendations import request_body
from app.presentation.schemas.batch_schema import RejectedItem

PARTIAL: Final = {
    "name": "partial",
    "in": "query",
    "description": "True: valid items are stored though others are not; `rejected` names those",
    "schema": {"type": "boolean", "default": False},
}


def write_route(
    response: type[BaseModel],
    example: dict[str, Any],
    *problems: Problem | type[DomainError],
    body: type[BaseModel] | None = None,
    may_be_partial: bool = False,
) -> dict[str, Any]:
    """The arguments of a route that responds 202 with a `response` such as `example`, or with one of `problems`.

    `body` is the model of a body that the route decodes itself; with `may_be_partial`, the route has the parameter
    `partial`.
    """
    extra: dict[str, Any] = {} if body is None else {"requestBody": request_body(body.__name__)}
    if may_be_partial:
        extra["parameters"] = [PARTIAL]
    return {
        "status_code": 202,
        "response_model": response,
        "responses": {
            202: {"content": {"application/json": {"example": example}}},
            **error_responses(*problems),
        },
        "openapi_extra": extra,
    }


def accepted(response: BaseModel) -> Response:
    """The response 202."""
    return Response(response.model_dump_json(), 202, media_type="application/json")


def rejected_items(errors: Mapping[int, ProblemError | DomainError]) -> list[RejectedItem]:
    """The items of a batch that were not stored, in their order."""
    return [RejectedItem(index=place, code=problem_of(errors[place]).code) for place in sorted(errors)]
