"""The posts that were shown to each user, in the feed state: the newest of them, with what became of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_PER_USER = 500
"""Impressions of one user that are kept, the newest."""
IMPRESSION = np.dtype([("post", np.int32), ("time", np.float64), ("seen", np.bool_)])
"""Post row, time of the page in seconds, and whether the client reported that the post was on screen."""
_NONE = np.empty(0, IMPRESSION)


class FeedImpressions:
    """The newest impressions by user row. A user's array has no spare capacity, so recording copies it: 6.5 kB."""

    def __init__(self) -> None:
        self._by_user: dict[int, NDArray[np.void]] = {}

    def of(self, user: int) -> NDArray[np.void]:
        """(n,) impressions of a user row (-1: unknown user), in order of arrival."""
        return self._by_user.get(user, _NONE)

    def record(self, user: int, posts: NDArray[np.integer[Any]], time: float, *, seen: bool = False) -> None:
        """Add posts of the page that a user got at `time`. A post of this page that is known can only become seen."""
        known = self.of(user)
        of_page = known["time"] == time
        if seen:
            known["seen"][of_page & np.isin(known["post"], posts)] = True
        posts = posts[~np.isin(posts, known["post"][of_page])]
        new = np.empty(len(posts), IMPRESSION)
        new["post"], new["time"], new["seen"] = posts, time, seen
        self._by_user[user] = np.concatenate([known, new])[-MAX_PER_USER:]

    def remove(self, user: int) -> None:
        """Remove the impressions of a user row."""
        self._by_user.pop(user, None)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """The user rows, the number of impressions of each, and the columns of all (see `from_snapshot`)."""
        arrays = list(self._by_user.values())
        entries = np.concatenate([_NONE, *arrays])
        columns = {name: np.ascontiguousarray(entries[name]) for name in ("post", "time", "seen")}
        return {
            "user": np.array(list(self._by_user), np.int64),
            "length": np.array(list(map(len, arrays)), np.int64),
            **columns,
        }

    @classmethod
    def from_snapshot(cls, saved: Mapping[str, NDArray[Any]]) -> "FeedImpressions":
        """The inverse of `snapshot`."""
        entries = np.empty(len(saved["post"]), IMPRESSION)
        for name in ("post", "time", "seen"):
            entries[name] = saved[name]
        impressions = cls()
        # copies, because a part of the whole array would keep all of it in memory
        parts = [part.copy() for part in np.split(entries, np.cumsum(saved["length"])[:-1])]
        impressions._by_user = dict(zip(saved["user"].tolist(), parts, strict=False))
        return impressions
