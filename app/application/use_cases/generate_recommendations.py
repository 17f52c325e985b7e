"""Generate one page of a user's feed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray

from app.application.cursor import CursorCodec
from app.application.dto import RecommendationRequest, RecommendationResponse, Source
from app.application.feed_list import FeedList
from app.application.feed_query import FeedQuery
from app.application.list_progress import ListProgress, last_by_time
from app.application.list_variants import variants_of
from app.application.live_feed import LiveFeed
from app.application.page_reports import PageReports
from app.application.randomised_pages import RandomisedPages
from app.application.response_cache import ResponseCache, cache_validity
from app.application.running_experiments import NO_VARIANTS, Rankings, Variants
from app.application.use_cases.returning_user import ReturningUser
from app.application.use_cases.unfinished_page import UnfinishedPage, unlisted_posts
from app.domain.feed.time_position import TimePosition
from app.domain.ranking.evidence import find_evidence
from app.domain.ranking.pipeline import Page
from app.domain.repositories.stored_posts import StoredPostRepository
from app.domain.services.clock import Clock
from app.domain.services.ranking_context import RankingContext

OnFallback = Callable[[str, str], None]

log = structlog.get_logger()


@dataclass(eq=False)
class GenerateRecommendations:
    """Answer feed requests. A missing model or database degrades the response, never the request.

    on_fallback  gets the experiment and the name of each variant that failed
    storage    has the posts that memory lacks; None without a database
    randomised  draws the first page of some lists at random
    bring_back  reads the events of a user who is away into memory; raises StorageUnavailable
    """

    feed: LiveFeed
    cursors: CursorCodec
    clock: Clock
    reports: PageReports
    cache: ResponseCache
    storage: StoredPostRepository | None = None
    bring_back: Callable[[UUID], None] | None = None
    on_fallback: OnFallback | None = None
    randomised: RandomisedPages | None = None

    def __call__(
        self, request: RecommendationRequest
    ) -> RecommendationResponse | UnfinishedPage | ReturningUser:
        """Return one page without waiting, or what memory has of it if the rest of the page is in storage.

        Of a user whose events are in storage, the whole page follows. Raises InvalidId, InvalidCursor, ExpiredCursor,
        UnknownVariant and nothing else.
        """
        return self.at(request, self.clock.now())

    def at(
        self, request: RecommendationRequest, now: datetime
    ) -> RecommendationResponse | UnfinishedPage | ReturningUser:
        """The same at a given time of now or just before. Pages of one time share the inputs of posts."""
        began = self.reports.timer()
        query = FeedQuery.resolve(request, self.feed, self.cursors, now)
        if self.bring_back is not None and self.feed.needs_stored_events(query.user_id):
            return ReturningUser(partial(self.bring_back, query.user_id), partial(self._page, query, began))
        return self._page(query, began)

    def _page(
        self, query: FeedQuery, began: float, lacks_events: bool = False
    ) -> RecommendationResponse | UnfinishedPage:
        """A page from what is in memory, degraded if it lacks the user's events. `began` is as in PageReports."""
        with self.feed.lock:
            state = self.feed.state
            user = state.user_rows.get(query.user_id.bytes, -1)
            if user >= 0:
                state.requested[user] = query.now.timestamp()
            self.cache.bind(state)
            kept_list = self.cache.feed_list(query)
            variants = variants_of(query, self.feed, user, kept_list)
            validity = cache_validity(self.feed, user, query.now.timestamp()), tuple(variants.items())
            keeps_list = not query.request.single_page
            if keeps_list and (cached := self.cache.response(query, validity)) is not None:
                cached = replace(cached, degraded=lacks_events or self.feed.degraded)
                self.reports.add_cached(query, user, began, cached)
                return replace(cached, user_id=query.request.user_id, generated_at=query.now)
            earlier = query.earlier_rows(state)
            context = query.ranking_context(self.feed, earlier)
            report = partial(self.reports.add, query, user, began)
            feed_list, page = self._ranked(query, context, earlier, kept_list, variants, report)
            if lacks_events:
                page = _as_degraded(page)
            response = None if isinstance(page, UnfinishedPage) else page
            if keeps_list:
                self.cache.put(query, validity, feed_list, response)
        if isinstance(page, UnfinishedPage):
            return page
        report(page)
        return page

    def _ranked(
        self,
        query: FeedQuery,
        context: RankingContext,
        earlier: NDArray[np.intp],
        kept_list: FeedList | None,
        variants: Variants,
        report: Callable[[RecommendationResponse], None],
    ) -> tuple[FeedList, RecommendationResponse | UnfinishedPage]:
        """The list with the page, and the page; by the served ranking if that of the variants fails."""
        control = Rankings(self.feed.ranker.pipeline)
        rankings: Rankings | None = control
        if variants:
            rankings = self.feed.ranker.experiments.rankings(variants, control.pipeline)
        if rankings is not None:
            try:
                feed_list = kept_list or query.new_list(rankings, context, earlier, variants)
                return feed_list, self._respond(query, context, feed_list, rankings, report, variants)
            except Exception:
                if rankings.pipeline is control.pipeline and rankings.rival is None:
                    raise
                log.exception("experiment.variant_failed", variants=variants)
        if self.on_fallback is not None:
            for experiment, variant in variants.items():
                self.on_fallback(experiment, variant)
        feed_list = kept_list or query.new_list(control, context, earlier)
        return feed_list, self._respond(query, context, feed_list, control, report, failed_variants=variants)

    def _respond(
        self,
        query: FeedQuery,
        context: RankingContext,
        feed_list: FeedList,
        rankings: Rankings,
        report: Callable[[RecommendationResponse], None],
        variants: Variants = NO_VARIANTS,
        failed_variants: Variants = NO_VARIANTS,
    ) -> RecommendationResponse | UnfinishedPage:
        request, state, ranker = query.request, context.state, self.feed.ranker
        pipeline, is_interleaved = rankings.pipeline, rankings.rival is not None
        storage = self.storage if self.feed.database_ok and self.feed.has_controls else None
        oldest = None if state.complete_from is None else TimePosition.of(*state.complete_from)
        feed_list.memory_until = None if self.storage is None else oldest
        randomised = None
        if self.randomised is not None and not is_interleaved and query.begins(feed_list):
            randomised = self.randomised.of_next_list()
        page, has_ended = feed_list.page(
            pipeline,
            context,
            query.start,
            query.stop,
            continues_in_storage=oldest is not None and storage is not None,
            draft_key=query.draft_key(rankings.salt, feed_list.started_at) if is_interleaved else None,
            randomised=randomised,
        )
        exhausted = has_ended and self.feed.has_controls  # else the feed is not loaded yet
        if request.record and request.mode == "ranked" and context.user >= 0:
            state.impressions.record(context.user, page.rows, context.now)
        rows = page.rows.tolist()
        needs_storage = has_ended and oldest is not None and storage is not None
        progress = next_cursor = None
        if needs_storage or not request.single_page:
            kept = variants if request.variants is None else NO_VARIANTS  # forced ones are in each request
            variant_ids = ranker.experiments.ids(kept) if kept else b""
            progress = self._progress(query, context, feed_list, page, variant_ids)
        if progress is not None and not (exhausted or request.single_page):
            next_cursor = self.cursors.seal(progress.cursor_state())
        response = RecommendationResponse(
            user_id=request.user_id,
            post_ids=state.post_ids(page.rows),
            external_ids=[state.external_ids[row] for row in rows],
            scores=page.values.tolist(),
            reasons=page.reasons,
            evidence=find_evidence(context, page.rows, page.strengths),
            source=_response_source(context, ranker.model_version),
            degraded=self.feed.degraded,
            exhausted=exhausted,
            model_version=ranker.experiments.model_version(variants) or ranker.model_version,
            generated_at=query.now,
            next_cursor=next_cursor,
            explanations=feed_list.explain(pipeline, context, page) if request.explain else [],
            post_seqs=state.seq[page.rows].tolist(),
            time_ordered=feed_list.position is not None,
            variants=variants,
            teams=page.teams.tolist() if is_interleaved else (),
            failed_variants=failed_variants,
            probabilities=() if randomised is None else page.probabilities.tolist(),
        )
        if progress is None or not has_ended or oldest is None or storage is None:
            return response
        keys = [state.post_key(row) for row in rows]
        threads, originals = state.groups.heads(page.rows, keys)
        return UnfinishedPage(
            feed=self.feed,
            cursors=self.cursors,
            storage=storage,
            on_completed=report,
            query=query,
            feed_list=feed_list,
            response=response,
            progress=progress,
            unlisted=unlisted_posts(pipeline, context, feed_list, query.stop),
            position=min(oldest, progress.start),
            threads=threads,
            originals=originals,
        )

    def _progress(
        self,
        query: FeedQuery,
        context: RankingContext,
        feed_list: FeedList,
        page: Page,
        variant_ids: bytes,
    ) -> ListProgress:
        """How far the list has come with this page; a cursor excludes the posts of all earlier pages as well."""
        state, cursor = context.state, query.cursor
        listed = feed_list.listed.rows[: query.stop] if cursor is None else page.rows
        shown = np.sort(state.seq[listed])
        if cursor is None:
            later = feed_list.stored_before(query.start)
            shown = np.union1d(shown, np.array(later, np.int64)) if later else shown
        else:
            shown = np.union1d(cursor.shown, shown)
        known = state.rows_of_seq(shown)
        return ListProgress(
            query.user_id,
            feed_list.mode,
            query.now,
            feed_list.started_at,
            feed_list.position,
            feed_list.start_by_time(context.now),
            last_by_time(state, feed_list.listed.rows[feed_list.ranked_count : query.stop]),
            shown,
            (state.seq[known], state.created[known]),
            variant_ids,
        )


def _as_degraded(
    page: RecommendationResponse | UnfinishedPage,
) -> RecommendationResponse | UnfinishedPage:
    if isinstance(page, UnfinishedPage):
        return replace(page, response=replace(page.response, degraded=True))
    return replace(page, degraded=True)


def _response_source(context: RankingContext, model_version: str | None) -> Source:
    """The `source` of a response: "fallback" without a model, else by whether the user has events."""
    if model_version is None:
        return "fallback"
    return "personalized" if context.event_count else "cold_start"
