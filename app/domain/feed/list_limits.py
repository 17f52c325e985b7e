"""How much of the events of a user, and of the users of a post, memory holds. Storage has all of them."""

from dataclasses import dataclass
from typing import Final

_SLACK_DIVISOR: Final = 8
_MIN_LIMIT_WITH_SLACK: Final = 64  # readers of shorter lists read all of them


@dataclass(frozen=True, slots=True)
class ListLimits:
    """A list has its newest entries, at least so many of them if it had as many.

    events_per_user  as many as rankings read
    users_per_post   as many as rankings read
    """

    events_per_user: int = 256
    users_per_post: int = 80


DEFAULT_LIST_LIMITS: Final = ListLimits()
UNLIMITED: Final = ListLimits(2**31 - 1, 2**31 - 1)


def longest(limit: int) -> int:
    """The length above which a list is cut to `limit`: a list at its limit is not cut at each new entry."""
    return limit + limit // _SLACK_DIVISOR * (limit >= _MIN_LIMIT_WITH_SLACK)
