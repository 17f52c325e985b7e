"""POST /feedback and GET /users/{user_id}/controls: what users do not want to see."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import (
    InvalidControl,
    InvalidId,
    ManagedElsewhere,
    StorageUnavailable,
    UnknownAuthor,
    UnknownPost,
    UnknownUser,
)
from app.presentation.api.call_limits import count_user
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import BODY_PROBLEMS, decode, read_body
from app.presentation.api.problems import error_responses
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.routers.recommendations import request_body
from app.presentation.schemas.feedback_schema import (
    ControlItem,
    ControlsResponse,
    FeedbackRequest,
    FeedbackResponse,
)


def feedback_router(options: ApiOptions, threads: RequestThreads) -> APIRouter:
    """The routes of controls."""
    router = APIRouter(tags=["controls"])

    @router.post(
        "/feedback",
        status_code=202,
        response_model=FeedbackResponse,
        summary="Hide, mute, block or report, and take it back",
        responses={
            202: {"content": {"application/json": {"example": {"status": "recorded"}}}},
            **error_responses(
                *BODY_PROBLEMS,
                UnknownUser,
                UnknownPost,
                UnknownAuthor,
                InvalidId,
                InvalidControl,
                ManagedElsewhere,
                StorageUnavailable,
            ),
        },
        openapi_extra={"requestBody": request_body(FeedbackRequest.__name__)},
    )
    async def give_feedback(request: Request) -> Response:
        """Answers after the commit; it holds from the user's next feed on, in every mode and on every page."""
        query = decode(await read_body(request, options), FeedbackRequest)
        count_user(request.scope, query.user_id)
        record = services_of(request.scope).give_feedback
        await threads.run(lambda: record(query.to_dto()))
        return Response(b'{"status":"recorded"}', 202, media_type="application/json")

    @router.get(
        "/users/{user_id:id}/controls",
        response_model=ControlsResponse,
        summary="The controls of a user that hold now",
        responses=error_responses(UnknownUser, InvalidId, StorageUnavailable),
    )
    async def list_controls(request: Request, user_id: str) -> Response:
        """Oldest first. Ids of targets are UUIDs."""
        controls_of = services_of(request.scope).list_controls
        controls = await threads.run(lambda: controls_of(user_id))
        response = ControlsResponse(user_id=user_id, controls=[ControlItem.from_dto(one) for one in controls])
        return Response(response.model_dump_json(), media_type="application/json")

    return router
