"""Export, erase or merge everything that is stored about a user, or forget what the user did."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from app.application.committed_change import apply_committed
from app.application.id_resolver import IdResolver
from app.domain.ids import checked_id
from app.domain.repositories.feed_log import FeedChanges
from app.domain.repositories.user_data_repository import (
    ErasureReceipt,
    MergeReceipt,
    RemovedUserData,
    UserDataRepository,
)


@dataclass(eq=False)
class UserData:
    """What is stored about one user, as a whole.

    discard_pending  drops what this process has not saved yet about a user
    apply            makes committed changes hold in memory at once

    All methods raise InvalidId, UnknownUser and StorageUnavailable.
    """

    repository: UserDataRepository
    ids: IdResolver
    discard_pending: Callable[[UUID], None]
    apply: Callable[[FeedChanges], None]

    def export(self, user_id: str, write: Callable[[bytes], object]) -> None:
        """Pass everything about a user as one JSON object to `write`, in parts."""
        self.repository.export(checked_id("user", user_id), write)

    def reset(self, user_id: str) -> RemovedUserData:
        """Remove what the user did and was shown; returns after the commit. The next response is for a new user."""
        self.discard_pending(self.ids.user_id(user_id))  # else it would be saved after the removal
        removed = self.repository.reset(checked_id("user", user_id))
        apply_committed(self.apply, removed.changes, "user_data.not_applied")
        return removed

    def erase(self, user_id: str) -> ErasureReceipt:
        """Remove everything about a user; returns after the commit. A repeated call returns the same receipt."""
        self.discard_pending(self.ids.user_id(user_id))  # else it would be saved after the removal
        receipt = self.repository.erase(checked_id("user", user_id))
        if receipt.changes is not None:
            apply_committed(self.apply, receipt.changes, "user_data.not_applied")
        return receipt

    def merge(self, user_id: str, from_user_id: str) -> MergeReceipt:
        """Make two users one person, `user_id`; returns after the commit. A repeated call returns the same receipt.

        Raises InvalidMerge and ManagedElsewhere as well.
        """
        checked_id("user", user_id)
        self.discard_pending(self.ids.user_id(from_user_id))  # else it would be saved after the removal
        receipt = self.repository.merge(user_id, checked_id("user", from_user_id))
        if receipt.changes is not None:
            apply_committed(self.apply, receipt.changes, "user_data.not_applied")
        return receipt
