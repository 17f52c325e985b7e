"""PUT and DELETE /audiences/{audience_id}/members/{user_id}: who is a member of which audience."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.application.use_cases.change_membership import Membership
from app.domain.errors import InvalidId, ManagedElsewhere, StorageUnavailable, UnknownUser
from app.presentation.api.dependencies import services_of
from app.presentation.api.problems import error_responses
from app.presentation.api.write_threads import WriteThreads
from app.presentation.schemas.membership_schema import MembershipResponse

PATH = "/audiences/{audience_id}/members/{user_id}"


def audiences_router(threads: WriteThreads) -> APIRouter:
    """The routes by which users join and leave audiences."""
    router = APIRouter(tags=["audiences"])

    @router.put(PATH, summary="Let a user join an audience", **_accepted("joined"))
    async def join(request: Request, audience_id: str, user_id: str) -> Response:
        """Responds after the commit; it holds from the user's next feed on. Repeating the call changes nothing."""
        return await change(request, Membership(audience_id, user_id))

    @router.delete(PATH, summary="Let a user leave an audience", **_accepted("left"))
    async def leave(request: Request, audience_id: str, user_id: str) -> Response:
        """As joining. No later response shows the user a post of the audience."""
        return await change(request, Membership(audience_id, user_id, is_member=False))

    async def change(request: Request, given: Membership) -> Response:
        change_membership = services_of(request.scope).change_membership
        await threads.run(lambda: change_membership(given))
        response = MembershipResponse(status="joined" if given.is_member else "left")
        return Response(response.model_dump_json(), 202, media_type="application/json")

    return router


def _accepted(status: str) -> dict[str, Any]:
    return {
        "status_code": 202,
        "response_model": MembershipResponse,
        "responses": {
            202: {"content": {"application/json": {"example": {"status": status}}}},
            **error_responses(UnknownUser, ManagedElsewhere, InvalidId, StorageUnavailable),
        },
    }
