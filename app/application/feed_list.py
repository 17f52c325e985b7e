"""A user's list of posts, extended page by page: ranked posts first, then the rest of the catalogue."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.application.dto.recommendation_request import Mode
from app.domain.entities import Reason
from app.domain.ranking.pipeline import FeedPipeline, Page, RankedList
from app.domain.services.ranking_context import RankingContext

Rows = NDArray[np.intp]
TRUNCATED_LENGTH = 500  # ranked posts that a cached list keeps for the next pages
_NO_ROWS = np.empty(0, np.intp)
_NO_POSTS = Page(_NO_ROWS, np.empty(0), [])
_FIRST_SCAN = 256  # posts
_SECONDS_PER_DAY = 86400.0


class Segment(Protocol):
    """One part of a list: it yields posts in a fixed order until none is left."""

    def take(self, pipeline: FeedPipeline, context: RankingContext, listed: Rows, count: int) -> Page:
        """Return the next `count` eligible posts that are not in `listed`; fewer at the end of the segment."""
        ...


@dataclass(slots=True, eq=False)
class RankedSegment:
    """The ranked candidates, in the order of the page selector."""

    ranked: RankedList

    def take(self, pipeline: FeedPipeline, context: RankingContext, listed: Rows, count: int) -> Page:
        """Exclude posts that became ineligible since the list was ranked, then select a page."""
        ranked = self.ranked
        if len(listed):
            ineligible = ranked.rows[~pipeline.eligible(context, ranked.rows)]
            ranked = ranked.excluding(np.concatenate([listed, ineligible]), context.state.n_posts)
        return pipeline.page(context, ranked, count) if len(ranked.rows) else _NO_POSTS

    def truncate(self) -> None:
        """Drop the scores and all but the first posts, to save memory in the cache."""
        if self.ranked.scored is not None:
            self.ranked = self.ranked.truncated(TRUNCATED_LENGTH)


@dataclass(frozen=True, slots=True)
class ByTimeSegment:
    """Posts created until `until`, newest first; the score is 1 / (1 + age in days)."""

    mode: Mode
    until: datetime

    def take(self, pipeline: FeedPipeline, context: RankingContext, listed: Rows, count: int) -> Page:
        """In mode `following` return posts of followed authors, otherwise posts of all authors."""
        state = context.state
        if self.mode == "following":
            rows, reason = _posts_of_followed(context), Reason.FOLLOWING
        else:
            rows, reason = state.by_created[::-1], Reason.RECENT
        rows = rows[state.created[rows] <= self.until.timestamp()]
        rows = _first_eligible(pipeline, context, rows, listed, count)
        return Page(rows, 1.0 / (1.0 + _age_days(context, rows)), [reason] * len(rows))


class TailSegment:
    """All other posts of the catalogue, newest first, with score 0."""

    def take(self, pipeline: FeedPipeline, context: RankingContext, listed: Rows, count: int) -> Page:
        """Scan the catalogue from its newest post."""
        rows = _first_eligible(pipeline, context, context.state.by_created[::-1], listed, count)
        return Page(rows, np.zeros(len(rows)), [Reason.RECENT] * len(rows))


@dataclass(slots=True, eq=False)
class FeedList:
    """A list that grows on demand. Posts that were listed keep their positions.

    ranked  the ranked part; None for a list by time
    rest    the segment that follows the ranked part, or is the whole list
    listed  the posts of all pages so far
    """

    started_at: datetime
    ranked: RankedSegment | None
    rest: Segment
    listed: Page = field(default=_NO_POSTS)

    @classmethod
    def by_rank(cls, started_at: datetime, ranked: RankedList) -> "FeedList":
        """A list of the ranked candidates, followed by the rest of the catalogue."""
        return cls(started_at, RankedSegment(ranked), TailSegment())

    @classmethod
    def by_time(cls, started_at: datetime, mode: Mode) -> "FeedList":
        """A list of the posts that existed when the list was started, newest first."""
        return cls(started_at, None, ByTimeSegment(mode, started_at))

    def page(
        self, pipeline: FeedPipeline, context: RankingContext, start: int, stop: int
    ) -> tuple[Page, bool]:
        """Return the posts at positions `start` to `stop`, and whether the list ends before `stop`.

        Posts of earlier pages that are no longer eligible are omitted.
        """
        length_before = len(self.listed.rows)
        if length_before < stop:
            self._extend(pipeline, context, stop - length_before)
        page = _slice(self.listed, start, stop)
        if length_before:
            page = _filter(page, pipeline.eligible(context, page.rows))
        return page, len(self.listed.rows) < stop

    def explain(self, pipeline: FeedPipeline, context: RankingContext, page: Page) -> list[dict[str, Any]]:
        """Return one explanation for each post of `page`: parts of the score, or the age in a list by time."""
        if self.ranked is not None:
            return pipeline.explain(context, self.ranked.ranked, page.rows)
        return [{"age_days": round(age, 4)} for age in _age_days(context, page.rows).tolist()]

    def truncate(self) -> None:
        """Release the memory that only explanations and selection beyond the first posts need."""
        if self.ranked is not None:
            self.ranked.truncate()

    def _extend(self, pipeline: FeedPipeline, context: RankingContext, count: int) -> None:
        for segment in (self.ranked, self.rest):
            if segment is None or count <= 0:
                continue
            page = segment.take(pipeline, context, self.listed.rows, count)
            self.listed = _joined(self.listed, page)
            count -= len(page.rows)


def _posts_of_followed(context: RankingContext) -> Rows:
    """Rows of the posts of followed authors, newest first."""
    state = context.state
    _, (posts,) = state.posts_by_author.gather(context.followed, state.n_posts)
    rows = posts.astype(np.intp)
    return rows[np.lexsort((-rows, -state.created[rows]))]


def _first_eligible(
    pipeline: FeedPipeline, context: RankingContext, rows: Rows, listed: Rows, count: int
) -> Rows:
    """The first `count` eligible posts of `rows` that are not listed. Scans in growing blocks and stops early."""
    is_listed = np.zeros(context.state.n_posts, np.bool_)
    is_listed[listed] = True
    found = [_NO_ROWS]
    missing, start, block_size = count, 0, max(4 * count, _FIRST_SCAN)
    while missing > 0 and start < len(rows):
        block = rows[start : start + block_size]
        block = block[~is_listed[block]]
        block = block[pipeline.eligible(context, block)][:missing]
        found.append(block)
        missing -= len(block)
        start, block_size = start + block_size, 2 * block_size
    return np.concatenate(found)


def _age_days(context: RankingContext, rows: Rows) -> NDArray[np.float64]:
    age: NDArray[np.float64] = (context.now - context.state.created[rows]).clip(0) / _SECONDS_PER_DAY
    return age


def _joined(first: Page, second: Page) -> Page:
    if not len(first.rows):
        return second
    return Page(
        np.concatenate([first.rows, second.rows]),
        np.concatenate([first.values, second.values]),
        first.reasons + second.reasons,
    )


def _slice(page: Page, start: int, stop: int) -> Page:
    """The posts at positions `start` to `stop`, with scores that never rise from one post to the next."""
    values = np.minimum.accumulate(page.values[start:stop])
    return Page(page.rows[start:stop], values, page.reasons[start:stop])


def _filter(page: Page, keep: NDArray[np.bool_]) -> Page:
    positions = np.flatnonzero(keep).tolist()
    return Page(page.rows[keep], page.values[keep], [page.reasons[position] for position in positions])
