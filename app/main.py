"""The composition root: the one place that knows every layer and wires them together.

`uvicorn app.main:app` serves. Nothing connects at import; a bad environment ends the process with one line.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import anyio.to_thread
import structlog
from fastapi import FastAPI

from app.application.cursor import CursorCodec
from app.application.dto import RecommendationResponse
from app.application.live_feed import ActiveRanker, LiveFeed
from app.application.response_cache import ListCachePolicy
from app.application.use_cases.generate_recommendations import GenerateRecommendations
from app.application.use_cases.get_health_status import GetHealthStatus, ServiceState
from app.application.use_cases.track_interaction import TrackInteraction
from app.application.workers.log_follower import LogFollower
from app.application.workers.poll_intervals import PollIntervals
from app.application.workers.recommendation_writer import WriteBehind
from app.domain.entities import Interaction
from app.domain.errors import StorageUnavailable
from app.domain.feed.state import FeedState
from app.domain.ranking.assembly import ranking_pipeline
from app.domain.ranking.model_interface import ModelSource, PublishedModel
from app.domain.repositories.interaction_repository import InteractionRepository, RecordResult
from app.domain.services.clock import Clock
from app.infrastructure.clock import FixedClock, SteppingClock, SystemClock
from app.infrastructure.config.key_files import cursor_secrets
from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.database.connection import create_feed_engine, install_deadlines
from app.infrastructure.database.embedded import EmbeddedPostgres, EmbeddedUnavailable
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.post_repository_impl import SqlPostRepository
from app.infrastructure.database.recommendation_repository_impl import SqlRecommendationRepository
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import ModelKeys, model_keys
from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions, Services
from app.shared.exceptions import ConfigurationError
from app.shared.logging import configure_logging
from app.shared.monitoring import Metrics
from app.shared.tracing import TracedMetrics, open_traces

log = structlog.get_logger()


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service. Raises ConfigurationError."""
    settings = settings or read_settings()
    configure_logging(settings.log_level)
    _refuse_more_workers()
    keys = model_keys(None, settings.model_trusted_keys, settings.keys_dir, signs=False)
    cursor_codec = CursorCodec(cursor_secrets(settings), settings.cursor_life)
    traces = open_traces(
        settings.otel_exporter_otlp_endpoint,
        service=settings.otel_service_name,
        version=_version(),
        share=settings.otel_traces_sampler_arg,
    )
    metrics = Metrics() if traces is None else TracedMetrics()
    options = ApiOptions(
        api_keys=[key.get_secret_value() for key in settings.api_keys],
        metrics_need_key=settings.metrics_need_key,
        body_limit_bytes=settings.body_limit_bytes,
        body_budget_seconds=settings.body_budget_seconds,
        track_concurrency=settings.track_concurrency,
        track_budget_seconds=settings.track_budget_ms / 1000,
        retry_after_seconds=settings.retry_after_seconds,
    )

    @asynccontextmanager
    async def services() -> AsyncIterator[Services]:
        with ExitStack() as stack:
            if traces is not None:
                stack.callback(traces.close)
            yield await anyio.to_thread.run_sync(
                lambda: build_services(settings, keys, cursor_codec, metrics, stack)
            )

    return create_api(options, metrics, services, version=_version(), traces=traces)


