"""Keeps the served feed current: the tail of the log, what this process commits, and newly published models."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray

from app.application.live_feed import ActiveRanker, LiveFeed
from app.application.use_cases.get_health_status import ServiceState
from app.application.workers.poll_intervals import PollIntervals
from app.application.workers.reconciler import Reconciler
from app.application.workers.snapshot_recovery import merge_changes
from app.application.workers.state_updater import StateUpdater
from app.domain.entities.post import post_text
from app.domain.errors import InvalidArtifact, ModelUnavailable, PositionExpired, StorageUnavailable
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from app.domain.ranking.assembly import ranking_pipeline
from app.domain.ranking.model_interface import ModelSource, PublishedModel, RankingModel
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedChanges, FeedLog, LogPosition
from app.domain.repositories.interaction_repository import StoredInteraction
from app.domain.repositories.post_repository import PostRepository
from app.domain.services.stage_observer import StageObserver

log = structlog.get_logger()

_PORTION = 500  # posts asked for at once
_RESUMED_PARTS = 5  # of changes since a snapshot: beyond, reading everything is as quick


class LogFollower:
    """Writes what `LiveFeed` serves. One thread follows the log, another the registry."""

    def __init__(
        self,
        feed: LiveFeed,
        models: ModelSource,
        feed_log: FeedLog | None,
        posts: PostRepository | None,
        options: RankingOptions,
        observer: StageObserver,
        intervals: PollIntervals,
    ) -> None:
        """`options` rank where there is no model. `feed_log` None: no database is set up."""
        self._feed = feed
        self._models = models
        self._log = feed_log
        self._posts = posts
        self._updater = StateUpdater(feed, posts)
        self._options = options
        self._observer = observer
        self._intervals = intervals
        self._changing = threading.RLock()  # held by whoever changes rows or ranking, over more than one turn
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._position: LogPosition | None = None
        self._model: PublishedModel | None = None
        self._seen_fingerprint: object = None
        self._waiting: PublishedModel | None = None  # fetched, in want of texts while the database is away
        self._reload_error: str | None = None
        self._reload_failures = 0
        self._caught_up_at: float | None = None
        self._reconciler = Reconciler(self._updater, intervals)

    # -- life ----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Load model and feed as far as they can be had now, then keep them current until `close`."""
        self.check_for_new_model()
        self.poll_log()
        for name, work, pause in (
            ("feed-tail", self.poll_log, self._intervals.tail),
            ("outbox-sweep", self.purge_outbox, self._intervals.purge),
            ("model-watch", self.check_for_new_model, self._intervals.registry),
        ):
            if name != "model-watch" and self._log is None:
                continue
            thread = threading.Thread(target=self._repeat, args=(work, pause), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Stop following; waits for work under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def state(self) -> ServiceState:
        """For health and metrics; from memory."""
        state, model = self._feed.state, self._model
        return ServiceState(
            ready=True,
            model_version=model.record.version if model else None,
            model_loaded=model is not None,
            model_created_at=datetime.fromisoformat(model.record.created_at) if model else None,
            last_reload_error=self._reload_error,
            reload_failures=self._reload_failures,
            database_ok=None if self._log is None else self._feed.database_ok,
            tail_lag_seconds=None if self._caught_up_at is None else monotonic() - self._caught_up_at,
            users=len(state.user_rows),
            posts=len(state.post_rows),
            interactions=int(state.engagements[: state.n_posts].sum()),
        )

    # -- what this process commits -------------------------------------------------------------------------------

    def apply(self, stored: Sequence[StoredInteraction]) -> None:
        """Count events that were just committed, before the tail brings them."""
        self._updater.apply_events(stored)

    # -- the log -------------------------------------------------------------------------------------------------

    def poll_log(self) -> None:
        """Read what is new in the log, if there is one; the tail repeats this."""
        if self._log is None:
            return
        try:
            with self._changing:
                if self._caught_up_at is None:
                    self._begin(self._log)
                elif self._is_another_database(self._log):
                    self._read_all(self._log)
                self._read_changes(self._log)
                self._reconciler.run_if_due(self._log)
        except StorageUnavailable as error:
            if self._feed.database_ok:
                log.warning("feed.database_away", cause=str(error))
            self._feed.database_ok = False
            return
        if not self._feed.database_ok:
            log.info("feed.database_back", posts=self._feed.state.n_posts)
        self._feed.database_ok = True
        self._caught_up_at = monotonic()

    def _is_another_database(self, feed_log: FeedLog) -> bool:
        """Asked on the way back from an outage: a position in one database means nothing in another."""
        position = self._position
        return not self._feed.database_ok and position is not None and position.source != feed_log.source()

    def _begin(self, feed_log: FeedLog) -> None:
        """From the feed that the model remembers, where the rest leads to the same as reading all of it."""
        if self._position is None or not self._resume(feed_log, self._position):
            self._read_all(feed_log)

    def _resume(self, feed_log: FeedLog, position: LogPosition) -> bool:
        state = self._feed.state
        if not feed_log.can_resume_from(position, int(state.engagements[: state.n_posts].sum())):
            return False
        parts: list[FeedChanges] = []
        while len(parts) < _RESUMED_PARTS and (not parts or parts[-1].more):
            parts.append(feed_log.read_changes(parts[-1].position if parts else position))
        rest = None if parts[-1].more else merge_changes(state, parts)
        if rest is None:
            return False
        self._updater.apply_changes(rest)
        self._position = rest.position
        return True

    def _read_all(self, feed_log: FeedLog) -> None:
        self._reconciler.reset(feed_log)
        whole = feed_log.read_all()
        chronicle = FeedTimeline(whole.dataset, replay=False)
        chronicle.embed_texts(self._updater.embed)
        self._serve(chronicle.apply_all(), self._model, whole.dataset.events.seq)
        self._position = whole.position

    def _read_changes(self, feed_log: FeedLog) -> None:
        while self._position is not None and not self._stop.is_set():
            try:
                changes = feed_log.read_changes(self._position)
            except PositionExpired as error:
                log.warning("feed.position_lost", cause=str(error))
                self._read_all(feed_log)
                continue
            self._updater.apply_changes(changes)
            self._position = changes.position
            if not any(
                (
                    changes.events,
                    *(changes.posts, changes.users, changes.follows),
                    *(changes.removed_posts, changes.removed_users, changes.removed_follows),
                )
            ):
                return

    def purge_outbox(self) -> None:
        """Remove what every reader has read long ago; repeated, rarely."""
        if self._log is None:
            return
        try:
            removed = self._log.purge(self._intervals.outbox_life)
        except StorageUnavailable as error:
            log.warning("outbox.not_swept", cause=str(error))
            return
        if removed:
            log.info("outbox.swept", rows=removed)

    # -- models --------------------------------------------------------------------------------------------------

    def check_for_new_model(self) -> None:
        """Load what was newly published beside what serves; whatever fails, the old one goes on. Repeated, too."""
        fingerprint = self._models.fingerprint()
        if fingerprint == self._seen_fingerprint and self._reload_error is None:
            return
        tried_before = fingerprint == self._seen_fingerprint
        self._seen_fingerprint = fingerprint
        try:
            published = (self._waiting if tried_before else None) or self._models.fetch()
            self._waiting = None
            if published is None or self._is_served(published):
                self._reload_error = None
                return
            with self._changing:
                try:
                    self._install(published)
                except StorageUnavailable:
                    self._waiting = published
                    raise
        except (InvalidArtifact, ModelUnavailable, StorageUnavailable) as error:
            if not tried_before:
                self._reload_failures += 1
                log.warning("model.reload_failed", cause=str(error), serving=self._serving())
            self._reload_error = str(error)
            return
        self._reload_error = None
        log.info("model.loaded", version=published.record.version)

    def _is_served(self, published: PublishedModel) -> bool:
        """By content too: a registry that was begun anew counts its versions anew."""
        served = self._model.record if self._model else None
        there = published.record
        return served is not None and (served.version, served.sha256) == (there.version, there.sha256)

    def _install(self, published: PublishedModel) -> None:
        model = published.model
        if self._caught_up_at is None:
            # no database was read to its end yet: the newest snapshot is the feed
            self._serve(FeedState.from_snapshot(model.snapshot), published, np.empty(0, np.int64))
            self._updater.embed, self._position = model.embed, model.position
            return
        # the running feed is newer than the artefact's: it stays, only its texts are read anew
        state = self._feed.state
        vectors = self._vectors(state, model)
        pipeline = model.pipeline(state, self._observer)
        with self._feed.lock:
            state.set_text(np.arange(len(vectors)), vectors)
            self._feed.ranker = ActiveRanker(pipeline, published.record.version)
            self._updater.embed, self._model = model.embed, published

    def _vectors(self, state: FeedState, model: RankingModel) -> NDArray[np.float32]:
        """Text vectors of every post in the model's space: from its snapshot, else from the post's words."""
        known: NDArray[np.float32] = model.snapshot["columns"]["text"]
        vectors = np.zeros((state.n_posts, known.shape[1]), np.float32)
        there = dict(model.snapshot["post_keys"])
        unread: list[tuple[int, bytes]] = []
        for key, row in list(state.post_rows.items()):
            if key in there:
                vectors[row] = known[there[key]]
            else:
                unread.append((row, key))
        if unread and self._posts is not None and known.shape[1]:
            rows = {key: row for row, key in unread}
            for start in range(0, len(unread), _PORTION):
                found = self._posts.posts([UUID(bytes=key) for _, key in unread[start : start + _PORTION]])
                read = model.embed([post_text(post.content, post.tags) for post in found])
                for post, vector in zip(found, read, strict=True):
                    vectors[rows[post.id.bytes]] = vector
        return vectors

    def _serve(self, state: FeedState, published: PublishedModel | None, counted: NDArray[np.int64]) -> None:
        """Another feed, in which the events of these numbers are counted."""
        if published is None:
            pipeline, version = ranking_pipeline(self._options, None, None, self._observer), None
        else:
            pipeline, version = published.model.pipeline(state, self._observer), published.record.version
        self._updater.replace_state(state, ActiveRanker(pipeline, version), counted)
        self._model = published

    def _serving(self) -> str | None:
        return self._model.record.version if self._model else None

    def _repeat(self, work: Callable[[], None], pause: float) -> None:
        while not self._stop.wait(pause):
            try:
                work()
            except Exception:  # a keeper that dies would leave the feed to age unnoticed
                log.exception("feed.keeper_failed", work=work.__name__)
