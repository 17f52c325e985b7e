"""POST /interactions/track, /interactions/batch and /interactions/retract: 202 means committed."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.application.use_cases.track_interaction import TrackedEvent, TrackResult
from app.domain.errors import (
    DomainError,
    InvalidId,
    InvalidInteraction,
    StorageUnavailable,
    UnknownPost,
    UnknownUser,
)
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import BODY_PROBLEMS, decode, read_body
from app.presentation.api.problems import error_responses
from app.presentation.api.routers.recommendations import request_body
from app.presentation.schemas.interaction_schema import (
    BatchRequest,
    BatchResponse,
    RetractRequest,
    RetractResponse,
    TrackRequest,
    TrackResponse,
)
from app.shared.monitoring import Metrics

_PROBLEMS = error_responses(
    *BODY_PROBLEMS, UnknownUser, UnknownPost, InvalidId, InvalidInteraction, StorageUnavailable
)


T = TypeVar("T")


class _Recorder:
    """Runs the use cases that write in a thread, within a time budget and with bounded concurrency."""

    def __init__(self, options: ApiOptions, metrics: Metrics) -> None:
        self._metrics = metrics
        self._budget_seconds = options.track_budget_seconds
        self._limiter = anyio.CapacityLimiter(options.track_concurrency)

    async def track(self, request: Request, events: Sequence[TrackedEvent]) -> TrackResult:
        """Commit all events or none. Raises DomainError."""
        track = services_of(request.scope).track
        try:
            result = await self.in_thread(lambda: track(events))
        except DomainError as error:
            outcome = "unavailable" if isinstance(error, StorageUnavailable) else "refused"
            self._metrics.count_events({outcome: len(events)})
            raise
        self._metrics.count_events({"stored": result.accepted, "duplicate": result.duplicates})
        return result

    async def in_thread(self, write: Callable[[], T]) -> T:
        """The result of `write`. Raises StorageUnavailable when the budget is exceeded."""
        try:
            # The budget includes the wait for a thread. A write that is given up may still commit: the client
            # repeats it with the same event_id.
            with anyio.fail_after(self._budget_seconds):
                return await to_thread.run_sync(write, limiter=self._limiter, abandon_on_cancel=True)
        except TimeoutError:
            raise StorageUnavailable("the time budget of a tracking call was exceeded") from None


def interactions_router(options: ApiOptions, metrics: Metrics) -> APIRouter:
    """The routes that track events and take them back."""
    router = APIRouter(tags=["interactions"])
    recorder = _Recorder(options, metrics)

    @router.post(
        "/interactions/track",
        status_code=202,
        response_model=TrackResponse,
        summary="Store what a user did with a post",
        responses=_responses({"status": "tracked"}),
        openapi_extra={"requestBody": request_body(TrackRequest.__name__)},
    )
    async def track(request: Request) -> Response:
        """Responds after the commit. The user's next feed counts the event."""
        body = await read_body(request, options)
        await recorder.track(request, [decode(body, TrackRequest).to_dto()])
        return Response(b'{"status":"tracked"}', 202, media_type="application/json")

    @router.post(
        "/interactions/batch",
        status_code=202,
        response_model=BatchResponse,
        summary="Store up to 500 events, all or none",
        responses=_responses({"status": "tracked", "accepted": 3, "duplicates": 0}),
        openapi_extra={"requestBody": request_body(BatchRequest.__name__)},
    )
    async def batch(request: Request) -> Response:
        """An event whose `event_id` was stored before counts as a duplicate and is no error."""
        body = await read_body(request, options)
        # In a thread: the validation of hundreds of events takes milliseconds, which would delay feeds on the loop.
        query = await to_thread.run_sync(decode, body, BatchRequest)
        result = await recorder.track(request, [event.to_dto() for event in query.interactions])
        response = BatchResponse(accepted=result.accepted, duplicates=result.duplicates)
        return Response(response.model_dump_json(), 202, media_type="application/json")

    @router.post(
        "/interactions/retract",
        status_code=202,
        response_model=RetractResponse,
        summary="Take back what a user did: an unlike",
        responses=_responses({"status": "retracted", "removed": 1}),
        openapi_extra={"requestBody": request_body(RetractRequest.__name__)},
    )
    async def retract(request: Request) -> Response:
        """The next response is as if the events had never been stored. A repeated call removes nothing and succeeds."""
        query = decode(await read_body(request, options), RetractRequest)
        retract_events = services_of(request.scope).retract
        removed = await recorder.in_thread(lambda: retract_events(query.to_dto()))
        return Response(
            RetractResponse(removed=removed).model_dump_json(), 202, media_type="application/json"
        )

    return router


def _responses(example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` of a tracking route."""
    return {202: {"content": {"application/json": {"example": example}}}, **_PROBLEMS}
