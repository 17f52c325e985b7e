"""POST /interactions/track and /interactions/batch: 202 means committed."""

from collections.abc import Sequence

import anyio
from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.application.use_cases.track_interaction import TrackedEvent
from app.domain.errors import (
    DomainError,
    InvalidId,
    InvalidInteraction,
    StorageUnavailable,
    UnknownPost,
    UnknownUser,
)
from app.domain.repositories.interaction_repository import RecordResult
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import decode, read_body
from app.presentation.api.problems import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    DOMAIN_PROBLEMS,
    INVALID_REQUEST,
    MALFORMED_JSON,
    error_responses,
)
from app.presentation.api.routers.recommendations import request_body
from app.presentation.schemas.interaction_schema import (
    BatchRequest,
    BatchResponse,
    TrackRequest,
    TrackResponse,
)
from app.shared.monitoring import Metrics

_PROBLEMS = error_responses(
    MALFORMED_JSON,
    DOMAIN_PROBLEMS[UnknownUser],
    DOMAIN_PROBLEMS[UnknownPost],
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    INVALID_REQUEST,
    DOMAIN_PROBLEMS[InvalidId],
    DOMAIN_PROBLEMS[InvalidInteraction],
    DOMAIN_PROBLEMS[StorageUnavailable],
)


def interactions_router(options: ApiOptions, metrics: Metrics) -> APIRouter:
    """The events."""
    router = APIRouter(tags=["interactions"])
    writers: list[anyio.CapacityLimiter] = []  # made on the loop that uses it

    async def read(request: Request) -> bytes:
        return await read_body(
            request, max_bytes=options.body_limit_bytes, timeout_seconds=options.body_budget_seconds
        )

    async def record(request: Request, events: Sequence[TrackedEvent]) -> RecordResult:
        if not writers:
            writers.append(anyio.CapacityLimiter(options.track_concurrency))
        track = services_of(request.scope).track
        try:
            # the wait for a writer counts as well; a write that is given up may still be committed: the
            # caller repeats it under the same event_id
            with anyio.fail_after(options.track_budget_seconds):
                recorded = await to_thread.run_sync(track, events, limiter=writers[0], abandon_on_cancel=True)
        except TimeoutError:
            metrics.tracked({"unavailable": len(events)})
            raise StorageUnavailable("the budget of a tracking call was spent") from None
        except DomainError as error:
            metrics.tracked(
                {"unavailable" if isinstance(error, StorageUnavailable) else "refused": len(events)}
            )
            raise
        metrics.tracked({"stored": len(recorded.stored), "duplicate": recorded.duplicates})
        return recorded

    @router.post(
        "/interactions/track",
        status_code=202,
        response_model=TrackResponse,
        summary="Store what a user did with a post",
        responses={
            202: {"content": {"application/json": {"example": {"status": "tracked"}}}},
            **_PROBLEMS,
        },
        openapi_extra={"requestBody": request_body(TrackRequest.__name__)},
    )
    async def track(request: Request) -> Response:
        """Answers after the commit; the user's next feed knows of it."""
        body = await read(request)
        await record(request, [decode(body, TrackRequest).event()])
        return Response(b'{"status":"tracked"}', 202, media_type="application/json")

    @router.post(
        "/interactions/batch",
        status_code=202,
        response_model=BatchResponse,
        summary="Store up to 500 events, all or none",
        responses={
            202: {
                "content": {
                    "application/json": {"example": {"status": "tracked", "accepted": 3, "duplicates": 0}}
                }
            },
            **_PROBLEMS,
        },
        openapi_extra={"requestBody": request_body(BatchRequest.__name__)},
    )
    async def batch(request: Request) -> Response:
        """An event whose `event_id` was stored before counts as a duplicate and is no error."""
        body = await read(request)
        # hundreds of events take milliseconds to check: not on the loop that answers feeds
        asked = await to_thread.run_sync(decode, body, BatchRequest)
        recorded = await record(request, [one.event() for one in asked.interactions])
        answer = BatchResponse(accepted=len(recorded.stored), duplicates=recorded.duplicates)
        return Response(answer.model_dump_json(), 202, media_type="application/json")

    return router
