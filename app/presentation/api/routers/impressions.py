"""POST /impressions and GET /authors/{author_id}/reach: what users saw."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import InvalidId, StorageUnavailable, UnknownUser
from app.presentation.api.call_limits import count_user
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import BODY_PROBLEMS, decode, read_body
from app.presentation.api.problems import error_responses
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.routers.recommendations import request_body
from app.presentation.schemas.impression_schema import (
    ImpressionsRequest,
    ImpressionsResponse,
    ReachItem,
    ReachResponse,
)


def impressions_router(options: ApiOptions, threads: RequestThreads) -> APIRouter:
    """The routes of impressions."""
    router = APIRouter(tags=["impressions"])

    @router.post(
        "/impressions",
        status_code=202,
        response_model=ImpressionsResponse,
        summary="Report which posts of a page were on screen",
        responses={
            202: {"content": {"application/json": {"example": {"status": "recorded", "seen": 3}}}},
            **error_responses(*BODY_PROBLEMS, UnknownUser, InvalidId, StorageUnavailable),
        },
        openapi_extra={"requestBody": request_body(ImpressionsRequest.__name__)},
    )
    async def report(request: Request) -> Response:
        """Responds after the commit; a repetition changes nothing. Posts and pages that are not stored are ignored."""
        query = decode(await read_body(request, options), ImpressionsRequest)
        count_user(request.scope, query.user_id)
        report_seen = services_of(request.scope).report_seen
        count = await threads.run(lambda: report_seen(query.to_dto()))
        return Response(ImpressionsResponse(seen=count).model_dump_json(), 202, media_type="application/json")

    @router.get(
        "/authors/{author_id:id}/reach",
        response_model=ReachResponse,
        summary="How often the posts of an author were shown, seen and engaged with",
        responses=error_responses(UnknownUser, InvalidId, StorageUnavailable),
    )
    async def reach(request: Request, author_id: str) -> Response:
        """The 100 newest visible posts, newest first. At most 10,000 events of each post are counted."""
        read_reach = services_of(request.scope).read_reach
        posts = await threads.run(lambda: read_reach(author_id))
        response = ReachResponse(author_id=author_id, posts=[ReachItem.from_dto(one) for one in posts])
        return Response(response.model_dump_json(), media_type="application/json")

    return router
