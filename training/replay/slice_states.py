"""Prepares the states of slices from a log that is split by user and by author, each part on its own.

All events of a user are in one part, so the rule of counting and the lists by user need that part alone. All events on
the posts of an author are in one part, so the counters of posts and authors and the lists by post need that part alone.
Counters take the events of a row in order of time, as those of a whole feed do: they have the same bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.engagement_totals import EngagementTotals
from app.domain.feed.event_counting import CountingRule, counted_events
from app.domain.feed.ragged import cumulative_count
from app.domain.feed.state import FeedState
from app.domain.ranking.neighbourhood import MAX_USERS_PER_POST
from app.infrastructure.ml.collaborative_filter import MAX_COMPARED_EVENTS
from training.replay.replay import Replay
from training.replay.replay_slices import NumberedEvents, ReplaySlice, seconds_read

_NO_USERS: Final = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Authorship:
    """What counting needs to know of posts and users.

    author            (n_posts,) rows of the dataset's users, -1 unknown
    accounts_created  (n_users,) seconds, -infinity unknown
    counting          which events count
    """

    author: NDArray[np.int32]
    accounts_created: NDArray[np.float64]
    counting: CountingRule

    @classmethod
    def of(cls, replay: Replay) -> Self:
        """That of a replay's dataset."""
        created = replay.dataset.users.created
        known = np.where(np.isnan(created), -np.inf, created)
        return cls(replay.dataset.posts.author, known, replay.options.counting)

    def count(self, columns: EventColumns, numbers: NDArray[np.int64]) -> NumberedEvents:
        """All events of some users, in order of their numbers, with those that count."""
        return NumberedEvents(columns, numbers, counted_events(self.counting, columns, self.author))

    def parts_by_author(self, posts: NDArray[np.int32], n_parts: int) -> NDArray[np.intp]:
        """(n,) the part of each post: that of its author, or its own if the author is unknown."""
        author = self.author[posts]
        return np.where(author >= 0, author, posts).astype(np.intp) % n_parts


def engaged_posts(events: NumberedEvents, one: ReplaySlice) -> NDArray[np.int32]:
    """The posts of the events by which neighbours of a slice's users are found: the newest of each at any time of it.

    `events` has all events of some users.
    """
    columns, times = events.columns, events.columns.time
    of_users = np.flatnonzero(events.counted & np.isin(columns.user, one.users) & (times < one.stop))
    past = of_users[times[of_users] < one.start]
    age = cumulative_count(columns.user[past][::-1])[::-1]  # how many events of the user are newer
    coming = of_users[len(past) :]
    posts: NDArray[np.int32] = np.unique(
        columns.post[np.concatenate([past[age < MAX_COMPARED_EVENTS], coming])]
    )
    return posts


def events_of_slice(
    events: NumberedEvents, one: ReplaySlice, neighbours: NDArray[np.integer[Any]]
) -> NumberedEvents:
    """Those of `events` that a slice needs. `neighbours` are the users who can be neighbours of its users."""
    columns, times = events.columns, events.columns.time
    of_users = np.isin(columns.user, one.users) & (times < seconds_read(one))
    needed = (times >= one.start) & (times < one.stop)
    if one.needs_whole_past:
        needed |= times < one.start
    else:
        is_listed = np.isin(columns.user, one.listed) | np.isin(columns.user, neighbours)
        is_compared = events.numbers >= one.compared_from
        needed |= (times < one.start) & events.counted & (is_listed | is_compared)
    return events[np.flatnonzero(needed | of_users)]


@dataclass(frozen=True, slots=True, eq=False)
class EngagementBefore:
    """The engagement before a slice, in one part of the feed, with rows of the dataset.

    neighbours  users of the newest events on each post, as far as ranking reads them, at any time of the slice
    """

    totals: EngagementTotals
    uncapped: EngagementTotals
    neighbours: NDArray[np.intp]


def engagement_before(
    events: NumberedEvents,
    authorship: Authorship,
    slices: Sequence[ReplaySlice],
    posts: Sequence[NDArray[np.int32]],
) -> Iterator[EngagementBefore]:
    """The engagement before each slice. Their starts ascend.

    events  all events on the posts of some authors
    posts   of each slice: those for whose users neighbours are searched
    """
    part = _Part(events, authorship)
    for one, some in zip(slices, posts, strict=True):
        part.advance(one.start)
        totals, uncapped = (
            EngagementTotals.of(state).with_rows(part.posts, part.users) for state in part.states
        )
        yield EngagementBefore(totals, uncapped, part.newest_users(some, one.stop))


class _Part:
    """The posts of some authors, with rows of their own: positions in `posts` and `users`."""

    def __init__(self, events: NumberedEvents, authorship: Authorship) -> None:
        columns = events.columns
        self.posts, post = np.unique(columns.post, return_inverse=True)
        author = authorship.author[self.posts]
        self.users = np.union1d(columns.user, author[author >= 0])
        self._events = EventColumns(
            np.searchsorted(self.users, columns.user).astype(np.int32),
            post.astype(np.int32),
            columns.kind,
            columns.time_us,
            columns.seq,
        )
        self._counted, self._next = events.counted, 0
        rows = np.where(author >= 0, np.searchsorted(self.users, author), -1)
        self.states = [
            _state(rows, authorship.accounts_created[self.users], counting)
            for counting in (authorship.counting, None)
        ]

    def advance(self, until: float) -> None:
        """Count the events strictly before `until` seconds."""
        end = max(self._next, int(np.searchsorted(self._events.time, until)))
        these = slice(self._next, end)
        for state in self.states:
            counted = self._counted[these] if state.counting else np.ones(end - self._next, np.bool_)
            state.record(self._events[these], counted)
        self._next = end

    def newest_users(self, posts: NDArray[np.int32], until: float) -> NDArray[np.intp]:
        """The users of the newest events on `posts`, and of all events on them from now to `until` seconds."""
        if not len(self.posts):
            return _NO_USERS
        local = np.flatnonzero(np.isin(self.posts, posts))
        _, (users,) = self.states[0].users_by_post.gather(local, MAX_USERS_PER_POST, columns=(0,))
        coming = self._events[slice(self._next, int(np.searchsorted(self._events.time, until)))]
        users = np.concatenate([users, coming.user[np.isin(coming.post, local)]])
        found: NDArray[np.intp] = self.users[np.unique(users)].astype(np.intp)
        return found


def _state(
    author: NDArray[np.integer[Any]], accounts_created: NDArray[np.float64], counting: CountingRule | None
) -> FeedState:
    """A state that counts events on posts with these authors, and knows nothing else of them."""
    state = FeedState(counting)
    state.n_users, state.n_posts = len(accounts_created), len(author)
    state.reserve(state.n_users, state.n_posts)
    state.author[: state.n_posts] = author
    state.accounts_created[: state.n_users] = accounts_created
    state.post_counters.ensure_rows(state.n_posts)
    state.strong_counters.ensure_rows(state.n_posts)
    state.author_counters.ensure_rows(state.n_users)
    return state
