"""The posts of a state that are compared with the database."""

import numpy as np

from app.domain.feed.row_checksums import ComparedPosts
from app.domain.feed.state import FeedState
from app.domain.feed.uuid_index import uuid_keys_from_text


def compared_posts(state: FeedState) -> ComparedPosts | None:
    """The posts of the state; None if it has all posts of the database."""
    if state.complete_from is None:
        return None
    since, seq = state.complete_from
    rows = np.fromiter(state.post_rows.values(), np.intp, len(state.post_rows))
    created = state.created[rows]
    older = rows[(created < since) | ((created == since) & (state.seq[rows] < seq))]
    return ComparedPosts(
        state.complete_from, uuid_keys_from_text([state.post_ids[row] for row in older.tolist()])
    )
