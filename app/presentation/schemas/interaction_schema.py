"""POST /interactions/track, /interactions/batch and /interactions/retract, as callers see them."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from app.application.use_cases.retract_interaction import Retraction
from app.application.use_cases.track_interaction import TrackedEvent
from app.presentation.schemas.batch_schema import MAX_BATCH, Rejected
from app.presentation.schemas.recommendation_schema import GivenId, RequestId

MAX_METADATA_DEPTH = 32
MAX_METADATA_BYTES = 4096


def parse_time(given: object) -> datetime | None:
    """An ISO 8601 text as an aware time; UTC if it has no zone. Raises ValueError."""
    if given is None:
        return None
    if not isinstance(given, str):
        raise ValueError("must be an ISO 8601 string")
    try:
        moment = datetime.fromisoformat(given)
        # UTC where no zone is written; astimezone fails at the ends of the calendar
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except ValueError:
        raise ValueError(f"{given[:40]!r} is no ISO 8601 time") from None
    except OverflowError:
        raise ValueError(f"{given[:40]!r} is out of range") from None


def _event_id(given: object) -> UUID | None:
    if given is None:
        return None
    if isinstance(given, str):
        with suppress(ValueError):
            event_id = UUID(given)
            # UUID() also takes braces, underscores and digits of other scripts
            if str(event_id) == given.lower():
                return event_id
    raise ValueError("must be a UUID string")


def _check_json(value: object, depth: int = 0) -> None:
    """Raise ValueError for NUL characters and deep nesting, which PostgreSQL's jsonb cannot hold."""
    if depth == MAX_METADATA_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_METADATA_DEPTH} levels")
    if isinstance(value, str) and "\0" in value:
        raise ValueError("must not contain NUL characters")
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for part in value:
            _check_json(part, depth + 1)


def _storable(metadata: dict[str, Any]) -> dict[str, Any]:
    _check_json(metadata)
    # not orjson: it writes no integer beyond 64 bits, which JSON and jsonb can hold
    if len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES} bytes of JSON")
    return metadata


EventId = Annotated[
    UUID | None,
    BeforeValidator(_event_id),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}),
]
InteractionName = Literal["view", "click", "like", "comment", "share"]


class TrackRequest(BaseModel):
    """What one user did with one post."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "user_id": "test-user",
                    "post_id": "post-17",
                    "interaction_type": "view",
                    "metadata": {"dwell_time_ms": 3500},
                    "event_id": "0b7c8f6e-54a1-4b0e-9a3d-1f6c0d2e4a5b",
                }
            ]
        },
    )

    user_id: GivenId
    post_id: GivenId
    interaction_type: InteractionName
    metadata: Annotated[dict[str, Any], AfterValidator(_storable)] = Field(
        {}, description=f"Anything, at most {MAX_METADATA_BYTES} bytes of JSON"
    )
    event_id: Annotated[
        EventId, Field(description="The same id is stored once, so a call can be repeated")
    ] = None
    occurred_at: Annotated[
        datetime | None,
        BeforeValidator(parse_time),
        WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
        Field(description="When it happened: at most 7 days back; default: now"),
    ] = None
    request_id: RequestId | None = None

    def to_dto(self) -> TrackedEvent:
        """The argument of the use case, which has the same fields."""
        return TrackedEvent(**dict(self))


class BatchRequest(BaseModel):
    """Up to 500 events, stored all or none."""

    model_config = ConfigDict(strict=True)

    interactions: Annotated[list[TrackRequest], Field(min_length=1, max_length=MAX_BATCH)]


class TrackResponse(BaseModel):
    """The event is committed."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["tracked"] = "tracked"


class BatchResponse(BaseModel):
    """The events are committed; `accepted` of them are new."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["tracked"] = "tracked"
    accepted: int = Field(ge=0, description="Events that are stored by this call")
    duplicates: int = Field(
        ge=0, description="Events whose `event_id` was stored before, or twice in the call"
    )
    rejected: Rejected = None


class RetractRequest(BaseModel):
    """What to take back: all events of a type with a post, or one event by its id."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [{"user_id": "test-user", "post_id": "post-17", "interaction_type": "like"}]
        },
    )

    user_id: GivenId
    post_id: GivenId | None = None
    interaction_type: InteractionName | None = None
    event_id: Annotated[EventId, Field(description="Instead of post_id and interaction_type")] = None

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        target = self.post_id is not None, self.interaction_type is not None, self.event_id is not None
        if target not in {(True, True, False), (False, False, True)}:
            raise ValueError("give either post_id and interaction_type, or event_id")
        return self

    def to_dto(self) -> Retraction:
        """The argument of the use case, which has the same fields."""
        return Retraction(**dict(self))


class RetractResponse(BaseModel):
    """The events are removed."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["retracted"] = "retracted"
    removed: int = Field(ge=0, description="Events that this call removed")
