"""The use cases as small real objects, so that the API can be run without ranking and without a database."""

import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from app.application.cursor import CursorCodec, CursorState
from app.application.dto.recommendation_request import RecommendationRequest
from app.application.dto.recommendation_response import RecommendationResponse
from app.application.live_feed import ActiveRanker, LiveFeed
from app.application.use_cases.change_follow import ChangeFollow
from app.application.use_cases.change_membership import ChangeMembership
from app.application.use_cases.count_updates import Updates
from app.application.use_cases.explain_feed import ExplainFeed
from app.application.use_cases.get_health_status import GetHealthStatus, ServiceState
from app.application.use_cases.give_feedback import GiveFeedback, ListControls
from app.application.use_cases.list_experiments import ListExperiments
from app.application.use_cases.rank_posts import RankPosts
from app.application.use_cases.report_seen import ReadReach, ReportSeen
from app.application.use_cases.retract_interaction import RetractInteraction
from app.application.use_cases.similar_posts import SimilarPosts
from app.application.use_cases.suggest_follows import SuggestFollows
from app.application.use_cases.track_interaction import TrackInteraction
from app.application.use_cases.user_data import UserData
from app.application.use_cases.write_entities import WriteEntities
from app.application.viewers import Viewers
from app.domain.entities import Evidence, EvidenceKind, Interaction, InteractionType, Post, Reason, User
from app.domain.errors import DomainError, StorageUnavailable, UnknownPost, UnknownUser
from app.domain.experiments.experiment import Experiment
from app.domain.feed.state import FeedState
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.interaction_repository import (
    RecordResult,
    RemovedEvents,
    StoredInteraction,
    UserAndPost,
)
from app.presentation.api.dependencies import Services
from tests.support.experiments import FakeResults
from tests.support.fake_entities import InMemoryEntities
from tests.support.fake_storage import (
    InMemoryControls,
    InMemoryFollows,
    InMemoryImpressions,
    InMemoryMemberships,
    InMemoryPosts,
    InMemoryTables,
)
from tests.support.fake_user_data import InMemoryUserData

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_EVIDENCE = (
    None,
    Evidence(EvidenceKind.FOLLOWED_AUTHOR, user_id=str(user_uuid("ann"))),
    Evidence(EvidenceKind.TRENDING, count=12),
    Evidence(EvidenceKind.TAG, tag="tides"),
    Evidence(EvidenceKind.NEW),
)


WHOLE = ServiceState(
    ready=True,
    model_version="v1",
    ranking="learned",
    model_created_at=NOON - timedelta(hours=1),
    database="up",
    tail_lag_seconds=0.2,
    users=2,
    posts=300,
    interactions=0,
)


