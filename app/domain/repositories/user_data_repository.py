"""Port: everything that is stored about one user."""

from collections.abc import Callable
from typing import Protocol


class UserDataRepository(Protocol):
    """The rows about a user in all tables of the service. Ids are valid and in the caller's spelling.

    All methods raise UnknownUser and StorageUnavailable.
    """

    def export(self, user_id: str, write: Callable[[bytes], object]) -> None:
        """Pass the rows as one JSON object to `write`, in parts; all rows are of one moment."""
