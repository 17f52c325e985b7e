"""Stored pages that are applied to the feed state."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.state import FeedState


@dataclass(frozen=True, slots=True, eq=False)
class ShownPage:
    """A page that a user got at an aware time.

    posts  (n,) numbers of the posts (`Post.seq`)
    seen   (n,) true for the posts that were on screen, as far as the client reported it
    """

    user_id: UUID
    shown_at: datetime
    posts: NDArray[np.int64]
    seen: NDArray[np.bool_]


def record_pages(state: FeedState, pages: Iterable[ShownPage]) -> None:
    """Add the pages of known users to the impressions of a state; a page that is there changes what was seen only."""
    for page in pages:
        user = state.user_rows.get(page.user_id.bytes)
        if user is None:
            continue
        for seen in (False, True):
            posts = state.rows_of_seq(page.posts[page.seen == seen])
            state.impressions.record(user, posts, page.shown_at.timestamp(), seen=seen)
