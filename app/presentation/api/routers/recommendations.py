"""POST /recommendations/generate: the quick path, from the raw body to bytes without a model in between."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.application.dto.recommendation_request import RecommendationRequest
from app.application.dto.recommendation_response import RecommendationResponse
from app.domain.errors import DomainError, ExpiredCursor, InvalidCursor, InvalidId
from app.presentation.api.asgi import send_json
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import decode, read_body
from app.presentation.api.problems import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    DOMAIN_PROBLEMS,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    MALFORMED_JSON,
    ProblemError,
    error_responses,
    problem_of,
    request_id_of,
)
from app.presentation.schemas.recommendation_schema import EXAMPLE_ANSWER, GenerateRequest, GenerateResponse
from app.shared.monitoring import Metrics

PATH = "/recommendations/generate"
_RENDERING = orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY


class GenerateEndpoint:
    """The endpoint as plain ASGI: solving dependencies would take a third of the request's time."""

    def __init__(self, options: ApiOptions, metrics: Metrics) -> None:
        self._options = options
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await send_json(send, await self._content(scope, receive))

    async def answer(self, request: Request) -> Response:
        """An unknown user gets a newcomer's feed. No request waits for the database."""
        content = await self._content(request.scope, request.receive)
        return Response(content, media_type="application/json")

    async def _content(self, scope: Scope, receive: Receive) -> bytes:
        limit, seconds = self._options.body_limit_bytes, self._options.body_budget_seconds
        body = await read_body(scope, receive, limit=limit, seconds=seconds)
        began = perf_counter()
        source, status, mode = "none", INTERNAL_ERROR.status, "none"
        try:
            asked = decode(body, GenerateRequest)
            mode = asked.context.mode
            answer = services_of(scope).recommend(_feed_request(asked))
            ranked = perf_counter()
            content = encode(answer, request_id_of(scope))
            ended = perf_counter()
            self._metrics.observe("encode", ended - ranked)
            self._metrics.observe("total", ended - began)
            source, status = answer.source, 200
        except ProblemError as error:
            status = error.problem.status
            raise
        except DomainError as error:
            status = problem_of(error).status
            raise
        finally:
            self._metrics.answered(source, status, mode)
        return content


def add_recommendations(app: FastAPI, options: ApiOptions, metrics: Metrics) -> None:
    """Serve the feed: a bare route in front answers, the framework's own behind it is its documentation."""
    endpoint = GenerateEndpoint(options, metrics)
    app.add_api_route(
        PATH,
        endpoint.answer,
        methods=["POST"],
        name="generate",
        tags=["recommendations"],
        response_class=Response,
        summary="One page of a user's feed, best first",
        responses={
            200: {
                "model": GenerateResponse,
                "description": "A page; empty, and `exhausted`, when nothing is left",
                "content": {"application/json": {"example": EXAMPLE_ANSWER}},
            },
            **error_responses(
                MALFORMED_JSON,
                DOMAIN_PROBLEMS[InvalidCursor],
                BODY_TIMEOUT,
                DOMAIN_PROBLEMS[ExpiredCursor],
                BODY_TOO_LARGE,
                INVALID_REQUEST,
                DOMAIN_PROBLEMS[InvalidId],
            ),
        },
        openapi_extra={"requestBody": request_body(GenerateRequest.__name__)},
    )
    app.router.routes.insert(0, Route(PATH, endpoint, methods=["POST"], include_in_schema=False))


def request_body(schema: str) -> Mapping[str, Any]:
    """OpenAPI `requestBody` of an endpoint that decodes its body itself."""
    return {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def encode(answer: RecommendationResponse, request_id: str) -> bytes:
    """The answer as JSON, of the shape of `GenerateResponse`."""
    posts: list[dict[str, Any]] = [
        {"post_id": post_id, "score": score, "reason": reason}
        if external_id is None
        else {"post_id": post_id, "external_id": external_id, "score": score, "reason": reason}
        for post_id, external_id, score, reason in zip(
            answer.post_ids, answer.external_ids, answer.scores, answer.reasons, strict=True
        )
    ]
    if answer.explanations:
        for post, explanation in zip(posts, answer.explanations, strict=True):
            post.update(explanation)
    return orjson.dumps(
        {
            "user_id": answer.user_id,
            "recommendations": posts,
            "metadata": {
                "total": len(posts),
                "model_version": answer.model_version,
                "generated_at": answer.generated_at,
                "source": answer.source,
                "degraded": answer.degraded,
                "exhausted": answer.exhausted,
                "request_id": request_id,
                "next_cursor": answer.next_cursor,
            },
        },
        option=_RENDERING,
    )


def _feed_request(asked: GenerateRequest) -> RecommendationRequest:
    return RecommendationRequest(
        user_id=asked.user_id,
        limit=asked.limit,
        offset=asked.offset,
        cursor=asked.cursor,
        exclude_ids=asked.exclude_ids,
        exclude_seen=asked.context.exclude_seen,
        mode=asked.context.mode,
        explain=asked.context.explain,
    )
