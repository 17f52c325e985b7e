"""Count the posts that a new list would show and that were published since a list began."""

from dataclasses import dataclass

import numpy as np

from app.application.cursor import CursorCodec
from app.application.feed_list import first_eligible
from app.application.live_feed import LiveFeed
from app.domain.services.clock import Clock
from app.domain.services.ranking_context import RankingContext

MAX_COUNT = 100


@dataclass(frozen=True, slots=True)
class Updates:
    """How many posts are new for a list, at most MAX_COUNT; `capped` if there are more."""

    new: int
    capped: bool


@dataclass(eq=False)
class CountUpdates:
    """Answers from memory. Scans the posts since the list began, newest first, until enough are found."""

    feed: LiveFeed
    cursors: CursorCodec
    clock: Clock

    def __call__(self, user_id: str, cursor: str) -> Updates:
        """Count the eligible posts that were published since the list of `cursor` began and that it did not show.

        Posts that the user has seen do not count; in mode `following`, only posts of followed authors do.
        Raises InvalidId, InvalidCursor, ExpiredCursor.
        """
        now = self.clock.now()
        user = self.feed.user_id(user_id)
        opened = self.cursors.open_any_mode(cursor, user, now)
        with self.feed.lock:
            state = self.feed.state
            row = state.user_rows.get(user.bytes, -1)
            excluded = np.concatenate([state.seen_posts(row), state.rows_of_seq(opened.shown)])
            context = RankingContext(state, row, now.timestamp(), excluded, public_only=self.feed.public_only)
            published, before = (state.published_count(time.timestamp()) for time in (now, opened.started_at))
            rows = state.by_created[before:published][::-1]
            if opened.mode == "following":
                rows = rows[context.by_followed(rows)]
            found = first_eligible(self.feed.ranker.pipeline, context, rows, MAX_COUNT + 1)
        return Updates(min(len(found), MAX_COUNT), capped=len(found) > MAX_COUNT)
