"""Removes users from a state, with everything that is known of them."""

from collections.abc import Iterable
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.eviction import evict_posts
from app.domain.feed.slices import Writing, slices
from app.domain.feed.state import FeedState

_USERS_PER_STEP = 20


def remove_users(state: FeedState, user_ids: Iterable[UUID], writing: Writing) -> None:
    """Remove users, with the contents of their posts that were removed. Their events are removed before."""
    for user_id in user_ids:
        posts = _removed_posts(state, state.user_rows.get(user_id.bytes, -1))
        if len(posts):
            evict_posts(state, posts, writing)
        with writing():
            state.remove_user(user_id.bytes)


def remove_pages(state: FeedState, user_ids: Iterable[UUID], writing: Writing) -> None:
    """Remove the pages that were shown to users."""
    for step in slices(list(user_ids), _USERS_PER_STEP):
        with writing():
            for user_id in step:
                if (row := state.user_rows.get(user_id.bytes)) is not None:
                    state.remove_impressions(row)


def _removed_posts(state: FeedState, user: int) -> NDArray[np.intp]:
    """Rows of the posts of a user row (-1: unknown user) that were removed, and whose contents are in the state."""
    if user < 0:
        return np.empty(0, np.intp)
    rows = np.flatnonzero(state.author[: state.n_posts] == user)
    is_removed = state.post_rows.rows(state.post_rows.by_row[rows]) != rows
    removed: NDArray[np.intp] = rows[is_removed]
    return removed
