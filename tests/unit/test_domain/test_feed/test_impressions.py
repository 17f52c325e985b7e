"""The newest posts that were shown to each user."""

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.impressions import MAX_PER_USER, FeedImpressions
from tests.support.state_copies import copied

pages = st.lists(
    st.tuples(
        st.integers(0, 2),  # user row
        st.integers(0, 3),  # time of the page, in seconds
        st.lists(st.integers(0, 300), max_size=200, unique=True),
        st.booleans(),
    ),
    max_size=15,
)


def entries(impressions: FeedImpressions, user: int) -> list[tuple[int, float, bool]]:
    return [tuple(one) for one in zip(*(column.tolist() for column in impressions.of(user)), strict=True)]


@given(pages=pages)
def test_the_newest_impressions_of_each_user_are_kept_once_for_each_page(
    pages: list[tuple[int, int, list[int], bool]],
) -> None:
    impressions = FeedImpressions()
    expected: defaultdict[int, dict[tuple[int, float], bool]] = defaultdict(dict)
    for user, time, posts, seen in pages:
        impressions.record(user, np.array(posts, np.intp), float(time), seen=seen)
        for post in posts:
            expected[user][post, float(time)] = expected[user].get((post, float(time)), False) or seen
        while len(expected[user]) > MAX_PER_USER:
            expected[user].pop(next(iter(expected[user])))

    for user in range(3):
        assert entries(impressions, user) == [(*key, seen) for key, seen in expected[user].items()]
    again = FeedImpressions.from_tree(copied(impressions.array_tree()), 3, 10**6)
    assert [entries(again, user) for user in range(3)] == [entries(impressions, user) for user in range(3)]


def test_a_user_without_impressions_has_none() -> None:
    impressions = FeedImpressions()
    impressions.record(0, np.array([1]), 0.0)

    impressions.remove(0)

    assert [entries(impressions, user) for user in (-1, 0, 1)] == [[], [], []]
