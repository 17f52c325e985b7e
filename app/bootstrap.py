"""The composition root: builds storage, models, workers and use cases, from adapters or from fakes.

It is the only module that imports every layer.
"""

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from uuid import UUID

import numpy as np
import structlog
from anyio import to_thread
from fastapi import FastAPI

from app.application.cursor import CursorCodec
from app.application.live_feed import ActiveRanker, LiveFeed
from app.application.page_reports import OnServed, OnShown, PageReports
from app.application.randomised_pages import RandomisedPages
from app.application.response_cache import ResponseCache
from app.application.use_cases.change_follow import ChangeFollow
from app.application.use_cases.change_membership import ChangeMembership
from app.application.use_cases.count_updates import CountUpdates
from app.application.use_cases.explain_feed import ExplainFeed
from app.application.use_cases.generate_recommendations import GenerateRecommendations, OnFallback
from app.application.use_cases.get_health_status import GetHealthStatus
from app.application.use_cases.give_feedback import GiveFeedback, ListControls
from app.application.use_cases.list_experiments import ListExperiments
from app.application.use_cases.rank_posts import RankPosts
from app.application.use_cases.recommend_batch import RecommendBatch
from app.application.use_cases.report_seen import ReadReach, ReportSeen
from app.application.use_cases.retract_interaction import RetractInteraction
from app.application.use_cases.similar_posts import SimilarPosts
from app.application.use_cases.suggest_follows import SuggestFollows
from app.application.use_cases.track_interaction import TrackInteraction
from app.application.use_cases.user_data import UserData
from app.application.use_cases.write_entities import WriteEntities
from app.application.viewers import Viewers
from app.application.workers.chosen_places import ChosenPlaces
from app.application.workers.database_watcher import DatabaseWatcher
from app.application.workers.experiment_reader import ExperimentReader
from app.application.workers.experiments_watcher import (
    ExperimentSource,
    ExperimentsWatcher,
    NoExperiments,
)
from app.application.workers.impression_writer import ImpressionWriter
from app.application.workers.log_follower import LogFollower
from app.application.workers.model_watcher import ModelWatcher
from app.application.workers.poll_intervals import PollIntervals
from app.application.workers.post_evictor import PostEvictor
from app.application.workers.recommendation_writer import RecommendationWriter
from app.application.workers.reconciler import Reconciler
from app.application.workers.snapshot_writer import SnapshotWriter
from app.application.workers.state_updater import StateUpdater
from app.application.workers.supervisor import WorkerSupervisor
from app.application.workers.user_evictor import UserEvictor
from app.application.workers.variant_models import VariantModels
from app.domain.feed.away_users import DEFAULT_USER_LIVE_DAYS
from app.domain.feed.live_posts import DEFAULT_LIMITS, LivePostLimits
from app.domain.feed.state import FeedState
from app.domain.feed.time_units import DAY
from app.domain.ranking.assembly import ranking_pipeline
from app.domain.ranking.model_interface import ModelSource
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.snapshot_store import SnapshotStore
from app.domain.services.clock import Clock
from app.domain.services.stage_observer import StageObserver
from app.infrastructure.clock import FixedClock, SteppingClock, SystemClock
from app.infrastructure.config.experiments_file import ExperimentsFile
from app.infrastructure.config.key_files import api_key_lookup, cursor_secrets
from app.infrastructure.config.ranking_settings import live_post_limits, ranking_options
from app.infrastructure.config.server_processes import require_single_process
from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.database.storage import Storage, open_storage
from app.infrastructure.ml.model_source import FileModelSource, RegistryModelSource
from app.infrastructure.ml.registry.artefact_trial import reason_to_reject
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import ModelKeys, model_keys
from app.infrastructure.snapshots.snapshot_folder import SnapshotFolder, database_identity
from app.presentation.api.application import create_api
from app.presentation.api.call_limits import CallLimits
from app.presentation.api.dependencies import ApiOptions, Services
from app.presentation.api.server_guard import ServerLimits
from app.shared.exceptions import ConfigurationError
from app.shared.free_memory import return_free_memory
from app.shared.logging import configure_logging
from app.shared.monitoring import Metrics
from app.shared.tracing import TracedMetrics, open_traces

