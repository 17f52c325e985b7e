"""Candidate sources: each returns posts for one reason. A new one is a class here and a line in `assembly`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Reason
from app.domain.feed.interests import NO_INTERESTS
from app.domain.feed.state import AUTHOR_HALF_LIVES, TOP_K_SIZE
from app.domain.feed.time_units import DAY
from app.domain.ranking import neighbourhood
from app.domain.services.ranking_context import RankingContext
from app.domain.services.recommender_interface import Recommender

Rows = NDArray[np.intp]

MAX_EVENTS_WITH_INTERESTS = 20
"""Users with more events have a history, which says more than what they declared."""
_WEEK = AUTHOR_HALF_LIVES.index(7 * DAY)


def top_by_value(rows: Rows, values: NDArray[np.float64], limit: int) -> Rows:
    """The `limit` rows with the largest positive values, largest first."""
    found = (values > 0).nonzero()[0]
    if len(found) > limit:  # no faster than the sort alone, which would select other posts among equal values
        found = found[(-values[found]).argpartition(limit - 1)[:limit]]
    return rows[found[(-values[found]).argsort(kind="stable")]]


def first_allowed(context: RankingContext, rows: Rows, limit: int) -> Rows:
    """The first `limit` of `rows` that are allowed. Looks at 2 x `limit` rows, then at four times as many, etc."""
    n_looked_at = 2 * limit
    while True:
        some = rows[:n_looked_at]
        found = some[context.allowed(some)][:limit]
        if len(found) == limit or n_looked_at >= len(rows):
            return found
        n_looked_at *= 4


def newest(context: RankingContext, limit: int) -> Rows:
    """The `limit` newest published posts that are allowed, newest first; computed once for several sources."""

    def compute() -> Rows:
        return first_allowed(context, _newest_published(context, context.look_ahead(limit)), limit)

    return context.memoise(("newest", limit), compute)


def _newest_published(context: RankingContext, limit: int) -> Rows:
    published = context.state.published_count(context.now)
    return context.state.by_created[max(published - limit, 0) : published][::-1]


@dataclass(frozen=True, slots=True)
class WholeCatalogue:
    """Every post of a feed with at most `limit` posts, the latest arrival first; no post of a larger feed."""

    limit: int
    name: str = "catalogue"
    reason: Reason = Reason.RECENT

    def __call__(self, context: RankingContext) -> Rows:
        count = context.state.n_posts
        return np.arange(count if count <= self.limit else 0)[::-1]


@dataclass(frozen=True, slots=True)
class SimilarUsers:
    """The `limit` posts that the nearest users of the trained model support most."""

    recommender: Recommender
    limit: int
    name: str = "neighbours"
    reason: Reason = Reason.COLLABORATIVE_FILTERING

    def __call__(self, context: RankingContext) -> Rows:
        support = self.recommender.scores(context)
        return top_by_value(support.rows, support.sums[0] * context.allowed(support.rows), self.limit)


@dataclass(frozen=True, slots=True)
class LiveNeighbours:
    """The `limit` posts that users with similar recent events support most; none for a user without events."""

    limit: int
    name: str = "live_neighbours"
    reason: Reason = Reason.COLLABORATIVE_FILTERING

    def __call__(self, context: RankingContext) -> Rows:
        if not context.event_count:
            return np.empty(0, np.intp)
        support = neighbourhood.user_knn(context)
        return top_by_value(support.rows, support.sums[0] * context.allowed(support.rows), self.limit)


@dataclass(frozen=True, slots=True)
class Trending:
    """The `limit` posts with the largest decayed engagement at each half-life, one half-life after the other per rank.

    `half_lives` are positions in HALF_LIVES. A post can occur once for each of them.
    """

    half_lives: tuple[int, ...]
    limit: int
    name: str = "trending"
    reason: Reason = Reason.TRENDING

    def __call__(self, context: RankingContext) -> Rows:
        count = min(context.look_ahead(self.limit), TOP_K_SIZE)
        top = np.stack([context.state.top_posts(index, count) for index in self.half_lives], axis=1)
        allowed = context.allowed(top)
        return top[allowed & (allowed.cumsum(axis=0) <= self.limit)]


@dataclass(frozen=True, slots=True)
class Fresh:
    """The `limit` newest posts of the `window` newest ones."""

    limit: int
    window: int
    name: str = "fresh"
    reason: Reason = Reason.RECENT

    def __call__(self, context: RankingContext) -> Rows:
        return newest(context, self.window)[: self.limit]


@dataclass(frozen=True, slots=True)
class PopularAuthors:
    """New posts of the authors with the largest decayed engagement (half-life 7 d), then with the most followers.

    Considers the `window` newest posts. Gives posts without any event a place, where the formula ranks.
    """

    limit: int
    window: int
    name: str = "popular_authors"
    reason: Reason = Reason.POPULAR_AUTHOR

    def __call__(self, context: RankingContext) -> Rows:
        state = context.state
        recent = _newest_published(context, self.window)

        def by_popularity() -> Rows:
            rows = recent[state.author[recent] >= 0]
            authors = state.author[rows].astype(np.intp)
            popularity = state.author_counters.log2_values(_WEEK, authors)
            return rows[np.lexsort((-state.followers[authors], -popularity))]

        rows = state.memoised((self, len(recent) and recent[0]), by_popularity)
        return first_allowed(context, rows, self.limit)


@dataclass(frozen=True, slots=True)
class FollowedAuthors:
    """The `limit` newest posts among the last `per_author` posts of each followed author, newest first."""

    limit: int
    per_author: int
    name: str = "following"
    reason: Reason = Reason.FOLLOWING

    def __call__(self, context: RankingContext) -> Rows:
        if not len(context.followed):
            return np.empty(0, np.intp)
        state = context.state
        _, (posts,) = state.posts_by_author.gather(context.followed, self.per_author)
        rows = posts[context.allowed(posts)].astype(np.intp)
        return rows[np.argsort(-state.created[rows], kind="stable")][: self.limit]


@dataclass(frozen=True, slots=True)
class EngagedByFollowed:
    """The `limit` posts of the latest events among the last `per_user` events of each followed user, latest first."""

    limit: int
    per_user: int
    name: str = "followed_tastes"
    reason: Reason = Reason.FOLLOWING

    def __call__(self, context: RankingContext) -> Rows:
        if not len(context.followed):
            return np.empty(0, np.intp)
        events = context.state.events_by_user
        users = context.followed
        if len(context.controls.authors):
            users = users[~np.isin(users, context.controls.authors)]
        _, (posts, times) = events.gather(users, self.per_user, columns=(0, 1))
        allowed = context.allowed(posts)
        posts, times = posts[allowed], times[allowed]
        latest_first = posts[np.argsort(-times, kind="stable")]
        return np.array(list(dict.fromkeys(latest_first.tolist()))[: self.limit], np.intp)


@dataclass(frozen=True, slots=True)
class FavouriteTopics:
    """Up to `limit` of the `window` newest posts, by share of the topic in the user's events x 0.5 ** (rank / limit).

    The newest post has rank 0, so each topic gets about its share of the places.
    """

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
        share = np.bincount(topics, minlength=len(state.topic_ids) + 1) / len(topics)  # the last: no topic
        rows = newest(context, self.window)
        decay = np.exp2(-np.arange(len(rows)) / self.limit)
        return top_by_value(rows, share[state.topic[rows]] * decay, self.limit)


@dataclass(frozen=True, slots=True)
class DeclaredInterests:
    """Posts of declared tags and authors, while the user has few events.

    The first `limit` of the `window` newest posts, and of the posts with the largest decayed engagement at each
    half-life (positions in HALF_LIVES); and `per_author` posts of each author.
    """

    half_lives: tuple[int, ...]
    limit: int
    window: int
    per_author: int
    name: str = "interests"
    reason: Reason = Reason.CONTENT_SIMILARITY

    def __call__(self, context: RankingContext) -> Rows:
        if context.interests is NO_INTERESTS or context.event_count > MAX_EVENTS_WITH_INTERESTS:
            return np.empty(0, np.intp)
        state, interests = context.state, context.interests
        tops = [state.top_posts(index, TOP_K_SIZE) for index in self.half_lives]
        found = []
        for rows in (newest(context, self.window), *(top[context.allowed(top)] for top in tops)):
            matches = interests.match(state.post_words, rows, state.author[rows])
            found.append(rows[matches][: self.limit])
        _, (by_authors,) = state.posts_by_author.gather(interests.authors.astype(np.intp), self.per_author)
        found.append(by_authors[context.allowed(by_authors)].astype(np.intp))
        return np.array(list(dict.fromkeys(np.concatenate(found).tolist())), np.intp)
