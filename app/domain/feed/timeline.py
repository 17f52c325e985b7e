"""Applies recorded events to a feed state: all of them at once for serving, or those up to a time for the replay."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.control import Control
from app.domain.entities.post import post_text
from app.domain.feed.dataset import EventColumns, FeedDataset, PageColumns
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.engagement_totals import EngagementTotals
from app.domain.feed.event_counting import DEFAULT_RULE, CountingRule
from app.domain.feed.filled_lists import fill_lists_of_posts, fill_lists_of_users
from app.domain.feed.list_limits import DEFAULT_LIST_LIMITS, UNLIMITED, ListLimits
from app.domain.feed.slices import slices
from app.domain.feed.state import FeedState
from app.domain.feed.state_filling import (
    EVENTS_PER_STEP,
    accounts_created,
    add_posts,
    add_users,
    count_in_steps,
    counted_in_parts,
    set_interests,
    set_memberships,
)

_USERS_PER_STEP = 50_000
Project = Callable[[NDArray[np.float16]], NDArray[np.float16]]
"""Embeddings (n, d) to (n, k) projected ones."""
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to (n, d) float32 vectors of length 1, or 0 for a text without a known word."""


@dataclass(frozen=True, slots=True, eq=False)
class TimelineStart:
    """The start of a timeline in the middle of a feed, for a dataset that lacks some of the events before it.

    time          in seconds: what is strictly before it is applied at once
    exists_since  (n_posts,) as `FeedTimeline.exists_since` of the whole feed
    appears       (n_users,) as `FeedTimeline.appears` of the whole feed
    counted       (n_events,) true for the events of the dataset that count; no list needs the others
    totals        of all events before `time`, with rows of the dataset
    omitted       (n_users,) how many counted events of each user before `time` the dataset lacks; None: not needed

    The lists by user and by post have the dataset's events only.
    """

    time: float
    exists_since: NDArray[np.float64]
    appears: NDArray[np.float64]
    counted: NDArray[np.bool_]
    totals: EngagementTotals
    omitted: NDArray[np.int64] | None = None


