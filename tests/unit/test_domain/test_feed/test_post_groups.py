"""Threads and reposts as groups of posts."""

from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.post_groups import NO_GROUP, PostGroups
from app.domain.feed.post_settings import PostSettings
from tests.support.state_copies import copied

KEYS = [UUID(int=number) for number in range(8)]


def settings_with(root_ids: list[UUID | None]) -> PostSettings:
    n = len(root_ids)
    return PostSettings(["public"] * n, [None] * n, [None] * n, [False] * n, root_ids, [None] * n)


@given(st.lists(st.integers(-1, 7), min_size=8, max_size=8), st.permutations(range(8)))
def test_a_thread_is_the_posts_with_one_root_and_the_root_in_any_order_of_arrival(roots, arrivals):
    groups, rows = PostGroups(), {}
    groups.ensure_rows(8)
    for row, number in enumerate(arrivals):
        rows[KEYS[number].bytes] = row
        root = None if roots[number] < 0 else KEYS[roots[number]]
        groups.set_posts(np.array([row]), [KEYS[number].bytes], settings_with([root]), rows.get)

    heads = {number: roots[number] if roots[number] >= 0 else number for number in range(8)}
    in_threads = {number for number in range(8) if roots[number] >= 0 or number in roots}
    for first in range(8):
        a = groups.thread[arrivals.index(first)]
        assert (a == NO_GROUP) == (first not in in_threads)
        for second in in_threads:
            b = groups.thread[arrivals.index(second)]
            assert (a == b) == (heads[first] == heads[second])


def test_a_snapshot_restores_threads_and_originals():
    groups = PostGroups()
    groups.ensure_rows(3)
    settings = PostSettings(
        ["public"] * 3, [None] * 3, [None] * 3, [False] * 3, [KEYS[1], None, None], [None, KEYS[2], None]
    )
    groups.set_posts(np.arange(3), [key.bytes for key in KEYS[:3]], settings, lambda key: key[-1])

    restored = PostGroups.from_tree(copied(groups.array_tree(3)), 3)

    assert restored.thread.tolist() == [0, 0, NO_GROUP]
    assert restored.original.tolist() == [NO_GROUP, 0, 0]
    heads = restored.heads(np.arange(3), [key.bytes for key in KEYS[:3]])
    assert heads == (frozenset({KEYS[1], KEYS[2]}), frozenset({KEYS[0], KEYS[2]}))
