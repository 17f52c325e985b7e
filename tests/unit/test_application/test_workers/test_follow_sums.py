"""The checksums of follows, one user after the other."""

from collections import defaultdict

import numpy as np

from app.application.workers.follow_sums import follow_sums
from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.row_checksums import follow_checksums
from app.domain.feed.state import FeedState

USERS = 210_000  # more than a step has


def test_sums_are_those_of_each_follower_without_removed_users() -> None:
    random, state = np.random.default_rng(1), FeedState()
    keys = np.frombuffer(random.bytes(16 * USERS), KEY_DTYPE)
    state.append_users(keys)
    follower, followee = random.integers(0, USERS, (2, 500))
    follower[:50], followee[50:100] = 7, 7
    follower[100:150], followee[150:200] = 150_000, 150_000
    state.follow(follower, followee)
    state.remove_user(keys[7].tobytes())

    sums = follow_sums(state)

    expected: defaultdict[bytes, int] = defaultdict(int)
    for one, other in set(zip(follower.tolist(), followee.tolist(), strict=True)):
        if 7 not in (one, other) and one != other:
            expected[keys[one].tobytes()] += int(follow_checksums(keys[[one]], keys[[other]])[0])
    assert sums.by_key() == expected


def test_a_state_without_users_has_no_sums() -> None:
    assert follow_sums(FeedState()).by_key() == {}
