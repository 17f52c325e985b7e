"""The model inputs that describe posts, computed once for all requests that rank them."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import grow
from app.domain.feed.state import FeedState
from app.domain.ranking.features import Feature
from app.domain.ranking.post_features import (
    NO_ENGAGEMENT,
    POST_FEATURES,
    PostBatch,
    largest_engagement_by_topic,
    newer_posts,
)

Rows = NDArray[np.intp]
_CAPACITY = 8192  # posts; a full table becomes empty


def post_inputs(state: FeedState, now: float, rows: Rows) -> NDArray[np.float32]:
    """(n_rows, n_inputs) the inputs POST_FEATURES of the distinct posts `rows` at `now`.

    They are computed once for each post, until the time, a post or the engagement with the post changes.
    """
    if len(rows) > _CAPACITY:  # the whole catalogue in an evaluation
        return np.concatenate(POST_FEATURES.blocks(PostBatch(state, now, rows)), dtype=np.float32).T
    table = state.memoised("post table", lambda: PostTable(state), lasting=True)
    return table.inputs(now, rows)


class _InputGroup:
    """Inputs of the table that become invalid together, and which slots have valid ones."""

    def __init__(self, features: Sequence[Feature[PostBatch]]) -> None:
        names = POST_FEATURES.names()
        self.features = features
        self.columns = np.array([names.index(name) for feature in features for name in feature.names])
        self.is_valid = np.zeros(_CAPACITY, np.bool_)
        self._version: Hashable = None

    def invalidate_unless(self, version: Hashable) -> None:
        """Invalidate all slots if they were computed for another `version`."""
        if version != self._version:
            self._version = version
            self.is_valid[:] = False


class PostTable:
    """Inputs of the posts that requests ranked lately. The cost does not depend on the number of posts of the feed.

    A post has the slot that `_slot_of` names if it is the owner of that slot (a sparse set, as in `GroupSums`).
    """

    def __init__(self, state: FeedState) -> None:
        self._state = state
        self._slot_of = np.zeros(state.n_posts, np.int32)  # by post row
        self._owner = np.zeros(_CAPACITY, np.intp)  # by slot: post row
        self._used = 0  # slots
        self._inputs = np.zeros((_CAPACITY, len(POST_FEATURES.names())), np.float32)  # by slot
        self._position = state.changed_posts.position  # of the changes that are taken into account
        self._largest = largest_engagement_by_topic(state)
        timed = [feature for feature in POST_FEATURES.features if feature.compute is not newer_posts]
        ordered = [feature for feature in POST_FEATURES.features if feature.compute is newer_posts]
        self._timed, self._ordered = _InputGroup(timed), _InputGroup(ordered)

    def inputs(self, now: float, rows: Rows) -> NDArray[np.float32]:
        """See `post_inputs`; at most _CAPACITY rows."""
        state = self._state
        self._discard_changed()
        slots = self._slots(rows)
        self._timed.invalidate_unless(now)
        self._ordered.invalidate_unless((state.posts_version, state.published_count(now)))
        for group in (self._timed, self._ordered):
            missing = slots[~group.is_valid[slots]]
            if len(missing):
                batch = PostBatch(state, now, self._owner[missing])
                blocks = [feature.compute(batch) for feature in group.features]
                self._inputs[missing[:, None], group.columns] = np.concatenate(blocks).T
                group.is_valid[missing] = True
        return self._inputs.take(slots, axis=0)

    def _slots(self, rows: Rows) -> NDArray[np.int32]:
        """(n_rows,) the slots of distinct posts; a post without a slot gets the next one."""
        slots, has_slot = self._find(rows)
        if has_slot.all():
            return slots
        new = rows[~has_slot]
        if self._used + len(new) > _CAPACITY:
            self._used, new = 0, rows
        taken = np.arange(self._used, self._used + len(new))
        self._slot_of[new], self._owner[taken] = taken, new
        self._timed.is_valid[taken] = self._ordered.is_valid[taken] = False
        self._used += len(new)
        return self._slot_of[rows]

    def _find(self, rows: Rows) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """(slots (n_rows,), has_slot (n_rows,)): the slot of a post without one has no meaning."""
        slots = self._slot_of[rows]
        return slots, (self._owner[slots] == rows) & (slots < self._used)

    def _discard_changed(self) -> None:
        """Invalidate the posts whose inputs a change concerns.

        These are the changed posts, the posts of their authors, and those of a topic with another largest count.
        Invalidating all posts instead, a ranking costs 1.15 x the CPU if an event arrives before each.
        """
        state, valid = self._state, self._timed.is_valid
        if state.changed_posts.position == self._position:
            return
        changed = state.changed_posts.since(self._position)
        self._position = state.changed_posts.position
        self._slot_of = grow(self._slot_of, state.n_posts)
        if changed is None:
            valid[:] = False
        else:
            authors = np.unique(state.author[changed])
            _, (by_authors,) = state.posts_by_author.gather(
                authors[authors >= 0].astype(np.intp), state.n_posts
            )
            slots, has_slot = self._find(np.concatenate([changed, by_authors]))
            valid[slots[has_slot]] = False
            before, self._largest = self._largest, largest_engagement_by_topic(state)
            is_new = self._largest != np.append(
                before, np.full(len(self._largest) - len(before), NO_ENGAGEMENT)
            )
            if is_new.any():
                owners = self._owner[: self._used]
                valid[: self._used] &= ~is_new[state.topic[owners] + 1]
