"""The routes of operators: why a user sees what they see, and what experiments show."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import InvalidId, StorageUnavailable, UnknownPost, UnknownUser
from app.presentation.api.dependencies import services_of
from app.presentation.api.problems import INVALID_REQUEST, error_responses
from app.presentation.api.request_threads import RequestThreads
from app.presentation.schemas.admin_schema import ExplainResponse, UserResponse
from app.presentation.schemas.experiment_schema import ExperimentsResponse

PageSize = Annotated[int, Query(ge=1, le=200, description="Posts of the page")]


def admin_router(threads: RequestThreads) -> APIRouter:
    """The routes of operators. They record nothing, and count no page as shown."""
    router = APIRouter(tags=["admin"])

    @router.get(
        "/admin/explain",
        response_model=ExplainResponse,
        summary="Why a post is, or is not, in a user's feed",
        responses=error_responses(InvalidId, UnknownPost, INVALID_REQUEST, StorageUnavailable),
    )
    async def explain(request: Request, user_id: str, post_id: str, limit: PageSize = 50) -> Response:
        """For any post. The verdict is that of the first page that the user would get now."""
        explain_post = services_of(request.scope).explain.post
        explanation = await threads.run(lambda: explain_post(user_id, post_id, limit))
        return Response(ExplainResponse.of(explanation).model_dump_json(), media_type="application/json")

    @router.get(
        "/admin/users/{user_id:id}",
        response_model=UserResponse,
        summary="What the feed knows about a user, and the list that they would get now",
        responses=error_responses(InvalidId, UnknownUser, INVALID_REQUEST, StorageUnavailable),
    )
    async def user(request: Request, user_id: str, limit: PageSize = 50) -> Response:
        """Events and the list come from memory, follows and controls from the database."""
        explain_user = services_of(request.scope).explain.user
        overview = await threads.run(lambda: explain_user(user_id, limit))
        return Response(UserResponse.of(overview).model_dump_json(), media_type="application/json")

    @router.get(
        "/admin/experiments",
        response_model=ExperimentsResponse,
        summary="The experiments, and what they show so far",
        responses=error_responses(StorageUnavailable),
    )
    async def experiments(request: Request) -> Response:
        """The read-outs are those that a replica stored last, every EXPERIMENT_READ_MINUTES."""
        overviews = await threads.run(services_of(request.scope).list_experiments)
        return Response(ExperimentsResponse.of(overviews).model_dump_json(), media_type="application/json")

    return router
