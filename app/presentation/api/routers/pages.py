"""POST /recommendations/batch: the first pages of up to 100 users, for digests."""

from time import perf_counter

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.application.dto import RecommendationResponse
from app.domain.errors import InvalidId
from app.presentation.api.batch_turns import BatchTurns
from app.presentation.api.call_limits import count_user
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import BODY_PROBLEMS, decode, read_body
from app.presentation.api.problems import OVERLOADED, error_responses
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.routers.recommendations import completed, encode, request_body
from app.presentation.schemas.recommendation_schema import EXAMPLE_ANSWER, PagesRequest, PagesResponse

_READS_AT_ONCE = 1  # one user of a batch follows the other


def pages_router(options: ApiOptions) -> APIRouter:
    """The route of batches."""
    router = APIRouter(tags=["recommendations"])
    turns = BatchTurns()
    threads = RequestThreads(_READS_AT_ONCE, options.track_budget_seconds)

    @router.post(
        "/recommendations/batch",
        response_model=PagesResponse,
        summary="The first pages of up to 100 users, for digests",
        responses={
            200: {"content": {"application/json": {"example": {"pages": [EXAMPLE_ANSWER]}}}},
            **error_responses(*BODY_PROBLEMS, InvalidId, OVERLOADED),
        },
        openapi_extra={"requestBody": request_body(PagesRequest.__name__)},
    )
    async def batch(request: Request) -> Response:
        """One page for each user, all as of one time. Pages do not count as shown, and have no cursor.

        Batches run one after the other, user by user, and leave time for single requests in between.
        """
        query = decode(await read_body(request, options), PagesRequest)
        for user_id in dict.fromkeys(query.user_ids):
            count_user(request.scope, user_id)
        request_id = request.scope["feed.request_id"]
        users = services_of(request.scope).recommend_batch(query.user_ids, query.limit)
        pages: list[bytes] = []
        async with turns.turn():
            began = perf_counter()
            for page in users:
                response = (
                    page if isinstance(page, RecommendationResponse) else await completed(page, threads)
                )
                pages.append(encode(response, request_id))
                began = await turns.rest_if_due(began)
        return Response(b'{"pages":[' + b",".join(pages) + b"]}", media_type="application/json")

    return router
