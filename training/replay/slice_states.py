"""Prepares the states of slices from a log that is split by user and by author, each part on its own.

All events of a user are in one part, so the rule of counting and the lists by user need that part alone. All events on
the posts of an author are in one part, so the counters of posts and authors and the lists by post need that part alone.
Counters take the events of a row in order of time, as those of a whole feed do: they have the same bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.engagement_totals import EngagementTotals
from app.domain.feed.event_counting import CountingRule, counted_events
from app.domain.feed.ragged import cumulative_count
from app.domain.feed.slices import slices
from app.domain.feed.state import FeedState
from app.domain.feed.state_filling import EVENTS_PER_STEP
from app.domain.ranking.neighbourhood import MAX_EVENTS_PER_NEIGHBOUR, MAX_USERS_PER_POST
from app.infrastructure.ml.collaborative_filter import MAX_COMPARED_EVENTS
from training.replay.replay import Replay
from training.replay.replay_slices import NumberedEvents, ReplaySlice, seconds_read


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
        a_view = columns[:]  # the times that counting reads are not kept with the events
        return NumberedEvents(columns, numbers, counted_events(self.counting, a_view, self.author))

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
    newest = past[_are_newest(columns.user[past], MAX_COMPARED_EVENTS)]
    coming = of_users[len(past) :]
    posts: NDArray[np.int32] = np.unique(columns.post[np.concatenate([newest, coming])])
    return posts


def events_of_slice(
    events: NumberedEvents, one: ReplaySlice, neighbours: NDArray[np.integer[Any]]
) -> NumberedEvents:
    """Those of `events` that a slice needs. `neighbours` are the users who can be neighbours of its users.

    `events` has all events of some users. Of other users than those of the slice, rankings read the newest ones only.
    """
    columns, times = events.columns, events.columns.time
    of_users = np.isin(columns.user, one.users) & (times < seconds_read(one))
    needed = (times >= one.start) & (times < one.stop)
    if one.needs_whole_past:
        needed |= times < one.start
    else:
        past = np.flatnonzero(events.counted & (times < one.start))
        of_others = past[np.isin(columns.user[past], np.union1d(one.listed, neighbours))]
        needed[of_others[_are_newest(columns.user[of_others], MAX_EVENTS_PER_NEIGHBOUR)]] = True
        needed[past[events.numbers[past] >= one.compared_from]] = True
    return events[np.flatnonzero(needed | of_users)]


def count_past(
    events: NumberedEvents, one: ReplaySlice, users: NDArray[np.integer[Any]]
) -> NDArray[np.int64]:
    """(n_users,) how many of `events` before a slice count, by user of the ascending `users`."""
    past = events.columns.user[events.counted & (events.columns.time < one.start)]
    return np.bincount(np.searchsorted(users, past[np.isin(past, users)]), minlength=len(users))


def _are_newest(rows: NDArray[np.integer[Any]], limit: int) -> NDArray[np.bool_]:
    """(n,) true for the last `limit` entries of each value of `rows`."""
    is_newest: NDArray[np.bool_] = cumulative_count(rows[::-1])[::-1] < limit
    return is_newest


@dataclass(frozen=True, slots=True, eq=False)
class EngagementBefore:
    """The engagement before a slice, in one part of the feed, with rows of the dataset.

    newest      the newest counted events on each post, as far as ranking reads them
    neighbours  the users of these at any time of the slice, ascending
    """

    totals: EngagementTotals
    uncapped: EngagementTotals
    newest: NumberedEvents
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
        newest = part.newest_events(some)
        neighbours = np.union1d(newest.columns.user, part.coming_users(some, one.stop)).astype(np.intp)
        yield EngagementBefore(totals, uncapped, newest, neighbours)


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
        self._numbered, self._next = events, 0
        rows = np.where(author >= 0, np.searchsorted(self.users, author), -1)
        self.states = [
            _state(rows, authorship.accounts_created[self.users], counting)
            for counting in (authorship.counting, None)
        ]

    def advance(self, until: float) -> None:
        """Count the events strictly before `until` seconds."""
        end = max(self._next, int(np.searchsorted(self._events.time, until)))
        for these in slices(range(self._next, end), EVENTS_PER_STEP):
            step = slice(these[0], these[-1] + 1)
            for state in self.states:
                counted = self._numbered.counted[step] if state.counting else np.ones(len(these), np.bool_)
                state.count(self._events[step], counted)
        self._next = end

    def newest_events(self, posts: NDArray[np.int32]) -> NumberedEvents:
        """The newest counted events so far on each of `posts`, as many as rankings read."""
        past = np.flatnonzero(self._numbered.counted[: self._next])
        past = past[np.isin(self.posts, posts)[self._events.post[past]]]
        return self._numbered[past[_are_newest(self._events.post[past], MAX_USERS_PER_POST)]]

    def coming_users(self, posts: NDArray[np.int32], until: float) -> NDArray[np.int32]:
        """The users of all events on `posts` from now to `until` seconds."""
        coming = slice(self._next, int(np.searchsorted(self._events.time, until)))
        columns, is_among = self._numbered.columns[coming], np.isin(self.posts, posts)
        return columns.user[is_among[self._events.post[coming]]]


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
