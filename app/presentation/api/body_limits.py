"""The size limit of the body of each route, in one table."""

from collections.abc import Mapping
from typing import Final

_KIB: Final = 1024
_ONE_EVENT: Final = 64 * _KIB  # 4 KiB of metadata, each character at most an escape of six bytes
_BATCH: Final = 4 * _KIB**2  # 500 events with all the metadata that they may have, or 500 posts

BODY_LIMITS: Final[Mapping[str, int]] = {
    "/recommendations/generate": 320 * _KIB,  # 500 ids of 128 characters and 512 bytes, and a cursor
    "/recommendations/updates": 64 * _KIB,
    "/recommendations/rank": 320 * _KIB,  # 500 ids
    "/recommendations/batch": 64 * _KIB,  # 100 ids
    "/interactions/track": _ONE_EVENT,
    "/interactions/batch": _BATCH,
    "/interactions/retract": 8 * _KIB,
    "/feedback": 8 * _KIB,
    "/impressions": 128 * _KIB,  # 200 ids
    "/users/{user_id}": 128 * _KIB,  # 100 tags and 100 ids
    "/users/{user_id}/merge": 8 * _KIB,
    "/posts/{post_id}": 256 * _KIB,
    "/posts/batch": _BATCH,
}
"""Bytes by the path of the route. BODY_LIMIT_BYTES may lower each, and raises none."""
