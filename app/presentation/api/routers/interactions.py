"""POST /interactions/track, /interactions/batch and /interactions/retract: 202 means committed."""

from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.application.use_cases.track_interaction import TrackedEvent, TrackResult
from app.domain.errors import (
    ClockAhead,
    DomainError,
    EventTooOld,
    InvalidId,
    InvalidInteraction,
    StorageUnavailable,
    UnknownPost,
    UnknownUser,
)
from app.presentation.api.call_limits import count_user
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.group_commit import GroupCommit
from app.presentation.api.json_body import BODY_PROBLEMS, decode, decode_each, is_partial, read_body
from app.presentation.api.problems import ProblemError
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.routers.write_routes import accepted, rejected_items, write_route
from app.presentation.schemas.batch_schema import MAX_BATCH
from app.presentation.schemas.interaction_schema import (
    BatchRequest,
    BatchResponse,
    RetractRequest,
    RetractResponse,
    TrackRequest,
    TrackResponse,
)
from app.shared.monitoring import Metrics

_PROBLEMS = (*BODY_PROBLEMS, UnknownUser, UnknownPost, InvalidId, InvalidInteraction, StorageUnavailable)
_TIME_PROBLEMS = (EventTooOld, ClockAhead)


def interactions_router(options: ApiOptions, metrics: Metrics, threads: RequestThreads) -> APIRouter:
    """The routes that track events and take them back."""
    router = APIRouter(tags=["interactions"])
    group_commit = GroupCommit(threads, metrics)

    @router.post(
        "/interactions/track",
        summary="Store what a user did with a post",
        **write_route(TrackResponse, {"status": "tracked"}, *_PROBLEMS, *_TIME_PROBLEMS, body=TrackRequest),
    )
    async def track(request: Request) -> Response:
        """Responds after the commit. The user's next feed counts the event."""
        body = await read_body(request, options)
        event = decode(body, TrackRequest).to_dto()
        count_user(request.scope, event.user_id)
        await group_commit.store(services_of(request.scope).track, event)
        return Response(b'{"status":"tracked"}', 202, media_type="application/json")

    @router.post(
        "/interactions/batch",
        summary="Store up to 500 events, all or none",
        **write_route(
            BatchResponse,
            {"status": "tracked", "accepted": 3, "duplicates": 0},
            *_PROBLEMS,
            *_TIME_PROBLEMS,
            body=BatchRequest,
            may_be_partial=True,
        ),
    )
    async def batch(request: Request) -> Response:
        """An event whose `event_id` was stored before counts as a duplicate and is no error.

        With `partial=true`, valid events are stored though others are not.
        """
        body = await read_body(request, options)
        if is_partial(request):
            valid, invalid = await threads.decode_batch(
                partial(decode_each, body, "interactions", TrackRequest, MAX_BATCH)
            )
            metrics.count_events({"refused": len(invalid)})
            places, events = list(valid), [event.to_dto() for event in valid.values()]
            result = await _record(threads, metrics, request, events, partial=True)
            errors: dict[int, ProblemError | DomainError] = {
                **invalid,
                **{places[row]: error for row, error in result.rejected.items()},
            }
            return accepted(
                BatchResponse(
                    accepted=result.accepted, duplicates=result.duplicates, rejected=rejected_items(errors)
                )
            )
        query = await threads.decode_batch(partial(decode, body, BatchRequest))
        result = await _record(threads, metrics, request, [event.to_dto() for event in query.interactions])
        response = BatchResponse(accepted=result.accepted, duplicates=result.duplicates)
        return accepted(response)

    @router.post(
        "/interactions/retract",
        summary="Take back what a user did: an unlike",
        **write_route(
            RetractResponse, {"status": "retracted", "removed": 1}, *_PROBLEMS, body=RetractRequest
        ),
    )
    async def retract(request: Request) -> Response:
        """The next response is as if the events had never been stored. A repeated call removes nothing and succeeds."""
        query = decode(await read_body(request, options), RetractRequest)
        count_user(request.scope, query.user_id)
        removed = await threads.run(partial(services_of(request.scope).retract, query.to_dto()))
        response = RetractResponse(removed=removed)
        return accepted(response)

    return router


async def _record(
    threads: RequestThreads,
    metrics: Metrics,
    request: Request,
    events: Sequence[TrackedEvent],
    *,
    partial: bool = False,
) -> TrackResult:
    """Commit all events or none (`partial`: the valid ones), and count them in the metrics. Raises DomainError."""
    for user_id in {event.user_id for event in events}:
        count_user(request.scope, user_id)
    track_events = services_of(request.scope).track
    try:
        result = await threads.run(lambda: track_events(events, partial=partial))
    except DomainError as error:
        outcome = "unavailable" if isinstance(error, StorageUnavailable) else "refused"
        metrics.count_events({outcome: len(events)})
        raise
    metrics.count_events(
        {"stored": result.accepted, "duplicate": result.duplicates, "refused": len(result.rejected)}
    )
    return result
