"""Threads and reposts as groups of posts, and the snapshot of who may see what."""

from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.entities import User
from app.domain.feed.row_set import RowSet
from app.domain.feed.visibility import NO_ID, FeedVisibility, PostSettings, Viewer
from tests.support.state_copies import copied

KEYS = [UUID(int=number) for number in range(8)]


def settings_with(root_ids: list[UUID | None]) -> PostSettings:
    n = len(root_ids)
    return PostSettings(["public"] * n, [None] * n, [None] * n, [False] * n, root_ids, [None] * n)


@given(st.lists(st.integers(-1, 7), min_size=8, max_size=8), st.permutations(range(8)))
def test_a_thread_is_the_posts_with_one_root_and_the_root_in_any_order_of_arrival(roots, arrivals):
    visibility, rows = FeedVisibility(), {}
    visibility.ensure_rows(0, 8)
    for row, number in enumerate(arrivals):
        rows[KEYS[number].bytes] = row
        root = None if roots[number] < 0 else KEYS[roots[number]]
        visibility.set_posts(np.array([row]), [KEYS[number].bytes], settings_with([root]), rows.get)

    heads = {number: roots[number] if roots[number] >= 0 else number for number in range(8)}
    in_threads = {number for number in range(8) if roots[number] >= 0 or number in roots}
    for first in range(8):
        a = visibility.thread[arrivals.index(first)]
        assert (a == NO_ID) == (first not in in_threads)
        for second in in_threads:
            b = visibility.thread[arrivals.index(second)]
            assert (a == b) == (heads[first] == heads[second])


def test_a_snapshot_restores_everything():
    visibility = FeedVisibility()
    visibility.ensure_rows(2, 3)
    rows = np.arange(3)
    settings = PostSettings(
        ["members", "followers", "public"],
        ["club", None, None],
        ["de", None, "EN-us"],
        [False, True, False],
        [KEYS[1], None, None],
        [None, KEYS[2], None],
    )
    visibility.set_posts(rows, [key.bytes for key in KEYS[:3]], settings, lambda key: key[-1])
    visibility.set_user(0, User(KEYS[0], "a", languages=("de",), show_sensitive=True, audiences=("club",)))
    visibility.set_user(1, User(KEYS[1], "b", discoverable=False, personalised=False))

    restored = FeedVisibility.from_tree(copied(visibility.array_tree(2, 3)), 2, 3)

    assert restored.has_groups
    for user in (0, 1, -1):
        viewer, authors = Viewer(user, RowSet(np.array([1]), 3)), np.array([1, 0, -1])
        shown = visibility.visible_to(viewer, rows, authors)
        assert np.array_equal(restored.visible_to(viewer, rows, authors), shown)
    assert (restored.thread[0] == restored.thread[1], restored.original[1] == restored.original[2]) == (
        True,
        True,
    )
    assert restored.is_personalised(0) > restored.is_personalised(1)


def test_posts_of_unknown_authors_are_visible_in_a_feed_without_users():
    visibility = FeedVisibility()
    visibility.ensure_rows(0, 2)
    settings = PostSettings(["public"] * 2, [None] * 2, ["de", None], [False, True], [None] * 2, [None] * 2)
    visibility.set_posts(np.arange(2), [key.bytes for key in KEYS[:2]], settings, lambda key: None)

    viewer = Viewer(-1, RowSet(np.empty(0, np.intp), 0))

    assert visibility.visible_to(viewer, np.arange(2), np.array([-1, -1])).tolist() == [True, False]