log = structlog.get_logger()

LIMIT_WITHOUT_KEY = "600/minute"  # of calls from one address, while calls need a key


# -- workers -----------------------------------------------------------------------------------------------------------


def build_workers(
    storage: Storage,
    models: ModelSource,
    options: RankingOptions,
    observer: StageObserver,
    intervals: PollIntervals,
    writer: RecommendationWriter | None = None,
    impression_writer: ImpressionWriter | None = None,
    snapshots: SnapshotStore | None = None,
    snapshot_interval_seconds: float = 300.0,
    live_posts: LivePostLimits = DEFAULT_LIMITS,
    user_live_days: float = DEFAULT_USER_LIVE_DAYS,
    experiments: ExperimentSource | None = None,
    clock: Clock | None = None,
) -> WorkerSupervisor:
    """The supervisor of all workers around an empty feed, not started. `clock` is that of read-outs of experiments."""
    state = FeedState(options.counting, options.lists)
    feed = LiveFeed(state, ActiveRanker(ranking_pipeline(options, None, None, observer)))
    stopping = threading.Event()
    updater = StateUpdater(feed, storage.posts, storage.interactions, options, observer)
    watcher = ModelWatcher(feed, models, updater)
    idle_seconds = user_live_days * DAY
    follower = reconciler = evictor = user_evictor = snapshot_writer = None
    if storage.feed_log is not None:
        follower = LogFollower(
            feed,
            storage.feed_log,
            updater,
            intervals,
            stopping,
            live_posts,
            idle_seconds=idle_seconds,
            release_memory=return_free_memory,
        )
        reconciler = Reconciler(follower, intervals)
        evictor = PostEvictor(updater, live_posts, stopping, return_free_memory)
        user_evictor = UserEvictor(updater, idle_seconds, return_free_memory)
        if snapshots is not None:
            snapshot_writer = SnapshotWriter(feed, updater, snapshots, snapshot_interval_seconds)
    experiment_reader = None
    counts, credited = storage.experiment_counts, storage.experiment_credits
    results = storage.experiment_results
    experiments_watcher = ExperimentsWatcher(
        experiments or NoExperiments(), updater, VariantModels(models), results
    )
    if experiments is not None and counts is not None and credited is not None and results is not None:
        experiment_reader = ExperimentReader(
            lambda: experiments.experiments,
            counts,
            credited,
            results,
            clock or SystemClock(),
            intervals.experiment_seconds,
        )
    return WorkerSupervisor(
        feed,
        updater,
        watcher,
        follower,
        reconciler,
        evictor,
        user_evictor,
        writer,
        impression_writer,
        snapshot_writer,
        intervals,
        stopping,
        None if storage.check is None else DatabaseWatcher(feed, storage.check),
        experiments_watcher,
        None if storage.feed_log is None else ChosenPlaces(storage.impressions),
        experiment_reader,
    )


# -- use cases ---------------------------------------------------------------------------------------------------------


