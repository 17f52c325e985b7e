"""Export everything that is stored about a user."""

from collections.abc import Callable
from dataclasses import dataclass

from app.domain.ids import checked_id
from app.domain.repositories.user_data_repository import UserDataRepository


@dataclass(eq=False)
class UserData:
    """What is stored about one user, as a whole. All methods raise InvalidId, UnknownUser and StorageUnavailable."""

    repository: UserDataRepository

    def export(self, user_id: str, write: Callable[[bytes], object]) -> None:
        """Pass everything about a user as one JSON object to `write`, in parts."""
        self.repository.export(checked_id("user", user_id), write)
