"""Explain to an operator why a post is, or is not, in a user's feed, and what the feed knows about a user."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import numpy as np

from app.application.cursor import CursorCodec
from app.application.dto import Reason, RecommendationRequest
from app.application.feed_query import FeedQuery
from app.application.list_variants import variants_of
from app.application.live_feed import LiveFeed
from app.application.running_experiments import Rankings
from app.application.use_cases.give_feedback import ActiveControl
from app.domain.entities import INTERACTION_TYPES
from app.domain.errors import UnknownPost, UnknownUser
from app.domain.ranking.pipeline import FeedPipeline, Page, RankedList
from app.domain.ranking.post_trace import PostTrace, sources_of, trace_post
from app.domain.repositories.follow_repository import FollowRepository
from app.domain.repositories.post_repository import PostRepository
from app.domain.services.clock import Clock
from app.domain.services.ranking_context import RankingContext

Verdict = Literal["on_page", "below_page", "filtered", "not_candidate", "not_live"]
"""The post is on the page; or it is ranked, but below it; or a filter does not allow it; or no source returned it; or
only storage has it, so it follows after all live posts."""
Exclusion = Literal["seen", "hidden", "muted_or_blocked_author"]
"""Why the filter `not_excluded` does not allow a post: the user has an event with it, hid it, or does not see the
author."""

_MAX_EVENTS = 100
_MAX_FOLLOWS = 1000
_NO_ROWS = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True)
class PostExplanation:
    """Why a post is, or is not, on the first page of a user's ranked feed.

    position       on the page, the first is 1; None if it is not there
    trace          what each stage did; None for a post that is not live
    excluded_as    see Exclusion
    reason         the reason that the page shows; None if the post is not on it
    score_parts    what the score consists of; empty without a rank
    """

    user_id: UUID
    post_id: UUID
    verdict: Verdict
    model_version: str | None
    generated_at: datetime
    known_user: bool
    position: int | None = None
    trace: PostTrace | None = None
    excluded_as: Sequence[Exclusion] = ()
    reason: Reason | None = None
    score_parts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UserEvent:
    """One event of a user, of those in memory."""

    post_id: str
    external_id: str | None
    interaction_type: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class ListedPost:
    """One post of the list as it would be served."""

    post_id: str
    external_id: str | None
    score: float
    reason: Reason
    sources: tuple[str, ...]
    score_parts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UserOverview:
    """What the feed knows about a user.

    event_count   all events that rank; `events` are the newest of them, newest first
    follow_count  the followed users; `follows` are the UUIDs of the first of them, in order of UUID
    posts         the first page of the ranked feed, as it would be served
    """

    user_id: UUID
    event_count: int
    events: Sequence[UserEvent]
    follow_count: int
    follows: Sequence[str]
    controls: Sequence[ActiveControl]
    personalised: bool
    discoverable: bool
    show_sensitive: bool
    languages: Sequence[str]
    model_version: str | None
    generated_at: datetime
    posts: Sequence[ListedPost]


@dataclass(frozen=True, slots=True, eq=False)
class _Ranking:
    """The first page of a user's ranked feed, and how it came about."""

    query: FeedQuery
    context: RankingContext
    pipeline: FeedPipeline
    model_version: str | None
    ranked: RankedList
    page: Page


