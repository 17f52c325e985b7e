"""A user's list of posts, extended page by page: ranked posts first, then the rest of the catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.application.dto.recommendation_request import Mode
from app.application.randomised_pages import RandomisedPages
from app.domain.entities import EvidenceKind, Reason
from app.domain.experiments.team_draft import NO_TEAM
from app.domain.feed.row_set import RowSet
from app.domain.feed.state import FeedState
from app.domain.feed.time_position import TimePosition
from app.domain.ranking.interleaved_list import interleaved_list
from app.domain.ranking.page_selector import one_per_thread
from app.domain.ranking.pipeline import FeedPipeline, Page, RankedList
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import strengths_of

Rows = NDArray[np.intp]
TRUNCATED_LENGTH = 500  # ranked posts that a cached list keeps for the next pages
_NO_ROWS = np.empty(0, np.intp)
_NO_POSTS = Page(_NO_ROWS, np.empty(0), [], strengths_of({}, 0), np.empty(0, np.int8), np.empty(0))
_FIRST_SCAN = 256  # posts
_SECONDS_PER_DAY = 86400.0


@dataclass(slots=True, eq=False)
class FeedList:
    """A list that grows on demand. Posts that were listed keep their positions.

    ranked       the ranked candidates of a list in mode `ranked`; the rest of the catalogue follows, newest first, with
                 score 0. None for a list by time: it holds the posts that existed at `started_at`, newest first, with
                 score 1 / (1 + age in days); in mode `following` only posts of followed authors. None also after the
                 ranked part of a list in mode `ranked`
    rival        the candidates of another ranking that is interleaved with `ranked`; None in other lists
    earlier      posts of the pages before this list, if it continues the list of a cursor
    position     the list by time continues after it (see CursorState)
    listed       the posts of all pages so far, as far as memory holds them
    ranked_count number of the first posts of `listed`, which are listed by rank
    stored_seqs  numbers of the posts that follow `listed`
    memory_until the posts by time after it are read from storage; None: memory has all that there are
    variants     the variants that rank the list to its end
    """

    mode: Mode
    started_at: datetime
    ranked: RankedList | None
    earlier: Rows
    position: TimePosition | None = None
    listed: Page = _NO_POSTS
    ranked_count: int = 0
    stored_seqs: list[int] = field(default_factory=list)
    memory_until: TimePosition | None = None
    variants: Mapping[str, str] = field(default_factory=dict)
    rival: RankedList | None = None

    def page(
        self,
        pipeline: FeedPipeline,
        context: RankingContext,
        start: int,
        stop: int,
        *,
        continues_in_storage: bool = False,
        draft_key: bytes | None = None,
        randomised: RandomisedPages | None = None,
    ) -> tuple[Page, bool]:
        """Return the posts at positions `start` to `stop`, and whether the list in memory ends before `stop`.

        With a `draft_key`, new places are of the two rankings of an interleaved list (see `team_draft`).
        `randomised` draws the ranked posts of a new list at random.

        Posts of earlier pages that are no longer eligible are omitted. With `continues_in_storage`, posts of threads
        that the page has are not listed before storage was read for others (see `unlisted`).
        """
        length_before = len(self.listed.rows)
        is_full = bool(self.stored_seqs)  # the next posts are not in memory
        if length_before < stop and self.ranked is not None and not is_full:
            self._append(
                self._next_ranked(self.ranked, pipeline, context, stop - length_before, draft_key, randomised)
            )
            self.ranked_count = len(self.listed.rows)
        if len(self.listed.rows) < stop and self.has_one_post_per_thread and not is_full:
            missing, on_page = stop - len(self.listed.rows), self.listed.rows[length_before:]
            self._append(self._next_by_time(pipeline, context, missing, on_page))
        if len(self.listed.rows) < stop and not (continues_in_storage and self.has_one_post_per_thread):
            # also of threads that the page has, because no others are left
            self._append(self._next_by_time(pipeline, context, stop - len(self.listed.rows)))
        # scores never rise from one post to the next
        page = self.listed.places(start, stop)
        page = replace(page, values=np.minimum.accumulate(page.values))
        if length_before:
            keep = pipeline.eligible(context, page.rows)
            if self.mode == "following":  # the user may have unfollowed an author since
                keep &= context.by_followed(page.rows)
            page = page.only(keep)
        return page, len(self.listed.rows) < stop

    @property
    def has_one_post_per_thread(self) -> bool:
        """True if no page has two posts of a thread while there are others."""
        return self.mode == "ranked" and self.position is None

    @property
    def reason(self) -> Reason:
        """The reason of the posts that are listed by time."""
        return Reason.FOLLOWING if self.mode == "following" else Reason.RECENT

    def unlisted(self, pipeline: FeedPipeline, context: RankingContext, count: int) -> Rows:
        """The first `count` posts in memory that are neither listed nor in `stored_seqs`, newest first."""
        later = context.state.rows_of_seq(np.array(self.stored_seqs, np.int64))
        listed = np.concatenate([self.listed.rows, later])
        return first_eligible(pipeline, context, self._rows_by_time(context), count, listed)

    def stored_before(self, start: int) -> list[int]:
        """Those of `stored_seqs` that are on the pages before position `start`."""
        return self.stored_seqs[: max(start - len(self.listed.rows), 0)]

    def explain(self, pipeline: FeedPipeline, context: RankingContext, page: Page) -> list[dict[str, Any]]:
        """Return one explanation for each post of `page`: parts of the score, or the age in a list by time."""
        if self.ranked is not None:
            parts = pipeline.explain(context, self.ranked, page.rows)
            if self.rival is None:
                return parts
            of_rival = pipeline.explain(context, self.rival, page.rows)
            return [one or other for one, other in zip(parts, of_rival, strict=True)]
        return self.explain_by_time(_age_days(context, page.rows).tolist())

    def explain_by_time(self, ages_days: Sequence[float]) -> list[dict[str, Any]]:
        """As `explain`, for posts of these ages that are listed by time."""
        return [{} if self.mode == "ranked" else {"age_days": round(age, 4)} for age in ages_days]

    def values_by_time(self, ages_days: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) scores of posts of these ages (n,) that are listed by time."""
        return np.zeros(len(ages_days)) if self.mode == "ranked" else 1.0 / (1.0 + ages_days)

    def truncate(self) -> None:
        """Drop the scores and all but the first ranked posts, to save memory in the cache."""
        if self.ranked is not None and self.ranked.scored is not None:
            self.ranked = self.ranked.truncated(TRUNCATED_LENGTH)
            self.rival = None if self.rival is None else self.rival.truncated(TRUNCATED_LENGTH)

    def _next_ranked(
        self,
        ranked: RankedList,
        pipeline: FeedPipeline,
        context: RankingContext,
        count: int,
        draft_key: bytes | None,
        randomised: RandomisedPages | None,
    ) -> Page:
        """Exclude listed posts and those that became ineligible since the list was ranked, then select a page."""
        ranked = self._unlisted_of(ranked, pipeline, context)
        if draft_key is not None and self.rival is not None:
            rival = self._unlisted_of(self.rival, pipeline, context)
            ranked = interleaved_list(ranked, rival, context.state.groups, count, draft_key)
        if not len(ranked.rows):
            return _NO_POSTS
        earlier = np.concatenate([self.earlier, self.listed.rows])
        if randomised is not None:
            return randomised.draw(pipeline.page(context, ranked, 2 * count, earlier), count)
        return pipeline.page(context, ranked, count, earlier)

    def _unlisted_of(self, ranked: RankedList, pipeline: FeedPipeline, context: RankingContext) -> RankedList:
        if not len(self.listed.rows):
            return ranked
        ineligible = ranked.rows[~pipeline.eligible(context, ranked.rows)]
        return ranked.excluding(np.concatenate([self.listed.rows, ineligible]), context.state.n_posts)

    def _next_by_time(
        self, pipeline: FeedPipeline, context: RankingContext, count: int, on_page: Rows | None = None
    ) -> Page:
        """The newest `count` posts that are not listed; with `on_page`, one of each thread that `on_page` lacks."""
        rows = self._rows_by_time(context)
        rows = first_eligible(pipeline, context, rows, count, self.listed.rows, on_page)
        values = self.values_by_time(_age_days(context, rows))
        strengths = strengths_of({EvidenceKind.NEW: 1.0}, len(rows))
        no_teams = np.full(len(rows), NO_TEAM, np.int8)
        return Page(rows, values, [self.reason] * len(rows), strengths, no_teams, np.ones(len(rows)))

    def start_by_time(self, now: float) -> TimePosition:
        """The position that the posts of the list by time are after; `now` in seconds."""
        if self.position is not None:
            return self.position
        return TimePosition.before_all(now if self.mode == "ranked" else self.started_at.timestamp())

    def _rows_by_time(self, context: RankingContext) -> Rows:
        """The posts that may be listed by time, newest first. Memory has all posts of their times."""
        state, after, oldest = context.state, self.start_by_time(context.now), self.memory_until
        if self.mode != "following":
            first = 0 if oldest is None else state.count_after(oldest)
            return state.by_created[first : state.count_after(after)][::-1]
        rows = _posts_of_followed(context)
        listed = _is_after(state, rows, after)
        return rows[listed if oldest is None else listed & ~_is_after(state, rows, oldest)]

    def _append(self, page: Page) -> None:
        self.listed = self.listed.followed_by(page)


def _is_after(state: FeedState, rows: Rows, position: TimePosition) -> NDArray[np.bool_]:
    """(n,) true for the posts of `rows` that are after a position."""
    created = state.created[rows]
    is_after: NDArray[np.bool_] = created < position.created
    is_after |= (created == position.created) & (state.seq[rows] < position.seq)
    return is_after


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
            block = block[one_per_thread(context.state.groups, block, np.concatenate([on_page, *found]))]
        block = block[:missing]
        found.append(block)
        missing -= len(block)
        start, block_size = start + block_size, 2 * block_size
    return np.concatenate(found)


def _age_days(context: RankingContext, rows: Rows) -> NDArray[np.float64]:
    age: NDArray[np.float64] = (context.now - context.state.created[rows]).clip(0) / _SECONDS_PER_DAY
    return age
