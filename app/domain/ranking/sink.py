"""Lowers the scores of posts that were shown to the user without any engagement."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """

    posts: NDArray[np.int32]
    ages: NDArray[np.float64]
    weights: NDArray[np.float64]


def ignored_impressions(state: FeedState, user: int, now: float) -> IgnoredImpressions:
    """The ignored impressions of a user row (-1: unknown).

    If the user's client reports which posts were on screen, only those count.
    """
    shown = state.impressions.of(user)
    if not len(shown):
        return IgnoredImpressions(shown["post"], shown["time"], np.empty(0))
    if shown["seen"].any():
        shown = shown[shown["seen"]]
    shown = shown[shown["time"] <= now - REPEAT_SECONDS]
    posts, times, *_ = state.events_by_user.row(user)
    distinct, place = np.unique(shown["post"], return_inverse=True)
    last_event = np.full(len(distinct), -np.inf)
    known = np.isin(posts, distinct)
    np.maximum.at(last_event, np.searchsorted(distinct, posts[known]), times[known])
    engaged = shown["time"] <= last_event[place]
    on_engaged_page = np.isin(shown["time"], shown["time"][engaged])[~engaged]
    shown = shown[~engaged]
    weights = np.where(on_engaged_page, ENGAGED_PAGE_WEIGHT, 1.0)
    return IgnoredImpressions(shown["post"], now - shown["time"], weights)


@dataclass(frozen=True, slots=True)
class ImpressionSink:
    """Each ignored impression multiplies the score of its post by `factor`.

    The exponent of an impression is its weight, and halves with every `half_life_hours` of its age.
    """

    factor: float = 0.1
    half_life_hours: float = 24.0

    def __call__(self, context: RankingContext, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n,) factors of the scores of `rows`, which ascend; 1 for a post without ignored impressions."""
        ignored = ignored_impressions(context.state, context.user, context.now)
        place = np.searchsorted(rows, ignored.posts)
        listed = np.append(rows, -1)[place] == ignored.posts
        exponents = ignored.weights * 0.5 ** (ignored.ages / (self.half_life_hours * HOUR))
        return np.power(self.factor, np.bincount(place[listed], exponents[listed], minlength=len(rows)))
