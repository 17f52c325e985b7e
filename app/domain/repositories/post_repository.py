"""Port: the texts of posts, which the feed state does not keep in memory."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from app.domain.entities import Post


class PostRepository(Protocol):
    """Posts as the feed may read them."""

    def posts(self, ids: Sequence[UUID]) -> Sequence[Post]:
        """The posts among `ids` that exist, in any order. Raises StorageUnavailable."""
