"""Every error this API answers with: one table, rendered as RFC 9457 problem+json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Scope

from app.domain import errors
from app.presentation.schemas.problem_schema import ProblemResponse

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error. `detail`, if given, replaces the message of the error in responses."""

    status: int
    code: str
    title: str
    detail: str | None = None


class ProblemError(Exception):
    """Raised in this layer where no domain error fits."""

    def __init__(
        self,
        problem: Problem,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        fields: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self.headers = dict(headers or {})
        self.fields = fields


MALFORMED_JSON = Problem(400, "malformed_json", "The body is not JSON")
UNAUTHORIZED = Problem(
    401, "unauthorized", "An API key is needed", "Send a valid key as X-API-Key or as Bearer"
)
MISSING_SCOPE = Problem(403, "missing_scope", "The API key may not call this route")
NOT_FOUND = Problem(404, "not_found", "There is nothing at this path")
METHOD_NOT_ALLOWED = Problem(405, "method_not_allowed", "The path does not take this method")
BODY_TIMEOUT = Problem(408, "body_timeout", "The body took too long to arrive")
BODY_TOO_LARGE = Problem(413, "body_too_large", "The body is too large")
INVALID_REQUEST = Problem(422, "invalid_request", "The request does not fit the schema")
TOO_MANY_REQUESTS = Problem(429, "too_many_requests", "There were too many calls")
INTERNAL_ERROR = Problem(
    500, "internal_error", "The service failed", "The failure was logged under the request id"
)
OVERLOADED = Problem(503, "overloaded", "Too many requests wait", "Repeat the call later")
STOPPING = Problem(503, "stopping", "The service is stopping", "Send the call to another replica")
NOT_READY = Problem(503, "not_ready", "The service is starting", "The feed is being loaded")

DOMAIN_PROBLEMS: Mapping[type[errors.DomainError], Problem] = {
    errors.InvalidId: Problem(422, "invalid_id", "An id cannot be used"),
    errors.InvalidCursor: Problem(
        400, "invalid_cursor", "The cursor cannot be used", "It was altered, or is another user's or mode's"
    ),
    errors.ExpiredCursor: Problem(410, "expired_cursor", "The cursor is too old", "Start the list again"),
    errors.UnknownVariant: Problem(422, "unknown_variant", "There is no such variant"),
    errors.InvalidInteraction: Problem(422, "invalid_interaction", "An interaction cannot be stored"),
    errors.EventTooOld: Problem(422, "event_too_old", "An interaction is too old"),
    errors.ClockAhead: Problem(409, "clock_ahead", "The caller's clock is ahead"),
    errors.UnknownUser: Problem(404, "unknown_user", "There is no such user"),
    errors.ErasedUser: Problem(
        410, "erased_user", "The user was erased", "No row is stored under this id again"
    ),
    errors.UnknownPost: Problem(404, "unknown_post", "There is no such post"),
    errors.UnknownAuthor: Problem(404, "unknown_author", "There is no such author"),
    errors.InvalidControl: Problem(422, "invalid_control", "The action cannot be stored"),
    errors.InvalidFollow: Problem(422, "invalid_follow", "The follow cannot be stored"),
    errors.InvalidMerge: Problem(422, "invalid_merge", "The users cannot be merged"),
    errors.InvalidPost: Problem(422, "invalid_post", "A post cannot be stored"),
    errors.ManagedElsewhere: Problem(409, "managed_elsewhere", "Another application stores these data"),
    errors.StorageUnavailable: Problem(
        503, "storage_unavailable", "The database did not answer", "Nothing is lost by repeating the call"
    ),
    errors.ModelUnavailable: Problem(
        503, "model_unavailable", "No model can be served", "None could be loaded"
    ),
    errors.UnknownVersion: Problem(404, "unknown_version", "There is no such model version"),
    errors.NotActive: Problem(409, "not_active", "Another model version is active"),
}
"""The nearest class wins."""


def problem_of(error: ProblemError | errors.DomainError) -> Problem:
    """The problem that an error is rendered as."""
    if isinstance(error, ProblemError):
        return error.problem
    return next(DOMAIN_PROBLEMS[kind] for kind in type(error).__mro__ if kind in DOMAIN_PROBLEMS)


def render(scope: Scope, error: ProblemError) -> Response:
    """The response for a problem."""
    problem = error.problem
    scope["feed.problem"] = problem.code  # for the access line
    body = _body(problem, str(error), scope.get("feed.request_id", ""))
    if error.fields:
        body["errors"] = list(error.fields)
    try:
        content = orjson.dumps(body)
    except TypeError:  # a lone surrogate in a text that quotes the request
        content = orjson.dumps({**body, "detail": ascii(body["detail"]), "errors": []})
    return Response(content, problem.status, headers=error.headers, media_type=MEDIA_TYPE)


def _body(problem: Problem, detail: str, request_id: str) -> dict[str, Any]:
    return {
        "type": f"urn:feed:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail or detail or problem.title,
        "request_id": request_id,
    }


def error_responses(*kinds: Problem | type[errors.DomainError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` for the errors of an endpoint and those of API keys and limits, each with an example."""
    by_status: dict[int | str, dict[str, Any]] = {}
    problems = [kind if isinstance(kind, Problem) else DOMAIN_PROBLEMS[kind] for kind in kinds]
    for one in (
        *sorted(problems, key=lambda problem: problem.status),
        UNAUTHORIZED,
        MISSING_SCOPE,
        TOO_MANY_REQUESTS,
    ):
        answer = by_status.setdefault(
            one.status,
            {"model": ProblemResponse, "description": one.title, "content": {MEDIA_TYPE: {"examples": {}}}},
        )
        answer["content"][MEDIA_TYPE]["examples"][one.code] = {
            "summary": one.title,
            "value": _body(one, "", "5f0c4f6f2b4e4a55b2d2c5a7a3e1c9d0"),
        }
    return by_status
