"""Which events count. Whatever ranks counts people, not rows: repeating an event moves nobody's feed further."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.ragged import RaggedArray
from app.domain.feed.time_units import DAY, HOUR


@dataclass(frozen=True, slots=True)
class CountingRule:
    """Events of one user with one post and one type count once in `window_minutes` of receipt, `limit` times in all.

    The earliest received event of a window counts, at its own time. A later window begins with the first event that
    was received `window_minutes` or more after the last one that counted. An author's events on own posts never count.

    A counted event adds the weight of its kind to decayed counts: `kind_weights` (5,), in the order of
    INTERACTION_TYPES. Events in the first `new_account_hours` of an account are multiplied by `new_account_weight`, and
    backdated ones as well. Events long before the account are imported: then the time of sign-up is not known.
    """

    window_minutes: float = 60.0
    limit: int = 3
    kind_weights: tuple[float, ...] = (1 / 7, 2 / 7, 5 / 7, 1.0, 10 / 7)
    new_account_weight: float = 1.0
    new_account_hours: float = 24.0

    @property
    def window_seconds(self) -> float:
        """The length of a window in seconds."""
        return 60.0 * self.window_minutes

    def allows(self, received: float, counted: Iterable[float]) -> bool:
        """Whether an event received at `received` counts after those received at `counted` (seconds)."""
        times = tuple(counted)
        return len(times) < self.limit and (not times or received - max(times) >= self.window_seconds)

    def weights(
        self, kinds: NDArray[np.uint8], times: NDArray[np.float64], accounts_created: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n_events,) what events add to decayed counts.

        `times` of the events and of the creation of their users' accounts (n_events,) in seconds; -inf: long ago.
        """
        weights: NDArray[np.float64] = np.array(self.kind_weights)[kinds]
        if self.new_account_weight == 1.0:
            return weights
        age = times - accounts_created
        is_new = (age >= -MAX_BACKDATED_SECONDS) & (age < self.new_account_hours * HOUR)
        return weights * np.where(is_new, self.new_account_weight, 1.0)


MAX_BACKDATED_SECONDS: Final = 7 * DAY  # the API rejects older events
DEFAULT_RULE: Final = CountingRule()


def counted_events(
    rule: CountingRule, events: EventColumns, author_of_post: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """(n_events,) true for the events that count, of a feed that has counted none before.

    `author_of_post` (n_posts,) are user rows, -1 unknown. An event's result does not depend on later received events.
    """
    counts = np.zeros(len(events), np.bool_)
    foreign = np.flatnonzero(author_of_post[events.post] != events.user)
    # one number for each (user, post, kind); only those with several events need the windows
    group = events.user[foreign].astype(np.int64) * len(author_of_post) + events.post[foreign]
    group = group * 256 + events.kind[foreign]
    _, group, sizes = np.unique(group, return_inverse=True, return_counts=True)
    counts[foreign] = True
    repeated = sizes[group] > 1
    rows = foreign[repeated]
    counts[rows] = _first_of_windows(rule, group[repeated], events.received[rows], events.seq[rows])
    return counts


def _first_of_windows(
    rule: CountingRule,
    group: NDArray[np.intp],
    received: NDArray[np.float64],
    seq: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """(n,) true for the first event of each of the first `limit` windows of a group; of equal times by `seq`."""
    counts = np.zeros(len(group), np.bool_)
    if not len(group):
        return counts
    order = np.lexsort((seq, received, group))
    group, times = group[order], received[order]
    # Sort key of (group, time) without rounding: times are replaced by their ranks.
    ascending = np.sort(times)
    key = group * (len(ascending) + 1) + np.searchsorted(ascending, times)
    position = np.flatnonzero(np.diff(group, prepend=-1))
    for _ in range(rule.limit):
        counts[order[position]] = True
        window_end = np.searchsorted(ascending, times[position] + rule.window_seconds)
        following = np.searchsorted(key, group[position] * (len(ascending) + 1) + window_end)
        following = np.maximum(following, position + 1)  # with a window of 0
        in_group = following < len(group)
        in_group[in_group] = group[following[in_group]] == group[position[in_group]]
        position = following[in_group]
    return counts


ReceivedEvents = Mapping[tuple[int, int, int], Sequence[float]]
"""Times in seconds at which the counted events of a user row with a post row and of a kind were received."""


def newly_counted_events(
    rule: CountingRule,
    events: EventColumns,
    author_of_post: NDArray[np.int32],
    counted_by_user: RaggedArray,
    known: ReceivedEvents | None = None,
) -> NDArray[np.bool_]:
    """(n_events,) true for the events that count after those that a state has counted.

    `counted_by_user` holds these by user row: post, time, kind, time of receipt, number in the log. Those of which it
    has no more than a part are `known`.
    """
    counts = np.zeros(len(events), np.bool_)
    received_by_group = {group: list(received) for group, received in (known or {}).items()}
    for place in np.lexsort((events.seq, events.received)).tolist():
        user, post, kind = (int(column[place]) for column in (events.user, events.post, events.kind))
        if author_of_post[post] == user:
            continue
        group = user, post, kind
        if group not in received_by_group:
            posts, _, kinds, received, _ = counted_by_user.row(user)
            received_by_group[group] = received[(posts == post) & (kinds == kind)].tolist()
        earlier = received_by_group[group]
        if rule.allows(float(events.received[place]), earlier):
            earlier.append(float(events.received[place]))
            counts[place] = True
    return counts
