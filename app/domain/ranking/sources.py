"""Candidate sources: each names posts for one reason. A new one is one small class and a line in `ranking`."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Reason
from app.domain.feed.state import AUTHOR_HALF_LIVES, TOP_K_SIZE
from app.domain.ranking import neighbourhood
from app.domain.services.ranking_context import RankingContext
from app.domain.services.recommender_interface import Recommender

Rows = NDArray[np.intp]


def top_by_value(context: RankingContext, rows: Rows, values: NDArray[np.float64], limit: int) -> Rows:
    """Those of `rows` with the `limit` largest positive values, largest first, but for the barred ones."""
    found = ((values > 0) & context.allowed(rows)).nonzero()[0]
    if len(found) > limit:
        found = found[(-values[found]).argpartition(limit - 1)[:limit]]
    return rows[found[(-values[found]).argsort(kind="stable")]]


def newest(context: RankingContext, limit: int) -> Rows:
    """The `limit` newest posts that are out and not barred, newest first."""

    def find() -> Rows:
        rows = _newest_of_all(context, limit + len(context.excluded))
        return rows[context.allowed(rows)][:limit]

    return context.memoise(("newest", limit), find)


def _newest_of_all(context: RankingContext, limit: int) -> Rows:
    out = context.state.published_count(context.now)
    return context.state.by_created[max(out - limit, 0) : out][::-1]


@dataclass(frozen=True, slots=True)
class WholeCatalogue:
    """Every post, the latest arrival first, while there are few enough to score them all."""

    limit: int
    name: str = "catalogue"
    reason: Reason = Reason.RECENT

    def __call__(self, context: RankingContext) -> Rows:
        count = context.state.n_posts
        return np.arange(count if count <= self.limit else 0)[::-1]


@dataclass(frozen=True, slots=True)
class SimilarUsers:
    """What the nearest users of the trained model chose."""

    recommender: Recommender
    limit: int
    name: str = "neighbours"
    reason: Reason = Reason.COLLABORATIVE_FILTERING

    def __call__(self, context: RankingContext) -> Rows:
        support = self.recommender.scores(context)
        return top_by_value(context, support.rows, support.sums[0], self.limit)


@dataclass(frozen=True, slots=True)
class LiveNeighbours:
    """What users who lately chose alike choose now."""

    limit: int
    name: str = "live_neighbours"
    reason: Reason = Reason.COLLABORATIVE_FILTERING

    def __call__(self, context: RankingContext) -> Rows:
        if not context.event_count:
            return np.empty(0, np.intp)
        knn = neighbourhood.user_knn(context)
        return top_by_value(context, knn.rows, knn.sums[0], self.limit)


@dataclass(frozen=True, slots=True)
class Trending:
    """The hottest posts at each of some half-lives (positions in `HALF_LIVES`), the half-lives in turn."""

    half_lives: tuple[int, ...]
    limit: int  # of each
    name: str = "trending"
    reason: Reason = Reason.TRENDING

    def __call__(self, context: RankingContext) -> Rows:
        heat = context.state.post_counters
        count = min(self.limit + len(context.excluded), TOP_K_SIZE)

        def find() -> Rows:
            return np.stack([heat.top_k(index, TOP_K_SIZE) for index in self.half_lives], axis=1)

        hottest = context.state.memoised(self, find)[:count]
        admitted = context.allowed(hottest)
        return hottest[admitted & (admitted.cumsum(axis=0) <= self.limit)]


@dataclass(frozen=True, slots=True)
class Fresh:
    """The newest posts."""

    limit: int
    name: str = "fresh"
    reason: Reason = Reason.RECENT

    def __call__(self, context: RankingContext) -> Rows:
        return newest(context, self.limit)


@dataclass(frozen=True, slots=True)
class PopularAuthors:
    """Fresh posts whose authors have been engaged with, then followed, most: the owner's answer to a cold post."""

    limit: int
    window: int  # so many newest posts are looked at
    name: str = "popular_authors"
    reason: Reason = Reason.POPULAR_AUTHOR

    def __call__(self, context: RankingContext) -> Rows:
        state = context.state
        fresh = _newest_of_all(context, self.window)

        def find() -> Rows:
            rows = fresh[state.author[fresh] >= 0]
            authors = state.author[rows].astype(np.intp)
            level = state.author_counters.log2_values(_WEEK, authors)
            return rows[np.lexsort((-state.followers[authors], -level))]

        rows = state.memoised((self, len(fresh) and fresh[0]), find)
        return rows[context.allowed(rows)][: self.limit]


_WEEK = AUTHOR_HALF_LIVES.index(7 * 86400.0)


@dataclass(frozen=True, slots=True)
class FollowedAuthors:
    """The newest posts of each followed author."""

    limit: int
    each: int
    name: str = "following"
    reason: Reason = Reason.FOLLOWING

    def __call__(self, context: RankingContext) -> Rows:
        if not len(context.followed):
            return np.empty(0, np.intp)
        state = context.state
        _, (posts,) = state.posts_by_author.gather(context.followed, self.each)
        rows = posts[context.allowed(posts)].astype(np.intp)
        return rows[np.argsort(-state.created[rows], kind="stable")][: self.limit]


@dataclass(frozen=True, slots=True)
class EngagedByFollowed:
    """What followed authors lately engaged with."""

    limit: int
    each: int
    name: str = "followed_tastes"
    reason: Reason = Reason.FOLLOWING

    def __call__(self, context: RankingContext) -> Rows:
        if not len(context.followed):
            return np.empty(0, np.intp)
        state = context.state
        _, (posts, times) = state.events_by_user.gather(context.followed, self.each, columns=(0, 1))
        admitted = context.allowed(posts)
        posts, times = posts[admitted], times[admitted]
        return distinct(posts[np.argsort(-times, kind="stable")].astype(np.intp))[: self.limit]


@dataclass(frozen=True)
class FavouriteTopics:
    """The newest posts of the topics this user engages with, each topic its share."""

    limit: int
    window: int
    name: str = "favourite_topics"
    reason: Reason = Reason.CONTENT_SIMILARITY

    def __call__(self, context: RankingContext) -> Rows:
        state = context.state
        topics = state.topic[context.recent_events[0].astype(np.intp)]
        topics = topics[topics >= 0]
        if not len(topics):
            return np.empty(0, np.intp)
        share = np.bincount(topics, minlength=len(state.topic_ids)) / len(topics)
        rows = newest(context, self.window)
        of_topic = state.topic[rows]
        liked = np.append(share, 0.0)[of_topic]  # -1, none, is the last
        return top_by_value(context, rows, liked * self._fading[: len(rows)], self.limit)

    @cached_property
    def _fading(self) -> NDArray[np.float64]:
        return np.exp2(-np.arange(self.window) / self.limit)


def distinct(rows: Rows) -> Rows:
    """`rows` without repeats, in order of first appearance."""
    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)]
