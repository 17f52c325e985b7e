"""PUT and DELETE /users/{user_id}/follows/{followee_id}: whom users follow."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.application.use_cases.change_follow import Follow
from app.domain.errors import InvalidFollow, InvalidId, ManagedElsewhere, StorageUnavailable, UnknownUser
from app.presentation.api.dependencies import services_of
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.routers.write_routes import accepted, write_route
from app.presentation.schemas.follow_schema import FollowResponse

PATH = "/users/{user_id:id}/follows/{followee_id:id}"
_PROBLEMS = (UnknownUser, ManagedElsewhere, InvalidId, InvalidFollow, StorageUnavailable)


def follows_router(threads: RequestThreads) -> APIRouter:
    """The routes that follow and unfollow."""
    router = APIRouter(tags=["follows"])

    @router.put(
        PATH, summary="Follow a user", **write_route(FollowResponse, {"status": "followed"}, *_PROBLEMS)
    )
    async def follow(request: Request, user_id: str, followee_id: str) -> Response:
        """Responds after the commit; it holds from the user's next feed on. Repeating the call changes nothing."""
        return await change(request, Follow(user_id, followee_id))

    @router.delete(
        PATH,
        summary="Follow a user no longer",
        **write_route(FollowResponse, {"status": "unfollowed"}, *_PROBLEMS),
    )
    async def unfollow(request: Request, user_id: str, followee_id: str) -> Response:
        """As the follow. Their posts leave the mode `following` at once."""
        return await change(request, Follow(user_id, followee_id, follows=False))

    async def change(request: Request, given: Follow) -> Response:
        change_follow = services_of(request.scope).change_follow
        await threads.run(lambda: change_follow(given))
        return accepted(FollowResponse(status="followed" if given.follows else "unfollowed"))

    return router
