"""Export, reset, erase and merge what is stored about one user, as a whole."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from tempfile import SpooledTemporaryFile
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.domain.errors import InvalidId, InvalidMerge, ManagedElsewhere, StorageUnavailable, UnknownUser
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import BODY_PROBLEMS, decode, read_body
from app.presentation.api.problems import error_responses
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.routers.write_routes import accepted, write_route
from app.presentation.schemas.user_data_schema import (
    ErasureResponse,
    ExportResponse,
    MergeRequest,
    MergeResponse,
    ResetResponse,
    StoreRows,
)

CONCURRENCY: Final = 2
"""Calls that run at once: each may read or delete many rows, and waits in a thread of its own."""
BUDGET_SECONDS: Final = 60.0
OUTBOX_TIME: Final = timedelta(hours=1)
"""How long the outbox keeps the id of an erased user, so that every replica reads the removal."""
_MEMORY_BYTES: Final = 1024**2
"""Size from which an export is kept in a temporary file, which has no name, instead of in memory."""
_PART_BYTES: Final = 64 * 1024
_PROBLEMS: Final = (InvalidId, UnknownUser, StorageUnavailable)

_NO_ROWS: Final = dict.fromkeys(
    (
        "posts",
        "keys",
        "interactions",
        "follows",
        "controls",
        "memberships",
        "interests",
        "impressions",
        "recommendations",
    ),
    (),
)
_EXPORT: Final = {
    "user_id": "ann",
    "exported_at": "2026-03-01T12:00:00+00:00",
    "managed_elsewhere": [],
    "users": [{"id": "3f1f7c52-5a0c-5a57-8a43-6d6f3c1f4a10", "external_id": "ann", "languages": ["de"]}],
    **_NO_ROWS,
}
_RESET: Final = {
    "status": "reset",
    "stores": [{"name": "user_interaction", "rows": 120}, {"name": "follows", "rows": 8}],
    "managed_elsewhere": [],
}
_ERASURE: Final = {
    "status": "erased",
    "erased_at": "2026-03-01T12:00:00Z",
    "stores": [
        {"name": "user_interaction", "rows": 120},
        {"name": "posts", "rows": 3},
        {"name": "users", "rows": 1},
    ],
    "managed_elsewhere": [],
    "outbox_purged_from": "2026-03-01T13:00:00Z",
}
_MERGE: Final = {
    "status": "merged",
    "merged_at": "2026-03-01T12:00:00Z",
    "stores": [{"name": "user_interaction", "rows": 120}, {"name": "users", "rows": 1}],
}


def user_data_router(options: ApiOptions) -> APIRouter:
    """The routes that concern everything about a user."""
    router = APIRouter(tags=["user data"])
    threads = RequestThreads(CONCURRENCY, BUDGET_SECONDS)

    @router.get(
        "/users/{user_id:id}/export",
        response_model=ExportResponse,
        summary="Everything that is stored about a user",
        responses={
            200: {"content": {"application/json": {"example": _EXPORT}}},
            **error_responses(*_PROBLEMS),
        },
    )
    async def export(request: Request, user_id: str) -> Response:
        """One JSON object with the rows of all tables of the service, all of one moment."""
        export_user = services_of(request.scope).user_data.export
        file = SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115  the response closes it
        try:  # before the status is sent, so that a failure is a problem and no broken answer
            await threads.run(lambda: export_user(user_id, file.write))
        except BaseException:
            file.close()
            raise
        return StreamingResponse(_parts(file), media_type="application/json")

    @router.post(
        "/users/{user_id:id}/reset",
        summary="Forget what a user did and was shown",
        **write_route(ResetResponse, _RESET, *_PROBLEMS),
    )
    async def reset(request: Request, user_id: str) -> Response:
        """The next response is that of a new user. The account, its settings, posts and memberships stay."""
        reset_user = services_of(request.scope).user_data.reset
        removed = await threads.run(lambda: reset_user(user_id))
        return accepted(
            ResetResponse(stores=store_rows(removed.rows), managed_elsewhere=list(removed.managed_elsewhere))
        )

    @router.delete(
        "/users/{user_id:id}",
        summary="Erase a user",
        **write_route(ErasureResponse, _ERASURE, *_PROBLEMS),
    )
    async def erase(request: Request, user_id: str) -> Response:
        """Removes the user, their posts with all events on them, and all other rows about them. It is final.

        A repeated call returns the same receipt.
        """
        erase_user = services_of(request.scope).user_data.erase
        receipt = await threads.run(lambda: erase_user(user_id))
        return accepted(
            ErasureResponse(
                erased_at=receipt.erased_at,
                stores=store_rows(receipt.rows),
                managed_elsewhere=list(receipt.managed_elsewhere),
                outbox_purged_from=receipt.erased_at + OUTBOX_TIME,
            )
        )

    @router.post(
        "/users/{user_id:id}/merge",
        summary="Make two users one person",
        **write_route(
            MergeResponse,
            _MERGE,
            *BODY_PROBLEMS,
            InvalidMerge,
            ManagedElsewhere,
            *_PROBLEMS,
            body=MergeRequest,
        ),
    )
    async def merge(request: Request, user_id: str) -> Response:
        """Events, posts, follows, controls, audiences and interests of `from_user_id` become those of the user.

        `from_user_id` is unknown from then on, and no row is stored under it again. A repeated call returns the same
        receipt.
        """
        query = decode(await read_body(request, options), MergeRequest)
        merge_users = services_of(request.scope).user_data.merge
        receipt = await threads.run(lambda: merge_users(user_id, query.from_user_id))
        return accepted(MergeResponse(merged_at=receipt.merged_at, stores=store_rows(receipt.rows)))

    return router


def store_rows(rows: Mapping[str, int]) -> list[StoreRows]:
    """The removed rows by table."""
    return [StoreRows(name=name, rows=number) for name, number in rows.items()]


def _parts(file: SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    """The content of the file, which is closed at its end."""
    with file:
        file.seek(0)
        while part := file.read(_PART_BYTES):
            yield part