class FeedTimeline:
    """A dataset in order of time.

    A post exists from the earlier of its creation and its first interaction, and a user from their first occurrence.
    Users and posts get rows in this order (ties by key), so the state at a time does not depend on later rows.
    """

    def __init__(
        self,
        dataset: FeedDataset,
        *,
        replay: bool,
        counting: CountingRule | None = DEFAULT_RULE,
        limits: ListLimits = DEFAULT_LIST_LIMITS,
        start: TimelineStart | None = None,
    ) -> None:
        """`replay` ignores values without a time (undated follows, present visibility, settings of users). It dates and
        numbers each post by its existence, as a database would, and applies the controls that have a time, and the
        pages. `counting` says which events count; None counts all and applies neither controls nor pages, as the simple
        rankers are defined. `start` skips what is before it."""
        self.dataset = dataset
        self.state = FeedState(counting, UNLIMITED if counting is None else limits)
        self._replay = replay
        users, posts, follows = dataset.users, dataset.posts, dataset.follows
        events = dataset.events[:]  # a view, with which its times are freed

        since = np.where(np.isnan(follows.since), np.inf if replay else -np.inf, follows.since)
        self._controls = _DatedControls.of(dataset) if replay else _DatedControls()
        pages = dataset.pages if replay else PageColumns()
        if start is None:
            first_event = np.full(len(posts), np.inf)
            np.minimum.at(first_event, events.post, events.time)
            self.exists_since = np.fmin(posts.created, first_event)  # NaN: no time of its own
            self.appears = self._first_occurrences(events, since, pages)
        else:
            self.exists_since, self.appears = start.exists_since, start.appears

        # the history's row of each of the state's, and the other way round
        self.post_order, self.post_times, self.post_row = _by_time(self.exists_since, posts.key)
        self._user_order, self._user_times, self.user_row = _by_time(self.appears, users.key)
        self._follow_order = np.argsort(since, kind="stable")
        self._follow_times = since[self._follow_order]
        self.events = self._with_rows_of_state(events)
        self.pages = self._pages_of_state(pages)
        self.counted = (
            counted_in_parts(counting, self.events, self._author_rows(self.post_order))
            if start is None
            else start.counted
        )
        self._texts = [post_text(text, tags) for text, tags in zip(posts.text, posts.tags, strict=True)]
        self._vectors = PostVectors.zeros(len(posts))
        self._posts = self._users = self._events = self._follows = self._pages = 0
        self._is_reference = counting is None
        if start is not None:
            self._begin(start)

    def _first_occurrences(
        self, events: EventColumns, follow_times: NDArray[np.float64], pages: PageColumns
    ) -> NDArray[np.float64]:
        """(n_users,) the time at which something first names each user, in seconds; infinity if nothing does."""
        users, posts, follows = self.dataset.users, self.dataset.posts, self.dataset.follows
        appears = np.full(len(users), np.inf)
        authored = posts.author >= 0
        np.minimum.at(appears, posts.author[authored], self.exists_since[authored])
        np.minimum.at(appears, events.user, events.time)
        for side in (follows.follower, follows.followee):
            np.minimum.at(appears, side, follow_times)
        for row, time in self._controls.mentions:
            appears[row] = min(appears[row], time)
        np.minimum.at(appears, pages.user, pages.time)
        return appears

    def _begin(self, start: TimelineStart) -> None:
        """Apply everything strictly before a start."""
        past = int(np.searchsorted(self.events.time, start.time))
        self._apply_entities(start.time)
        for these in slices(range(past), EVENTS_PER_STEP):  # the lists stay short
            step = slice(these[0], these[-1] + 1)
            self.state.append_to_lists(self.events[step][np.flatnonzero(self.counted[step])])
        if start.omitted is not None:
            self.state.omitted_events = start.omitted[self._user_order]
        self._events = past
        start.totals.with_rows(self.post_row, self.user_row).apply_to(self.state)
        self.advance(start.time)

    def advance(self, until: float) -> None:
        """Apply everything strictly before `until`, which never goes back."""
        self._apply_entities(until)
        if self._events < len(self.events):
            events = int(np.searchsorted(self.events.time, until))
            for these in slices(range(self._events, events), EVENTS_PER_STEP):  # the lists stay short
                self._record(these[0], these[-1] + 1)
            self._events = max(self._events, events)
        if not self._is_reference:
            self._controls.apply(self.state, until)
            self._apply_pages(int(np.searchsorted(self.pages.time, until)))

    def _apply_entities(self, until: float) -> None:
        """Add the users, posts and follows before `until`."""
        users = int(np.searchsorted(self._user_times, until))
        if users > self._users:
            self._add_users(users)
        posts = int(np.searchsorted(self.post_times, until))
        if posts > self._posts:
            self._add_posts(self.post_order[self._posts : posts])
            self._posts = posts
        follows = int(np.searchsorted(self._follow_times, until))
        if follows > self._follows:
            those = self._follow_order[self._follows : follows]
            edges = self.dataset.follows
            self.state.follow(self.user_row[edges.follower[those]], self.user_row[edges.followee[those]])
            self._follows = follows

    def _record(self, start: int, stop: int) -> None:
        """Apply the events `start` to `stop`."""
        self.state.record(self.events[start:stop], self.counted[start:stop])

    def _apply_all_events(self) -> None:
        """Apply the events of a state without any."""
        self._apply_entities(np.inf)
        self._add_users(len(self._user_order))
        count_in_steps(self.state, self.events, self.counted)
        fill_lists_of_posts(self.state, self.events, self.counted)
        fill_lists_of_users(self.state, self.events, self.counted)
        self._events = len(self.events)

    def apply_all(self) -> FeedState:
        """Apply all the rest, users that nothing names included."""
        if not (self._replay or self._events):
            self._apply_all_events()
        self.advance(np.inf)
        self._add_users(len(self._user_order))
        if not self._replay:
            set_memberships(self.state, self.dataset.memberships, self.user_row)
            set_interests(self.state, self.dataset.interests, self.user_row)
            self._follow_times = np.full(len(self._follow_times), -np.inf)
            self.advance(np.inf)
        return self.state

    def posts_before(self, time: float) -> int:
        """How many posts exist strictly before `time`."""
        return int(np.searchsorted(self.post_times, time))

    def first_texts(self, count: int | None = None) -> list[str]:
        """The texts (words and tags) of the `count` first posts, or of all, for fitting a vectoriser."""
        return [self._texts[i] for i in self.post_order[:count]]

    def embed_texts(self, embed: Embed, count: int | None = None) -> None:
        """Give the `count` first posts, or all, their text vectors: those present now, those to come as they come."""
        vectors = embed(self.first_texts(count))
        text = np.zeros((len(self._texts), vectors.shape[1]), np.float32)
        text[self.post_order[:count]] = vectors
        self._vectors = replace(self._vectors, text=text)
        self.state.set_text(np.arange(self._posts), text[self.post_order[: self._posts]])

    def first_embeddings(self, count: int | None = None) -> NDArray[np.float16] | None:
        """(count, d) the embeddings of the `count` first posts, or of all; None if no post has one."""
        embeddings = self.dataset.posts.embedding
        return None if embeddings is None else embeddings[self.post_order[:count]]

    def project_embeddings(self, project: Project, count: int | None = None) -> None:
        """As `embed_texts` for the embeddings of posts, of which there is one at least."""
        embeddings = self.first_embeddings(count)
        assert embeddings is not None
        projected = project(embeddings)
        vectors = np.zeros((len(self._texts), projected.shape[1]), np.float16)
        vectors[self.post_order[:count]] = projected
        self._vectors = replace(self._vectors, embedding=vectors)
        self.state.set_embeddings(np.arange(self._posts), vectors[self.post_order[: self._posts]])

    def _add_users(self, until: int) -> None:
        """Add users up to position `until` of the order in which they appear."""
        for rows in slices(range(self._users, until), _USERS_PER_STEP):
            users = self.dataset.users[self._user_order[rows[0] : rows[-1] + 1]]
            if self._replay:
                self.state.append_users(users.key)
                self.state.accounts_created[rows] = accounts_created(users)
            else:
                add_users(self.state, users)
        self._users = until

    def _with_rows_of_state(self, events: EventColumns) -> EventColumns:
        return EventColumns(
            self.user_row[events.user].astype(np.int32),
            self.post_row[events.post].astype(np.int32),
            events.kind,
            events.time_us,
            events.seq,
            received_us=None if self._replay else events.received_us,
        )

    def _pages_of_state(self, pages: PageColumns) -> PageColumns:
        """Pages with rows of the state, without posts that do not exist before the page."""
        page_of = np.repeat(np.arange(len(pages)), pages.length)
        existed = self.exists_since[pages.post] < pages.time[page_of]
        return PageColumns(
            self.user_row[pages.user].astype(np.int32),
            pages.time_us,
            np.bincount(page_of[existed], minlength=len(pages)),
            self.post_row[pages.post[existed]].astype(np.int32),
            pages.seen[existed],
        )

    def _apply_pages(self, until: int) -> None:
        """Record the pages up to position `until`."""
        pages, impressions = self.pages, self.state.impressions
        for page in range(self._pages, until):
            places, user, time = pages.places(page), pages.user.item(page), pages.time.item(page)
            posts, was_seen = pages.post[places], pages.seen[places]
            for seen in (False, True):
                impressions.record(user, posts[was_seen == seen], time, seen=seen)
        self._pages = until

    def _author_rows(self, those: NDArray[np.intp]) -> NDArray[np.int32]:
        """(n,) user rows of the state of the authors of some posts of the dataset, -1 unknown."""
        authors = self.dataset.posts.author[those]
        known = authors >= 0
        rows = np.full(len(those), -1, np.int32)
        rows[known] = self.user_row[authors[known]]  # a feed may have no users
        return rows

    def _add_posts(self, those: NDArray[np.intp]) -> None:
        posts, since = self.dataset.posts, self.exists_since[those] if self._replay else None
        add_posts(self.state, posts, those, self._author_rows(those), self._vectors[those], since)


