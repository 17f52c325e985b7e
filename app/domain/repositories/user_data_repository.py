"""Port: everything that is stored about one user."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.repositories.feed_log import FeedChanges


@dataclass(frozen=True, slots=True)
class RemovedUserData:
    """What was removed of a user.

    rows               number of removed rows by table
    managed_elsewhere  views and tables that show rows of another application, which stay
    changes            as a read of the log returns them later; their position has no meaning
    """

    rows: Mapping[str, int]
    managed_elsewhere: Sequence[str]
    changes: FeedChanges


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What an erasure removed, and when. It does not name the user.

    rows, managed_elsewhere  as in RemovedUserData
    changes                  as in RemovedUserData; None if the user was erased by an earlier call
    """

    erased_at: datetime
    rows: Mapping[str, int]
    managed_elsewhere: Sequence[str]
    changes: FeedChanges | None = None


@dataclass(frozen=True, slots=True)
class MergeReceipt:
    """What a merge moved or removed, and when. It does not name the users.

    rows     number of changed rows by table
    changes  as in RemovedUserData; None if the user was merged by an earlier call
    """

    merged_at: datetime
    rows: Mapping[str, int]
    changes: FeedChanges | None = None


class UserDataRepository(Protocol):
    """The rows about a user in all tables of the service. Ids are valid and in the caller's spelling.

    All methods raise UnknownUser and StorageUnavailable.
    """

    def export(self, user_id: str, write: Callable[[bytes], object]) -> None:
        """Pass the rows as one JSON object to `write`, in parts; all rows are of one moment."""

    def reset(self, user_id: str) -> RemovedUserData:
        """Remove what the user did and was shown; the user, their posts and their memberships stay."""

    def erase(self, user_id: str) -> ErasureReceipt:
        """Remove the user, their posts with all events on them, and all other rows about them; add a tombstone.

        A repeated call returns the same receipt.
        """

    def merge(self, user_id: str, from_user_id: str) -> MergeReceipt:
        """Move everything of one user to another, remove the first, and add a tombstone.

        A repeated call returns the same receipt. Raises InvalidMerge for one user with themselves, and ManagedElsewhere
        if another application stores the users.
        """
