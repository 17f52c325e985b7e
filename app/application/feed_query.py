"""One resolved feed request: UUIDs instead of given ids, an opened cursor, and the time of the request."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.cursor import CursorCodec, CursorState
from app.application.dto import RecommendationRequest
from app.application.feed_list import FeedList
from app.application.id_resolver import IdResolver
from app.application.live_feed import LiveFeed
from app.application.running_experiments import NO_VARIANTS, Rankings, Variants
from app.domain.experiments.team_draft import draft_key
from app.domain.feed.array_tree import key_array
from app.domain.feed.state import FeedState
from app.domain.ranking.sink import ignored_impressions
from app.domain.services.ranking_context import RankingContext

_NO_ROWS = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class FeedQuery:
    """A request whose ids and cursor are valid.

    excluded_keys  UUID bytes of the posts that the request excludes
    cursor         None for a request by offset
    list_key       identifies the list: equal for all pages of it
    """

    request: RecommendationRequest
    user_id: UUID
    excluded_keys: list[bytes]
    cursor: CursorState | None
    now: datetime
    list_key: Hashable

    @classmethod
    def resolve(
        cls, request: RecommendationRequest, ids: IdResolver, cursors: CursorCodec, now: datetime
    ) -> "FeedQuery":
        """Resolve the ids and open the cursor. Raises InvalidId, InvalidCursor, ExpiredCursor."""
        user_id = ids.user_id(request.user_id)
        excluded = [ids.post_id(post_id).bytes for post_id in request.exclude_ids]
        cursor = None
        if request.cursor is not None:
            cursor = cursors.open(request.cursor, user_id, request.mode, now)
        forced = None if request.variants is None else tuple(sorted(request.variants.items()))
        options = request.mode, request.exclude_seen, request.shown, request.record, forced
        list_key = user_id.bytes, *options, _digest(excluded)
        return cls(request, user_id, excluded, cursor, now, list_key)

    @property
    def start(self) -> int:
        """Position of the first post in its list; a cursor starts a list of the remaining posts."""
        return self.request.offset if self.cursor is None else 0

    @property
    def stop(self) -> int:
        """Position after the last post in its list."""
        return self.start + self.request.limit

    @property
    def response_key(self) -> Hashable:
        """Identifies the response: equal for identical requests."""
        return self.list_key, self.request.limit, self.request.offset, self.request.explain

    def earlier_rows(self, state: FeedState) -> NDArray[np.intp]:
        """Rows of the posts on earlier pages of the cursor's list."""
        return _NO_ROWS if self.cursor is None else state.rows_of_seq(self.cursor.shown)

    def ranking_context(self, feed: LiveFeed, earlier: NDArray[np.intp]) -> RankingContext:
        """What the request asks of the feed. `earlier`: see `earlier_rows`. The caller holds the lock of the feed."""
        user = feed.state.user_rows.get(self.user_id.bytes, -1)
        return RankingContext(
            feed.state,
            user,
            self.now.timestamp(),
            self._excluded_rows(feed.state, user, earlier),
            sinks_shown=self.request.shown == "sink",
            public_only=feed.public_only,
        )

    def new_list(
        self,
        rankings: Rankings,
        context: RankingContext,
        earlier: NDArray[np.intp],
        variants: Variants = NO_VARIANTS,
    ) -> FeedList:
        """A list that starts now, or the rest of the list that the cursor started. The caller holds the lock.

        `rankings` are those of `variants`.
        """
        mode, cursor = self.request.mode, self.cursor
        started_at = self.now if cursor is None else cursor.started_at
        position = None if cursor is None else cursor.position
        is_ranked = mode == "ranked" and position is None
        ranked = rankings.pipeline.rank(context) if is_ranked else None
        rival = None
        if is_ranked and rankings.rival is not None:
            rival = rankings.rival.rank(context)
        return FeedList(mode, started_at, ranked, earlier, position, variants=variants, rival=rival)

    def begins(self, feed_list: FeedList) -> bool:
        """Whether the page is the first one of a ranked list, and is recorded."""
        is_first = self.cursor is None and self.start == 0 and not len(feed_list.listed.rows)
        return is_first and self.request.record and self.request.mode == "ranked"

    def draft_key(self, salt: str, started_at: datetime) -> bytes:
        """What the teams of the next page of an interleaved list depend on (see `team_draft.draft_key`)."""
        shown = self.start if self.cursor is None else len(self.cursor.shown)
        return draft_key(salt, self.user_id, round(started_at.timestamp() * 1e6), shown)

    def _excluded_rows(
        self, state: FeedState, user: int, earlier: NDArray[np.intp]
    ) -> NDArray[np.integer[Any]]:
        """Rows of the posts that the response must not contain: seen, shown, excluded, or `earlier`.

        Shown posts are excluded if the request requires it.
        """
        excluded = state.post_rows.rows(key_array(self.excluded_keys))
        rows: list[NDArray[np.integer[Any]]] = [excluded[excluded >= 0], earlier]
        if self.request.exclude_seen:
            rows.append(state.seen_posts(user))
        if self.request.shown == "exclude" and self.request.mode == "ranked":
            rows.append(ignored_impressions(state, user, self.now.timestamp()).posts)
        return np.concatenate(rows)


def _digest(keys: list[bytes]) -> bytes:
    """16 bytes that identify a set of keys; empty for the empty set."""
    return blake2b(b"".join(sorted(set(keys))), digest_size=16).digest() if keys else b""