@dataclass(eq=False)
class ExplainFeed:
    """Ranks as GenerateRecommendations does, and records nothing.

    posts     reads posts that are not live; None without a database
    controls  the controls that hold for a user: see ListControls
    follows   reads whom a user follows
    bring_back  as in GenerateRecommendations
    """

    feed: LiveFeed
    cursors: CursorCodec
    clock: Clock
    posts: PostRepository | None
    controls: Callable[[str], Sequence[ActiveControl]]
    follows: FollowRepository
    bring_back: Callable[[UUID], None] | None = None

    def post(self, user_id: str, post_id: str, limit: int) -> PostExplanation:
        """Why a post is, or is not, among the first `limit` posts of the user's feed; any post, and any user.

        Raises InvalidId, UnknownPost; StorageUnavailable for a post that is not live, and for a user who is away.
        """
        key = self.feed.post_id(post_id)
        self._bring_back(user_id)
        with self.feed.lock:
            ranking = self._rank(user_id, limit)
            row = ranking.context.state.post_rows.get(key.bytes)
            if row is not None:
                return self._explain(ranking, row, key)
        if self.posts is None or not self.posts.posts([key])[0]:
            raise UnknownPost(post_id)
        return self._explanation(ranking, key, "not_live")

    def user(self, user_id: str, limit: int) -> UserOverview:
        """What the feed knows about a user. Raises InvalidId, UnknownUser, StorageUnavailable."""
        controls = self.controls(user_id)
        follows = self.follows.followed_by(self.feed.user_id(user_id), _MAX_FOLLOWS)
        self._bring_back(user_id)
        with self.feed.lock:
            ranking = self._rank(user_id, limit)
            context, state = ranking.context, ranking.context.state
            if context.user < 0:
                raise UnknownUser(user_id)
            posts, times, kinds, *_ = state.events_by_user.row(context.user, _MAX_EVENTS)
            events = [
                UserEvent(id_, state.external_ids[post], INTERACTION_TYPES[kind], _utc(time))
                for id_, post, time, kind in zip(
                    state.post_ids(posts), posts.tolist(), times.tolist(), kinds.tolist(), strict=True
                )
            ]
            return UserOverview(
                user_id=ranking.query.user_id,
                event_count=state.events_by_user.length(context.user),
                events=events[::-1],
                follow_count=len(context.followed),
                follows=[str(followee) for followee in follows],
                controls=controls,
                personalised=state.visibility.is_personalised(context.user),
                discoverable=bool(state.visibility.discoverable[context.user]),
                show_sensitive=context.user in state.visibility.show_sensitive,
                languages=state.visibility.languages_of(context.user),
                model_version=ranking.model_version,
                generated_at=ranking.query.now,
                posts=self._listed(ranking),
            )

    def _bring_back(self, user_id: str) -> None:
        """Have the events of the user in memory, as a request of the user does."""
        key = self.feed.user_id(user_id)
        if self.bring_back is not None and self.feed.needs_stored_events(key):
            self.bring_back(key)

    def _rank(self, user_id: str, limit: int) -> _Ranking:
        """The first page of the user's feed now. The caller holds the lock."""
        request = RecommendationRequest(user_id, limit, record=False)
        query = FeedQuery.resolve(request, self.feed, self.cursors, self.clock.now())
        context = query.ranking_context(self.feed, _NO_ROWS)
        pipeline, model_version = self._pipeline_of(query, context)
        feed_list = query.new_list(Rankings(pipeline), context, _NO_ROWS)
        page, _ = feed_list.page(pipeline, context, query.start, query.stop)
        assert feed_list.ranked is not None, "a first page in mode `ranked`"
        return _Ranking(query, context, pipeline, model_version, feed_list.ranked, page)

    def _pipeline_of(self, query: FeedQuery, context: RankingContext) -> tuple[FeedPipeline, str | None]:
        """The pipeline of the user's variants in the experiments, and the version of its model.

        Of an interleaved list, that of the control.
        """
        ranker = self.feed.ranker
        variants = variants_of(query, self.feed, context.user)
        rankings = ranker.experiments.rankings(variants, ranker.pipeline)
        if rankings is None:
            return ranker.pipeline, ranker.model_version
        return rankings.pipeline, ranker.experiments.model_version(variants) or ranker.model_version

    def _explain(self, ranking: _Ranking, row: int, key: UUID) -> PostExplanation:
        """The explanation of a live post."""
        context, page, pipeline = ranking.context, ranking.page, ranking.pipeline
        trace = trace_post(pipeline, context, ranking.ranked, row)
        places = (page.rows == row).nonzero()[0].tolist()
        verdict: Verdict
        if places:
            verdict = "on_page"
        elif trace.removed_by:
            verdict = "filtered"
        else:
            verdict = "not_candidate" if trace.rank is None else "below_page"
        [score_parts] = pipeline.explain(context, ranking.ranked, np.array([row]))
        return self._explanation(
            ranking,
            key,
            verdict,
            position=places[0] + 1 if places else None,
            trace=trace,
            excluded_as=_exclusions(context, row),
            reason=page.reasons[places[0]] if places else None,
            score_parts=score_parts,
        )

    def _explanation(self, ranking: _Ranking, key: UUID, verdict: Verdict, **details: Any) -> PostExplanation:
        return PostExplanation(
            ranking.query.user_id,
            key,
            verdict,
            ranking.model_version,
            ranking.query.now,
            ranking.context.user >= 0,
            **details,
        )

    def _listed(self, ranking: _Ranking) -> list[ListedPost]:
        context, page, pipeline = ranking.context, ranking.page, ranking.pipeline
        sources = sources_of(pipeline, context, page.rows)
        score_parts = pipeline.explain(context, ranking.ranked, page.rows)
        state = context.state
        return [
            ListedPost(
                state.post_id(row),
                state.external_ids[row],
                score,
                reason,
                returned_by,
                parts,
            )
            for row, score, reason, returned_by, parts in zip(
                page.rows.tolist(), page.values.tolist(), page.reasons, sources, score_parts, strict=True
            )
        ]


def _exclusions(context: RankingContext, row: int) -> list[Exclusion]:
    state, controls = context.state, context.controls
    holds: dict[Exclusion, bool] = {
        "seen": bool((state.seen_posts(context.user) == row).any()),
        "hidden": bool((controls.posts == row).any()),
        "muted_or_blocked_author": bool((controls.authors == state.author[row]).any()),
    }
    return [name for name, is_true in holds.items() if is_true]


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