def build_use_cases(
    workers: WorkerSupervisor,
    storage: Storage,
    clock: Clock,
    ranking_clock: Clock,
    cursors: CursorCodec,
    on_served: OnServed | None,
    on_shown: OnShown | None,
    flush_pages: Callable[[UUID, str], None],
    settings: Settings,
    cache_clock: Callable[[], float] = monotonic,
    on_fallback: OnFallback | None = None,
    rng: np.random.Generator | None = None,
) -> Services:
    """The use cases on the feed of `workers`, with the time of events, of rankings and of caches.

    `on_served` and `on_shown` are those of PageReports, `on_fallback` is that of GenerateRecommendations, `flush_pages`
    that of ReportSeen. `rng` draws the pages that are randomised.
    """
    cache = ResponseCache(
        max_lists=settings.offset_lists_limit,
        list_ttl=timedelta(minutes=settings.offset_list_life_minutes),
        response_ttl=timedelta(seconds=settings.answer_stands_seconds),
        clock=cache_clock,
    )
    list_controls = ListControls(storage.controls, clock, workers.feed)
    bring_back = None if storage.feed_log is None else workers.updater.bring_back
    viewers = Viewers(workers.feed, ranking_clock, bring_back)
    randomised = None
    if settings.randomised_share:
        rng = rng or np.random.default_rng()
        randomised = RandomisedPages(settings.randomised_share, settings.randomised_temperature, rng)
    recommend = GenerateRecommendations(
        workers.feed,
        cursors,
        ranking_clock,
        PageReports(on_served, on_shown, settings.slow_page_ms / 1000),
        cache,
        storage.stored_posts,
        bring_back,
        on_fallback,
        randomised,
    )
    return Services(
        recommend=recommend,
        recommend_batch=RecommendBatch(recommend),
        track=TrackInteraction(
            storage.interactions,
            clock,
            workers.updater.apply_events,
            workers.feed,
            max_age=timedelta(days=settings.track_back_days),
            max_clock_skew=timedelta(seconds=settings.clock_skew_seconds),
        ),
        give_feedback=GiveFeedback(storage.controls, clock, workers.updater.apply_controls, workers.feed),
        list_controls=list_controls,
        change_follow=ChangeFollow(storage.follows, workers.updater.apply_follow, workers.feed),
        change_membership=ChangeMembership(
            storage.memberships, workers.updater.apply_membership, workers.feed
        ),
        entities=WriteEntities(
            storage.entities, ranking_clock, workers.updater.apply_entities, settings.embedding_dimensions
        ),
        user_data=UserData(
            storage.user_data, workers.feed, workers.discard_pending, workers.updater.apply_written
        ),
        explain=ExplainFeed(
            workers.feed, cursors, ranking_clock, storage.posts, list_controls, storage.follows, bring_back
        ),
        list_experiments=ListExperiments(workers.configured_experiments, storage.experiment_results),
        rank_posts=RankPosts(viewers, storage.stored_posts),
        similar_posts=SimilarPosts(viewers, storage.posts, storage.stored_posts),
        suggest_follows=SuggestFollows(viewers, storage.follows),
        count_updates=CountUpdates(workers.feed, cursors, ranking_clock),
        retract=RetractInteraction(storage.interactions, workers.updater.remove_events, workers.feed),
        report_seen=ReportSeen(storage.impressions, flush_pages, workers.updater.apply_pages, workers.feed),
        read_reach=ReadReach(storage.impressions, workers.feed),
        health=GetHealthStatus(workers.state, clock),
    )


# -- the service -------------------------------------------------------------------------------------------------------


