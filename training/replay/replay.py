"""Replays a feed request by request (docs/evaluation-protocol.md). Each request sees only events strictly before it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import EventColumns, FeedDataset
from app.domain.feed.embeddings import has_enough
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.ragged import cumulative_count
from app.domain.feed.state import FeedState
from app.domain.feed.time_units import DAY
from app.domain.feed.timeline import FeedTimeline, TimelineStart
from app.domain.ranking.filters import NotMuted, NotOwn
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.user_features import OptionalInputs
from app.domain.services.ranking_context import RankingContext
from training.replay.choice_pages import ChoicePages
from training.replay.hashes import hash_keys, mix
from training.replay.live_timeline import LiveReplay
from training.replay.neighbour_models import NeighbourModels
from training.replay.post_spaces import PostSpaces

GROWTH = 1.3
"""Learned models and the spaces of posts' vectors are refitted when their data has grown by this factor."""
_WEAK_KINDS = ("view", "click")


def target_kinds(dataset: FeedDataset, given: Sequence[str] | None = None) -> frozenset[int]:
    """Codes of the types that count as a choice: `given`, or all but view and click if there are others."""
    if given is not None:
        return frozenset(map(INTERACTION_TYPES.index, given))
    present = frozenset(np.unique(dataset.events.kind).tolist())
    return present.difference(map(INTERACTION_TYPES.index, _WEAK_KINDS)) or present


@dataclass(frozen=True, slots=True, eq=False)
class ReplayRequest:
    """One request: the feed just before it, its user, and the post that the user then chose."""

    event: int  # row of the dataset's events
    user: int  # row of the dataset's users
    target: int  # post row of the state
    time: float  # seconds
    state: FeedState
    eligible: NDArray[np.intp]  # post rows that may be ranked; without the target if a control hides it
    context: RankingContext
    live: RankingContext  # the same with the live posts alone in memory, in equal rows
    page: int  # page of `Replay.pages` on which the user made the choice, -1 unknown
    feed_has_pages: bool
    neighbour_models: NeighbourModels
    tie_break: NDArray[np.uint64]  # (n_posts,) hashes; of equal scores the larger hash ranks first
    uncapped: Callable[[], RankingContext]
    """The request in a state with the same rows that counts every event, as the simple rankers are defined."""


@dataclass(frozen=True, slots=True, eq=False)
class ReplayStart:
    """The start of a replay in the middle of a feed, for a dataset that lacks some of the events before it.

    feed          the start of the feed
    uncapped      the start of the feed in which every event counts
    has_pages     whether the whole feed has pages
    largest_rows  the largest rows of a user and of a post in the whole feed before the last refit of the neighbour
                  models that is not after the start, as rows of the state; -1 without events
    spaces        number of posts -> the spaces that were fitted on them; the replay reads and adds some
    """

    feed: TimelineStart
    uncapped: TimelineStart
    has_pages: bool
    largest_rows: tuple[int, int]
    spaces: dict[int, PostSpaces]


