"""Lowers the scores of posts that were shown to the user without any engagement."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.group_sums import GroupSums
from app.domain.feed.row_set import RowSet
from app.domain.feed.state import FeedState
from app.domain.feed.time_units import HOUR
from app.domain.services.ranking_context import RankingContext

REPEAT_SECONDS = 10.0
"""A page may be repeated within this time: its impressions have no effect yet."""
ENGAGED_PAGE_WEIGHT = 0.25
"""Of the other impressions of a page with a post that the user engaged with: users come back to such pages."""


@dataclass(frozen=True, slots=True, eq=False)
class IgnoredImpressions:
    """Impressions that no event of the user with the post followed.

    posts    (n,) post rows, which may repeat
    ages     (n,) seconds, at least REPEAT_SECONDS
    weights  (n,) 1, or ENGAGED_PAGE_WEIGHT on a page with a post that the user engaged with
    seen     whether these posts were on screen; else it is unknown
    """

    posts: NDArray[np.int32]
    ages: NDArray[np.float64]
    weights: NDArray[np.float64]
    seen: bool


def ignored_impressions(
    state: FeedState, user: int, now: float, shown_before: float = np.inf
) -> IgnoredImpressions:
    """The ignored impressions of a user row (-1: unknown), on pages before `shown_before` (seconds).

    If the user's client reports which posts were on screen, only those count.
    """
    shown = state.impressions.of(user)
    counts = (shown.times <= now - REPEAT_SECONDS) & (shown.times < shown_before)
    reports_seen = bool(shown.seen.any())
    if reports_seen:
        counts &= shown.seen
    posts, times = shown.posts[counts], shown.times[counts]
    weights = np.ones(len(posts))
    engaged = _engaged(state, user, posts, times)
    if engaged.any():
        weights[(times[:, None] == times[engaged]).any(axis=1)] = ENGAGED_PAGE_WEIGHT
        posts, times, weights = posts[~engaged], times[~engaged], weights[~engaged]
    return IgnoredImpressions(posts, now - times, weights, reports_seen)


def ignored_by_user(context: RankingContext) -> IgnoredImpressions:
    """The ignored impressions of the user of a request, computed once."""
    return context.memoise(
        "ignored impressions",
        lambda: ignored_impressions(context.state, context.user, context.now, context.shown_before),
    )


def _engaged(
    state: FeedState, user: int, posts: NDArray[np.int32], times: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(n,) true where an event of the user with the post followed. `posts` and `times` (n,) are of impressions.

    Events before those in the user's list are taken to follow impressions that are older than the list.
    """
    if not len(posts):
        return np.zeros(0, np.bool_)
    event_posts, event_times, *_ = state.events_by_user.row(user)
    if state.earlier_events.length(user) and times.min() <= event_times.min(initial=np.inf):
        earlier_posts, _ = state.earlier_events.row(user)
        event_posts = np.concatenate([earlier_posts, event_posts])
        event_times = np.concatenate(
            [np.full(len(earlier_posts), event_times.min(initial=np.inf)), event_times]
        )
    after = event_times >= times.min()
    if not after.any():  # most often
        return np.zeros(len(posts), np.bool_)
    after &= RowSet(posts, state.n_posts).contains(event_posts)
    followed = (posts[:, None] == event_posts[after]) & (times[:, None] <= event_times[after])
    engaged: NDArray[np.bool_] = followed.any(axis=1)
    return engaged


@dataclass(frozen=True, slots=True)
class ImpressionSink:
    """Each ignored impression multiplies the score of its post by `factor`.

    The exponent of an impression is its weight, and halves with every `half_life_hours` of its age.
    """

    factor: float = 0.1
    half_life_hours: float = 24.0

    def __call__(self, context: RankingContext, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n,) factors of the scores of `rows`; 1 for a post without ignored impressions."""
        ignored = ignored_by_user(context)
        exponents = ignored.weights * np.exp2(-ignored.ages / (self.half_life_hours * HOUR))
        sums = GroupSums(ignored.posts, exponents[None], context.state.n_posts)
        factors: NDArray[np.float64] = self.factor ** sums.for_rows(rows)[0]
        return factors
