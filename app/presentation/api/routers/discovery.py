"""Beside the feed: rank given posts, find similar posts, suggest users to follow."""

from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from app.application.dto import ScoredPosts
from app.application.use_cases.suggest_follows import SuggestedUser
from app.application.use_cases.unfinished import Unfinished
from app.domain.errors import InvalidId, StorageUnavailable, UnknownPost
from app.presentation.api.call_limits import count_user
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import BODY_PROBLEMS, decode, read_body
from app.presentation.api.problems import INVALID_REQUEST, OVERLOADED, error_responses
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.routers.recommendations import READS_AT_ONCE, request_body
from app.presentation.schemas.discovery_schema import (
    EXAMPLE_RANKING,
    EXAMPLE_SIMILAR,
    EXAMPLE_SUGGESTIONS,
    RankRequest,
    RankResponse,
    SimilarResponse,
    SuggestedFollowsResponse,
)

T = TypeVar("T")
ListLength = Annotated[int, Query(ge=1, le=100, description="At most so many")]
ViewerId = Annotated[str | None, Query(description="The user who sees the list")]
_SEARCHES_AT_ONCE = 2  # each reads the vectors of all posts in memory


def discovery_router(options: ApiOptions) -> APIRouter:
    """The routes that rank other things than a page of a feed."""
    router = APIRouter(tags=["discovery"])
    threads = RequestThreads(READS_AT_ONCE, options.track_budget_seconds)
    searches = RequestThreads(_SEARCHES_AT_ONCE, options.track_budget_seconds)

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
        """Posts that the feed may not show to the user are omitted and counted, as are unknown ones.

        Posts that the user has seen are ranked as well. Posts that only the database has follow, newest first.
        """
        query = decode(await read_body(request, options), RankRequest)
        count_user(request.scope, query.user_id)
        answer = services_of(request.scope).rank_posts(query.user_id, query.post_ids, explain=query.explain)
        posts = await _finished(answer, threads)
        return _json(
            {
                "user_id": query.user_id,
                "recommendations": _items(posts),
                "metadata": {**_metadata(posts, request), "omitted": posts.omitted},
            }
        )

    @router.get(
        "/posts/{post_id:id}/similar",
        response_model=SimilarResponse,
        summary="The posts with the most similar texts that a user may see",
        responses={
            200: {"content": {"application/json": {"example": EXAMPLE_SIMILAR}}},
            **error_responses(InvalidId, UnknownPost, INVALID_REQUEST, StorageUnavailable, OVERLOADED),
        },
    )
    async def similar(
        request: Request, post_id: str, user_id: ViewerId = None, limit: ListLength = 10
    ) -> Response:
        """Without `user_id`, what everybody may see. A post that the user may not see is unknown (404)."""
        if user_id is not None:
            count_user(request.scope, user_id)
        find = services_of(request.scope).similar_posts
        posts = await searches.run(lambda: find(post_id, user_id, limit))
        return _json(
            {"post_id": post_id, "recommendations": _items(posts), "metadata": _metadata(posts, request)}
        )

    @router.get(
        "/users/{user_id:id}/suggested-follows",
        response_model=SuggestedFollowsResponse,
        summary="Users whom a user may want to follow",
        responses={
            200: {"content": {"application/json": {"example": EXAMPLE_SUGGESTIONS}}},
            **error_responses(InvalidId, INVALID_REQUEST, OVERLOADED),
        },
    )
    async def suggested_follows(request: Request, user_id: str, limit: ListLength = 10) -> Response:
        """Nobody whom the user follows, muted or blocked, or who blocks them. An unknown user gets popular authors."""
        answer = services_of(request.scope).suggest_follows(user_id, limit)
        users = await _finished(answer, threads)
        return _json({"users": [_user(one) for one in users]})

    return router


def _user(user: SuggestedUser) -> dict[str, Any]:
    item = {"user_id": str(user.user_id), "score": user.score, "reason": user.reason}
    return item if user.external_id is None else {**item, "external_id": user.external_id}


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
    items: list[dict[str, Any]] = [
        {"post_id": post_id, "score": score}
        | ({} if external_id is None else {"external_id": external_id})
        | ({} if reason is None else {"reason": reason})
        for post_id, external_id, score, reason in columns
    ]
    for item, explanation in zip(items, posts.explanations, strict=False):  # empty without `explain`
        item.update(explanation)
    return items


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