@dataclass(slots=True)
class _DatedControls:
    """The controls of a dataset that have a time, in order of time. None by default.

    mentions  user rows of the dataset, and the time in seconds at which a control mentions each
    """

    controls: Sequence[Control] = ()
    times: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    mentions: Sequence[tuple[int, float]] = ()
    _by_user: defaultdict[UUID, list[Control]] = field(default_factory=lambda: defaultdict(list))
    _applied: int = 0

    @classmethod
    def of(cls, dataset: FeedDataset) -> "_DatedControls":
        """Skips controls of users, and of authors, that the dataset does not contain."""
        if not dataset.controls:
            return cls()
        rows = {key: row for row, key in enumerate(dataset.users.key.tolist())}
        controls, mentions = [], []
        for control in dataset.controls:
            ids = [one for one in (control.user_id, control.author_id) if one is not None]
            if control.created_at is not None and all(one.bytes in rows for one in ids):
                controls.append(control)
                mentions += [(rows[one.bytes], control.created_at.timestamp()) for one in ids]
        times = np.array([control.created_at.timestamp() for control in controls if control.created_at])
        return cls(controls, times, mentions)

    def apply(self, state: FeedState, until: float) -> None:
        """Apply the next controls strictly before `until` in seconds."""
        end = int(np.searchsorted(self.times, until))
        for control in self.controls[self._applied : end]:
            of_user = self._by_user[control.user_id]
            of_user.append(control)
            state.set_controls(control.user_id.bytes, of_user, len(of_user))
        self._applied = max(self._applied, end)


def _by_time(
    times: NDArray[np.float64], keys: NDArray[np.void]
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]:
    """Order by (time, key), the times in that order, and each entry's place in it."""
    halves = keys.view(">u8").reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0], times))
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    return order, times[order], place
