"""Draws which posts of a synthetic feed are replies or reposts, and of which earlier post of their community."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from data.synthetic.population import MS_PER_HOUR, Posts

_REPLY_SHARE: Final = 0.12
_REPOST_SHARE: Final = 0.04
_MAX_DELAY: Final = 72 * MS_PER_HOUR
_MAX_STEPS: Final = 4  # posts of the community between a post and the one that it replies to

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Threads:
    """(n_posts,) rows of posts, -1 for none. A reply has a root, the first post of its thread."""

    reply_to: Rows
    root: Rows
    repost_of: Rows

    @property
    def alone(self) -> NDArray[np.bool_]:
        """(n_posts,) true for posts without a thread or a repost."""
        alone = (self.reply_to < 0) & (self.repost_of < 0)
        for target in (self.reply_to, self.root, self.repost_of):
            alone[target[target >= 0]] = False
        return alone


def make_threads(rng: np.random.Generator, posts: Posts) -> Threads:
    """The replies and reposts among the posts; the same state of `rng` gives the same ones."""
    n = len(posts.author)
    order = np.argsort(posts.community, kind="stable")  # by community, then by time
    at = np.empty(n, np.intp)
    at[order] = np.arange(n)
    before = at - 1 - np.floor(_MAX_STEPS * rng.random(n) ** 2).astype(np.intp)
    target = order[np.maximum(before, 0)]
    possible = (before >= 0) & (posts.community[target] == posts.community)
    possible &= posts.created - posts.created[target] < _MAX_DELAY
    kind = rng.random(n)
    is_reply = possible & (kind < _REPLY_SHARE)
    is_repost = possible & (kind > 1 - _REPOST_SHARE) & (posts.author[target] != posts.author)
    is_repost &= ~(is_reply | is_repost)[target]  # of an original, so that no chains arise
    root = np.full(n, -1)
    for row in np.flatnonzero(is_reply).tolist():  # earlier posts first
        parent = target[row]
        root[row] = parent if root[parent] < 0 else root[parent]
    return Threads(np.where(is_reply, target, -1), root, np.where(is_repost, target, -1))
