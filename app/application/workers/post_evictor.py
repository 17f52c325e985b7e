"""Takes posts out of memory that are no longer live."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
import structlog
from numpy.typing import NDArray

from app.application.workers.state_updater import StateUpdater
from app.domain.errors import StorageUnavailable
from app.domain.feed.engaged_users import EngagedUsers
from app.domain.feed.eviction import (
    evictable_posts,
    free_evicted_rows,
    recount_authors_of_evicted,
    remove_posts,
)
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.slices import slices
from app.domain.feed.state import FeedState

log = structlog.get_logger()

_MAX_RATIO = 1.1  # of posts in memory to live posts: to find the others costs a look at all
POSTS_PER_CHANGE = 2000  # other changes wait for it
_AUTHORS_PER_CHANGE = 1000
_USERS_PER_STEP = 100
_LISTS_PER_RUN = 200
Rows = NDArray[np.intp]


@dataclass(eq=False)
class PostEvictor:
    """Keeps the number of posts in memory below 1.1 x that of the live posts (see LivePostLimits).

    Requests and other changes go on between its steps. `stopping` ends its work. `release_memory` is called after an
    eviction, when lists have moved and their previous places are free.
    """

    updater: StateUpdater
    limits: LivePostLimits
    stopping: threading.Event = field(default_factory=threading.Event)
    release_memory: Callable[[], None] = lambda: None
    _n_live: int = field(default=0, init=False)  # at the last look
    _may_lack_entries: bool = field(default=True, init=False)  # lists of the state

    def run(self) -> None:
        """Evict the posts that are not live, if they are many, and fill some of the lists that lack entries.

        The database must be known, which has the posts.
        """
        feed = self.updater.feed
        if feed.caught_up_at is not None:
            self._compact(feed.state)
            self._evict_if_many(feed.state)
            self._refill()

    def _evict_if_many(self, state: FeedState) -> None:
        n_posts = state.n_posts - len(state.free_rows)
        if n_posts <= _MAX_RATIO * max(self.limits.newest, self._n_live):
            return
        with self.updater.change_lock:
            rows, complete_from = evictable_posts(state, self.limits)
            self._n_live = len(state.by_seq) - len(rows)
            if len(rows) <= (_MAX_RATIO - 1) * self._n_live:
                return
            state.complete_from = complete_from
        evicted = self._evict(state, rows)
        if len(evicted):
            self._free(state, evicted)
            self._may_lack_entries = True
            self.release_memory()
        log.info("posts.evicted", posts=len(evicted), live=self._n_live)

    def _refill(self) -> None:
        """Read what lists lack, after an eviction or under other limits than those of a snapshot.

        The rest of many lists, and those of a failed read, come in the next run, after an eviction that is due then.
        """
        if self._may_lack_entries:
            try:
                self._may_lack_entries = not self.updater.refill_lists(_LISTS_PER_RUN)
            except StorageUnavailable as error:
                log.warning("lists.not_filled", cause=str(error))

    def _evict(self, state: FeedState, rows: Rows) -> Rows:
        """Evict those of `rows` that do not change in the meantime; returns them."""
        evicted, authors = [rows[:0]], [rows[:0]]
        with self.updater.change_lock:
            before = self._changeable(state, rows)
            engaged = EngagedUsers(state, rows)
        for start in range(0, len(rows), POSTS_PER_CHANGE):
            places = slice(start, start + POSTS_PER_CHANGE)
            with self.updater.write_lock, self.updater.change_lock:
                if self.stopping.is_set() or self.updater.feed.state is not state:
                    break
                some = rows[places]
                some = some[(self._changeable(state, some) == before[:, places]).all(axis=0)]
                try:
                    authors.append(remove_posts(state, some, self._writing, engaged))
                except Exception:
                    state.checksums = None  # a part was applied: the next comparison reads everything
                    raise
            evicted.append(some)
        # once for all posts, because an author may have many
        to_count = np.unique(np.concatenate(authors))
        for start in range(0, len(to_count), _AUTHORS_PER_CHANGE):
            some = to_count[start : start + _AUTHORS_PER_CHANGE]
            with self.updater.write_lock, self.updater.change_lock:
                recount_authors_of_evicted(state, some, self._writing)
        return np.concatenate(evicted)

    @staticmethod
    def _changeable(state: FeedState, rows: Rows) -> NDArray[np.float64]:
        """(4, n) what differs when a post gets an event, is updated, or comes back after its removal."""
        by_post = (state.created, state.last_engaged, state.engagements, state.visible)
        return np.stack([values[rows] for values in by_post])

    def _free(self, state: FeedState, rows: Rows) -> None:
        """Remove all that refers to the rows of evicted posts, then let new posts have them."""
        feed, updater, rows = self.updater.feed, self.updater, np.sort(rows)
        with feed.lock:
            users = state.impressions.users()
        for some in slices(users, _USERS_PER_STEP):
            with self._writing():
                for user in some:
                    state.impressions.discard(user, rows)
        with updater.write_lock:
            published = feed.ranker.published
            # another pipeline, because that of a model refers to rows
            ranker = published and updater.new_ranker(published, state)
            with updater.change_lock, self._writing():
                if feed.state is state:
                    feed.ranker = ranker or feed.ranker
                    state.groups.forget_unused()
                    free_evicted_rows(state, rows)

    def _compact(self, state: FeedState) -> None:
        """Free the memory that lists took before they moved or became shorter, if it is much."""
        for owner, name in state.growing_arrays():
            if getattr(owner, name).wastes_memory:
                with self.updater.change_lock:
                    compacted = getattr(owner, name).compacted()
                    with self._writing():
                        setattr(owner, name, compacted)

    def _writing(self) -> AbstractContextManager[None]:
        return self.updater.feed.lock.writing("eviction")
