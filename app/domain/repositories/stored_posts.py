"""Port: posts in order of time that memory does not hold, for the end of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from app.domain.feed.time_position import TimePosition


@dataclass(frozen=True, slots=True)
class StoredPost:
    """What a list shows of a post.

    external_id  None if it is the UUID
    author_id    None if the author is unknown
    root_id      first post of its thread; None for a first post
    repost_of    the original; None for a post that is no repost
    """

    id: UUID
    external_id: str | None
    position: TimePosition
    author_id: UUID | None = None
    root_id: UUID | None = None
    repost_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class StoredPostsQuery:
    """Whose list it is, and which posts it lacks.

    followed_only  only posts of authors whom the user follows
    exclude_seen   no post that the user has an event with
    excluded_ids   posts that the request excludes
    excluded_seqs  numbers of posts that the list has shown
    skipped        number of posts that the list omits at its beginning
    """

    user_id: UUID
    followed_only: bool = False
    exclude_seen: bool = True
    excluded_ids: Sequence[UUID] = ()
    excluded_seqs: Sequence[int] = ()
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class StoredPosts:
    """Posts in order of time, newest first.

    next_position  the posts after it were not looked at; None if there are none
    """

    posts: Sequence[StoredPost]
    next_position: TimePosition | None


class StoredPostRepository(Protocol):
    """The posts that a user may see, which `feed_visible_posts` decides, except for their own."""

    def visible_posts(self, user_id: UUID, post_ids: Sequence[UUID]) -> Sequence[StoredPost]:
        """Those of the given posts that the user may see, newest first. Raises StorageUnavailable."""

    def posts_after(self, query: StoredPostsQuery, position: TimePosition, limit: int) -> StoredPosts:
        """The first `limit` posts after `position`. Raises StorageUnavailable.

        It looks at a bounded number of posts: with a `next_position` there may be fewer than `limit`.
        """