@dataclass
class FixedClock:
    """Shows the time it was set to."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at


class ListRecommender:
    """A feed of `posts` posts in one order for everyone, by cursor and by offset."""

    def __init__(self, posts: int, clock: FixedClock) -> None:
        self._external = [f"post-{one}" for one in range(posts)]
        self._uuids = [post_uuid(one) for one in self._external]
        self._clock = clock
        self.codec = CursorCodec([b"secret of the tests"], timedelta(hours=24))
        self.fail_with: Exception | None = None

    def __call__(self, request: RecommendationRequest) -> RecommendationResponse:
        if self.fail_with is not None:
            raise self.fail_with
        user, now = user_uuid(request.user_id), self._clock.now()
        excluded = {post_uuid(one) for one in request.exclude_ids}
        shown: set[int] = set(range(min(request.offset, len(self._uuids))))
        started = now
        if request.cursor is not None:
            state = self.codec.open(request.cursor, user, request.mode, now)
            shown, started = set(state.shown.tolist()), state.started_at
        left = [
            one for one in range(len(self._uuids)) if one not in shown and self._uuids[one] not in excluded
        ]
        page = left[: request.limit]
        seen = np.array(sorted(shown | set(page)), dtype=np.int64)
        return RecommendationResponse(
            user_id=request.user_id,
            post_ids=[str(self._uuids[one]) for one in page],
            external_ids=[None if one % 2 else self._external[one] for one in page],
            scores=[1 - one / len(self._uuids) for one in page],
            reasons=[Reason.TRENDING for _ in page],
            evidence=[_EVIDENCE[one % len(_EVIDENCE)] for one in page],
            source="cold_start",
            degraded=False,
            exhausted=len(page) == len(left),
            model_version="v1",
            generated_at=now,
            next_cursor=None
            if len(page) == len(left)
            else self.codec.seal(CursorState(user, request.mode, now, started, seen)),
            explanations=[{"probability": 0.1, "contributions": {"age": 0.2}} for _ in page]
            if request.explain
            else (),
        )


@dataclass
class MemoryInteractions:
    """The log of events in memory; `hold` makes a write wait, as a slow database does."""

    users: set[UUID]
    posts: set[UUID]
    away: bool = False
    hold: threading.Event | None = None
    rows: list[Interaction] = field(default_factory=list)

    def record(self, interactions: Sequence[Interaction], *, partial: bool = False) -> RecordResult:
        if self.hold is not None:
            self.hold.wait(30)
        if self.away:
            raise StorageUnavailable("connection to server at 10.9.8.7 failed, password s3cret")
        rejected: dict[int, DomainError] = {}
        for place, one in enumerate(interactions):
            if one.user_id not in self.users:
                rejected[place] = UnknownUser(str(one.user_id))
            elif one.post_id not in self.posts:
                rejected[place] = UnknownPost(str(one.post_id))
        if rejected and not partial:
            raise rejected[min(rejected)]
        known = {row.event_id for row in self.rows if row.event_id}
        stored, duplicates = [], 0
        for one in (one for place, one in enumerate(interactions) if place not in rejected):
            if one.event_id and one.event_id in known:
                duplicates += 1
                continue
            if one.event_id:
                known.add(one.event_id)
            self.rows.append(one)
            stored.append(StoredInteraction(len(self.rows), 1, one.occurred_at, one))
        return RecordResult(tuple(stored), duplicates, rejected)

    def retract(self, user_id: UUID, post_id: UUID, interaction_type: InteractionType) -> RemovedEvents:
        if post_id not in self.posts:
            raise UnknownPost(str(post_id))
        chosen = [
            row for row in self.rows if (row.post_id, row.interaction_type) == (post_id, interaction_type)
        ]
        return self._remove(user_id, chosen) or RemovedEvents(user_id, post_id, (), ())

    def retract_event(self, user_id: UUID, event_id: UUID) -> RemovedEvents | None:
        return self._remove(user_id, [row for row in self.rows if row.event_id == event_id])

    def events_of(self, pairs: Sequence[UserAndPost]) -> Mapping[UserAndPost, Sequence[StoredInteraction]]:
        return dict.fromkeys(pairs, ())

    def _remove(self, user_id: UUID, chosen: Sequence[Interaction]) -> RemovedEvents | None:
        if self.away:
            raise StorageUnavailable("connection to server at 10.9.8.7 failed, password s3cret")
        if user_id not in self.users:
            raise UnknownUser(str(user_id))
        chosen = [row for row in chosen if row.user_id == user_id]
        self.rows = [row for row in self.rows if row not in chosen]
        return RemovedEvents(user_id, chosen[0].post_id, [1] * len(chosen), ()) if chosen else None


def _empty_feed() -> LiveFeed:
    return LiveFeed(FeedState(), ActiveRanker(ranking_pipeline(RankingOptions(), None, None, NoObserver())))


class DerivedIds:
    """IdResolver of a feed in which each UUID is derived from its external id."""

    def user_id(self, given: str) -> UUID:
        return user_uuid(given)

    def post_id(self, given: str) -> UUID:
        return post_uuid(given)


@dataclass
class Running:
    """A whole fake service, whose parts a test can move."""

    clock: FixedClock = field(default_factory=FixedClock)
    state_now: ServiceState = WHOLE
    applied: list[StoredInteraction] = field(default_factory=list)
    experiments: list[Experiment] = field(default_factory=list)
    experiment_results: FakeResults = field(default_factory=FakeResults)

    def __post_init__(self) -> None:
        self.recommend = ListRecommender(300, self.clock)
        self.interactions = MemoryInteractions(
            {user_uuid("alice"), user_uuid("bob")}, {post_uuid(f"post-{one}") for one in range(300)}
        )
        self.track = TrackInteraction(self.interactions, self.clock, self.applied.extend, DerivedIds())
        self.tables = tables = InMemoryTables()
        tables.add_users(*(User(user_uuid(name), name) for name in ("alice", "bob")))
        tables.add_posts(Post(post_uuid("post-1"), "post-1", None, NOON, 0, "", (), True))
        self.controls, self.follows = InMemoryControls(tables), InMemoryFollows(tables)
        self.memberships = InMemoryMemberships(tables)
        self.entities = InMemoryEntities(tables)
        self.impressions = InMemoryImpressions(tables)
        self.user_data = InMemoryUserData(tables)
        self.retract = RetractInteraction(self.interactions, lambda removed: None, DerivedIds())

    def count_updates(self, user_id: str, cursor: str) -> Updates:
        """Three posts are new for each list."""
        self.recommend.codec.open_any_mode(cursor, user_uuid(user_id), self.clock.now())
        return Updates(3, capped=False)

    def recommend_batch(self, user_ids: Sequence[str], limit: int) -> Iterator[RecommendationResponse]:
        return (self.recommend(RecommendationRequest(user_id, limit)) for user_id in user_ids)

    def state(self) -> ServiceState:
        return self.state_now

    def now_with(self, **changes: object) -> None:
        self.state_now = replace(self.state_now, **changes)  # type: ignore[arg-type]

    def services(self) -> Services:
        viewers = Viewers(_empty_feed(), self.clock)
        return Services(
            self.recommend,
            self.track,
            self.retract,
            GiveFeedback(self.controls, self.clock, lambda controls: None, DerivedIds()),
            ListControls(self.controls, self.clock, DerivedIds()),
            ChangeFollow(self.follows, lambda change: None, DerivedIds()),
            ChangeMembership(self.memberships, lambda change: None, DerivedIds()),
            WriteEntities(self.entities, self.clock, lambda change: None),
            UserData(self.user_data, DerivedIds(), lambda user_id: None, lambda changes: None),
            self._explain(),
            ListExperiments(lambda: self.experiments, self.experiment_results),
            self.count_updates,
            RankPosts(viewers),
            SimilarPosts(viewers),
            SuggestFollows(viewers, self.follows),
            self.recommend_batch,
            ReportSeen(self.impressions, lambda user_id, request_id: None, lambda pages: None, DerivedIds()),
            ReadReach(self.impressions, DerivedIds()),
            GetHealthStatus(self.state, self.clock),
        )

    def _explain(self) -> ExplainFeed:
        """Of a feed in memory without users and posts, beside the stored ones."""
        return ExplainFeed(
            _empty_feed(),
            self.recommend.codec,
            self.clock,
            InMemoryPosts(self.tables),
            ListControls(self.controls, self.clock, DerivedIds()),
            self.follows,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Services]:
        yield self.services()
