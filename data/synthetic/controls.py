"""Draws which posts and authors the users of a synthetic feed hide, mute and block.

A user does so just after a visit in which they only viewed a post, and has no later event with that post or author.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.control import Control, ControlAction
from app.domain.feed.dataset import EventColumns, FollowColumns, PostColumns, UserColumns, time_of
from data.synthetic.behaviour import VIEW

_POST_SHARE: Final = 0.03  # of the last visits to a post
_POST_ACTIONS: Final[dict[ControlAction, float]] = {
    "hide_post": 0.5,
    "not_interested": 0.45,
    "report_post": 0.05,
}
_AUTHOR_SHARE: Final = 0.03  # of the last visits to an author whom the user does not follow
_BLOCKED_SHARE: Final = 0.3
_TEMPORARY_SHARE: Final = 0.15  # of the muted authors
_MUTE: Final = timedelta(days=7)
MAX_DELAY_MS: Final = 30_000
"""The longest time between a visit and the control that follows it."""


def make_controls(
    rng: np.random.Generator,
    users: UserColumns,
    posts: PostColumns,
    follows: FollowColumns,
    events: EventColumns,
) -> list[Control]:
    """The controls of all users by time; the same state of `rng` gives the same ones."""
    user, author, n_users = events.user.astype(np.int64), posts.author[events.post], len(users)
    last = last_rows(user * len(posts) + events.post)
    hidden = only_viewed(last, events, author)
    hidden = hidden[rng.random(len(hidden)) < _POST_SHARE]
    post_actions = rng.choice(list(_POST_ACTIONS), len(hidden), p=list(_POST_ACTIONS.values()))

    last = last_rows(user * n_users + author)
    followed = np.isin(
        user * n_users + author, follows.follower.astype(np.int64) * n_users + follows.followee
    )
    muted = only_viewed(last[~followed[last]], events, author)
    muted = muted[rng.random(len(muted)) < _AUTHOR_SHARE]
    # A block works in both directions, so the author must not have seen the user's posts.
    seen_by_author = np.isin(author[muted] * n_users + user[muted], user * n_users + author)
    is_block = (rng.random(len(muted)) < _BLOCKED_SHARE) & ~seen_by_author
    is_temporary = (rng.random(len(muted)) < _TEMPORARY_SHARE) & ~is_block

    rows = np.concatenate([hidden, muted])
    actions = np.concatenate([post_actions, np.where(is_block, "block_author", "mute_author")])
    ends = np.concatenate([np.zeros(len(hidden), np.bool_), is_temporary])
    delay_us = rng.integers(1_000, MAX_DELAY_MS, len(rows)) * 1000
    time_us = np.minimum(events.time_us[rows] + delay_us, events.time_us.max(initial=0))
    controls = []
    for at in np.argsort(time_us, kind="stable").tolist():
        row, time = rows[at], time_of(int(time_us[at]))
        assert time is not None
        post, by = (posts.key[events.post[row]], None) if at < len(hidden) else (None, users.key[author[row]])
        controls.append(
            Control(
                _uuid(users.key[user[row]]),
                actions[at].item(),
                post_id=None if post is None else _uuid(post),
                author_id=None if by is None else _uuid(by),
                created_at=time,
                until=time + _MUTE if ends[at] else None,
            )
        )
    return controls


def _uuid(key: np.void) -> UUID:
    return UUID(bytes=key.tobytes())


def last_rows(pair: NDArray[np.int64]) -> NDArray[np.intp]:
    """The row of the last event of each pair."""
    rows: NDArray[np.intp] = len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]
    return rows


def only_viewed(last: NDArray[np.intp], events: EventColumns, author: NDArray[np.int32]) -> NDArray[np.intp]:
    """Those of the last events that end a visit without any other event than the view."""
    rows: NDArray[np.intp] = last[(events.kind[last] == VIEW) & (author[last] != events.user[last])]
    return rows
