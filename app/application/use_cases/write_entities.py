"""Store users and posts of callers who have no tables of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.application.committed_change import apply_committed
from app.domain.errors import DomainError, InvalidId, InvalidPost
from app.domain.feed.embeddings import MAX_DIMENSIONS, MIN_DIMENSIONS, unit_embedding
from app.domain.ids import checked_id
from app.domain.repositories.entity_repository import EntityChange, EntityRepository, Fields
from app.domain.services.clock import Clock

__all__ = ["MAX_DIMENSIONS", "MIN_DIMENSIONS", "WriteEntities"]


@dataclass(eq=False)
class WriteEntities:
    """Commit users and posts, then hand them to `apply`, which makes them hold in memory at once.

    Fields are columns of the tables; ids are in the caller's spelling. `embedding_dimensions` is the length of the
    embeddings that posts may have; 0: they have none. All methods return after the commit. They raise
    InvalidId, ManagedElsewhere and StorageUnavailable.
    """

    repository: EntityRepository
    clock: Clock
    apply: Callable[[EntityChange], None]
    embedding_dimensions: int = 0

    def put_user(self, user_id: str, fields: Fields) -> None:
        """Create a user, or change the given fields. Raises ErasedUser, UnknownAuthor."""
        authors = fields.get("authors")
        for author_id in authors if isinstance(authors, list) else ():
            checked_id("user", author_id)
        self._apply(self.repository.put_user(checked_id("user", user_id), fields, self.clock.now()))

    def put_post(self, post_id: str, fields: Fields) -> None:
        """Create a post, or change the given fields. Without `created_at`, a new post has the time of the call.

        Raises InvalidPost.
        """
        try:
            self.put_posts([(post_id, fields)])
        except (InvalidId, InvalidPost) as error:
            raise type(error)(str(error).removeprefix("posts[0]: ")) from None

    def put_posts(self, posts: Sequence[tuple[str, Fields]]) -> None:
        """As `put_post` for several posts, all or none. An error names the place of the post."""
        checked: list[tuple[str, Fields]] = []
        for place, (post_id, fields) in enumerate(posts):
            try:
                checked.append((post_id, self._checked(post_id, fields)))
            except (InvalidId, InvalidPost) as error:
                raise type(error)(f"posts[{place}]: {error}") from None
        self._apply(self.repository.put_posts(checked, self.clock.now()))

    def put_valid_posts(self, posts: Sequence[tuple[str, Fields]]) -> dict[int, DomainError]:
        """Store the posts that can be stored. Return the error of each other one by its place."""
        rejected: dict[int, DomainError] = {}
        checked: dict[int, tuple[str, Fields]] = {}
        for place, (post_id, fields) in enumerate(posts):
            try:
                checked[place] = post_id, self._checked(post_id, fields)
            except (InvalidId, InvalidPost) as error:
                rejected[place] = error
        while places := [place for place in checked if place not in rejected]:
            try:
                self._apply(self.repository.put_posts([checked[place] for place in places], self.clock.now()))
                break
            except InvalidPost as error:  # names all posts with this problem
                rejected |= {places[row]: error for row in error.places}
        return rejected

    def delete_post(self, post_id: str) -> None:
        """Delete a post with its events. It is no error if there is none."""
        self._apply(self.repository.delete_post(checked_id("post", post_id)))

    def _checked(self, post_id: str, fields: Fields) -> Fields:
        """The fields of a post, with the embedding as a unit vector. Raises InvalidId, InvalidPost."""
        _check_ids(post_id, fields)
        embedding, wanted = fields.get("embedding"), self.embedding_dimensions
        if not isinstance(embedding, list):
            return fields
        if len(embedding) != wanted:
            given = f"embedding: has {len(embedding)} numbers, and EMBEDDING_DIMENSIONS is {wanted}"
            remedy = (
                f"send {wanted} numbers"
                if wanted
                else "set it to the length of your vectors, or omit the field"
            )
            raise InvalidPost(f"{given}; {remedy}")
        try:
            return {**fields, "embedding": unit_embedding(embedding).tolist()}
        except ValueError as error:
            raise InvalidPost(f"embedding: {error}") from None

    def _apply(self, change: EntityChange) -> None:
        apply_committed(self.apply, change, "entities.not_applied")


def _check_ids(post_id: str, fields: Fields) -> None:
    """Raise InvalidId for the id of a post, or of what it refers to."""
    checked_id("post", post_id)
    for column, kind in (
        ("author_id", "user"),
        ("reply_to", "post"),
        ("root_id", "post"),
        ("repost_of", "post"),
    ):
        if (value := fields.get(column)) is not None:
            checked_id(kind, str(value))
