"""Generate one page of a user's feed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.cursor import CursorCodec, CursorState
from app.application.dto import RecommendationRequest, RecommendationResponse, Source
from app.application.feed_list import FeedList
from app.application.feed_query import FeedQuery
from app.application.live_feed import LiveFeed
from app.application.response_cache import ResponseCache, cache_validity
from app.domain.entities import Impression
from app.domain.ranking.pipeline import Page
from app.domain.services.clock import Clock
from app.domain.services.ranking_context import RankingContext

OnServed = Callable[[UUID, RecommendationResponse], None]
OnShown = Callable[[Impression], None]


@dataclass(eq=False)
class GenerateRecommendations:
    """Answer feed requests from memory. A missing model or database degrades the response, never the request.

    on_served  gets each ranked response to a known user, except cached ones; it must not block
    on_shown   gets each ranked page; it must not block
    Neither gets a page without `record`.
    """

    feed: LiveFeed
    cursors: CursorCodec
    clock: Clock
    on_served: OnServed | None
    on_shown: OnShown | None
    cache: ResponseCache

    def __call__(self, request: RecommendationRequest) -> RecommendationResponse:
        """Return one page. Raises InvalidId, InvalidCursor, ExpiredCursor and nothing else."""
        query = FeedQuery.resolve(request, self.feed, self.cursors, self.clock.now())
        with self.feed.lock:
            state = self.feed.state
            user = state.user_rows.get(query.user_id.bytes, -1)
            validity = cache_validity(self.feed, user, query.now.timestamp())
            self.cache.bind(state)
            if (cached := self.cache.response(query, validity)) is not None:
                self._report_shown(query, user, cached)
                return self._reissue(cached, query)
            earlier = query.earlier_rows(state)
            excluded = query.excluded_rows(state, user, earlier)
            sinks_shown = request.shown == "sink"
            context = RankingContext(
                state,
                user,
                query.now.timestamp(),
                excluded,
                sinks_shown=sinks_shown,
                public_only=self.feed.public_only,
            )
            feed_list = self.cache.feed_list(query) or self._new_list(query, context, earlier)
            response = self._respond(query, context, feed_list)
            self.cache.put(query, validity, feed_list, response)
        self._report_shown(query, user, response)
        is_recorded = request.record and request.mode == "ranked" and response.post_ids
        if self.on_served is not None and is_recorded and user >= 0:
            self.on_served(query.user_id, response)
        return response

    def _report_shown(self, query: FeedQuery, user: int, response: RecommendationResponse) -> None:
        """Pass a ranked page on; a cached page keeps the time at which it was made."""
        request = query.request
        if self.on_shown is not None and request.record and request.mode == "ranked" and response.post_ids:
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
                )
            )

    def _reissue(self, cached: RecommendationResponse, query: FeedQuery) -> RecommendationResponse:
        return replace(
            cached, user_id=query.request.user_id, generated_at=query.now, degraded=self.feed.degraded
        )

    def _new_list(self, query: FeedQuery, context: RankingContext, earlier: NDArray[np.intp]) -> FeedList:
        """A list that starts now, or the rest of the list that the cursor started."""
        mode = query.request.mode
        started_at = query.now if query.cursor is None else query.cursor.started_at
        ranked = self.feed.ranker.pipeline.rank(context) if mode == "ranked" else None
        return FeedList(mode, started_at, ranked, earlier)

    def _respond(
        self, query: FeedQuery, context: RankingContext, feed_list: FeedList
    ) -> RecommendationResponse:
        request, state, ranker = query.request, context.state, self.feed.ranker
        page, exhausted = feed_list.page(ranker.pipeline, context, query.start, query.stop)
        exhausted &= self.feed.has_controls  # else the feed is not loaded yet
        if request.record and request.mode == "ranked" and context.user >= 0:
            state.impressions.record(context.user, page.rows, context.now)
        rows = page.rows.tolist()
        return RecommendationResponse(
            user_id=request.user_id,
            post_ids=[state.post_ids[row] for row in rows],
            external_ids=[state.external_ids[row] for row in rows],
            scores=page.values.tolist(),
            reasons=page.reasons,
            source=_response_source(context, ranker.model_version),
            degraded=self.feed.degraded,
            exhausted=exhausted,
            model_version=ranker.model_version,
            generated_at=query.now,
            next_cursor=None if exhausted else self._next_cursor(query, context, feed_list, page),
            explanations=feed_list.explain(ranker.pipeline, context, page) if request.explain else [],
            post_seqs=state.seq[page.rows].tolist(),
        )

    def _next_cursor(self, query: FeedQuery, context: RankingContext, feed_list: FeedList, page: Page) -> str:
        """A cursor that excludes every post of this page and of all earlier pages."""
        seq = context.state.seq
        if query.cursor is None:
            shown = np.sort(seq[feed_list.listed.rows[: query.stop]])
        else:
            shown = np.union1d(query.cursor.shown, seq[page.rows])
        mode = query.request.mode
        return self.cursors.seal(CursorState(query.user_id, mode, query.now, feed_list.started_at, shown))


def _response_source(context: RankingContext, model_version: str | None) -> Source:
    """The `source` of a response: "fallback" without a model, else by whether the user has events."""
    if model_version is None:
        return "fallback"
    return "personalized" if context.event_count else "cold_start"
