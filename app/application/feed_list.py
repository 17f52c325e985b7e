"""A user's list of posts, extended page by page: ranked posts first, then the rest of the catalogue."""

from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.application.dto.recommendation_request import Mode
from app.domain.entities import Reason
from app.domain.feed.row_set import RowSet
from app.domain.ranking.page_selector import one_per_thread
from app.domain.ranking.pipeline import FeedPipeline, Page, RankedList
from app.domain.services.ranking_context import RankingContext

Rows = NDArray[np.intp]
TRUNCATED_LENGTH = 500  # ranked posts that a cached list keeps for the next pages
_NO_ROWS = np.empty(0, np.intp)
_NO_POSTS = Page(_NO_ROWS, np.empty(0), [])
_FIRST_SCAN = 256  # posts
_SECONDS_PER_DAY = 86400.0


@dataclass(slots=True, eq=False)
class FeedList:
    """A list that grows on demand. Posts that were listed keep their positions.

    ranked   the ranked candidates of a list in mode `ranked`; the rest of the catalogue follows, newest first, with
             score 0. None for a list by time: it holds the posts that existed at `started_at`, newest first, with score
             1 / (1 + age in days); in mode `following` only posts of followed authors
    earlier  posts of the pages before this list, if it continues the list of a cursor
    listed   the posts of all pages so far
    """

    mode: Mode
    started_at: datetime
    ranked: RankedList | None
    earlier: Rows
    listed: Page = _NO_POSTS

    def page(
        self, pipeline: FeedPipeline, context: RankingContext, start: int, stop: int
    ) -> tuple[Page, bool]:
        """Return the posts at positions `start` to `stop`, and whether the list ends before `stop`.

        Posts of earlier pages that are no longer eligible are omitted.
        """
        length_before = len(self.listed.rows)
        if length_before < stop and self.ranked is not None:
            self._append(self._next_ranked(self.ranked, pipeline, context, stop - length_before))
        if len(self.listed.rows) < stop and self.ranked is not None:
            missing, on_page = stop - len(self.listed.rows), self.listed.rows[length_before:]
            self._append(self._next_by_time(pipeline, context, missing, on_page))
        if len(self.listed.rows) < stop:  # also of threads that the page has, because no others are left
            self._append(self._next_by_time(pipeline, context, stop - len(self.listed.rows)))
        # scores never rise from one post to the next
        values = np.minimum.accumulate(self.listed.values[start:stop])
        page = Page(self.listed.rows[start:stop], values, self.listed.reasons[start:stop])
        if length_before:
            keep = pipeline.eligible(context, page.rows)
            if self.mode == "following":  # the user may have unfollowed an author since
                keep &= context.by_followed(page.rows)
            page = Page(page.rows[keep], values[keep], list(compress(page.reasons, keep.tolist())))
        return page, len(self.listed.rows) < stop

    def explain(self, pipeline: FeedPipeline, context: RankingContext, page: Page) -> list[dict[str, Any]]:
        """Return one explanation for each post of `page`: parts of the score, or the age in a list by time."""
        if self.ranked is not None:
            return pipeline.explain(context, self.ranked, page.rows)
        return [{"age_days": round(age, 4)} for age in _age_days(context, page.rows).tolist()]

    def truncate(self) -> None:
        """Drop the scores and all but the first ranked posts, to save memory in the cache."""
        if self.ranked is not None and self.ranked.scored is not None:
            self.ranked = self.ranked.truncated(TRUNCATED_LENGTH)

    def _next_ranked(
        self, ranked: RankedList, pipeline: FeedPipeline, context: RankingContext, count: int
    ) -> Page:
        """Exclude listed posts and those that became ineligible since the list was ranked, then select a page."""
        if len(self.listed.rows):
            ineligible = ranked.rows[~pipeline.eligible(context, ranked.rows)]
            ranked = ranked.excluding(np.concatenate([self.listed.rows, ineligible]), context.state.n_posts)
        if not len(ranked.rows):
            return _NO_POSTS
        return pipeline.page(context, ranked, count, np.concatenate([self.earlier, self.listed.rows]))

    def _next_by_time(
        self, pipeline: FeedPipeline, context: RankingContext, count: int, on_page: Rows | None = None
    ) -> Page:
        """The newest `count` posts that are not listed; with `on_page`, one of each thread that `on_page` lacks."""
        state, reason = context.state, Reason.RECENT
        rows = state.by_created[::-1]
        if self.mode == "following":
            rows, reason = _posts_of_followed(context), Reason.FOLLOWING
        if self.ranked is None:
            rows = rows[state.created[rows] <= self.started_at.timestamp()]
        rows = first_eligible(pipeline, context, rows, count, self.listed.rows, on_page)
        by_age = 1.0 / (1.0 + _age_days(context, rows))
        return Page(rows, by_age if self.ranked is None else np.zeros(len(rows)), [reason] * len(rows))

    def _append(self, page: Page) -> None:
        listed = self.listed
        self.listed = Page(
            np.concatenate([listed.rows, page.rows]),
            np.concatenate([listed.values, page.values]),
            listed.reasons + page.reasons,
        )


def _posts_of_followed(context: RankingContext) -> Rows:
    """Rows of the posts of followed authors, newest first."""
    state = context.state
    _, (posts,) = state.posts_by_author.gather(context.followed, state.n_posts)
    rows = posts.astype(np.intp)
    return rows[np.lexsort((-state.seq[rows], -state.created[rows]))]


def first_eligible(
    pipeline: FeedPipeline,
    context: RankingContext,
    rows: Rows,
    count: int,
    listed: Rows = _NO_ROWS,
    on_page: Rows | None = None,
) -> Rows:
    """The first `count` eligible posts of `rows` that are not listed. Scans in growing blocks and stops early.

    With `on_page`, only the first post of each thread that the posts `on_page` lack (see `one_per_thread`).
    """
    is_listed = RowSet(listed, context.state.n_posts)
    found = [rows[:0]]
    missing, start, block_size = count, 0, max(4 * count, _FIRST_SCAN)
    while missing > 0 and start < len(rows):
        block = rows[start : start + block_size]
        block = block[~is_listed.contains(block)]
        block = block[pipeline.eligible(context, block)]
        if on_page is not None:
            block = block[one_per_thread(context.state.visibility, block, np.concatenate([on_page, *found]))]
        block = block[:missing]
        found.append(block)
        missing -= len(block)
        start, block_size = start + block_size, 2 * block_size
    return np.concatenate(found)


def _age_days(context: RankingContext, rows: Rows) -> NDArray[np.float64]:
    age: NDArray[np.float64] = (context.now - context.state.created[rows]).clip(0) / _SECONDS_PER_DAY
    return age
