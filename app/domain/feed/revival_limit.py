"""How many evicted posts the events of one user bring back into memory."""

from collections import defaultdict
from collections.abc import Hashable
from datetime import date
from typing import Final

REVIVED_POSTS_PER_USER: Final = 20
"""Evicted posts that the events of one user bring back in a day. Further events on such posts are only stored."""


class RevivalLimit:
    """Counts the posts that each user brought back on the present day."""

    def __init__(self) -> None:
        self._day = date.min  # of the latest event
        self._revived_by_user: defaultdict[Hashable, set[Hashable]] = defaultdict(set)  # on this day

    def allows(self, day: date, user: Hashable, post: Hashable) -> bool:
        """Whether an event of a user on a day brings an evicted post back. An earlier day counts as the latest one."""
        if day > self._day:
            self._day = day
            self._revived_by_user.clear()
        revived = self._revived_by_user[user]
        if len(revived) < REVIVED_POSTS_PER_USER:
            revived.add(post)
        return post in revived