class Replay:
    """The requests of a feed, and the state of the feed before each."""

    def __init__(
        self,
        dataset: FeedDataset,
        options: RankingOptions,
        *,
        targets: frozenset[int] | None = None,
        test_from: float | None = None,
        refit_every: float = DAY,
        seed: int = 0,
        start: ReplayStart | None = None,
        live_posts: LivePostLimits | None = None,
    ) -> None:
        """`targets` are as in `target_kinds`; `test_from` and `refit_every` are in seconds.

        By default the test part starts at row floor(0.8 n). A replay with a `start` needs the targets and `test_from`
        of the whole feed. It gives the same requests from then on, and knows no others. `live_posts` are those that a
        service has in memory; None: all of them, as with a `start`.
        """
        self.dataset = dataset
        self.options = options
        self.targets = target_kinds(dataset) if targets is None else targets
        self.timeline = FeedTimeline(
            dataset,
            replay=True,
            counting=options.counting,
            limits=options.lists,
            start=None if start is None else start.feed,
        )
        self.events: EventColumns = self.timeline.events
        self.pages = ChoicePages(self.timeline.pages, self.events)
        self.has_pages = len(self.pages) > 0 if start is None else start.has_pages
        has_embeddings = has_enough(dataset.posts.embedding)
        self.optional_inputs = OptionalInputs(impressions=self.has_pages, embeddings=has_embeddings)
        times = self.events.time
        if test_from is None:
            test_from = float(times[int(0.8 * len(times))]) if len(times) else 0.0
        self.test_from = test_from
        self.refit_every, self.seed = refit_every, seed
        self._start = start
        self._neighbour_models: NeighbourModels | None = None
        self._spaces_round: int | None = None
        self._contexts: dict[FeedState, RankingContext] = {}
        self._live = None if live_posts is None else LiveReplay(self.timeline, live_posts)
        self._user_hash = hash_keys(dataset.users.key)
        self._post_hash = hash_keys(dataset.posts.key)[self.timeline.post_order]

    @property
    def evicts_posts(self) -> bool:
        """Whether the feed has more posts than a service has in memory (`live_posts`)."""
        return self._live is not None and self._live.evicts

    def test_requests(self, at_most: int) -> NDArray[np.intp]:
        """Event rows of the test part's requests, in order of time; at most `at_most`, those with the smallest hash."""
        return self.requests_between(self.test_from, np.inf, at_most)

    def warm_up_requests(self, at_most: int, since: float = -np.inf) -> NDArray[np.intp]:
        """The same for the part before the test, from `since` (seconds) on."""
        return self.requests_between(since, self.test_from, at_most)

    def requests_between(self, start: float, end: float, at_most: int) -> NDArray[np.intp]:
        """The same for start <= time < end, in seconds."""
        times = self.events.time[self.requests]
        requests = self.requests[(times >= start) & (times < end)]
        if len(requests) <= at_most:
            return requests
        return np.sort(requests[np.argsort(self.hashes(requests), kind="stable")[:at_most]])

    def first_interactions(self, requests: NDArray[np.intp]) -> NDArray[np.intp]:
        """The event row of the user's first interaction of any type with each request's post.

        It is the request itself, or an earlier view. A view that created the post does not count, because the post did
        not exist before it. (A post without an earlier time is dated by its first interaction.)
        """
        _, first_of_pair, pair_number = self._pairs
        first = first_of_pair[pair_number[requests]]
        existed = self.timeline.exists_since[self.dataset.events.post[first]] < self.events.time[first]
        rows: NDArray[np.intp] = np.where(existed, first, requests)
        return rows

    def history_lengths(self, requests: NDArray[np.intp]) -> NDArray[np.intp]:
        """The number of events, counted or not, that each request's user had strictly before it."""
        user, time = self.events.user.astype(np.int64), self.events.time
        user_and_time = user * len(time) + np.searchsorted(time, time)  # one number for each user and time
        _, first, same = np.unique(user_and_time, return_index=True, return_inverse=True)
        lengths: NDArray[np.intp] = cumulative_count(user)[first[same]][requests]
        return lengths

    def complete_at(self, requests: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n,) times in seconds from which on the page of each choice is complete; -infinity without a page."""
        if not len(self.pages):
            return np.full(len(requests), -np.inf)
        events = self.events[requests]
        choices = zip(events.user.tolist(), events.post.tolist(), events.time.tolist(), strict=True)
        return np.array([self.pages.complete_at(self.pages.find(*choice)) for choice in choices])

    def hashes(self, requests: NDArray[np.intp]) -> NDArray[np.uint64]:
        """The hashes of (seed, user, post, time) that select requests.

        They are mixed once more than the hashes that break ties. Otherwise the chosen post of a selected request would
        lose every tie.
        """
        request_hash = self._hash_requests(self.events.time[requests], self.dataset.events.user[requests])
        return mix(mix(request_hash ^ self._post_hash[self.events.post[requests]]))

    def request_at(self, event: int) -> ReplayRequest:
        """The request just before an event, for its user and post. Time never goes back."""
        now, user = float(self.events.time[event]), int(self.dataset.events.user[event])
        return self.request_for(user, int(self.events.post[event]), now, event)

    def request_for(self, user: int, target: int, now: float, event: int = -1) -> ReplayRequest:
        """The request of the dataset's `user` just before `now` (seconds). `now` never goes back.

        A choice (`event` from 0) on a page was made when the page was: neither it nor later pages count as shown.
        """
        self._fit_spaces(now)
        self.timeline.advance(now)
        state = self.timeline.state
        row = int(self.timeline.user_row[user])
        user_row = row if row < state.n_users else -1
        page = self.pages.find(user_row, target, now) if event >= 0 else -1
        shown_at = self.pages.shown_at(page)
        context = self._context_for(state, user_row, now, shown_at)
        live = self._live and self._live.state_at(now)
        posts = np.arange(state.n_posts)
        request_hash = self._hash_requests(np.array([now]), np.array([user]))
        return ReplayRequest(
            event=event,
            user=user,
            target=target,
            time=now,
            state=state,
            eligible=posts[NotOwn()(context, posts) & context.allowed(posts) & NotMuted()(context, posts)],
            context=context,
            live=self._context_for(live, user_row, now, shown_at) if live else context,
            page=page,
            feed_has_pages=self.has_pages,
            neighbour_models=self._neighbour_models_at(now),
            tie_break=mix(request_hash ^ self._post_hash[: len(posts)]),
            uncapped=cache(partial(self._uncapped_context, user_row, now)),
        )

    def _context_for(self, state: FeedState, user: int, now: float, shown_before: float) -> RankingContext:
        """A view and a choice at the same time share the context."""
        context = self._contexts.get(state)
        if context is None or (context.user, context.now, context.shown_before) != (user, now, shown_before):
            excluded = state.seen_posts(user, self.targets)
            context = RankingContext(state, user, now, excluded, shown_before=shown_before)
            self._contexts[state] = context
        return context

    def _uncapped_context(self, user: int, now: float) -> RankingContext:
        self._uncapped_timeline.advance(now)
        return RankingContext(self._uncapped_timeline.state, user, now)

    @cached_property
    def _uncapped_timeline(self) -> FeedTimeline:
        start = None if self._start is None else self._start.uncapped
        return FeedTimeline(self.dataset, replay=True, counting=None, start=start)

    def growth_times(self) -> NDArray[np.float64]:
        """The times after `test_from` at which the number of events has grown by another 30 %."""
        count = max(int(np.searchsorted(self.events.time, self.test_from)), 1)
        counts = count * GROWTH ** np.arange(1, 60)
        return np.unique(self.events.time[counts[counts < len(self.events)].astype(np.intp)])

    def time_before_growth(self) -> float:
        """The time in seconds since which the number of events has grown by 30 % until `test_from`."""
        count = int(np.searchsorted(self.events.time, self.test_from))
        return float(self.events.time[int(count / GROWTH)]) if count else self.test_from

    @cached_property
    def requests(self) -> NDArray[np.intp]:
        """(n,) event rows of all requests of the feed, in order of time."""
        events = self.events
        chosen = np.flatnonzero(np.isin(events.kind, list(self.targets)))
        _, first = np.unique(self._pairs[0][chosen], return_index=True)
        rows = np.sort(chosen[first])
        posts = self.dataset.events.post[rows]
        is_foreign = self.dataset.posts.author[posts] != self.dataset.events.user[rows]
        existed = self.timeline.exists_since[posts] < events.time[rows]
        requests: NDArray[np.intp] = rows[is_foreign & existed]
        return requests

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.intp]]:
        """A number for the user and post of each event; the first event of each such pair; the pair of each event."""
        pair = self.events.user.astype(np.int64) * max(len(self.dataset.posts), 1) + self.events.post
        _, first, number = np.unique(pair, return_index=True, return_inverse=True)
        return pair, first, number

    def _hash_requests(
        self, times: NDArray[np.float64], users: NDArray[np.integer[Any]]
    ) -> NDArray[np.uint64]:
        microseconds = np.round(times * 1e6).astype(np.int64).astype(np.uint64)
        time_hash = mix(microseconds ^ mix(np.full(len(times), self.seed, np.uint64)))
        return mix(time_hash ^ self._user_hash[users])

    def _neighbour_models_at(self, now: float) -> NeighbourModels:
        at = self.refit_before(now)
        if self._neighbour_models is None or self._neighbour_models.at != at:
            end = int(np.searchsorted(self.events.time, at))
            counted = self.events[np.flatnonzero(self.timeline.counted[:end])]
            past = self.events[:end]
            shape = int(past.user.max(initial=0)) + 1, int(past.post.max(initial=0)) + 1
            if self._start is not None:
                user, post = self._start.largest_rows
                shape = max(shape[0], user + 1), max(shape[1], post + 1)
            self._neighbour_models = NeighbourModels(past, counted, at, self.options, shape)
        return self._neighbour_models

    def refit_before(self, now: float) -> float:
        """The time of the last refit of the neighbour models that is not after `now`; both in seconds."""
        round_ = int(np.floor((now - self.test_from) / self.refit_every))
        return self.test_from + round_ * self.refit_every

    def _fit_spaces(self, now: float) -> None:
        """Refit the spaces of vectors when the number of posts has grown by 30 %, counted from `test_from`."""
        test_count = max(self.timeline.posts_before(self.test_from), 1)
        count = max(self.timeline.posts_before(now), 1)
        round_ = int(np.floor(np.log(count / test_count) / np.log(GROWTH) + 1e-9))
        if round_ != self._spaces_round:
            self._spaces_round = round_
            fitted_count = min(int(np.ceil(test_count * GROWTH**round_)), count)
            next_count = max(int(np.ceil(test_count * GROWTH ** (round_ + 1))), count)
            spaces = {} if self._start is None else self._start.spaces
            if fitted_count not in spaces:
                spaces[fitted_count] = PostSpaces.fit(self.timeline, fitted_count)
            spaces[fitted_count].apply(self.timeline, next_count)
            if self._live:
                self._live.use_spaces(spaces[fitted_count], next_count)
