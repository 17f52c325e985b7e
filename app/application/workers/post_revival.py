"""Decides which posts come into memory after others were evicted from it."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from app.domain.entities import Post
from app.domain.feed.revival_limit import RevivalLimit
from app.domain.feed.state import FeedState
from app.domain.repositories.interaction_repository import StoredInteraction


class PostRevival:
    """Knows the posts that events bring back. While a state has all posts, every post belongs to it."""

    def __init__(self) -> None:
        self._limit = RevivalLimit()

    def posts_of(self, state: FeedState, events: Iterable[StoredInteraction]) -> list[bytes]:
        """The posts of `events`, as UUID bytes, that are to be read because the state does not have them."""
        unknown = [event for event in events if event.interaction.post_id.bytes not in state.post_rows]
        if state.complete_from is not None:
            unknown = [event for event in unknown if self._may_revive(event)]
        return list(dict.fromkeys(event.interaction.post_id.bytes for event in unknown))

    def _may_revive(self, event: StoredInteraction) -> bool:
        interaction = event.interaction
        return self._limit.allows(event.received_at.date(), interaction.user_id, interaction.post_id)


def posts_of_memory(state: FeedState, posts: Sequence[Post]) -> list[Post]:
    """Those of `posts` that the state has, or must get because they are new enough; the others stay in storage."""
    since = state.complete_from
    return [
        post
        for post in posts
        if since is None
        or (post.created_at.timestamp(), post.seq) >= since
        or post.id.bytes in state.post_rows
    ]


def posts_with_stored_events(state: FeedState, posts: Sequence[Post]) -> list[UUID]:
    """Those of `posts` that the state lacks and may have lacked before: storage has earlier events with them."""
    if state.complete_from is None:
        return []
    return [post.id for post in posts if post.id.bytes not in state.post_rows]
