"""Beside the feed: POST /recommendations/rank."""

from typing import Any, TypeVar

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.application.dto import ScoredPosts
from app.application.use_cases.unfinished import Unfinished
from app.domain.errors import InvalidId, StorageUnavailable
from app.presentation.api.call_limits import count_user
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import BODY_PROBLEMS, decode, read_body
from app.presentation.api.problems import OVERLOADED, error_responses
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.routers.recommendations import READS_AT_ONCE, request_body
from app.presentation.schemas.discovery_schema import EXAMPLE_RANKING, RankRequest, RankResponse

T = TypeVar("T")


def discovery_router(options: ApiOptions) -> APIRouter:
    """The routes that rank other things than a page of a feed."""
    router = APIRouter(tags=["discovery"])
    threads = RequestThreads(READS_AT_ONCE, options.track_budget_seconds)

    @router.post(
        "/recommendations/rank",
        response_model=RankResponse,
        summary="Rank up to 500 given posts for a user",
        responses={
            200: {"content": {"application/json": {"example": EXAMPLE_RANKING}}},
            **error_responses(*BODY_PROBLEMS, InvalidId, OVERLOADED),
        },
        openapi_extra={"requestBody": request_body(RankRequest.__name__)},
    )
    async def rank(request: Request) -> Response:
        """Posts that the feed may not show to the user are left out and counted, as are unknown ones.

        Posts that the user has seen are ranked as well. Posts that only the database has follow, newest first.
        """
        query = decode(await read_body(request, options), RankRequest)
        count_user(request.scope, query.user_id)
        answer = services_of(request.scope).rank_posts(query.user_id, query.post_ids)
        posts = await _finished(answer, threads)
        return _json(
            {
                "user_id": query.user_id,
                "recommendations": _items(posts),
                "metadata": {**_metadata(posts, request), "left_out": posts.left_out},
            }
        )

    return router


async def _finished(answer: T | Unfinished[T], threads: RequestThreads) -> T:
    """The response; what memory has of it when the database is away or too slow."""
    if not isinstance(answer, Unfinished):
        return answer
    try:
        return await threads.run(answer.complete)
    except StorageUnavailable:
        return answer.without_storage()


def _items(posts: ScoredPosts) -> list[dict[str, Any]]:
    columns = zip(posts.post_ids, posts.external_ids, posts.scores, posts.reasons, strict=True)
    return [
        {"post_id": post_id, "score": score}
        | ({} if external_id is None else {"external_id": external_id})
        | ({} if reason is None else {"reason": reason})
        for post_id, external_id, score, reason in columns
    ]


def _metadata(posts: ScoredPosts, request: Request) -> dict[str, Any]:
    return {
        "total": len(posts.post_ids),
        "model_version": posts.model_version,
        "generated_at": posts.generated_at,
        "degraded": posts.degraded,
        "request_id": request.scope["feed.request_id"],
    }


def _json(body: dict[str, Any]) -> Response:
    content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    return Response(content, media_type="application/json")
