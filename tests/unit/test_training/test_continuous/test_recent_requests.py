"""Which requests continuous training learns from."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.continuous.recent_requests import RecentRequests


@given(st.lists(st.integers(0, 6), max_size=120), st.integers(1, 20), st.integers(0, 10), st.integers(1, 5))
def test_the_newest_stay_and_no_user_has_more_than_their_share(
    users: list[int], newest: int, older: int, per_user: int
) -> None:
    recent = RecentRequests(newest, older, per_user)

    for request, user in enumerate(users):
        recent.add(request, user)

    kept = recent.numbers().tolist()
    assert len(set(kept)) == len(kept) <= newest + older
    assert max(Counter(users[one] for one in kept).values(), default=0) <= 2 * per_user
    of_user: Counter[int] = Counter()
    expected: list[int] = []
    for request in range(len(users) - 1, -1, -1):
        of_user[users[request]] += 1
        if of_user[users[request]] <= per_user and len(expected) < newest:
            expected.insert(0, request)
    assert kept[-len(expected) :] == expected if expected else kept == []


def test_older_requests_are_a_uniform_sample() -> None:
    chosen = np.zeros(400)
    for seed in range(300):
        recent = RecentRequests(newest=10, older=40, seed=seed)
        for request in range(410):
            recent.add(request, user=request)
        chosen[recent.numbers()[:40]] += 1

    by_quarter = chosen.reshape(4, 100).sum(axis=1) / chosen.sum()
    assert np.abs(by_quarter - 0.25).max() < 0.02


def test_one_account_with_thousands_of_requests_has_twenty() -> None:
    recent = RecentRequests()
    for request in range(3000):
        recent.add(request, user=request % 1000 + 1)
    for request in range(3000, 13_000):
        recent.add(request, user=0)

    numbers = recent.numbers()
    assert (numbers >= 3000).sum() == 20
    assert (numbers < 3000).sum() == 3000
