"""Loading a whole feed at once: COPY into staging tables, then one INSERT for each table, all in one transaction.

Loading the same feed again adds nothing: users and posts are told apart by id, follows by their pair, interactions
by `event_id`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class UserRows:
    """(n_users,) users to load."""

    key: NDArray[np.void]  # V16, the UUID's bytes, see app.domain.feed.history.keys_of
    external_id: list[str]
    created: NDArray[np.float64]  # seconds since the epoch; NaN: the time of loading
    username: list[str | None] | None = None
    follower_count: list[int | None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PostRows:
    """(n_posts,) posts to load; their `seq` follows the order given here."""

    key: NDArray[np.void]  # V16
    external_id: list[str]
    author: NDArray[np.int32]  # row of UserRows, -1 unknown
    created: NDArray[np.float64]  # seconds since the epoch; NaN: the time of loading
    content: list[str | None] | None = None
    tags: list[tuple[str, ...]] | None = None
    visible: NDArray[np.bool_] | None = None  # None: all visible
    like_count: list[int | None] | None = None
    comment_count: list[int | None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FollowRows:
    """(n_follows,) edges to load, no user following himself."""

    follower: NDArray[np.int32]  # row of UserRows
    followee: NDArray[np.int32]  # row of UserRows
    since: NDArray[np.float64]  # seconds since the epoch, NaN undated


@dataclass(frozen=True, slots=True, eq=False)
class InteractionRows:
    """(n_interactions,) events to load; their `seq` follows the order given here, so give them sorted by time."""

    user: NDArray[np.int32]  # row of UserRows
    post: NDArray[np.int32]  # row of PostRows
    kind: NDArray[np.uint8]  # position in INTERACTION_TYPES
    occurred: NDArray[np.float64]  # seconds since the epoch
    event_id: NDArray[np.void]  # V16
    metadata: dict[int, str] | None = None  # row -> JSON text of an object; rows not named here have {}


@dataclass(frozen=True, slots=True, eq=False)
class FeedTables:
    """A feed as it goes into the tables. Everything named by a row number exists: users and posts come complete."""

    users: UserRows
    posts: PostRows
    follows: FollowRows
    interactions: InteractionRows


@dataclass(frozen=True, slots=True)
class LoadCounts:
    """Rows that were new."""

    users: int
    posts: int
    follows: int
    interactions: int


@dataclass(frozen=True, slots=True)
class RememberedShift:
    """By how much the times of the data set called `name` were moved when it was first loaded."""

    name: str
    seconds: float
