"""Which posts should this user see now?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.cursor import CursorCodec, CursorState
from app.application.dto import RecommendationRequest, RecommendationResponse
from app.application.dto.recommendation_response import Source
from app.application.live_feed import ActiveRanker, LiveFeed
from app.application.ttl_cache import TtlCache
from app.domain.entities import Reason
from app.domain.feed.state import FeedState
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.pipeline import FeedPipeline, Page, RankedList
from app.domain.services.clock import Clock
from app.domain.services.ranking_context import RankingContext

Rows = NDArray[np.intp]
_NO_ROWS = np.empty(0, np.intp)
_MAX_LISTED_POSTS = 6_000_000  # posts of all lists that are kept, 24 bytes each
_MAX_RESPONSE_POSTS = 500_000  # posts of all answers that stand, 100 bytes each,
_EXPLANATION_WEIGHT = 40  # or, with its explanation, so many times as much
_MAX_LIST_LENGTH = (
    500  # posts of a list that are kept for paging by offset; the rest of the catalogue follows
)


@dataclass(frozen=True, slots=True)
class ListCachePolicy:
    """How many lists are kept, how long for paging by offset, and how long an answer stands for who asks again.

    Whoever asks the same again within `response_ttl` gets the same answer, unless something that concerns him
    happened: an event or a follow of his, any change of a post, another model. What is then up to `response_ttl` old
    is what others did.
    """

    max_lists: int = 10_000
    list_ttl: timedelta = timedelta(minutes=10)
    response_ttl: timedelta = timedelta(seconds=10)


@dataclass(slots=True, eq=False)
class _FeedList:
    """A list as far as it was made: what it took its order from, and the posts given out."""

    started_at: datetime
    ranked: RankedList | None  # None: by time
    pages: list[Page] = field(default_factory=list)

    def given(self) -> Rows:
        if len(self.pages) == 1:
            return self.pages[0].rows
        return np.concatenate([_NO_ROWS, *(page.rows for page in self.pages)])


@dataclass(frozen=True, slots=True, eq=False)
class _CachedResponse:
    """An answer that stands while its list is the user's last one, and nothing that concerns him has changed."""

    feed_list: _FeedList
    validity: object
    response: RecommendationResponse


