"""The service in one process and one thread: the real wiring over tables in memory."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from functools import cache, partial
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

import numpy as np

from app.application.cursor import CursorCodec
from app.application.dto import RecommendationRequest, RecommendationResponse, ScoredPosts
from app.application.use_cases.change_follow import Follow
from app.application.use_cases.change_membership import Membership
from app.application.use_cases.get_health_status import ServiceState
from app.application.use_cases.give_feedback import Feedback
from app.application.use_cases.report_seen import SeenPosts
from app.application.use_cases.retract_interaction import Retraction
from app.application.use_cases.track_interaction import TrackedEvent
from app.application.use_cases.unfinished import Unfinished
from app.application.workers.experiments_watcher import ExperimentSource
from app.application.workers.poll_intervals import PollIntervals
from app.bootstrap import build_use_cases, build_workers
from app.domain.entities import INTERACTION_TYPES, Impression, InteractionType, Post, User
from app.domain.entities.control import TARGET_FIELDS, ControlAction
from app.domain.entities.model_record import Channel, ModelRecord
from app.domain.errors import DomainError, UnknownVersion
from app.domain.feed.live_posts import DEFAULT_LIMITS, LivePostLimits
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking import user_features
from app.domain.ranking.assembly import NoObserver
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.model_interface import PublishedModel
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedLog
from app.domain.repositories.snapshot_store import SnapshotStore
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.storage import Storage
from tests.support.fake_entities import InMemoryEntities
from tests.support.fake_storage import (
    InMemoryControls,
    InMemoryFeedLog,
    InMemoryFollows,
    InMemoryImpressions,
    InMemoryInteractions,
    InMemoryMemberships,
    InMemoryPosts,
    InMemoryTables,
)
from tests.support.fake_stored_posts import InMemoryStoredPosts
from tests.support.fake_use_cases import FixedClock
from tests.support.fake_user_data import InMemoryUserData
from training.training_run import fit_served_model

default_settings = cache(partial(Settings, _env_file=None))
"""Read once: it takes a fifth of the time to build a service."""

FEW_CANDIDATES = RankingOptions(candidates=12, whole_catalogue=0)
"""The ranked part of a list ends early, so that the rest of the catalogue follows."""


class FakeModels:
    """ModelSource of the model `published`, then of `earlier` ones; a rollback replaced `replaced`. Counts the loads.

    It fails with `error` if it is set, or with that of the version in `errors`. `channels` have versions; without one,
    the served version is that of the channel.
    """

    def __init__(self) -> None:
        self.published: PublishedModel | None = None
        self.earlier: list[PublishedModel] = []
        self.replaced: list[ModelRecord] = []
        self.errors: dict[str, Exception] = {}
        self.error: DomainError | None = None
        self.channels: dict[Channel, str] = {}
        self.version = 0
        self.fetches = 0

    def fingerprint(self) -> object:
        return self.version

    def candidates(self) -> Sequence[ModelRecord]:
        if self.error is not None:
            raise self.error
        return [one.record for one in self._models()]

    def rolled_back(self) -> Sequence[ModelRecord]:
        return self.replaced

    def fetch(self, candidate: ModelRecord) -> PublishedModel:
        self.fetches += 1
        if (error := self.errors.get(candidate.version)) is not None:
            raise error
        found = next(one for one in self._models() if one.record == candidate)
        return deepcopy(found)  # like a file that is read again: its installation releases the snapshot

    def channel_record(self, channel: Channel, served: ModelRecord) -> ModelRecord:
        return next(
            (one.record for one in self._models() if one.record.version == self.channels.get(channel)), served
        )

    def fetch_version(self, version: str) -> PublishedModel:
        found = next((one for one in self._models() if one.record.version == version), None)
        if found is None:
            raise UnknownVersion(version)
        return self.fetch(found.record)

    def _models(self) -> list[PublishedModel]:
        return [] if self.published is None else [self.published, *self.earlier]


def in_memory_storage(tables: InMemoryTables) -> Storage:
    """All ports over the same tables, except for saved recommendations."""
    return Storage(
        InMemoryInteractions(tables),
        InMemoryControls(tables),
        InMemoryFollows(tables),
        InMemoryMemberships(tables),
        InMemoryEntities(tables),
        InMemoryImpressions(tables),
        InMemoryUserData(tables),
        InMemoryFeedLog(tables),
        InMemoryPosts(tables),
        stored_posts=InMemoryStoredPosts(tables),
    )


class SmallService:
    """A running service. Only `catch_up`, `track` and `publish` change what it has in memory."""

    def __init__(
        self,
        *,
        options: RankingOptions = FEW_CANDIDATES,
        tables: InMemoryTables | None = None,
        storage: Storage | None = None,
        database: bool = True,
        clock: FixedClock | None = None,
        snapshots: SnapshotStore | None = None,
        live_posts: LivePostLimits = DEFAULT_LIMITS,
        experiments: ExperimentSource | None = None,
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """`tables`, `clock` and `snapshots` may be shared by several services. `storage` replaces the adapters of the
        tables."""
        self.options = options
        self.tables = InMemoryTables() if tables is None else tables
        self.clock = clock or FixedClock()
        self.models = FakeModels()
        self.intervals = PollIntervals()
        self.served: list[tuple[UUID, RecommendationResponse]] = []
        self.shown: list[Impression] = []
        self._saved_pages = 0
        self._set_back_seconds = 0.0
        self.storage = in_memory_storage(self.tables) if storage is None else storage
        if not database:
            given = self.storage
            self.storage = Storage(
                given.interactions,
                given.controls,
                given.follows,
                given.memberships,
                given.entities,
                given.impressions,
                given.user_data,
            )
        self.workers = build_workers(
            self.storage,
            self.models,
            options,
            NoObserver(),
            self.intervals,
            snapshots=snapshots,
            live_posts=live_posts,
            experiments=experiments,
        )
        self.fallbacks: list[tuple[str, str]] = []
        self.use_cases = use_cases = build_use_cases(
            self.workers,
            self.storage,
            self.clock,
            self.clock,
            CursorCodec([b"secret of the tests"], timedelta(hours=24)),
            lambda user, response: self.served.append((user, response)),
            self.shown.append,
            lambda _user, _request_id: self.save_pages(),
            Settings(_env_file=None, **settings) if settings else default_settings(),
            lambda: self.cache_seconds,
            lambda experiment, variant: self.fallbacks.append((experiment, variant)),
            np.random.default_rng(1),
        )
        self.feed = self.workers.feed
        self._track = use_cases.track
        self._retract, self._report_seen = use_cases.retract, use_cases.report_seen
        self._change_follow, self.count_updates = use_cases.change_follow, use_cases.count_updates
        self._change_membership = use_cases.change_membership
        self.entities, self.user_data = use_cases.entities, use_cases.user_data
        self.explain = use_cases.explain
        self._give_feedback, self.list_controls = use_cases.give_feedback, use_cases.list_controls

    # -- the tables ----------------------------------------------------------------------------------------------

    def add_users(self, *names: str, **settings: Any) -> None:
        """`settings` are fields of User; given again, they replace those of before."""
        self.tables.add_users(*(User(user_uuid(name), name, **settings) for name in names))

    def add_post(
        self,
        name: str,
        author: str | None = None,
        *,
        age: timedelta = timedelta(0),
        visible: bool = True,
        tags: tuple[str, ...] = (),
        content: str = "",
        **settings: Any,
    ) -> None:
        author_id = None if author is None else user_uuid(author)
        created_at = self.clock.at - age
        self.tables.add_posts(
            Post(post_uuid(name), name, author_id, created_at, 0, content, tags, visible, **settings)
        )

    def remove_post(self, name: str) -> None:
        self.tables.remove_post(post_uuid(name))

    def follow(self, follower: str, followee: str) -> None:
        self.tables.add_follow(user_uuid(follower), user_uuid(followee))

    def created_at(self, name: str) -> datetime:
        return self.tables.posts[post_uuid(name)].created_at

    def disconnect(self) -> None:
        """Make the tables unavailable, and let the service notice it."""
        self.tables.away = True
        self.catch_up()

    def reconnect(self, source: str | None = None) -> None:
        """Make the tables available again, as another database if `source` is given."""
        self.tables.away, self.tables.source = False, source or self.tables.source
        self.catch_up()

    # -- the running service -------------------------------------------------------------------------------------

    @property
    def log(self) -> FeedLog:
        assert self.storage.feed_log is not None
        return self.storage.feed_log

    @property
    def state(self) -> ServiceState:
        return self.workers.state()

    def replace_log(self, log: FeedLog) -> None:
        follower = self.workers.follower
        assert follower is not None
        follower.feed_log = log

    def set_interval(self, **seconds: float) -> None:
        """Change a poll interval; a negative one makes the work due at the next poll."""
        for name, value in seconds.items():
            object.__setattr__(self.intervals, name, value)

    @property
    def cache_seconds(self) -> float:
        """The monotonic clock of the caches."""
        return self.clock.at.timestamp() + self._set_back_seconds

    def pass_time(self, seconds: float = 1) -> None:
        self.clock.at += timedelta(seconds=seconds)

    def set_clock_back(self, seconds: float) -> None:
        """As an operator or NTP does; no time passes."""
        self.clock.at -= timedelta(seconds=seconds)
        self._set_back_seconds += seconds

    def catch_up(self) -> None:
        if self.workers.follower is not None:
            self.workers.follower.poll_log()

    def evict(self) -> None:
        """Evict the posts that are not live, if they are many."""
        assert self.workers.evictor is not None
        self.workers.evictor.run()

    def write_snapshot(self) -> None:
        assert self.workers.snapshot_writer is not None
        self.workers.snapshot_writer.write()

    def purge_outbox(self) -> None:
        assert self.workers.follower is not None
        self.workers.follower.purge_outbox()

    def track(self, user: str, post: str, kind: InteractionType = "view", at: datetime | None = None) -> None:
        self._track([TrackedEvent(user, post, kind, at)])

    def track_batch(self, *events: tuple[str, str, InteractionType]) -> None:
        """Events of now as (user, post, kind), in the time of one."""
        self._track([TrackedEvent(user, post, kind, None) for user, post, kind in events])

    def retract(self, user: str, post: str, kind: InteractionType = "view") -> int:
        return self._retract(Retraction(user, post, kind))

    def set_membership(self, user: str, audience: str, *, is_member: bool = True) -> None:
        """By the API."""
        self._change_membership(Membership(audience, user, is_member))

    def set_follow(self, user: str, followee: str, *, follows: bool = True) -> None:
        """By the API; `follow` changes the table alone."""
        self._change_follow(Follow(user, followee, follows))

    def save_pages(self) -> None:
        """Store the pages that were shown, as the writer does some time after each response."""
        self.storage.impressions.save(self.shown[self._saved_pages :])
        self._saved_pages = len(self.shown)

    def report_seen(self, user: str, request_id: str, *posts: str) -> int:
        return self._report_seen(SeenPosts(user, request_id, posts))

    def feedback(self, user: str, action: ControlAction, target: str, **changes: Any) -> None:
        """`target` is a post, an author, a tag or a word, as the action needs it."""
        self._give_feedback(Feedback(user, action, **{TARGET_FIELDS[action]: target}, **changes))

    # -- models --------------------------------------------------------------------------------------------------

    def train(self, *, learned: bool = False, version: str | None = None) -> PublishedModel:
        """A model of the tables; the learned one has random weights."""
        self.models.version += 1
        number = self.models.version
        model = fit_served_model(
            self.log.read_all(), self.options, random_choice_model() if learned else None, {}
        )
        record = ModelRecord(
            version=version or f"v{number}",
            filename="model.pkl",
            created_at=self.clock.at.isoformat(),
            status="active",
            sha256=f"{number:064x}",
            size_bytes=1,
            metrics={},
            config={},
        )
        return PublishedModel(record, model)

    def publish(self, model: PublishedModel | None = None, *, learned: bool = False) -> str:
        self.models.published = model or self.train(learned=learned)
        self.models.version += 1
        self.check_for_new_model()
        return self.models.published.record.version

    def break_models(self, error: DomainError) -> None:
        self.models.error = error
        self.models.version += 1
        self.check_for_new_model()

    def check_experiments(self) -> None:
        """Read the experiments and their stops, as each poll of the service does."""
        assert self.workers.experiments_watcher is not None
        self.workers.experiments_watcher.check()

    def check_for_new_model(self) -> None:
        self.workers.watcher.check_for_new_model()

    # -- requests ------------------------------------------------------------------------------------------------

    def page(self, user: str, **options: Any) -> RecommendationResponse:
        return self.generate(RecommendationRequest(user, **options))

    def generate(self, request: RecommendationRequest) -> RecommendationResponse:
        """The whole page, after a read of the tables if memory lacks posts of it."""
        page = self.use_cases.recommend(request)
        return page if isinstance(page, RecommendationResponse) else page.complete()

    def rank(self, user: str, *posts: str, explain: bool = False) -> ScoredPosts:
        return completed(self.use_cases.rank_posts(user, posts, explain=explain))

    def all_pages(self, user: str, *, limit: int = 7, **options: Any) -> list[RecommendationResponse]:
        """All pages by cursor, to the end of the list."""
        pages = [self.page(user, limit=limit, **options)]
        while (cursor := pages[-1].next_cursor) is not None:
            assert len(pages) < 200, "the list has no end"
            pages.append(self.page(user, limit=limit, cursor=cursor, **options))
        return pages

    def eligible(
        self, user: str, *, exclude_seen: bool = True, mode: str = "ranked", excluded: Sequence[str] = ()
    ) -> set[str]:
        """Names of the eligible posts, computed from the tables one post at a time."""
        user_id = user_uuid(user)
        seen = {
            event.interaction.post_id for event in self.tables.events if event.interaction.user_id == user_id
        }
        rules: list[Callable[[Post], bool]] = [
            lambda post: post.visible,
            lambda post: post.created_at <= self.clock.at,
            lambda post: post.author_id != user_id,
            lambda post: post.external_id not in excluded,
            lambda post: not (exclude_seen and post.id in seen),
            lambda post: mode != "following" or (user_id, post.author_id) in self.tables.follows,
        ]
        return {
            post.external_id for post in self.tables.posts.values() if all(allows(post) for allows in rules)
        }


def names(*responses: RecommendationResponse | ScoredPosts) -> list[str]:
    """Names of the posts of some pages, in order."""
    return [str(name) for response in responses for name in response.external_ids]


T = TypeVar("T")


def completed(answer: T | Unfinished[T]) -> T:
    """The response, after a read of the tables if memory lacks a part of it."""
    return answer.complete() if isinstance(answer, Unfinished) else answer


def random_choice_model() -> ChoiceModel:
    """A choice model with random weights: any weights give a list."""
    inputs = user_features.names()
    zeros, empty = np.zeros(len(inputs)), np.zeros(0)
    weights = np.random.default_rng(5).normal(size=len(inputs))
    return ChoiceModel(
        inputs, zeros, zeros + 1, weights, np.zeros((len(inputs), 0)), empty, empty, np.zeros(3)
    )


def service_with_posts(model: str = "formula", options: RankingOptions = FEW_CANDIDATES) -> SmallService:
    """60 posts of four authors and of nobody; two hidden, two of tomorrow, two of the reader's own."""
    service = SmallService(options=options)
    service.add_users("reader", "without-events", "other", "ann", "ben", "cay", "dan")
    for number in range(54):
        author = ("ann", "ben", "cay", "dan", None)[number % 5]
        service.add_post(
            f"p{number}", author, age=timedelta(hours=number), tags=("red", "blue")[number % 2 :]
        )
    for number in range(2):
        service.add_post(f"hidden-{number}", "ann", age=timedelta(hours=1), visible=False)
        service.add_post(f"tomorrow-{number}", "ben", age=-timedelta(days=1))
        service.add_post(f"own-{number}", "reader", age=timedelta(hours=1))
    for author in ("ann", "ben"):
        service.follow("reader", author)
        service.follow("without-events", author)
    service.catch_up()
    events: list[tuple[str, str, InteractionType]] = []
    for number in (0, 1, 2, 6, 11, 30, 31):
        events += [
            ("reader", f"p{number}", INTERACTION_TYPES[number % 5]),
            ("other", f"p{number + 1}", "like"),
            ("other", f"p{number}", "view"),
        ]
    service.track_batch(*events, ("reader", "p3", "view"))
    if model != "none":
        service.publish(learned=model == "learned")
    return service
