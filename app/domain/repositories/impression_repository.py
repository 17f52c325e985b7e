"""Port: the pages that were shown to users, and what became of their posts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.domain.entities import Impression, InteractionType
from app.domain.feed.shown_pages import ShownPage

MAX_REACH_POSTS = 100
"""Posts in the reach of an author, the newest."""
MAX_CHOICE_HOURS = 24
"""Later events are not joined with the page that they came from."""
MAX_REACH_EVENTS = 10_000
"""Events of one post that its reach counts."""


@dataclass(frozen=True, slots=True)
class PostReach:
    """How often a post was shown and seen, and its events by type: the first MAX_REACH_EVENTS of them."""

    post_id: UUID
    external_id: str
    created_at: datetime
    shown: int
    seen: int
    interactions: Mapping[InteractionType, int]


class ImpressionRepository(Protocol):
    """Stored impressions. Every method raises StorageUnavailable when the store misses its budget."""

    def save(self, impressions: Sequence[Impression]) -> int:
        """Commit pages, all or none, and return how many are omitted because the store cannot hold their numbers.

        Pages of known users that no longer exist are skipped. Pages of unknown users are stored.
        """

    def report_seen(self, user_id: UUID, request_id: str, post_ids: Sequence[UUID]) -> Sequence[ShownPage]:
        """Mark posts on the pages of one response to a user as seen, and return these pages after the commit.

        Posts that are not on them are ignored. No page if none of the user is stored under the request id. Raises
        UnknownUser, if there is no page either.
        """

    def maintain(self, keep_days: int) -> int:
        """Prepare the store for the pages of the next days, and drop days older than `keep_days`; return how many.

        Counts of experiments that are older than a year are removed.
        """

    def chosen_places(self, since: datetime | None) -> tuple[Mapping[str, Mapping[int, int]], datetime]:
        """How many events chose a post of a ranked page, by version of the model and place on the page, from 1.

        Views are no choices. The events are those that were stored after `since`, none if it is None, and within
        MAX_CHOICE_HOURS of their page. Also returns the value of `since` for the next call.
        """

    def reach(self, author_id: UUID) -> Sequence[PostReach]:
        """The visible posts of an author, newest first, at most MAX_REACH_POSTS. Raises UnknownUser."""