class GenerateRecommendations:
    """Answers one feed request from memory. Whatever is missing degrades the answer, never the request."""

    def __init__(
        self,
        feed: LiveFeed,
        cursors: CursorCodec,
        clock: Clock,
        on_served: Callable[[UUID, RecommendationResponse], None],
        policy: ListCachePolicy,
    ) -> None:
        """`on_served` is handed each ranked answer to a known user, not the repetitions; it must return at once."""
        self._feed = feed
        self._cursors = cursors
        self._clock = clock
        self._on_served = on_served
        self._policy = policy
        self._lists: TtlCache[_FeedList] = TtlCache(policy.list_ttl, policy.max_lists, _MAX_LISTED_POSTS)
        self._responses: TtlCache[_CachedResponse] = TtlCache(
            policy.response_ttl, policy.max_lists, _MAX_RESPONSE_POSTS
        )
        self._listed_state: FeedState | None = None  # whose rows the lists hold

    def __call__(self, request: RecommendationRequest) -> RecommendationResponse:
        """One page. Raises InvalidId, InvalidCursor, ExpiredCursor; nothing else."""
        user_id = user_uuid(request.user_id)
        excluded = [post_uuid(one).bytes for one in request.exclude_ids]
        now = self._clock.now()
        cursor = (
            self._cursors.open(request.cursor, user_id, request.mode, now)
            if request.cursor is not None
            else None
        )

        with self._feed.lock:
            state, ranking = self._feed.state, self._feed.ranker
            if self._listed_state is not state:  # a feed that was read anew numbers its rows anew
                self._lists.clear()
                self._responses.clear()
                self._listed_state = state
            user = state.user_rows.get(user_id.bytes, -1)
            key = (user_id, request.mode, request.exclude_seen, _digest(excluded))
            asked = (key, request.limit, request.offset, request.explain)
            basis = _cache_validity(state, user, ranking)
            if cursor is None and (answer := self._cached_response(asked, basis, now)) is not None:
                degraded = self._feed.degraded
                return replace(answer, user_id=request.user_id, generated_at=now, degraded=degraded)
            barred = _excluded_rows(state, user, request.exclude_seen, excluded, cursor)
            context = RankingContext(state, user, now.timestamp(), barred)
            the_list = self._list_for(key, request, context, now, cursor)
            page, exhausted = self._slice(the_list, context, request)
            explanations = self._explanations(the_list, context, page) if request.explain else []
            if cursor is None:
                self._keep_list(key, the_list)
            given = page.rows if cursor else the_list.given()[: request.offset + request.limit]
            shown = state.seq[given]
            rows = page.rows.tolist()
            post_ids = [state.post_ids[row] for row in rows]
            external_ids = [state.external_ids[row] for row in rows]
            degraded, version = self._feed.degraded, ranking.model_version
            source: Source = "personalized" if context.event_count else "cold_start"
            if version is None:
                source = "fallback"

        next_cursor = None
        if not exhausted:
            started = cursor.started_at if cursor else the_list.started_at
            shown = np.sort(shown) if cursor is None else np.union1d(cursor.shown, shown)
            next_cursor = self._cursors.seal(CursorState(user_id, request.mode, now, started, shown))
        answer = RecommendationResponse(
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
            explanations=explanations,
        )
        if cursor is None and now == the_list.started_at:
            weight = len(post_ids) * (_EXPLANATION_WEIGHT if request.explain else 1)
            self._responses.put(asked, now, weight, _CachedResponse(the_list, basis, answer))
        if request.mode == "ranked" and context.user >= 0 and post_ids:
            self._on_served(user_id, answer)
        return answer

    def _cached_response(
        self, asked: tuple[object, ...], validity: object, now: datetime
    ) -> RecommendationResponse | None:
        kept = self._responses.get(asked, now)
        if kept is None or kept.validity != validity or self._lists.get(asked[0], now) is not kept.feed_list:
            return None
        return kept.response

    def _list_for(
        self,
        key: object,
        request: RecommendationRequest,
        context: RankingContext,
        now: datetime,
        cursor: CursorState | None,
    ) -> _FeedList:
        if cursor is None and request.offset and (kept := self._lists.get(key, now)) is not None:
            return kept
        ranked = self._feed.ranker.pipeline.rank(context) if request.mode == "ranked" else None
        return _FeedList(cursor.started_at if cursor else now, ranked)

    def _keep_list(self, key: object, the_list: _FeedList) -> None:
        if the_list.ranked is not None and the_list.ranked.scored is not None:
            the_list.ranked = the_list.ranked.truncated(_MAX_LIST_LENGTH)
        weight = sum(len(page.rows) for page in the_list.pages) + _MAX_LIST_LENGTH
        self._lists.put(key, the_list.started_at, weight, the_list)

    def _explanations(self, the_list: _FeedList, context: RankingContext, page: Page) -> list[dict[str, Any]]:
        """Of each post, what its place was made of; of a list by time that is its age."""
        if the_list.ranked is not None:
            return self._feed.ranker.pipeline.explain(context, the_list.ranked, page.rows)
        return [{"age_days": round(one, 4)} for one in _age_days(context, page.rows).tolist()]

    def _slice(
        self,
        the_list: _FeedList,
        context: RankingContext,
        request: RecommendationRequest,
    ) -> tuple[Page, bool]:
        """Posts `offset`.. of the list, which grows as far as needed, and whether it ends there.

        What was given out stays where it was."""
        start, stop = (
            (request.offset, request.offset + request.limit) if request.cursor is None else (0, request.limit)
        )
        pipeline = self._feed.ranker.pipeline
        have = sum(len(page.rows) for page in the_list.pages)
        if have < stop:
            grown = self._next_posts(the_list, context, request, stop - have)
            the_list.pages.append(grown)
        page = _join_pages(the_list.pages, start, stop)
        if have:  # given out earlier: what was deleted or met since then is left out
            page = _filter_page(page, pipeline.eligible(context, page.rows))
        return page, sum(len(one.rows) for one in the_list.pages) < stop

    def _next_posts(
        self,
        the_list: _FeedList,
        context: RankingContext,
        request: RecommendationRequest,
        count: int,
    ) -> Page:
        pipeline = self._feed.ranker.pipeline
        given = the_list.given()
        if the_list.ranked is None:
            rows = self._by_time(the_list, context, request, given, count)
            reason = Reason.FOLLOWING if request.mode == "following" else Reason.RECENT
            return Page(rows, 1.0 / (1.0 + _age_days(context, rows)), [reason] * len(rows))
        ranked = the_list.ranked
        if len(given):
            # what was met or deleted since the list was made is left out as well
            gone = ranked.rows[~pipeline.eligible(context, ranked.rows)]
            ranked = ranked.excluding(np.concatenate([given, gone]), context.state.n_posts)
        page = pipeline.page(context, ranked, count) if len(ranked.rows) else _NO_PAGE
        if len(page.rows) < count:  # the rest of the catalogue, newest first
            listed = np.concatenate([given, page.rows])
            by_time = context.state.by_created[::-1]
            rest = _first_eligible(pipeline, context, by_time, listed, count - len(page.rows))
            tail = Page(rest, np.zeros(len(rest)), [Reason.RECENT] * len(rest))
            page = _join_pages([page, tail], 0, count)
        return page

    def _by_time(
        self,
        the_list: _FeedList,
        context: RankingContext,
        request: RecommendationRequest,
        given: Rows,
        count: int,
    ) -> Rows:
        state = context.state
        if request.mode == "following":
            _, (posts,) = state.posts_by_author.gather(context.followed, state.n_posts)
            rows = posts.astype(np.intp)
            rows = rows[np.lexsort((-rows, -state.created[rows]))]
        else:
            rows = state.by_created[::-1]
        # posts that came after the list began wait for the next list
        rows = rows[state.created[rows] <= the_list.started_at.astimezone(UTC).timestamp()]
        return _first_eligible(self._feed.ranker.pipeline, context, rows, given, count)


