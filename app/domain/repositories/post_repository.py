"""Port: the texts of posts, which the feed state does not keep in memory."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from app.domain.entities import Post
from app.domain.feed.row_checksums import Checksums


class PostRepository(Protocol):
    """Posts as the feed may read them."""

    def posts(self, ids: Sequence[UUID]) -> tuple[Sequence[Post], Checksums]:
        """The posts among `ids` that exist, in any order, and the checksums of `ids`. Raises StorageUnavailable."""
