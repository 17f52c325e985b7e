"""The service in one process and one thread: the real use cases and keeper over tables in memory."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from app.application.cursor import CursorCodec
from app.application.dto import RecommendationRequest, RecommendationResponse
from app.application.live_feed import ActiveRanker, LiveFeed
from app.application.response_cache import ListCachePolicy
from app.application.use_cases.generate_recommendations import GenerateRecommendations
from app.application.use_cases.track_interaction import TrackedEvent, TrackInteraction
from app.application.workers.log_follower import LogFollower
from app.application.workers.poll_intervals import PollIntervals
from app.domain.entities import InteractionType, Post, User
from app.domain.errors import DomainError
from app.domain.feed.state import FeedState
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking import user_features
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.model_interface import ModelSource, PublishedModel
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.model_registry import ModelRecord
from tests.support.fake_storage import InMemoryFeedLog, InMemoryInteractions, InMemoryPosts, InMemoryTables
from tests.support.fake_use_cases import FixedClock
from training.training_run import fit_served_model

FEW_CANDIDATES = RankingOptions(candidates=12, whole_catalogue=0)
"""So that the scored part of a list ends early and the rest of the catalogue follows."""


class SmallService:
    """What a test may do to a running service; nothing reaches memory but by `catch_up`, `track` and `publish`."""

    def __init__(self, *, options: RankingOptions = FEW_CANDIDATES, database: bool = True) -> None:
        self.options = options
        self.tables = InMemoryTables()
        self.clock = FixedClock()
        self.delivered: list[tuple[UUID, RecommendationResponse]] = []
        self.published: PublishedModel | None = None
        self.broken: DomainError | None = None
        self._fingerprint = 0
        fallback = ranking_pipeline(options, None, None, NoObserver())
        self.feed = LiveFeed(FeedState(), ActiveRanker(fallback, None))
        self.log = InMemoryFeedLog(self.tables)
        self.keeper = LogFollower(
            self.feed,
            ModelSource(lambda: self._fingerprint, self._fetch),
            self.log if database else None,
            InMemoryPosts(self.tables) if database else None,
            options,
            NoObserver(),
            PollIntervals(),
        )
        self.generate = GenerateRecommendations(
            self.feed,
            CursorCodec([b"secret of the tests"], timedelta(hours=24)),
            self.clock,
            lambda user, answer: self.delivered.append((user, answer)),
            ListCachePolicy(),
        )
        self._track = TrackInteraction(InMemoryInteractions(self.tables), self.clock, self.keeper.apply)

    # -- the tables ----------------------------------------------------------------------------------------------

    def add_users(self, *names: str) -> None:
        self.tables.add_users(*(User(user_uuid(name), name) for name in names))

    def add_post(
        self,
        name: str,
        author: str | None = None,
        *,
        age: timedelta = timedelta(0),
        visible: bool = True,
        tags: tuple[str, ...] = (),
    ) -> None:
        writer = None if author is None else user_uuid(author)
        made_at = self.clock.at - age
        self.tables.add_posts(Post(post_uuid(name), name, writer, made_at, 0, "", tags, visible))

    def remove_post(self, name: str) -> None:
        self.tables.remove_post(post_uuid(name))

    def follow(self, follower: str, followee: str) -> None:
        self.tables.add_follow(user_uuid(follower), user_uuid(followee))

    # -- what happens --------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float = 1) -> None:
        self.clock.at += timedelta(seconds=seconds)

    def catch_up(self) -> None:
        self.keeper.poll_log()

    def track(self, user: str, post: str, kind: InteractionType = "view", at: datetime | None = None) -> None:
        self._track([TrackedEvent(user, post, kind, at)])

    def train(self, *, learned: bool = False, version: str | None = None) -> PublishedModel:
        """A model of what the tables hold now; the learned one with weights drawn at random."""
        self._fingerprint += 1
        version = version or f"v{self._fingerprint}"
        model = fit_served_model(self.log.read_all(), self.options, _any_choice() if learned else None, {})
        sha256 = f"{self._fingerprint:064x}"
        record = ModelRecord(version, "model.pkl", self.clock.at.isoformat(), "active", sha256, 1, {}, {})
        return PublishedModel(record, model)

    def publish(self, model: PublishedModel | None = None, *, learned: bool = False) -> str:
        self.published = model or self.train(learned=learned)
        self._fingerprint += 1
        self.keeper.check_for_new_model()
        return self.published.record.version

    def break_models(self, error: DomainError) -> None:
        self.broken = error
        self._fingerprint += 1
        self.keeper.check_for_new_model()

    def _fetch(self) -> PublishedModel | None:
        if self.broken is not None:
            raise self.broken
        return self.published

    # -- what is asked -------------------------------------------------------------------------------------------

    def page(self, user: str, **wishes: Any) -> RecommendationResponse:
        return self.generate(RecommendationRequest(user, **wishes))

    def whole_list(self, user: str, *, limit: int = 7, **wishes: Any) -> list[RecommendationResponse]:
        """All pages by cursor, to the end."""
        pages = [self.page(user, limit=limit, **wishes)]
        while (cursor := pages[-1].next_cursor) is not None:
            assert len(pages) < 200, "the list has no end"
            pages.append(self.page(user, limit=limit, cursor=cursor, **wishes))
        return pages

    def eligible(
        self, user: str, *, exclude_seen: bool = True, mode: str = "ranked", excluded: Sequence[str] = ()
    ) -> set[str]:
        """The rules of contract section 4, read off the tables one post at a time."""
        asking = user_uuid(user)
        met = {one.interaction.post_id for one in self.tables.events if one.interaction.user_id == asking}
        return {
            post.external_id
            for post in self.tables.posts.values()
            if post.visible
            and post.created_at <= self.clock.at
            and post.author_id != asking
            and post.external_id not in excluded
            and not (exclude_seen and post.id in met)
            and (mode != "following" or (asking, post.author_id) in self.tables.follows)
        }

    def created_at(self, name: str) -> datetime:
        return self.tables.posts[post_uuid(name)].created_at


def names(*answers: RecommendationResponse) -> list[str]:
    """Posts of some pages, in order, as they were named."""
    return [str(one) for answer in answers for one in answer.external_ids]


def _any_choice() -> ChoiceModel:
    """A learned blend that nobody learned: any weights make a list."""
    inputs = user_features.names()
    blank, none = np.zeros(len(inputs)), np.zeros(0)
    weights = np.random.default_rng(5).normal(size=len(inputs))
    return ChoiceModel(inputs, blank, blank + 1, weights, np.zeros((len(inputs), 0)), none, none, np.zeros(3))
