"""Which posts should this user see now?"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.dto import FeedAnswer, FeedRequest
from app.application.dto.feed import Source
from app.application.feed_pipeline import FeedPipeline, Page, RankedList
from app.application.live_feed import LiveFeed, Ranking
from app.application.paging import CursorCodec, CursorState
from app.domain.entities import Reason
from app.domain.feed.state import FeedState
from app.domain.ids import post_uuid, user_uuid
from app.domain.services.clock import Clock
from app.domain.services.ranking_context import RankingContext

Rows = NDArray[np.intp]
_NO_ROWS = np.empty(0, np.intp)
_KEPT = 500  # posts of a list that are kept for paging by offset; the rest of the catalogue follows


@dataclass(frozen=True, slots=True)
class ListKeeping:
    """How many lists are kept, how long for paging by offset, and how long an answer stands for who asks again.

    Whoever asks the same again within `stands` gets the same answer, unless something that concerns him happened: an
    event or a follow of his, any change of a post, another model. What is then up to `stands` old is what others did.
    """

    lists: int = 10_000
    life: timedelta = timedelta(minutes=10)
    stands: timedelta = timedelta(seconds=10)


@dataclass(slots=True, eq=False)
class _FeedList:
    """A list as far as it was made: what it took its order from, and the posts given out."""

    request: FeedRequest  # the first one
    basis: object  # changes with whatever concerns the user
    started_at: datetime
    ranked: RankedList | None  # None: by time
    pages: list[Page] = field(default_factory=list)
    answer: FeedAnswer | None = None  # to the first request

    def given(self) -> Rows:
        return np.concatenate([np.empty(0, np.intp), *(page.rows for page in self.pages)])


class GenerateRecommendations:
    """Answers one feed request from memory. Whatever is missing degrades the answer, never the request."""

    def __init__(
        self,
        feed: LiveFeed,
        cursors: CursorCodec,
        clock: Clock,
        deliver: Callable[[UUID, FeedAnswer], None],
        keeping: ListKeeping,
    ) -> None:
        """`deliver` is handed each ranked answer to a known user, not the repetitions; it must return at once."""
        self._feed = feed
        self._cursors = cursors
        self._clock = clock
        self._deliver = deliver
        self._keeping = keeping
        self._lists: OrderedDict[object, _FeedList] = OrderedDict()
        self._listed: FeedState | None = None  # whose rows the lists hold

    def __call__(self, request: FeedRequest) -> FeedAnswer:
        """One page. Raises InvalidId, InvalidCursor, ExpiredCursor; nothing else."""
        user_id = user_uuid(request.user_id)
        excluded = [post_uuid(one).bytes for one in request.exclude_ids]
        now = self._clock.now()
        cursor = self._cursors.open(request.cursor, user_id, request.mode, now) if request.cursor else None

        with self._feed.turn:
            state, ranking = self._feed.state, self._feed.ranking
            if self._listed is not state:  # a feed that was read anew numbers its rows anew
                self._lists.clear()
                self._listed = state
            user = state.user_rows.get(user_id.bytes, -1)
            key = (user_id, request.mode, request.exclude_seen, request.explain, tuple(sorted(excluded)))
            basis = _basis(state, user, ranking)
            if cursor is None and (standing := self._standing(key, basis, request, now)) is not None:
                return replace(standing, generated_at=now, degraded=self._feed.degraded)
            known = [row for key in excluded if (row := state.post_rows.get(key)) is not None]
            met = state.met(user) if request.exclude_seen else _NO_ROWS
            shown = _NO_ROWS if cursor is None else state.rows_of_seq(cursor.shown)
            barred = np.concatenate([np.array(known, np.intp), met, shown])
            context = RankingContext(state, user, now.timestamp(), barred)
            the_list = self._list_for(key, basis, request, context, now, cursor)
            page, exhausted = self._slice(the_list, context, request)
            given = page.rows if cursor else the_list.given()[: request.offset + request.limit]
            numbers = np.concatenate([cursor.shown if cursor else np.empty(0, np.int64), state.seq[given]])
            post_ids = [state.post_ids[row] for row in page.rows.tolist()]
            external_ids = [state.external_ids[row] for row in page.rows.tolist()]
            degraded, version = self._feed.degraded, ranking.model_version
            source: Source = "personalized" if context.history_length else "cold_start"
            if version is None:
                source = "fallback"

        next_cursor = None
        if not exhausted:
            started = cursor.started_at if cursor else the_list.started_at
            next_cursor = self._cursors.seal(
                CursorState(user_id, request.mode, now, started, np.unique(numbers))
            )
        answer = FeedAnswer(
            user_id=request.user_id,
            post_ids=post_ids,
            external_ids=external_ids,
            scores=page.values.tolist(),
            reasons=page.reasons,
            source=source,
            degraded=degraded,
            exhausted=exhausted,
            model_version=version,
            generated_at=now,
            next_cursor=next_cursor,
            explanations=page.evidence,
        )
        if request == the_list.request:
            the_list.answer = answer
        if request.mode == "ranked" and context.user >= 0 and post_ids:
            self._deliver(user_id, answer)
        return answer

    def _standing(self, key: object, basis: object, request: FeedRequest, now: datetime) -> FeedAnswer | None:
        kept = self._lists.get(key)
        if kept is None or kept.request != request or kept.basis != basis:
            return None
        return kept.answer if now - kept.started_at <= self._keeping.stands else None

    def _list_for(
        self,
        key: object,
        basis: object,
        request: FeedRequest,
        context: RankingContext,
        now: datetime,
        cursor: CursorState | None,
    ) -> _FeedList:
        if cursor is None and request.offset:
            kept = self._lists.get(key)
            if kept is not None and now - kept.started_at <= self._keeping.life:
                return kept
        pipeline = self._feed.ranking.pipeline
        ranked = pipeline.rank(context) if request.mode == "ranked" else None
        made = _FeedList(request, basis, cursor.started_at if cursor else now, ranked)
        if cursor is None and self._keeping.lists:
            self._lists[key] = made
            self._lists.move_to_end(key)
            while len(self._lists) > self._keeping.lists:
                self._lists.popitem(last=False)
        return made

    def _slice(
        self,
        the_list: _FeedList,
        context: RankingContext,
        request: FeedRequest,
    ) -> tuple[Page, bool]:
        """Posts `offset`.. of the list, which grows as far as needed, and whether it ends there.

        What was given out stays where it was."""
        start, stop = (
            (request.offset, request.offset + request.limit) if request.cursor is None else (0, request.limit)
        )
        pipeline = self._feed.ranking.pipeline
        have = sum(len(page.rows) for page in the_list.pages)
        if have < stop:
            grown = self._next_posts(the_list, context, request, stop - have)
            the_list.pages.append(grown)
        if the_list.ranked is not None and the_list.ranked.scored is not None and request.cursor is None:
            the_list.ranked = the_list.ranked.kept(_KEPT)
        page = _joined(the_list.pages, start, stop)
        if have:  # given out earlier: what was deleted or met since then is left out
            page = _kept(page, pipeline.eligible(context, page.rows))
        return page, sum(len(one.rows) for one in the_list.pages) < stop

    def _next_posts(
        self,
        the_list: _FeedList,
        context: RankingContext,
        request: FeedRequest,
        count: int,
    ) -> Page:
        pipeline = self._feed.ranking.pipeline
        given = the_list.given()
        if the_list.ranked is None:
            rows = self._by_time(the_list, context, request, given, count)
            reason = Reason.FOLLOWING if request.mode == "following" else Reason.RECENT
            return _timed_page(context, rows, reason, request.explain)
        ranked = the_list.ranked
        if len(given):
            # what was met or deleted since the list was made is left out as well
            gone = ranked.rows[~pipeline.eligible(context, ranked.rows)]
            ranked = ranked.without(np.concatenate([given, gone]), context.state.n_posts)
        page = pipeline.page(context, ranked, count, request.explain) if len(ranked.rows) else _NO_PAGE
        if len(page.rows) < count:  # the rest of the catalogue, newest first
            listed = np.concatenate([given, page.rows])
            by_time = context.state.by_created[::-1]
            rest = _first_eligible(pipeline, context, by_time, listed, count - len(page.rows))
            zeros = np.zeros(len(rest))
            tail = Page(
                rest, zeros, [Reason.RECENT] * len(rest), [{} for _ in rest] if request.explain else []
            )
            page = _joined([page, tail], 0, count)
        return page

    def _by_time(
        self,
        the_list: _FeedList,
        context: RankingContext,
        request: FeedRequest,
        given: Rows,
        count: int,
    ) -> Rows:
        state = context.state
        if request.mode == "following":
            rows = np.empty(0, np.intp)
            if context.user >= 0:
                followed = state.follows.row(context.user)[0].astype(np.intp)
                _, (posts,) = state.authored.gather(followed, state.n_posts)
                rows = posts.astype(np.intp)
                rows = rows[np.lexsort((-rows, -state.created[rows]))]
        else:
            rows = state.by_created[::-1]
        # posts that came after the list began wait for the next list
        rows = rows[state.created[rows] <= the_list.started_at.astimezone(UTC).timestamp()]
        return _first_eligible(self._feed.ranking.pipeline, context, rows, given, count)


def _basis(state: FeedState, user: int, ranking: Ranking) -> object:
    """What a list of this user was made from, but for what others do; equal as long as nothing of it changes."""
    follows = state.follows.row(user)[0].tobytes() if user >= 0 else b""
    return ranking.model_version, user, len(state.met(user)), follows, state.changes_of_posts


_NO_PAGE = Page(np.empty(0, np.intp), np.empty(0), [], [])


def _first_eligible(
    pipeline: FeedPipeline,
    context: RankingContext,
    rows: Rows,
    given: Rows,
    count: int,
) -> Rows:
    """The first `count` eligible ones of `rows` that were not given; looks no further than it must."""
    gone = np.zeros(context.state.n_posts, np.bool_)
    gone[given] = True
    found: list[Rows] = []
    missing, start, step = count, 0, max(4 * count, 256)
    while missing > 0 and start < len(rows):
        some = rows[start : start + step]
        some = some[~gone[some]]
        some = some[pipeline.eligible(context, some)][:missing]
        found.append(some)
        missing -= len(some)
        start, step = start + step, 2 * step
    return np.concatenate(found) if found else np.empty(0, np.intp)


def _timed_page(context: RankingContext, rows: Rows, reason: Reason, explain: bool) -> Page:
    """A page in order of time: the score is 1 for a post of this moment and falls with its age in days."""
    age = (context.now - context.state.created[rows]).clip(0) / 86400.0
    evidence = [{"age_days": round(one, 4)} for one in age.tolist()] if explain else []
    return Page(rows, 1.0 / (1.0 + age), [reason] * len(rows), evidence)


def _joined(pages: Sequence[Page], start: int, stop: int) -> Page:
    """Places `start`..`stop` of some pages in a row; scores are made not to rise from one to the next."""
    if len(pages) == 1 and start == 0 and stop >= len(pages[0].rows):
        return pages[0]
    rows = np.concatenate([page.rows for page in pages])[start:stop]
    values = np.minimum.accumulate(np.concatenate([page.values for page in pages])[start:stop])
    reasons = [reason for page in pages for reason in page.reasons][start:stop]
    evidence = [one for page in pages for one in page.evidence][start:stop]
    return Page(rows, values, reasons, evidence)


def _kept(page: Page, keep: NDArray[np.bool_]) -> Page:
    at = np.flatnonzero(keep).tolist()
    return Page(
        page.rows[keep],
        page.values[keep],
        [page.reasons[i] for i in at],
        [page.evidence[i] for i in at] if page.evidence else [],
    )
