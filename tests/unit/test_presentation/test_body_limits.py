"""Every route that takes a body has a limit, and every valid body fits in it."""

from contextlib import asynccontextmanager

import orjson

from app.presentation.api.application import create_api
from app.presentation.api.body_limits import BODY_LIMITS
from app.presentation.api.dependencies import ApiOptions
from app.presentation.schemas.batch_schema import MAX_BATCH
from app.presentation.schemas.interaction_schema import MAX_METADATA_BYTES
from app.shared.monitoring import Metrics

LONGEST_ID = "\U0001f98a" * 128


@asynccontextmanager
async def no_services():  # type: ignore[no-untyped-def]
    yield None


def test_every_route_with_a_body_has_a_limit() -> None:
    paths = create_api(ApiOptions(), Metrics(), no_services, version="1").openapi()["paths"]

    with_body = {
        path
        for path, operations in paths.items()
        if any("requestBody" in operation for operation in operations.values())
    }

    assert with_body == set(BODY_LIMITS)


def test_the_largest_valid_bodies_fit() -> None:
    event = {
        "user_id": LONGEST_ID,
        "post_id": LONGEST_ID,
        "interaction_type": "comment",
        "event_id": "5f0c4f6f-2b4e-4a55-b2d2-c5a7a3e1c9d0",
        "occurred_at": "2026-03-01T12:00:00.000000+00:00",
        "request_id": "r" * 128,
        "metadata": {"text": "x" * (MAX_METADATA_BYTES - len('{"text":""}'))},
    }
    largest = {
        "/recommendations/generate": {
            "user_id": LONGEST_ID,
            "exclude_ids": [LONGEST_ID] * 500,
            "cursor": "c" * 8192,
        },
        "/interactions/track": event,
        "/interactions/batch": {"interactions": [event] * MAX_BATCH},
        "/impressions": {"user_id": LONGEST_ID, "request_id": "r" * 128, "seen": [LONGEST_ID] * 200},
    }

    sizes = {path: len(orjson.dumps(body)) for path, body in largest.items()}

    assert {path for path, size in sizes.items() if size > BODY_LIMITS[path]} == set()
