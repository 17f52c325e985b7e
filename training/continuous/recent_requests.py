"""Selects the requests that continuous training learns from: the newest ones, and a sample of older ones."""

from collections import Counter, OrderedDict, deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_NEWEST: Final = 4000
MAX_OLDER: Final = 1000
MAX_PER_USER: Final = 20
"""Requests of one user among the newest, and as many among the older ones: nobody teaches more than others can."""


class RecentRequests:
    """The newest requests, and a uniform sample of those that were among them before (reservoir sampling, Vitter 1985).

    Of a user who makes more requests than `per_user`, only the newest stay. The others are not learned from again.
    """

    def __init__(
        self,
        newest: int = MAX_NEWEST,
        older: int = MAX_OLDER,
        per_user: int = MAX_PER_USER,
        seed: int = 0,
    ) -> None:
        self._max_newest, self._max_older, self._per_user = newest, older, per_user
        self._random = np.random.default_rng(seed)
        self._newest: OrderedDict[int, int] = OrderedDict()  # request -> user, oldest first
        self._of_user: dict[int, deque[int]] = {}
        self._older: list[tuple[int, int]] = []  # request, user
        self._older_of_user: Counter[int] = Counter()
        self._n_older = 0

    def add(self, request: int, user: int) -> None:
        """Add a request that is newer than all others. Its number is any that no other request has."""
        of_user = self._of_user.setdefault(user, deque())
        if len(of_user) == self._per_user:
            del self._newest[of_user.popleft()]
        of_user.append(request)
        self._newest[request] = user
        if len(self._newest) > self._max_newest:
            oldest, its_user = self._newest.popitem(last=False)
            self._of_user[its_user].popleft()
            if not self._of_user[its_user]:
                del self._of_user[its_user]
            self._sample(oldest, its_user)

    def numbers(self) -> NDArray[np.intp]:
        """(n,) the requests to learn from: the sample of older ones, then the newest in order of time."""
        return np.array([*(request for request, _ in self._older), *self._newest], np.intp)

    def _sample(self, request: int, user: int) -> None:
        """Take a request into the sample, each with the same probability."""
        if self._older_of_user[user] == self._per_user:
            return
        self._n_older += 1
        if len(self._older) < self._max_older:
            self._older.append((request, user))
        else:
            place = int(self._random.integers(self._n_older))
            if place >= self._max_older:
                return
            self._older_of_user[self._older[place][1]] -= 1
            self._older[place] = request, user
        self._older_of_user[user] += 1
