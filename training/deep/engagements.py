"""The training examples of the two-tower model: first engagements, each with the user's events before it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from training.deep.two_tower import MAX_HISTORY

WINDOW = 4096
"""Successive examples from which batches are drawn, so that the posts of a batch existed at the same time."""


@dataclass(frozen=True, slots=True, eq=False)
class ExampleBatch:
    """Some examples of one window.

    posts      (n_posts,) the distinct post rows that the batch names; the rest of the batch are positions in them
    target     (n,) the post that each user engaged with
    history    (n, MAX_HISTORY) posts of the user's newest earlier events, -1 padding
    log_share  (n,) log of the share of the window's examples that have the target
    """

    posts: NDArray[np.intp]
    target: NDArray[np.intp]
    history: NDArray[np.intp]
    log_share: NDArray[np.float32]


class Engagements:
    """The first event of each user with each post of another author, in order of time."""

    def __init__(self, events: EventColumns, post_author: NDArray[np.integer[Any]]) -> None:
        """`events` are in order of time; `post_author` (n_posts,) is the user row of each author, -1 unknown."""
        user, post = events.user.astype(np.int64), events.post.astype(np.int64)
        pair = user * (int(post.max(initial=0)) + 1) + post
        first = np.sort(np.unique(pair, return_index=True)[1])
        first = first[post_author[post[first]] != user[first]]
        self.time, self.user, self.post = events.time[first], user[first], post[first]
        # The events of each user are adjacent, by time. An example reads those with a smaller time.
        by_user = np.argsort(user, kind="stable")
        self._posts_by_user = post[by_user]
        _, time_number = np.unique(events.time, return_inverse=True)
        key = user * (len(events.time) + 1) + time_number
        self._end = np.searchsorted(key[by_user], key[first])
        self._start = np.searchsorted(user[by_user], self.user)

    def __len__(self) -> int:
        return len(self.post)

    def batches(
        self, first: int, last: int, size: int, random: np.random.Generator
    ) -> Iterator[ExampleBatch]:
        """The examples `first` to `last` in random batches of `size`, each at most once.

        A window leaves out up to size - 1 of them, so that every batch has the same size.
        """
        offset = int(random.integers(0, WINDOW)) if last - first > WINDOW else 0
        edges = np.unique(np.clip(np.arange(first - offset, last + WINDOW, WINDOW), first, last))
        for window in random.permutation(len(edges) - 1).tolist():
            examples = np.arange(edges[window], edges[window + 1])
            _, position, count = np.unique(self.post[examples], return_inverse=True, return_counts=True)
            log_share = np.log(count / len(examples))[position].astype(np.float32)
            order = random.permutation(len(examples))
            for start in range(0, len(order) - size + 1, size):
                drawn = order[start : start + size]
                yield self._batch(examples[drawn], log_share[drawn])

    def _batch(self, examples: NDArray[np.intp], log_share: NDArray[np.float32]) -> ExampleBatch:
        end = self._end[examples]
        places = end[:, None] - np.arange(1, MAX_HISTORY + 1)
        known = places >= self._start[examples][:, None]
        history = self._posts_by_user[places * known]
        posts, position = np.unique(
            np.concatenate([self.post[examples], history[known]]), return_inverse=True
        )
        placed = np.full(history.shape, -1, np.intp)
        placed[known] = position[len(examples) :]
        return ExampleBatch(posts, position[: len(examples)], placed, log_share)
