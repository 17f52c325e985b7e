"""The snapshot of who may see what, and feeds without users."""

from uuid import UUID

import numpy as np

from app.domain.entities import User
from app.domain.feed.post_settings import PostSettings
from app.domain.feed.row_set import RowSet
from app.domain.feed.visibility import FeedVisibility, Viewer
from tests.support.state_copies import copied

KEYS = [UUID(int=number) for number in range(8)]


def test_a_snapshot_restores_everything():
    visibility = FeedVisibility()
    visibility.ensure_rows(2, 3)
    rows = np.arange(3)
    settings = PostSettings(
        ["members", "followers", "public"],
        ["club", None, None],
        ["de", None, "EN-us"],
        [False, True, False],
        [None] * 3,
        [None] * 3,
    )
    visibility.set_posts(rows, settings)
    visibility.set_user(0, User(KEYS[0], "a", languages=("de",), show_sensitive=True, audiences=("club",)))
    visibility.set_user(1, User(KEYS[1], "b", discoverable=False, personalised=False))

    restored = FeedVisibility.from_tree(copied(visibility.array_tree(2, 3)), 2, 3)

    for user in (0, 1, -1):
        viewer, authors = Viewer(user, RowSet(np.array([1]), 3)), np.array([1, 0, -1])
        shown = visibility.visible_to(viewer, rows, authors)
        assert np.array_equal(restored.visible_to(viewer, rows, authors), shown)
    assert restored.is_personalised(0) > restored.is_personalised(1)


def test_posts_of_unknown_authors_are_visible_in_a_feed_without_users():
    visibility = FeedVisibility()
    visibility.ensure_rows(0, 2)
    settings = PostSettings(["public"] * 2, [None] * 2, ["de", None], [False, True], [None] * 2, [None] * 2)
    visibility.set_posts(np.arange(2), settings)

    viewer = Viewer(-1, RowSet(np.empty(0, np.intp), 0))

    assert visibility.visible_to(viewer, np.arange(2), np.array([-1, -1])).tolist() == [True, False]
