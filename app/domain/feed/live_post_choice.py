"""Chooses the live posts of a feed whose events come post by post, so that memory holds the possible ones only."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import KEY_DTYPE, EventColumns
from app.domain.feed.decayed_counters import DecayedCounters
from app.domain.feed.event_counting import CountingRule, counted_events
from app.domain.feed.live_posts import LivePostLimits, live_posts
from app.domain.feed.state import HALF_LIVES

_MAX_GROWTH: Final = 2  # of the possible posts, until those that are not live among them are dropped


class LivePostChoice:
    """The engaged posts that are live, of those that were added: the strongest and the recently engaged ones.

    A post that is not live among some posts is not live among more. So the result is that of `live_posts` on all.
    """

    def __init__(
        self, limits: LivePostLimits, counting: CountingRule, accounts_created: NDArray[np.float64]
    ) -> None:
        """`limits.newest` does not matter. `accounts_created` (n_users,) as in FeedState."""
        self._limits = LivePostLimits(0, limits.strongest, limits.engaged_days)
        self._counting = counting
        self._accounts_created = accounts_created
        self._keys = np.empty(0, KEY_DTYPE)
        self._seq = np.empty(0, np.int64)
        self._last_engaged = np.empty(0)
        self._log2_counts = np.empty((len(HALF_LIVES), 0))
        self._n_live = 0

    def add(self, keys: NDArray[np.void], seq: NDArray[np.int64], events: EventColumns) -> None:
        """Add n posts, given by their keys and numbers, with all their events, whose `post` is below n.

        Events of an author with own posts do not count and must not be among them.
        """
        nobody = np.full(len(keys), -1, np.int32)
        events = events[np.flatnonzero(counted_events(self._counting, events, nobody))]
        events = events[np.lexsort((events.seq, events.time_us))]
        weights = self._counting.weights(events.kind, events.time, self._accounts_created[events.user])
        counters, last_engaged = DecayedCounters(HALF_LIVES), np.full(len(keys), -np.inf)
        counters.ensure_rows(len(keys))
        counters.add(events.post.astype(np.intp), events.time, weights)
        np.maximum.at(last_engaged, events.post, events.time)
        engaged = np.flatnonzero(last_engaged > -np.inf)
        self._keys = np.concatenate([self._keys, keys[engaged]])
        self._seq = np.concatenate([self._seq, seq[engaged]])
        self._last_engaged = np.concatenate([self._last_engaged, last_engaged[engaged]])
        self._log2_counts = np.concatenate([self._log2_counts, counters.log2_counts(engaged)], axis=1)
        if len(self._keys) > _MAX_GROWTH * self._n_live:
            self._drop_others()

    def keys(self) -> NDArray[np.void]:
        """(n,) keys of the live ones."""
        self._drop_others()
        return self._keys

    def _drop_others(self) -> None:
        """Keep the posts that are live among those that were added."""
        created = np.zeros(len(self._keys))  # no post is one of the newest
        live = live_posts(self._limits, created, self._seq, self._last_engaged, self._log2_counts)
        self._keys, self._seq = self._keys[live], self._seq[live]
        self._last_engaged, self._log2_counts = self._last_engaged[live], self._log2_counts[:, live]
        self._n_live = len(self._keys)