def bootstrap(
    settings: Settings,
    keys: ModelKeys,
    cursors: CursorCodec,
    metrics: Metrics,
    stack: ExitStack,
    experiments: ExperimentSource | None = None,
) -> Services:
    """Build all parts and start the workers; `stack` stops and closes them."""
    clock: Clock = FixedClock(settings.feed_now) if settings.feed_now else SystemClock()
    ranking_clock = (
        clock if settings.feed_now else SteppingClock(timedelta(milliseconds=settings.ranking_tick_ms))
    )
    storage = open_storage(settings, stack)
    registry = FileModelRegistry(
        settings.models_dir, keys, settings.model_size_limit_bytes, trial=reason_to_reject
    )
    models: ModelSource = RegistryModelSource(registry)
    if settings.model_path is not None:
        models = FileModelSource(registry, settings.model_path)
    intervals = PollIntervals(
        log_seconds=settings.tail_poll_ms / 1000,
        registry_seconds=settings.registry_poll_seconds,
        reconcile_seconds=settings.reconcile_seconds,
        newest_seconds=settings.newest_poll_seconds,
        experiment_seconds=settings.experiment_read_minutes * 60,
        outbox_ttl=timedelta(days=settings.outbox_days),
    )
    writer = None
    if storage.recommendations is not None and settings.write_behind_limit:
        ttl = timedelta(hours=settings.recommendation_ttl_hours)
        writer = RecommendationWriter(storage.recommendations, clock, ttl, settings.write_behind_limit)
    pages = ImpressionWriter(storage.impressions, settings.impression_days, settings.impression_queue_limit)
    url = settings.database_url
    snapshots = SnapshotFolder(
        settings.snapshot_dir,
        cursor_secrets(settings),
        database_identity(None if url is None else url.get_secret_value(), settings.db_schema),
    )
    workers = build_workers(
        storage,
        models,
        ranking_options(settings),
        metrics,
        intervals,
        writer,
        pages if storage.feed_log is not None else None,  # it removes old pages though it may store none
        snapshots if settings.snapshot_interval_seconds else None,
        settings.snapshot_interval_seconds,
        live_post_limits(settings),
        settings.user_live_days,
        experiments,
        clock,
    )
    stack.callback(workers.stop)
    workers.feed.lock.on_released = metrics.observe_lock
    workers.feed.needs_controls = storage.feed_log is not None and not settings.serve_without_controls
    workers.start()
    if storage.fill_pool is not None and workers.feed.database_ok:
        storage.fill_pool()
    on_served = None if writer is None else writer.enqueue
    stores_pages = storage.feed_log is not None and settings.impression_queue_limit > 0
    on_shown = pages.enqueue if stores_pages else None
    return build_use_cases(
        workers,
        storage,
        clock,
        ranking_clock,
        cursors,
        on_served,
        on_shown,
        pages.flush,
        settings,
        on_fallback=metrics.count_fallback,
    )


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the API. Its services open when the server starts. Raises ConfigurationError."""
    settings = settings or read_settings()
    log_output = configure_logging(settings.log_level)
    require_single_process()
    find_key, key_file = api_key_lookup(settings)
    if find_key is None:
        log.warning(
            "api.open", host=settings.host, hint="anyone can call the service; set API_KEYS or API_KEYS_FILE"
        )
    keys = model_keys(None, settings.model_trusted_keys, settings.keys_dir, signs=False)
    cursors = CursorCodec(cursor_secrets(settings), timedelta(hours=settings.cursor_life_hours))
    path = settings.experiments_file
    experiments = None if path is None else ExperimentsFile(path)
    traces = open_traces(
        settings.otel_exporter_otlp_endpoint,
        service=settings.otel_service_name,
        version=_service_version(),
        share=settings.otel_traces_sampler_arg,
    )
    metrics = Metrics() if traces is None else TracedMetrics()
    metrics.states.register(log_output)
    if key_file is not None:
        metrics.states.register(key_file)

    @asynccontextmanager
    async def open_services() -> AsyncIterator[Services]:
        with ExitStack() as stack:
            if traces is not None:
                stack.callback(traces.close)
            yield await to_thread.run_sync(bootstrap, settings, keys, cursors, metrics, stack, experiments)

    options = ApiOptions(
        find_key=find_key,
        limits=CallLimits(
            settings.limit_per_key,
            settings.limit_per_user,
            settings.limit_per_address or (LIMIT_WITHOUT_KEY if find_key is not None else None),
        ),
        trusted_proxies=settings.trusted_proxies,
        metrics_need_key=settings.metrics_need_key,
        body_limit_bytes=settings.body_limit_bytes,
        body_budget_seconds=settings.body_budget_seconds,
        track_concurrency=settings.track_concurrency,
        track_budget_seconds=settings.track_budget_ms / 1000,
        retry_after_seconds=settings.retry_after_seconds,
        server=ServerLimits(
            settings.max_connections, settings.header_timeout_seconds, settings.drain_seconds
        ),
        max_wait_seconds=settings.shed_after_ms / 1000,
    )
    return create_api(options, metrics, open_services, version=_service_version(), traces=traces)


def create_server_app() -> FastAPI:
    """Build the API for a server process. A configuration error prints one line and exits with code 2."""
    gc.freeze()  # 130,000 objects of modules: a full collection takes 100 ms with them, and 12 ms without
    try:
        return create_app()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        if multiprocessing.parent_process() is not None:
            os.kill(os.getppid(), signal.SIGTERM)  # --workers and --reload would restart this process forever
        raise SystemExit(2) from None


def _service_version() -> str:
    """Version of the installed package; "0" in a checkout."""
    try:
        return version("feed-recommendation-service")
    except PackageNotFoundError:
        return "0"
