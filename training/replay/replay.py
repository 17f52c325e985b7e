"""Replays a feed request by request (contract, section 6). At each moment nothing is known that was not known then."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import EventColumns, FeedDataset
from app.domain.feed.state import DAY, FeedState
from app.domain.feed.timeline import FeedTimeline
from app.domain.ranking.filters import NotOwn
from app.domain.ranking.options import RankingOptions
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.ml.content_scorer import TextSpace
from training.replay.neighbour_models import NeighbourModels

GROWTH = 1.3  # learned parts and vectorisers are refitted when their data has grown by this
_LOOKING_ONLY = ("view", "click")


def target_kinds(dataset: FeedDataset, given: Sequence[str] | None = None) -> frozenset[int]:
    """Codes of the types that count as a choice: `given`, or all but view and click where there are others."""
    if given is not None:
        return frozenset(INTERACTION_TYPES.index(one) for one in given)
    present = frozenset(np.unique(dataset.events.kind).tolist())
    looking = frozenset(INTERACTION_TYPES.index(one) for one in _LOOKING_ONLY)
    return (present - looking) or present


@dataclass(frozen=True, eq=False)
class ReplayRequest:
    """One request as it stood: the feed just before it, who asked, and what he then chose."""

    event: int  # row of the history's events
    user: int  # file's user (row of history.users)
    target: int  # post row of the state
    time: float
    state: FeedState
    eligible: NDArray[np.intp]  # post rows that may be ranked
    context: RankingContext
    neighbour_models: NeighbourModels
    hashed: Callable[[], NDArray[np.uint64]]

    @cached_property
    def tie_break(self) -> NDArray[np.uint64]:
        """(n_posts,) hashes of seed, user, time and post: break ties, larger first."""
        return self.hashed()


class Replay:
    """The requests of a feed, and the feed as it stood at each."""

    def __init__(
        self,
        dataset: FeedDataset,
        options: RankingOptions,
        *,
        targets: frozenset[int],
        test_from: float | None = None,
        refit_every: float = DAY,
        seed: int = 0,
    ) -> None:
        """`test_from` and `refit_every` in seconds; default test part: from row floor(0.8 n) on."""
        self.dataset = dataset
        self.options = options
        self.targets = targets
        self.timeline = FeedTimeline(dataset, replay=True)
        self.events: EventColumns = self.timeline.events
        times = self.events.time
        if test_from is None:
            test_from = float(times[int(0.8 * len(times))]) if len(times) else 0.0
        self.test_from = test_from
        self._refit_every = refit_every
        self._seed = seed
        self._neighbour_models: tuple[int, NeighbourModels] | None = None
        self._text_round: int | None = None
        self._context: RankingContext | None = None
        self._not_own = NotOwn()
        user_keys, post_keys = (
            dataset.users.key.view(">u8").reshape(-1, 2),
            dataset.posts.key.view(">u8").reshape(-1, 2),
        )
        self._user_hash = _mixed(
            user_keys[:, 0].astype(np.uint64) ^ _mixed(user_keys[:, 1].astype(np.uint64))
        )
        by_file = _mixed(post_keys[:, 0].astype(np.uint64) ^ _mixed(post_keys[:, 1].astype(np.uint64)))
        self._post_hash = by_file[self.timeline.post_order]
        self.requests = self._find_requests()

    def test_requests(self, at_most: int) -> NDArray[np.intp]:
        """Event rows of the test part's requests, in time; of more than `at_most` those with the smallest hash."""
        return self._fewest(self.requests[self.events.time[self.requests] >= self.test_from], at_most)

    def warm_up_requests(self, at_most: int, since: float = -np.inf) -> NDArray[np.intp]:
        """The same of the part before the test, from `since` on."""
        times = self.events.time[self.requests]
        return self._fewest(self.requests[(times < self.test_from) & (times >= since)], at_most)

    def first_interactions(self, requests: NDArray[np.intp]) -> NDArray[np.intp]:
        """The event row of each request's user's first event of any kind with the post: itself, or a look before it.

        A look that made the post exist (a post without an earlier time dates from its first interaction) is none:
        just before it there was no such post."""
        first = self._first_of_pair[self._pair_number[requests]]
        existed = self.timeline.exists_since[self.dataset.events.post[first]] < self.events.time[first]
        rows: NDArray[np.intp] = np.where(existed, first, requests)
        return rows

    def hashes(self, requests: NDArray[np.intp]) -> NDArray[np.uint64]:
        """The hash of (seed, user, post, t) by which requests are drawn.

        Not the one that breaks ties, but mixed once more: where that one is small, the chosen post loses every tie.
        """
        asked = self._asked(self.events.time[requests], self.dataset.events.user[requests])
        return _mixed(_mixed(asked ^ self._post_hash[self.events.post[requests]]))

    def replay_requests(self, requests: NDArray[np.intp]) -> Iterator[ReplayRequest]:
        """Each of `requests` (event rows, in order of time) as it stood. Calls go on from where the last one ended."""
        for event in requests.tolist():
            yield self.request_at(event)

    def request_at(self, event: int) -> ReplayRequest:
        """The feed as it stood just before an event of the history, for its user and post. Time never goes back."""
        now, user = float(self.events.time[event]), int(self.dataset.events.user[event])
        return self.request_for(user, int(self.events.post[event]), now, event)

    def request_for(self, user: int, target: int, now: float, event: int = -1) -> ReplayRequest:
        """The feed as it stood just before `now`, for the file's `user`. `now` never goes back."""
        self._fit_text(now)
        self.timeline.advance(now)
        state = self.timeline.state
        row = int(self.timeline.user_row[user])
        user_row = row if row < state.n_users else -1
        context = self._context
        if context is None or (context.user, context.now) != (user_row, now):
            context = RankingContext(state, user_row, now, state.seen_posts(user_row, self.targets))
            self._context = context  # a look and the choice at once ask the same
        posts = np.arange(state.n_posts)
        keep = self._not_own(context, posts) & context.allowed(posts)

        def hashed() -> NDArray[np.uint64]:
            asked = self._asked(np.array([now]), np.array([user]))
            return _mixed(asked ^ self._post_hash[: len(posts)])

        return ReplayRequest(
            event=event,
            user=user,
            target=target,
            time=now,
            state=state,
            eligible=posts[keep],
            context=context,
            neighbour_models=self._neighbour_models_at(now),
            hashed=hashed,
        )

    def growth_times(self) -> NDArray[np.float64]:
        """When, after `test_from`, the events have grown by 30 %, again and again."""
        count = max(int(np.searchsorted(self.events.time, self.test_from)), 1)
        marks = count * GROWTH ** np.arange(1, 60)
        return self.events.time[marks[marks < len(self.events)].astype(np.intp)]

    def _find_requests(self) -> NDArray[np.intp]:
        events = self.events
        chosen = np.flatnonzero(np.isin(events.kind, list(self.targets)))
        pair = events.user.astype(np.int64) * max(len(self.dataset.posts), 1) + events.post
        _, self._first_of_pair, self._pair_number = np.unique(pair, return_index=True, return_inverse=True)
        _, first = np.unique(pair[chosen], return_index=True)
        rows = np.sort(chosen[first])
        posts = self.dataset.events.post[rows]
        author = self.dataset.posts.author[posts]
        others = author != self.dataset.events.user[rows]
        existed = self.timeline.exists_since[posts] < events.time[rows]
        requests: NDArray[np.intp] = rows[others & existed]
        return requests

    def _asked(self, times: NDArray[np.float64], users: NDArray[np.integer[Any]]) -> NDArray[np.uint64]:
        micros = np.round(times * 1e6).astype(np.int64).astype(np.uint64)
        asked = _mixed(micros ^ _mixed(np.full(len(times), self._seed, np.uint64)))
        return _mixed(asked ^ self._user_hash[users])

    def _fewest(self, requests: NDArray[np.intp], at_most: int) -> NDArray[np.intp]:
        if len(requests) <= at_most:
            return requests
        return np.sort(requests[np.argsort(self.hashes(requests), kind="stable")[:at_most]])

    def _neighbour_models_at(self, now: float) -> NeighbourModels:
        round_ = int(np.floor((now - self.test_from) / self._refit_every))
        if self._neighbour_models is None or self._neighbour_models[0] != round_:
            at = self.test_from + round_ * self._refit_every
            past = self.events[slice(0, int(np.searchsorted(self.events.time, at)))]
            self._neighbour_models = round_, NeighbourModels(past, at, self.options)
        return self._neighbour_models[1]

    def _fit_text(self, now: float) -> None:
        """Vectorisers are refitted each time the posts have grown by 30 %, counted from those at `test_from`."""
        at_test = max(self.timeline.posts_before(self.test_from), 1)
        have = max(self.timeline.posts_before(now), 1)
        round_ = int(np.floor(np.log(have / at_test) / np.log(GROWTH) + 1e-9))
        if round_ != self._text_round:
            self._text_round = round_
            count = min(int(np.ceil(at_test * GROWTH**round_)), have)
            next_round = max(int(np.ceil(at_test * GROWTH ** (round_ + 1))), have)
            space = TextSpace.fit(self.timeline.first_texts(count))
            self.timeline.embed_texts(space, next_round)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's finaliser (Steele, Lea & Flood 2014): a bijection that looks random."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
