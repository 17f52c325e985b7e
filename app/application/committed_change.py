"""What happens in memory after a change is committed."""

from collections.abc import Callable
from typing import TypeVar

import structlog

log = structlog.get_logger()
Change = TypeVar("Change")


def apply_committed(apply: Callable[[Change], None], change: Change, failure: str, **fields: object) -> None:
    """Apply a committed change to the state in memory.

    An error is logged as the event `failure` with `fields`, and is not raised: the caller's request succeeded, and the
    log of the database brings the change again.
    """
    try:
        apply(change)
    except Exception:
        log.exception(failure, **fields)
