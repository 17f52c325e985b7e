"""Watches the model registry and installs newly published models."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import structlog

from app.application.live_feed import LiveFeed, vectors_of
from app.application.workers.event_updates import EventUpdates
from app.application.workers.state_updater import StateUpdater
from app.domain.entities.model_record import ModelRecord
from app.domain.errors import DomainError, ModelUnavailable, StorageUnavailable
from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.uuid_index import Keys
from app.domain.ranking.model_interface import ModelSource, PublishedModel, RankingModel

log = structlog.get_logger()

_MAX_SKIPPED_POLLS = 32  # a minute at the default interval
_NEVER_READ = object()


@dataclass(eq=False)
class ModelWatcher:
    """Loads a new model beside the active one. If it is bad, the newest good one of those before it serves.

    last_error      why the newest model is not active; None if it is
    failures        number of models that failed to load
    rolled_back     versions that a rollback replaced, and that were not active since
    restored_model  SHA-256 of the artefact in whose text space the posts of a snapshot have vectors
    """

    feed: LiveFeed
    models: ModelSource
    updater: StateUpdater
    restored_model: str | None = field(default=None, init=False)
    last_error: str | None = field(default=None, init=False)
    failures: int = field(default=0, init=False)
    rolled_back: Sequence[ModelRecord] = field(default=(), init=False)
    _last_fingerprint: object = field(default=_NEVER_READ, init=False)
    _pending: PublishedModel | None = field(default=None, init=False)  # loaded, but not installed
    _retries: int = field(default=0, init=False)
    _skipped_polls: int = field(default=0, init=False)

    @property
    def promotions_rolled_back(self) -> int:
        """How many promotions of weights over the served full training were rolled back."""
        served = self.feed.ranker.published
        if served is None:
            return 0
        base = served.record.text_space_sha256
        return sum(base == one.text_space_sha256 != one.sha256 for one in self.rolled_back)

    def check_for_new_model(self) -> None:
        """Load and install the published model if it changed, or again if that failed.

        An unchanged bad registry is read again after 1, 2, 4, ... polls, because its files may have been repaired.
        """
        fingerprint = self.models.fingerprint()
        if fingerprint != self._last_fingerprint:
            self._last_fingerprint, self._pending = fingerprint, None
            self._retries = self._skipped_polls = 0
        elif self.last_error is None:
            return
        elif self._pending is None and self._skipped_polls < min(2**self._retries - 1, _MAX_SKIPPED_POLLS):
            self._skipped_polls += 1
            return
        else:
            self._retries, self._skipped_polls = min(self._retries + 1, 16), 0
        try:
            self.last_error = self._install_newest_good()
        except (ModelUnavailable, StorageUnavailable) as error:
            self._report(None, str(error))
            self.last_error = str(error)

    def _install_newest_good(self) -> str | None:
        """Install the first candidate that can be loaded, unless it is active.

        Returns why candidates before it were rejected; None if there were none. Raises ModelUnavailable,
        StorageUnavailable.
        """
        candidates = self.models.candidates()
        self.rolled_back = self.models.rolled_back()
        if not candidates:
            log.warning("model.none_published", serving=self.feed.ranker.model_version)
        rejected = None
        for candidate in candidates:
            try:
                if not self._is_active(candidate):
                    self._load(candidate)
                break
            except StorageUnavailable:
                raise
            except DomainError as error:
                cause = str(error)
            except Exception as error:  # a start must not fail because of a model
                log.exception("model.unexpected_error", version=candidate.version)
                cause = f"an unexpected {type(error).__name__}, see the log"
            self._pending = None
            self._report(candidate.version, cause)
            rejected = rejected or f"{candidate.version} is not served: {cause}"
        return rejected

    def _load(self, candidate: ModelRecord) -> None:
        pending = self._pending
        if pending is None or pending.record != candidate:
            pending = self.models.fetch(candidate)
        self._pending = pending  # kept if the database is away
        self._install(pending)
        self._pending = None
        log.info("model.loaded", version=candidate.version)

    def _report(self, version: str | None, cause: str) -> None:
        if self._retries == 0:
            self.failures += 1
            log.warning(
                "model.reload_failed", version=version, cause=cause, serving=self.feed.ranker.model_version
            )

    def _is_active(self, candidate: ModelRecord) -> bool:
        active = self.feed.ranker.published
        return active is not None and active.record.identity == candidate.identity

    def _install(self, published: PublishedModel) -> None:
        """Rank the running feed with the model.

        Without a database and without a snapshot, the model's trending posts are the feed.
        """
        feed, updater = self.feed, self.updater
        with updater.write_lock:
            is_read = feed.caught_up_at is not None
            if not is_read and not feed.is_restored and feed.has_controls:
                updater.replace_state(published.model.trending_state(), published, EventUpdates(), None)
                return
            if self._has_vectors_of(published):
                updater.replace_model(published, None)
                return
        try:
            self._embed_and_install(published)
        except StorageUnavailable:
            if is_read:
                raise
            with updater.write_lock:  # until it is read, the feed of a snapshot has no vectors
                updater.replace_model(published, vectors_of(published.model, []))
                updater.position = None

    def _embed_and_install(self, published: PublishedModel) -> None:
        """Embed all posts beside the log follower, then those that came or changed meanwhile.

        Raises StorageUnavailable.
        """
        model, updater = published.model, self.updater
        while self.feed.ranker.published is not published:
            state, keys, vectors = self.feed.state, np.empty(0, KEY_DTYPE), vectors_of(model, [])
            with updater.posts.noting_changed_posts() as changed:
                keys, vectors = self._embed_rows(model, keys, vectors, changed)
                with updater.write_lock:
                    keys, vectors = self._embed_rows(model, keys, vectors, changed)
                    with updater.change_lock:  # no post comes between the last vectors and the model
                        if self.feed.state is state:
                            _, vectors = self._embed_rows(model, keys, vectors, changed)
                            updater.replace_model(published, vectors)

    def _has_vectors_of(self, published: PublishedModel) -> bool:
        """True if the posts have vectors in the spaces of the model: of a snapshot, or of the active model."""
        active = self.feed.ranker.published
        space = self.restored_model if active is None else active.record.text_space_sha256
        if published.record.text_space_sha256 != space:
            return False
        state = self.feed.state
        present = PostVectors(state.text[:0], state.embeddings[:0])
        return vectors_of(published.model, []).dimensions == present.dimensions

    def _embed_rows(
        self, model: RankingModel, keys: Keys, vectors: PostVectors, changed: set[bytes]
    ) -> tuple[Keys, PostVectors]:
        """Keys of posts by row, and the vectors of all posts; 0 for rows without a post.

        `vectors` of rows that have the same post as in `keys` (n,) are kept, except for those in `changed`, which is
        emptied. Other posts are read from the database.
        """
        state = self.feed.state
        now = state.post_rows.by_row[: state.n_posts].copy()
        is_other = np.ones(len(now), np.bool_)
        is_other[: len(keys)] = now[: len(keys)] != keys
        rows = np.flatnonzero(is_other)
        row_of: dict[bytes, int] = {}
        for row, key in zip(rows.tolist(), now[rows].tolist(), strict=True):
            if (
                key not in row_of or state.post_rows.get(key) == row
            ):  # a re-created post has two rows, in any order
                row_of[key] = row
        row_of |= {key: row for key in changed if (row := state.post_rows.get(key, -1)) >= 0}
        changed.clear()
        vectors = vectors.extended(len(now))
        vectors.put(rows, PostVectors.zeros(len(rows), *vectors.dimensions))
        if any(vectors.dimensions):
            for posts, _ in self.updater.posts.read([key for key in row_of if any(key)]):
                vectors.put([row_of[post.id.bytes] for post in posts], vectors_of(model, posts))
        return now, vectors
