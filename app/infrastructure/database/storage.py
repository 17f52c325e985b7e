"""Opens the database of the service, and gives its repositories as the ports of the domain."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import structlog
from sqlalchemy import Engine

from app.domain.repositories.control_repository import ControlRepository
from app.domain.repositories.entity_repository import EntityRepository
from app.domain.repositories.experiment_repository import (
    ExperimentCounts,
    ExperimentCredits,
    ExperimentResults,
)
from app.domain.repositories.feed_log import FeedLog
from app.domain.repositories.follow_repository import FollowRepository
from app.domain.repositories.impression_repository import ImpressionRepository
from app.domain.repositories.interaction_repository import InteractionRepository
from app.domain.repositories.membership_repository import MembershipRepository
from app.domain.repositories.post_repository import PostRepository
from app.domain.repositories.recommendation_repository import RecommendationRepository
from app.domain.repositories.stored_posts import StoredPostRepository
from app.domain.repositories.user_data_repository import UserDataRepository
from app.infrastructure.config.dsn import parse_dsn
from app.infrastructure.config.key_files import erasure_secrets
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.connection import (
    DEFAULT_BUDGET_SECONDS,
    ConnectionCheck,
    create_feed_engine,
    fill_pool,
    install_deadlines,
    unconfigured_engine,
)
from app.infrastructure.database.control_repository_impl import SqlControlRepository
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.embedded import EmbeddedPostgres, EmbeddedUnavailable
from app.infrastructure.database.entity_repository_impl import SqlEntityRepository
from app.infrastructure.database.experiment_counts import SqlExperimentCounts
from app.infrastructure.database.experiment_credits import SqlExperimentCredits
from app.infrastructure.database.experiment_results import SqlExperimentResults
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.follow_repository_impl import SqlFollowRepository
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.membership_repository_impl import SqlMembershipRepository
from app.infrastructure.database.post_repository_impl import SqlPostRepository
from app.infrastructure.database.recommendation_repository_impl import SqlRecommendationRepository
from app.infrastructure.database.schema import PUBLIC_SCHEMA, SchemaName
from app.infrastructure.database.stored_posts_impl import SqlStoredPostRepository
from app.infrastructure.database.tombstones import NO_TOMBSTONES, Tombstones
from app.infrastructure.database.user_data_repository_impl import SqlUserDataRepository

log = structlog.get_logger()

_POSTS_BUDGET_SECONDS = 5.0  # workers read posts, no request waits
_LOCK_SECONDS = 1.0  # of the start, for a locked table: then the service listens without the database
_WORKER_CONNECTIONS = 2  # of the pool, which workers have opened at the start
_CHECK_BUDGET_SECONDS = 0.6  # for one round trip
_USER_DATA_BUDGET_SECONDS = 60.0  # all rows of one user


@dataclass(frozen=True, slots=True)
class Storage:
    """The database, as the ports of the domain. Without a database, the ports with a default are not set."""

    interactions: InteractionRepository
    controls: ControlRepository
    follows: FollowRepository
    memberships: MembershipRepository
    entities: EntityRepository
    impressions: ImpressionRepository
    user_data: UserDataRepository
    feed_log: FeedLog | None = None
    posts: PostRepository | None = None
    recommendations: RecommendationRepository | None = None
    stored_posts: StoredPostRepository | None = None
    experiment_counts: ExperimentCounts | None = None
    experiment_credits: ExperimentCredits | None = None
    experiment_results: ExperimentResults | None = None
    check: Callable[[], None] | None = None  # as in DatabaseWatcher
    fill_pool: Callable[[], None] | None = None  # opens the connections of requests


def open_storage(settings: Settings, stack: ExitStack) -> Storage:
    """Connect to the configured database; `stack` closes it."""
    url = database_url(settings, stack)
    if url is None:
        return _storage(unconfigured_engine())
    install_deadlines()
    engine = create_feed_engine(
        url,
        pool_size=settings.pool_size,
        pool_wait_seconds=settings.pool_wait_ms / 1000,
        connect_seconds=settings.connect_budget_ms / 1000,
    )
    stack.callback(engine.dispose)
    schema = feed_schema(engine, settings.db_schema)
    check = ConnectionCheck(  # a full pool is no unavailable database
        create_feed_engine(url, connect_seconds=settings.connect_budget_ms / 1000), _CHECK_BUDGET_SECONDS
    )
    stack.callback(check.close)
    return replace(
        _storage(engine, schema, settings.statement_budget_ms / 1000, Tombstones(erasure_secrets(settings))),
        feed_log=SqlFeedLog(
            engine,
            schema,
            load_budget_seconds=settings.load_budget_seconds,
            lock_seconds=_LOCK_SECONDS,
            event_folder=settings.snapshot_dir,
        ),
        posts=SqlPostRepository(engine, schema, budget_seconds=_POSTS_BUDGET_SECONDS),
        recommendations=SqlRecommendationRepository(engine, schema),
        stored_posts=SqlStoredPostRepository(engine, schema, settings.statement_budget_ms / 1000),
        experiment_counts=SqlExperimentCounts(engine, schema, settings.load_budget_seconds),
        experiment_credits=SqlExperimentCredits(
            engine, schema, settings.load_budget_seconds, settings.impression_days
        ),
        experiment_results=SqlExperimentResults(engine, schema),
        check=check,
        fill_pool=partial(
            fill_pool,
            engine,
            max(1, settings.pool_size - _WORKER_CONNECTIONS),
            settings.connect_budget_ms / 1000,
        ),
    )


def _storage(
    engine: Engine,
    schema: SchemaName = PUBLIC_SCHEMA,
    budget_seconds: float = DEFAULT_BUDGET_SECONDS,
    tombstones: Tombstones = NO_TOMBSTONES,
) -> Storage:
    """The ports that requests use."""
    common = engine, schema, budget_seconds
    return Storage(
        interactions=SqlInteractionRepository(*common),
        controls=SqlControlRepository(*common),
        follows=SqlFollowRepository(*common),
        memberships=SqlMembershipRepository(*common),
        entities=SqlEntityRepository(*common, tombstones),
        impressions=SqlImpressionRepository(*common, tombstones),
        user_data=SqlUserDataRepository(engine, schema, _USER_DATA_BUDGET_SECONDS, tombstones),
    )


def database_url(settings: Settings, stack: ExitStack) -> str | None:
    """DATABASE_URL, else that of the embedded PostgreSQL, else None: the model's trending posts are then the feed."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        if ignored := parse_dsn(url).ignored:
            log.info(
                "database.parameters_ignored", parameters=ignored, hint="POOL_SIZE and others are settings"
            )
        return url
    embedded = EmbeddedPostgres()
    try:
        url = embedded.start()
    except EmbeddedUnavailable as error:
        log.warning("database.not_configured", cause=str(error), hint="set DATABASE_URL")
        return None
    stack.callback(embedded.release)
    return url