def build_services(
    settings: Settings, keys: ModelKeys, cursor_codec: CursorCodec, metrics: Metrics, stack: ExitStack
) -> Services:
    """Everything that runs, opened; `stack` closes it. What is missing is missing, the rest serves."""
    clock: Clock = SystemClock()
    ranking_clock: Clock = SteppingClock(timedelta(milliseconds=settings.ranking_tick_ms))
    if settings.feed_now:
        clock = ranking_clock = FixedClock(settings.feed_now)
    registry = FileModelRegistry(settings.models_dir, keys, size_limit_bytes=settings.model_size_limit_bytes)
    options = ranking_options(settings)
    fallback = ranking_pipeline(options, None, None, metrics)
    feed = LiveFeed(FeedState(), ActiveRanker(fallback, None))

    url = database_url(settings, stack)
    feed_log = posts = copies = None
    events: InteractionRepository = NoDatabase()
    if url is not None:
        install_deadlines()
        engine = create_feed_engine(
            url,
            pool_size=settings.pool_size,
            pool_wait_seconds=settings.pool_wait_ms / 1000,
            connect_seconds=settings.connect_budget_ms / 1000,
        )
        stack.callback(engine.dispose)
        schema, budget = SchemaName(settings.db_schema), settings.statement_budget_ms / 1000
        feed_log = SqlFeedLog(engine, schema, load_budget_seconds=settings.load_budget_seconds)
        posts = SqlPostRepository(engine, schema, budget_seconds=5.0)
        events = SqlInteractionRepository(engine, schema, budget_seconds=budget)
        if settings.write_behind_limit:
            copies = WriteBehind(
                SqlRecommendationRepository(engine, schema),
                clock,
                timedelta(hours=settings.recommendation_ttl_hours),
                settings.write_behind_limit,
            )

    keeper = LogFollower(
        feed,
        model_source(settings.model_path, registry),
        feed_log,
        posts,
        options,
        metrics,
        PollIntervals(
            tail=settings.tail_poll_ms / 1000,
            registry=settings.registry_poll_seconds,
            reconcile=settings.reconcile_seconds,
            newest=settings.newest_poll_seconds,
            outbox_life=timedelta(days=settings.outbox_days),
        ),
    )
    stack.callback(keeper.close)
    keeper.open()
    if copies is not None:
        stack.callback(copies.close)
        copies.open()

    recommend = GenerateRecommendations(
        feed,
        cursor_codec,
        ranking_clock,
        copies.enqueue if copies is not None else _discard_response,
        ListCachePolicy(
            settings.offset_lists_limit,
            timedelta(minutes=settings.offset_list_life_minutes),
            timedelta(seconds=settings.answer_stands_seconds),
        ),
    )
    track = TrackInteraction(
        events,
        clock,
        keeper.apply,
        max_age=timedelta(days=settings.track_back_days),
        max_clock_skew=timedelta(seconds=settings.track_ahead_seconds),
    )
    return Services(
        recommend=recommend, track=track, health=GetHealthStatus(CombinedServiceStatus(keeper, copies), clock)
    )


def database_url(settings: Settings, stack: ExitStack) -> str | None:
    """DATABASE_URL, else the embedded PostgreSQL's, else None: then the feed is what the model remembers."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    embedded = EmbeddedPostgres()
    try:
        url = embedded.start()
    except EmbeddedUnavailable as error:
        log.warning("database.none", cause=str(error), hint="set DATABASE_URL")
        return None
    stack.callback(embedded.release)
    return url


def model_source(path: Path | None, registry: FileModelRegistry) -> ModelSource:
    """The registry's active model, or the one artefact MODEL_PATH names, which is never looked at again."""
    if path is not None:

        def one_artefact() -> PublishedModel:
            record, artifact = registry.load_file(path)
            return PublishedModel(record, ServedModel.from_artifact(artifact))

        return ModelSource(lambda: "fixed", one_artefact)

    def active() -> PublishedModel | None:
        record = registry.active()
        return (
            None
            if record is None
            else PublishedModel(record, ServedModel.from_artifact(registry.load(record.version)))
        )

    return ModelSource(registry.fingerprint, active)


class CombinedServiceStatus:
    """ServiceStatusReader over the feed's keeper and the copying of answers."""

    def __init__(self, keeper: LogFollower, copies: WriteBehind | None) -> None:
        self._keeper = keeper
        self._copies = copies

    def state(self) -> ServiceState:
        """The present state."""
        state, copies = self._keeper.state(), self._copies
        if copies is None:
            return state
        return replace(state, write_behind_waiting=copies.pending, write_behind_dropped=copies.dropped)


class NoDatabase:
    """InteractionRepository where none is set up."""

    def record(self, interactions: Sequence[Interaction]) -> RecordResult:
        """Raises StorageUnavailable."""
        del interactions
        raise StorageUnavailable("no database is set up: set DATABASE_URL")


def _discard_response(user_id: UUID, answer: RecommendationResponse) -> None:
    """Nowhere to copy answers to."""


def _refuse_more_workers() -> None:
    """The feed state and the metrics are per process: scale by replicas (contract, section 1)."""
    words = sys.argv
    given = [after for word, after in pairwise(words) if word == "--workers"]
    given += [word.partition("=")[2] for word in words if word.startswith("--workers=")]
    given.append(os.environ.get("WEB_CONCURRENCY", ""))
    if any(one.isdigit() and int(one) > 1 for one in given) and not os.environ.get(
        "PROMETHEUS_MULTIPROC_DIR"
    ):
        raise ConfigurationError(
            "--workers: one process per container; run more replicas, or set PROMETHEUS_MULTIPROC_DIR"
        )


def _version() -> str:
    try:
        return version("feed-recommendation-service")
    except PackageNotFoundError:
        return "0"


def __getattr__(name: str) -> FastAPI:
    """`app`, made when a server asks for it: importing this module alone starts nothing."""
    if name != "app":
        raise AttributeError(name)
    try:
        made = create_app()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        if multiprocessing.parent_process() is not None:
            # a supervisor (--workers, --reload) would start the same again and again
            os.kill(os.getppid(), signal.SIGTERM)
        raise SystemExit(2) from None
    globals()["app"] = made
    return made
