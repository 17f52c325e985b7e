"""PUT and DELETE /users/{user_id}/follows/{followee_id}: whom users follow."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.application.use_cases.change_follow import Follow
from app.domain.errors import InvalidFollow, InvalidId, ManagedElsewhere, StorageUnavailable, UnknownUser
from app.presentation.api.dependencies import services_of
from app.presentation.api.problems import error_responses
from app.presentation.api.write_threads import WriteThreads
from app.presentation.schemas.follow_schema import FollowResponse

PATH = "/users/{user_id}/follows/{followee_id}"


def follows_router(threads: WriteThreads) -> APIRouter:
    """The routes that follow and unfollow."""
    router = APIRouter(tags=["follows"])

    @router.put(PATH, summary="Follow a user", **_accepted("followed"))
    async def follow(request: Request, user_id: str, followee_id: str) -> Response:
        """Responds after the commit; it holds from the user's next feed on. Repeating the call changes nothing."""
        return await change(request, Follow(user_id, followee_id))

    @router.delete(PATH, summary="Follow a user no longer", **_accepted("unfollowed"))
    async def unfollow(request: Request, user_id: str, followee_id: str) -> Response:
        """As the follow. Their posts leave the mode `following` at once."""
        return await change(request, Follow(user_id, followee_id, follows=False))

    async def change(request: Request, given: Follow) -> Response:
        change_follow = services_of(request.scope).change_follow
        await threads.run(lambda: change_follow(given))
        response = FollowResponse(status="followed" if given.follows else "unfollowed")
        return Response(response.model_dump_json(), 202, media_type="application/json")

    return router


def _accepted(status: str) -> dict[str, Any]:
    return {
        "status_code": 202,
        "response_model": FollowResponse,
        "responses": {
            202: {"content": {"application/json": {"example": {"status": status}}}},
            **error_responses(UnknownUser, ManagedElsewhere, InvalidId, InvalidFollow, StorageUnavailable),
        },
    }
