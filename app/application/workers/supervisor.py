"""Starts and stops the background workers, and reports the state of the service."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

import structlog

from app.application.live_feed import LiveFeed
from app.application.use_cases.get_health_status import Database, Reconciliation, ServiceState
from app.application.workers.chosen_places import READ_SECONDS, ChosenPlaces
from app.application.workers.database_watcher import CHECK_SECONDS, DatabaseWatcher
from app.application.workers.experiment_reader import ExperimentReader
from app.application.workers.experiments_watcher import ExperimentsWatcher
from app.application.workers.impression_writer import ImpressionWriter
from app.application.workers.log_follower import LogFollower
from app.application.workers.model_watcher import ModelWatcher
from app.application.workers.poll_intervals import PollIntervals
from app.application.workers.post_evictor import PostEvictor
from app.application.workers.recommendation_writer import RecommendationWriter
from app.application.workers.reconciler import Reconciler
from app.application.workers.snapshot_recovery import restore_state
from app.application.workers.snapshot_writer import SnapshotWriter
from app.application.workers.state_updater import StateUpdater
from app.application.workers.user_evictor import UserEvictor
from app.application.workers.write_behind import MIN_PAUSE_SECONDS
from app.domain.experiments.experiment import Experiment

log = structlog.get_logger()

MAX_READER_PAUSE_SECONDS = 60.0
_JOIN_SECONDS = 10
_SAVE_SECONDS = 5.0
_FIRST_SNAPSHOT_SECONDS = 5.0  # after the start: an outage soon afterwards is as likely as a later one


@dataclass(eq=False)
class WorkerSupervisor:
    """Repeats the work of each worker in a thread of its own. A failure is logged; the thread goes on.

    follower           None without a database, and so are `reconciler` and the evictors
    writer             None if responses are not saved
    impression_writer  saves the pages that were shown; None if they are not saved
    snapshot_writer    None without a database, or if no snapshots are stored
    database_watcher   None without a database
    experiments_watcher  also runs the probation of the served version
    chosen_places     counts where users choose posts; None if pages are not saved
    experiment_reader    None without one or without a database
    stopping           also ends long reads of the log
    """

    feed: LiveFeed
    updater: StateUpdater
    watcher: ModelWatcher
    follower: LogFollower | None
    reconciler: Reconciler | None
    evictor: PostEvictor | None
    user_evictor: UserEvictor | None
    writer: RecommendationWriter | None
    impression_writer: ImpressionWriter | None
    snapshot_writer: SnapshotWriter | None
    intervals: PollIntervals
    stopping: threading.Event
    database_watcher: DatabaseWatcher | None = None
    experiments_watcher: ExperimentsWatcher | None = None
    chosen_places: ChosenPlaces | None = None
    experiment_reader: ExperimentReader | None = None
    _threads: list[threading.Thread] = field(default_factory=list, init=False)

    def start(self) -> None:
        """Load the model and the feed as far as possible, then keep them current in the background."""
        self.restore()
        self.watcher.check_for_new_model()
        if self.follower is not None:
            self.follower.poll_log()
            if self.feed.database_ok:  # else each further read would wait as long
                self.follower.look_for_warnings()
        if self.experiments_watcher is not None and (self.follower is None or self.feed.database_ok):
            self.experiments_watcher.check()
        for name, work, pause_seconds in self._schedule():
            thread = threading.Thread(target=self._repeat, args=(work, pause_seconds), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def restore(self) -> None:
        """Serve the newest snapshot of the state, if there is one."""
        if self.snapshot_writer is not None:
            self.watcher.restored_model = restore_state(self.updater, self.snapshot_writer.store)

    def configured_experiments(self) -> Sequence[Experiment]:
        """The experiments of the file, as it could be read last."""
        return () if self.experiments_watcher is None else self.experiments_watcher.source.experiments

    def discard_pending(self, user_id: UUID) -> None:
        """Drop what is to be saved about a user."""
        for writer in (self.writer, self.impression_writer):
            if writer is not None:
                writer.discard(user_id)

    def stop(self) -> None:
        """Stop all threads and save what is pending. Waits for both, for a limited time."""
        self.stopping.set()
        for thread in self._threads:
            thread.join(timeout=_JOIN_SECONDS)
        until = monotonic() + _SAVE_SECONDS
        for writer in (self.writer, self.impression_writer):
            if writer is not None:
                writer.save_all(until)
                if writer.pending:
                    log.warning("write_behind.not_saved", writer=type(writer).__name__, items=writer.pending)
        if self.snapshot_writer is not None:
            self.snapshot_writer.close()

    def state(self) -> ServiceState:
        """Return the state of the service from memory, for health and metrics."""
        feed, watcher, writer, impressions = self.feed, self.watcher, self.writer, self.impression_writer
        caught_up_at = feed.caught_up_at
        is_stopping = self.stopping.is_set()
        stopped = [thread.name for thread in self._threads if not (is_stopping or thread.is_alive())]
        problems = [f"the worker {name} has stopped; restart the process" for name in stopped]
        snapshots = self.snapshot_writer
        stored = None if snapshots is None else snapshots.last
        experiments = self.experiments_watcher
        stability = feed.ranker.pipeline.stability
        return ServiceState(
            ready=True,
            has_controls=feed.has_controls,
            model_version=feed.ranker.model_version,
            ranking=feed.ranker.ranking,
            model_created_at=feed.ranker.model_created_at,
            last_reload_error=watcher.last_error,
            reload_failures=watcher.failures,
            database=self._database(),
            reconciliation=self._reconciliation(),
            tail_lag_seconds=None if caught_up_at is None else monotonic() - caught_up_at,
            warnings=(*feed.warnings, *problems),
            stopped_workers=tuple(stopped),
            users=len(feed.state.user_rows),
            posts=len(feed.state.post_rows),
            interactions=feed.interaction_count,
            write_behind_pending=writer.pending if writer else 0,
            write_behind_dropped=writer.dropped if writer else 0,
            impressions_pending=impressions.pending if impressions else 0,
            impressions_dropped=impressions.dropped if impressions else 0,
            snapshot_age_seconds=None if stored is None else monotonic() - stored.at,
            snapshot_seconds=None if stored is None else stored.seconds,
            snapshot_bytes=None if stored is None else stored.size_bytes,
            snapshot_failures=snapshots.failures if snapshots else 0,
            experiments_failing=experiments.is_failing if experiments else False,
            input_stability=stability.index() if stability else {},
            usual_stability=stability.usual() if stability else {},
            chosen_places=self.chosen_places.counts if self.chosen_places else {},
            stopped_variants=experiments.stopped_variants if experiments else (),
            promotions_rolled_back=watcher.promotions_rolled_back,
        )

    def _database(self) -> Database:
        if self.follower is None:
            return "none"
        if not self.feed.database_ok:
            return "down"
        return "read_only" if self.feed.is_read_only else "up"

    def _reconciliation(self) -> Reconciliation | None:
        if self.follower is None or self.reconciler is None or (last := self.reconciler.last) is None:
            return None
        return Reconciliation(
            complete_change_capture=self.follower.captures_all,
            age_seconds=monotonic() - last.at,
            interval_seconds=self.reconciler.interval_seconds,
            differences=last.differences,
        )

    def _schedule(self) -> Iterator[tuple[str, Callable[[], float | None], float]]:
        """Name, work and pause in seconds of each thread; the work may return the pause that follows it."""
        if self.follower is not None:
            yield "log-follower", self.follower.poll_log, self.intervals.log_seconds
            yield "feed-warnings", self.follower.look_for_warnings, self.intervals.reconcile_seconds
            yield "outbox-purge", self.follower.purge_outbox, self.intervals.purge_seconds
        for name, worker, pause_seconds in (
            ("database-watcher", self.database_watcher, CHECK_SECONDS),
            ("reconciler", self.reconciler, self.intervals.reconcile_seconds),
            ("post-evictor", self.evictor, self.intervals.eviction_seconds),
            ("user-evictor", self.user_evictor, self.intervals.user_eviction_seconds),
            ("chosen-places", self.chosen_places, READ_SECONDS),
            # the pause is short because another replica may be the one that read last
            (
                "experiment-reader",
                self.experiment_reader,
                min(MAX_READER_PAUSE_SECONDS, self.intervals.experiment_seconds),
            ),
            ("snapshot-writer", self.snapshot_writer, _FIRST_SNAPSHOT_SECONDS),
        ):
            if worker is not None:
                yield name, worker.run, pause_seconds
        yield "model-watcher", self.watcher.check_for_new_model, self.intervals.registry_seconds
        if self.experiments_watcher is not None:
            yield "experiments-watcher", self.experiments_watcher.check, self.intervals.registry_seconds
        if self.writer is not None:
            yield "write-behind", self.writer.save_pending, MIN_PAUSE_SECONDS
        if self.impression_writer is not None:
            yield "impression-writer", self.impression_writer.save_pending, MIN_PAUSE_SECONDS

    def _repeat(self, work: Callable[[], float | None], pause_seconds: float) -> None:
        next_pause = pause_seconds
        while not self.stopping.wait(next_pause):
            try:
                next_pause = work() or pause_seconds
            except Exception:  # a thread that ends would leave the feed outdated unnoticed
                log.exception("worker.failed", worker=threading.current_thread().name)
