"""PUT and DELETE /audiences/{audience_id}/members/{user_id}: who is a member of which audience."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.application.use_cases.change_membership import Membership
from app.domain.errors import InvalidId, ManagedElsewhere, StorageUnavailable, UnknownUser
from app.presentation.api.dependencies import services_of
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.routers.write_routes import accepted, write_route
from app.presentation.schemas.membership_schema import MembershipResponse

PATH = "/audiences/{audience_id:id}/members/{user_id:id}"
_PROBLEMS = (UnknownUser, ManagedElsewhere, InvalidId, StorageUnavailable)


def audiences_router(threads: RequestThreads) -> APIRouter:
    """The routes by which users join and leave audiences."""
    router = APIRouter(tags=["audiences"])

    @router.put(
        PATH,
        summary="Let a user join an audience",
        **write_route(MembershipResponse, {"status": "joined"}, *_PROBLEMS),
    )
    async def join(request: Request, audience_id: str, user_id: str) -> Response:
        """Responds after the commit; it holds from the user's next feed on. Repeating the call changes nothing."""
        return await change(request, Membership(audience_id, user_id))

    @router.delete(
        PATH,
        summary="Let a user leave an audience",
        **write_route(MembershipResponse, {"status": "left"}, *_PROBLEMS),
    )
    async def leave(request: Request, audience_id: str, user_id: str) -> Response:
        """As joining. No later response shows the user a post of the audience."""
        return await change(request, Membership(audience_id, user_id, is_member=False))

    async def change(request: Request, given: Membership) -> Response:
        change_membership = services_of(request.scope).change_membership
        await threads.run(lambda: change_membership(given))
        return accepted(MembershipResponse(status="joined" if given.is_member else "left"))

    return router
