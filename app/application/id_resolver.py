"""Port: which row an id means that a caller gave."""

from typing import Protocol
from uuid import UUID


class IdResolver(Protocol):
    """Finds UUIDs by the ids of callers (see app.domain.ids). Both methods raise InvalidId."""

    def user_id(self, given: str) -> UUID:
        """The UUID of the user with this id; of an unknown user, the UUID that they would have."""

    def post_id(self, given: str) -> UUID:
        """The UUID of the post with this id, in the same way."""
