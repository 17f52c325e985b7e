"""The posts of a state that are compared with the database."""

from app.domain.feed.row_checksums import ComparedPosts
from app.domain.feed.state import FeedState


def compared_posts(state: FeedState) -> ComparedPosts | None:
    """The posts of the state; None if it has all posts of the database."""
    if state.complete_from is None:
        return None
    since, seq = state.complete_from
    rows = state.post_rows.present()
    created = state.created[rows]
    older = rows[(created < since) | ((created == since) & (state.seq[rows] < seq))]
    return ComparedPosts(state.complete_from, state.post_rows.by_row[older])
