"""Passes the pages of feeds on to those who store them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import perf_counter
from uuid import UUID

from app.application.dto import RecommendationResponse
from app.application.feed_query import FeedQuery
from app.application.running_experiments import NO_VARIANTS
from app.domain.entities import Impression

OnServed = Callable[[UUID, RecommendationResponse], None]
OnShown = Callable[[Impression], None]


@dataclass(eq=False)
class PageReports:
    """Passes ranked pages with posts on, unless the request is not recorded.

    on_served  gets each response to a known user, except cached ones; it must not block
    on_shown   gets each page; it must not block
    slow_seconds  time to make a page above which it counts as slow in experiments; `timer` measures it
    """

    on_served: OnServed | None
    on_shown: OnShown | None
    slow_seconds: float = inf
    timer: Callable[[], float] = perf_counter

    def add(self, query: FeedQuery, user: int, began: float, response: RecommendationResponse) -> None:
        """Pass a page on. `user` is a row, or -1; `began` is the time of the request by `timer`."""
        self.add_cached(query, user, began, response)
        if self.on_served is not None and user >= 0 and _is_recorded(query, response):
            self.on_served(query.user_id, response)

    def add_cached(self, query: FeedQuery, user: int, began: float, response: RecommendationResponse) -> None:
        """Pass a page on that was served before. It keeps the time at which it was made."""
        if self.on_shown is None or not _is_recorded(query, response):
            return
        request = query.request
        is_counted = request.variants is None
        self.on_shown(
            Impression(
                request_id=request.request_id,
                user_id=query.user_id,
                shown_at=response.generated_at,
                mode=request.mode,
                model_version=response.model_version,
                posts=response.post_seqs,
                reasons=response.reasons,
                known_user=user >= 0,
                variants=response.variants if is_counted else NO_VARIANTS,
                teams=response.teams if is_counted else (),
                degraded=response.degraded,
                slow=self.timer() - began > self.slow_seconds,
                failed_variants=response.failed_variants if is_counted else NO_VARIANTS,
                probabilities=response.probabilities,
            )
        )


def _is_recorded(query: FeedQuery, response: RecommendationResponse) -> bool:
    request = query.request
    return request.record and request.mode == "ranked" and bool(response.post_ids)
