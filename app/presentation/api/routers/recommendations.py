"""POST /recommendations/generate and /recommendations/updates.

A response model of pydantic for a page would cost as much as a ranking; orjson encodes it.
"""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.application.dto import Evidence
from app.application.dto.recommendation_response import RecommendationResponse
from app.application.use_cases.returning_user import ReturningUser
from app.application.use_cases.unfinished_page import UnfinishedPage
from app.domain.errors import (
    DomainError,
    ExpiredCursor,
    InvalidCursor,
    InvalidId,
    StorageUnavailable,
    UnknownVariant,
)
from app.presentation.api.call_limits import count_user
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import BODY_PROBLEMS, decode, read_body
from app.presentation.api.problems import (
    INTERNAL_ERROR,
    OVERLOADED,
    ProblemError,
    error_responses,
    problem_of,
)
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.route_scopes import require_scope
from app.presentation.schemas.recommendation_schema import (
    EXAMPLE_ANSWER,
    GenerateRequest,
    GenerateResponse,
    UpdatesRequest,
    UpdatesResponse,
)
from app.shared.monitoring import Metrics

READS_AT_ONCE = 2  # the other connections of the pool are for writes and workers


def recommendations_router(options: ApiOptions, metrics: Metrics) -> APIRouter:
    """The routes that return pages of a feed, and what is new for one."""
    router = APIRouter(tags=["recommendations"])
    threads = RequestThreads(READS_AT_ONCE, options.track_budget_seconds)

    @router.post(
        "/recommendations/generate",
        response_class=Response,
        summary="One page of a user's feed, best first",
        responses={
            200: {
                "model": GenerateResponse,
                "description": "A page; empty, and `exhausted`, when nothing is left",
                "content": {"application/json": {"example": EXAMPLE_ANSWER}},
            },
            **error_responses(
                *BODY_PROBLEMS, InvalidCursor, ExpiredCursor, InvalidId, UnknownVariant, OVERLOADED
            ),
        },
        openapi_extra={"requestBody": request_body(GenerateRequest.__name__)},
    )
    async def generate(request: Request) -> Response:
        """An unknown user gets the feed of a new user. Only posts that memory lacks are read from the database."""
        body = await read_body(request, options)
        started = perf_counter()  # "total" excludes the time in which the client sends the body
        source, status, mode = "none", INTERNAL_ERROR.status, "none"
        try:
            query = decode(body, GenerateRequest)
            count_user(request.scope, query.user_id)
            mode = query.context.mode
            if query.context.variants is not None:
                require_scope(request.scope, "admin", "context.variants")
            page = services_of(request.scope).recommend(query.to_dto(request.scope["feed.request_id"]))
            response = page if isinstance(page, RecommendationResponse) else await completed(page, threads)
            ranked = perf_counter()
            content = encode(response, request.scope["feed.request_id"])
            ended = perf_counter()
            metrics.observe("encode", ended - ranked)
            metrics.observe("total", ended - started)
            source, status = response.source, 200
        except (ProblemError, DomainError) as error:
            status = problem_of(error).status
            raise
        finally:
            metrics.count_response(source, status, mode)
        return Response(content, media_type="application/json")

    @router.post(
        "/recommendations/updates",
        response_model=UpdatesResponse,
        summary="How many posts are new since a list began",
        responses={
            200: {"content": {"application/json": {"example": {"new": 3, "capped": False}}}},
            **error_responses(*BODY_PROBLEMS, InvalidCursor, ExpiredCursor, InvalidId, OVERLOADED),
        },
        openapi_extra={"requestBody": request_body(UpdatesRequest.__name__)},
    )
    async def updates(request: Request) -> Response:
        """Counts posts that a new list can show and that this one did not show. No request waits for the database."""
        query = decode(await read_body(request, options), UpdatesRequest)
        count_user(request.scope, query.user_id)
        found = services_of(request.scope).count_updates(query.user_id, query.cursor)
        response = UpdatesResponse(new=found.new, capped=found.capped)
        return Response(response.model_dump_json(), media_type="application/json")

    return router


async def completed(page: UnfinishedPage | ReturningUser, threads: RequestThreads) -> RecommendationResponse:
    """The whole page; what memory has of it when the budget is exceeded."""
    try:
        return await threads.run(page.complete)
    except StorageUnavailable:
        return page.without_storage()


def request_body(schema: str) -> Mapping[str, Any]:
    """OpenAPI `requestBody` of an endpoint that decodes its own body."""
    return {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def evidence_fields(evidence: Evidence) -> dict[str, Any]:
    """The JSON fields of an evidence: those that belong to its kind."""
    fields: dict[str, Any] = {"kind": evidence.kind}
    if evidence.user_id is not None:
        fields["user_id"] = evidence.user_id
    elif evidence.count is not None:
        fields["count"] = evidence.count
    elif evidence.tag is not None:
        fields["tag"] = evidence.tag
    return fields


def encode(response: RecommendationResponse, request_id: str) -> bytes:
    """The response as JSON, of the shape of `GenerateResponse`."""
    posts: list[dict[str, Any]] = [
        {"post_id": post_id, "score": score, "reason": reason}
        if external_id is None
        else {"post_id": post_id, "external_id": external_id, "score": score, "reason": reason}
        for post_id, external_id, score, reason in zip(
            response.post_ids, response.external_ids, response.scores, response.reasons, strict=True
        )
    ]
    for post, evidence in zip(posts, response.evidence, strict=True):
        if evidence is not None:
            post["evidence"] = evidence_fields(evidence)
    if response.explanations:
        for post, explanation in zip(posts, response.explanations, strict=True):
            post.update(explanation)
    return orjson.dumps(
        {
            "user_id": response.user_id,
            "recommendations": posts,
            "metadata": {
                "total": len(posts),
                "model_version": response.model_version,
                "generated_at": response.generated_at,
                "source": response.source,
                "degraded": response.degraded,
                "exhausted": response.exhausted,
                "request_id": request_id,
                "next_cursor": response.next_cursor,
                "time_ordered": response.time_ordered,
                "variants": response.variants,
            },
        },
        option=orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY,
    )
