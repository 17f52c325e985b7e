"""A feed in order of time, of which the state has the live posts only, as a service has."""

from datetime import UTC, date, datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import FeedDataset
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.eviction import evict_posts, evictable_posts
from app.domain.feed.list_limits import UNLIMITED
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.retraction import PairEvents, replace_events
from app.domain.feed.revival_limit import RevivalLimit
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from training.replay.post_spaces import PostSpaces

_SHARE_BETWEEN_EVICTIONS = 0.1  # of the newest posts that are live, as in a service
Rows = NDArray[np.intp]


def eviction_times(timeline: FeedTimeline, limits: LivePostLimits) -> NDArray[np.float64]:
    """The times in seconds at which posts that are not live leave memory: each time a tenth of the newest ones came.

    They depend on the feed only, not on the requests that are replayed.
    """
    step = max(round(_SHARE_BETWEEN_EVICTIONS * limits.newest), 1)
    return timeline.post_times[limits.newest + step :: step]


class LiveTimeline(FeedTimeline):
    """The rows of posts are those of a timeline with all posts: evicted posts keep theirs, and return to them.

    Lists of events are not limited: nothing has to refill them, and rankings read the newest entries only.
    """

    def __init__(self, dataset: FeedDataset, counting: CountingRule | None, limits: LivePostLimits) -> None:
        super().__init__(dataset, replay=True, counting=counting, limits=UNLIMITED)
        self._limits = limits
        self._is_evicted = np.zeros(len(dataset.posts), np.bool_)  # by row
        self._evictions = eviction_times(self, limits)
        self._next_eviction = 0
        self._limit = RevivalLimit()

    def advance(self, until: float) -> None:
        """As in FeedTimeline."""
        for time in self._evictions[self._next_eviction :].tolist():
            if time >= until:
                break
            super().advance(time)
            self._evict()
            self._next_eviction += 1
        super().advance(until)

    def _evict(self) -> None:
        state = self.state
        rows, state.complete_from = evictable_posts(state, self._limits)
        for user in state.impressions.users():
            state.impressions.discard(user, np.sort(rows))
        evict_posts(state, rows)
        self._is_evicted[rows] = True

    def _record(self, start: int, stop: int) -> None:
        """Apply events; those with evicted posts bring them back, as far as RevivalLimit allows."""
        events = self.events[start:stop]
        of_evicted = np.flatnonzero(self._is_evicted[events.post])
        if len(of_evicted):
            of = zip(
                *(column[of_evicted].tolist() for column in (events.time, events.user, events.post)),
                strict=True,
            )
            allowed = {post for time, user, post in of if self._limit.allows(_day(time), user, post)}
            self._bring_back(np.array(sorted(allowed), np.intp), start)
        kept = np.flatnonzero(~self._is_evicted[events.post])
        self.state.record(events[kept], self.counted[start:stop][kept])

    def _bring_back(self, rows: Rows, before: int) -> None:
        """Add evicted posts again, with their events before the event `before`."""
        if not len(rows):
            return
        self.state.free_rows = rows[::-1].tolist()
        self._add_posts(self.post_order[rows])
        self._is_evicted[rows] = False
        order, first = self._events_by_post
        pairs = []
        for row in rows.tolist():
            events = self.events[order[first[row] : first[row + 1]]]
            events = events[np.flatnonzero(order[first[row] : first[row + 1]] < before)]
            pairs += [
                PairEvents(user, row, (), events[np.flatnonzero(events.user == user)])
                for user in np.unique(events.user).tolist()
            ]
        replace_events(self.state, pairs)

    @cached_property
    def _events_by_post(self) -> tuple[Rows, Rows]:
        """The events by post row and time, and the place of the first event of each row."""
        order = np.argsort(self.events.post, kind="stable")
        return order, np.searchsorted(self.events.post[order], np.arange(len(self.dataset.posts) + 1))


class LiveReplay:
    """The live posts beside a replay of all posts `timeline`, from the first eviction on."""

    def __init__(self, timeline: FeedTimeline, limits: LivePostLimits) -> None:
        self._all, self._limits = timeline, limits
        self._first_eviction = eviction_times(timeline, limits)[:1].min(initial=np.inf)
        self.evicts = bool(np.isfinite(self._first_eviction))
        self._spaces: tuple[PostSpaces, int] | None = None
        self._timeline: LiveTimeline | None = None

    def state_at(self, now: float) -> FeedState | None:
        """The state strictly before `now`, which never goes back; None before the first eviction."""
        if now <= self._first_eviction:
            return None
        if self._timeline is None:
            self._timeline = LiveTimeline(self._all.dataset, self._all.state.counting, self._limits)
            self._give_vectors()
        self._timeline.advance(now)
        return self._timeline.state

    def use_spaces(self, spaces: PostSpaces, count: int) -> None:
        """Give the `count` first posts their vectors in these spaces, also after later evictions."""
        self._spaces = spaces, count
        self._give_vectors()

    def _give_vectors(self) -> None:
        if self._timeline is not None and self._spaces is not None:
            spaces, count = self._spaces
            spaces.apply(self._timeline, count)


def _day(time: float) -> date:
    return datetime.fromtimestamp(time, UTC).date()