def _cache_validity(state: FeedState, user: int, ranking: ActiveRanker) -> object:
    """What a list of this user was made from, but for what others do; equal as long as nothing of it changes."""
    version, changes = ranking.model_version, state.posts_version
    if user < 0:
        return version, changes
    return version, changes, user, state.events_by_user.length(user), state.follows.row(user)[0].tobytes()


def _excluded_rows(
    state: FeedState, user: int, exclude_seen: bool, excluded: Sequence[bytes], cursor: CursorState | None
) -> NDArray[np.integer[Any]]:
    """Rows of what is not to be shown: met, where that counts, excluded, or on an earlier page."""
    met = state.seen_posts(user) if exclude_seen else _NO_ROWS
    if not excluded and cursor is None:
        return met
    known = [row for key in excluded if (row := state.post_rows.get(key)) is not None]
    shown = _NO_ROWS if cursor is None else state.rows_of_seq(cursor.shown)
    return np.concatenate([np.array(known, np.intp), met, shown])


def _digest(keys: Sequence[bytes]) -> bytes:
    """Tells sets of posts apart in little memory; nothing of none."""
    return blake2b(b"".join(sorted(set(keys))), digest_size=16).digest() if keys else b""


_NO_PAGE = Page(np.empty(0, np.intp), np.empty(0), [])


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


def _age_days(context: RankingContext, rows: Rows) -> NDArray[np.float64]:
    """By which a list in order of time scores: 1 for a post of this moment, falling with its age."""
    age: NDArray[np.float64] = (context.now - context.state.created[rows]).clip(0) / 86400.0
    return age


def _join_pages(pages: Sequence[Page], start: int, stop: int) -> Page:
    """Places `start`..`stop` of some pages in a row; scores are made not to rise from one to the next."""
    if len(pages) == 1 and start == 0 and stop >= len(pages[0].rows):
        return pages[0]
    rows = np.concatenate([page.rows for page in pages])[start:stop]
    values = np.minimum.accumulate(np.concatenate([page.values for page in pages])[start:stop])
    reasons = [reason for page in pages for reason in page.reasons][start:stop]
    return Page(rows, values, reasons)


def _filter_page(page: Page, keep: NDArray[np.bool_]) -> Page:
    at = np.flatnonzero(keep).tolist()
    return Page(page.rows[keep], page.values[keep], [page.reasons[i] for i in at])
