"""Users whom a user may want to follow: the authors whom they, and the people around them, engage with and follow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Reason
from app.domain.feed.group_sums import GroupSums
from app.domain.feed.state import AUTHOR_HALF_LIVES, HALF_LIVES, NO_KEY
from app.domain.feed.time_units import DAY
from app.domain.ranking import neighbourhood
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.services.ranking_context import RankingContext

Rows = NDArray[np.intp]
_HALF_LIFE: Final = 30 * DAY  # of the weight of the user's own events, seconds
_MAX_FOLLOWED: Final = 200  # newest follows of the user, and of each of these users
_MAX_POSTS_PER_NEIGHBOUR: Final = 30
_POPULAR_POSTS: Final = 300  # whose authors are popular
_POSTS_PER_AUTHOR: Final = 20  # newest ones, of which the user may see one
_WEEK, _AUTHOR_WEEK = HALF_LIVES.index(7 * DAY), AUTHOR_HALF_LIVES.index(7 * DAY)


@dataclass(frozen=True, slots=True, eq=False)
class SuggestedUsers:
    """Users, best first: rows (n,), scores (n,) in [0, 1], which never rise, and the strongest reason of each."""

    rows: Rows
    values: NDArray[np.float64]
    reasons: list[Reason]


def engaged_authors(context: RankingContext) -> GroupSums:
    """By user: 0.5 ** (age / 30 d), summed over the user's own events with posts of the author."""
    posts, times, _ = context.recent_events
    weights = np.exp2((times - context.now) / _HALF_LIFE)
    return GroupSums(context.state.author[posts], weights[None], context.state.n_users)


def followed_by_followed(context: RankingContext) -> GroupSums:
    """By user: 1 / sqrt(1 + followers) for each followed user who follows them."""
    state = context.state
    followed = context.followed[~np.isin(context.followed, context.controls.authors)][-_MAX_FOLLOWED:]
    _, (users,) = state.follows.gather(followed, _MAX_FOLLOWED)
    return GroupSums(users, 1.0 / np.sqrt(1.0 + state.followers[users])[None], state.n_users)


def authors_of_neighbours(context: RankingContext) -> GroupSums:
    """By user: the similarity of each neighbour, summed over the neighbour's newest events with posts of the author."""
    state = context.state
    users, similarity = neighbourhood.neighbours(context)
    owner, (posts,) = state.events_by_user.gather(users, _MAX_POSTS_PER_NEIGHBOUR, columns=(0,))
    return GroupSums(state.author[posts], similarity[owner][None], state.n_users)


def popular_authors(context: RankingContext) -> GroupSums:
    """By user: the decayed engagement with the authors of the most engaged posts of a week."""
    state = context.state
    authors = np.unique(state.author[state.top_posts(_WEEK, _POPULAR_POSTS)].astype(np.intp))
    authors = authors[authors >= 0]
    values = state.author_counters.values(context.now, authors)[_AUTHOR_WEEK]
    return GroupSums(authors, values[None], state.n_users)


_SIGNALS: Final[tuple[tuple[Callable[[RankingContext], GroupSums], float, Reason], ...]] = (
    (engaged_authors, 0.4, Reason.CONTENT_SIMILARITY),
    (followed_by_followed, 0.3, Reason.FOLLOWING),
    (authors_of_neighbours, 0.2, Reason.COLLABORATIVE_FILTERING),
    (popular_authors, 0.1, Reason.POPULAR_AUTHOR),
)
"""What suggests users, with weights that sum to 1. Each signal is divided by its largest value."""


def suggested_users(context: RankingContext, pipeline: FeedPipeline, limit: int) -> SuggestedUsers:
    """At most `limit` users. Each is discoverable and has a post that the feed may show to the user.

    Nobody whom the user follows, muted or blocked, who blocks the user, or who was removed; nor the user themselves.
    """
    state = context.state
    sums = [signal(context) for signal, _, _ in _SIGNALS]
    users = np.unique(np.concatenate([one.rows for one in sums]))
    users = users[_may_be_suggested(context, users)]
    parts = np.concatenate([one.for_rows(users) for one in sums])
    parts /= np.maximum(parts.max(axis=1, initial=0.0), np.finfo(np.float64).tiny)[:, None]
    parts *= np.array([weight for _, weight, _ in _SIGNALS])[:, None]
    values = parts.sum(axis=0).clip(0.0, 1.0)
    # of equal users the one with the smaller key, because rows differ between processes
    order = np.lexsort((state.user_rows.by_row[users].view("S16"), -values))
    order = order[_has_eligible_post(context, pipeline, users[order])][:limit]
    strongest = parts[:, order].argmax(axis=0)
    return SuggestedUsers(users[order], values[order], [_SIGNALS[index][2] for index in strongest.tolist()])


def _may_be_suggested(context: RankingContext, users: Rows) -> NDArray[np.bool_]:
    state = context.state
    is_removed = state.user_rows.by_row[users] == np.frombuffer(NO_KEY, state.user_rows.by_row.dtype)
    is_excluded = np.isin(users, np.concatenate([context.followed, context.controls.authors]))
    is_discoverable = state.visibility.discoverable[users]
    allowed: NDArray[np.bool_] = is_discoverable & (users != context.user) & ~is_removed & ~is_excluded
    return allowed


def _has_eligible_post(context: RankingContext, pipeline: FeedPipeline, authors: Rows) -> NDArray[np.bool_]:
    """(n,) true for the authors with a post, among their newest 20, that the feed may show to the user."""
    of_author, (posts,) = context.state.posts_by_author.gather(authors, _POSTS_PER_AUTHOR)
    eligible = pipeline.eligible(context, posts.astype(np.intp))
    has_one: NDArray[np.bool_] = np.bincount(of_author, eligible, len(authors)) > 0
    return has_one
