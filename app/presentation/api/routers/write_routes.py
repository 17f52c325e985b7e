"""What routes that store something have in common: they respond 202 after the commit."""

from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from app.domain.errors import DomainError
from app.presentation.api.problems import Problem, error_responses
from app.presentation.api.routers.recommendations import request_body


def write_route(
    response: type[BaseModel],
    example: dict[str, Any],
    *problems: Problem | type[DomainError],
    body: type[BaseModel] | None = None,
) -> dict[str, Any]:
    """The arguments of a route that responds 202 with a `response` such as `example`, or with one of `problems`.

    `body` is the model of a body that the route decodes itself.
    """
    return {
        "status_code": 202,
        "response_model": response,
        "responses": {
            202: {"content": {"application/json": {"example": example}}},
            **error_responses(*problems),
        },
        "openapi_extra": None if body is None else {"requestBody": request_body(body.__name__)},
    }


def accepted(response: BaseModel) -> Response:
    """The response 202."""
    return Response(response.model_dump_json(), 202, media_type="application/json")
