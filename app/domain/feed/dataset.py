"""A whole feed in columns: what files, the generator and the database are read into, and what training replays.

Indices inside a `FeedDataset` refer to rows of its own `users` and `posts`. Times are float64 seconds since the
Unix epoch, UTC. Keys are UUID bytes, dtype ``V16``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

KEY_DTYPE = np.dtype("V16")


def uuid_keys(ids: Iterable[UUID]) -> NDArray[np.void]:
    """UUIDs as a (n,) ``V16`` array."""
    return np.frombuffer(b"".join(one.bytes for one in ids), dtype=KEY_DTYPE)


@dataclass(frozen=True, slots=True, eq=False)
class UserColumns:
    """(n_users,) users; order is of no meaning."""

    key: NDArray[np.void]
    external_id: list[str]

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True, slots=True, eq=False)
class PostColumns:
    """(n_posts,) posts."""

    key: NDArray[np.void]
    external_id: list[str]
    author: NDArray[np.int32]  # row of users, -1 unknown
    created: NDArray[np.float64]
    visible: NDArray[np.bool_]
    seq: NDArray[np.int64]
    text: list[str]
    tags: list[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True, slots=True, eq=False)
class FollowColumns:
    """(n_follows,) edges; `since` is NaN where the edge carries no time."""

    follower: NDArray[np.int32]
    followee: NDArray[np.int32]
    since: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.follower)


@dataclass(frozen=True, slots=True, eq=False)
class EventColumns:
    """(n_events,) interactions, sorted by time; ties keep the order of their source."""

    user: NDArray[np.int32]
    post: NDArray[np.int32]
    kind: NDArray[np.uint8]  # position in INTERACTION_TYPES
    time: NDArray[np.float64]
    seq: NDArray[np.int64]  # number in the log, 0 where the source has none

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> "EventColumns":
        return EventColumns(
            self.user[rows], self.post[rows], self.kind[rows], self.time[rows], self.seq[rows]
        )


@dataclass(frozen=True, slots=True, eq=False)
class FeedDataset:
    """Everything a feed has recorded."""

    users: UserColumns
    posts: PostColumns
    follows: FollowColumns
    events: EventColumns
