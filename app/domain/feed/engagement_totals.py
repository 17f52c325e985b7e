"""The engagement that a feed had at a time, by post and author, so that a state can start in the middle of a log."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.state import FeedState


@dataclass(frozen=True, slots=True, eq=False)
class EngagementTotals:
    """What the counted events before a time add up to. Posts and authors without engagement are missing.

    posts                (n,) rows of posts
    engagements          (n,) counted events of each post
    last_engaged         (n,) time of the last one in seconds
    post_log2_counts     (n, n_half_lives) as in DecayedCounters, for HALF_LIVES
    strong_log2_counts   (n, 1) the same for STRONG_HALF_LIVES
    authors              (m,) rows of users
    author_log2_counts   (m, n_half_lives) the same for AUTHOR_HALF_LIVES
    """

    posts: NDArray[np.intp]
    engagements: NDArray[np.int64]
    last_engaged: NDArray[np.float64]
    post_log2_counts: NDArray[np.float64]
    strong_log2_counts: NDArray[np.float64]
    authors: NDArray[np.intp]
    author_log2_counts: NDArray[np.float64]

    @classmethod
    def of(cls, state: FeedState) -> Self:
        """The totals of a state, with its rows."""
        posts = np.flatnonzero(state.engagements[: state.n_posts])
        authors = np.unique(state.author[posts]).astype(np.intp)
        authors = authors[authors >= 0]
        return cls(
            posts,
            state.engagements[posts],
            state.last_engaged[posts],
            state.post_counters.log2_counts(posts).T,
            state.strong_counters.log2_counts(posts).T,
            authors,
            state.author_counters.log2_counts(authors).T,
        )

    def with_rows(
        self, post_rows: NDArray[np.integer[Any]], user_rows: NDArray[np.integer]
    ) -> "EngagementTotals":
        """The same totals for the post `post_rows[i]` instead of i, and so for authors and `user_rows`."""
        return EngagementTotals(
            post_rows[self.posts].astype(np.intp),
            self.engagements,
            self.last_engaged,
            self.post_log2_counts,
            self.strong_log2_counts,
            user_rows[self.authors].astype(np.intp),
            self.author_log2_counts,
        )

    @classmethod
    def concatenate(cls, parts: Sequence["EngagementTotals"]) -> "EngagementTotals":
        """The totals of several parts of a feed. No post and no author is in two of them."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    def apply_to(self, state: FeedState) -> None:
        """Make these the totals of a state that has the posts and users, and no engagement yet."""
        state.engagements[self.posts] = self.engagements
        state.largest_engagement = int(self.engagements.max(initial=0))
        state.last_engaged[self.posts] = self.last_engaged
        state.post_counters.replace(self.posts, self.post_log2_counts)
        state.strong_counters.replace(self.posts, self.strong_log2_counts)
        state.author_counters.replace(self.authors, self.author_log2_counts)
        state.events_replaced(self.posts)
