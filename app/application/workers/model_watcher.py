"""Watches the model registry and installs newly published models."""

from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray

from app.application.live_feed import LiveFeed
from app.application.workers.state_updater import StateUpdater
from app.domain.entities.post import post_text
from app.domain.errors import InvalidArtifact, ModelUnavailable, StorageUnavailable
from app.domain.feed.state import FeedState
from app.domain.ranking.model_interface import ModelSource, PublishedModel, RankingModel
from app.domain.repositories.post_repository import PostRepository

log = structlog.get_logger()

_BATCH_SIZE = 500  # posts in one query


class ModelWatcher:
    """Loads a new model beside the active one. After a failure the active model stays.

    last_error  why the newest model is not active; None if it is
    failures    number of models that failed to load
    """

    def __init__(
        self, feed: LiveFeed, models: ModelSource, updater: StateUpdater, posts: PostRepository | None
    ) -> None:
        """`posts` is None without a database."""
        self.last_error: str | None = None
        self.failures = 0
        self._feed = feed
        self._models = models
        self._updater = updater
        self._posts = posts
        self._last_fingerprint: object = None
        self._pending: PublishedModel | None = None  # loaded, but texts of posts could not be read

    def check_for_new_model(self) -> None:
        """Load and install the published model if it changed, or if its last installation failed."""
        fingerprint = self._models.fingerprint()
        is_retry = fingerprint == self._last_fingerprint
        if is_retry and self.last_error is None:
            return
        self._last_fingerprint = fingerprint
        try:
            installed = self._load_and_install(is_retry)
        except (InvalidArtifact, ModelUnavailable, StorageUnavailable) as error:
            if not is_retry:
                self.failures += 1
                log.warning("model.reload_failed", cause=str(error), active=self._feed.ranker.model_version)
            self.last_error = str(error)
            return
        self.last_error = None
        if installed is not None:
            log.info("model.loaded", version=installed.record.version)

    def _load_and_install(self, is_retry: bool) -> PublishedModel | None:
        """Return the model that was installed; None if nothing is published or it is active already."""
        published = (self._pending if is_retry else None) or self._models.fetch()
        self._pending = None
        if published is None or self._is_active(published):
            return None
        with self._updater.write_lock:
            try:
                self._install(published)
            except StorageUnavailable:
                self._pending = published
                raise
        return published

    def _is_active(self, published: PublishedModel) -> bool:
        """Compare the hash as well: a re-created registry restarts at v1."""
        active = self._feed.ranker.published
        if active is None:
            return False
        return (active.record.version, active.record.sha256) == (
            published.record.version,
            published.record.sha256,
        )

    def _install(self, published: PublishedModel) -> None:
        """Rank the running feed with the model. Before the first read of a database, its snapshot is the feed."""
        model = published.model
        if self._feed.caught_up_at is None:
            state = FeedState.from_snapshot(model.snapshot)
            self._updater.replace_state(state, published, np.empty(0, np.int64), model.position)
        else:
            self._updater.replace_model(published, self._text_vectors(model))

    def _text_vectors(self, model: RankingModel) -> NDArray[np.float32]:
        """(n_posts, d) text vectors of all posts, from the model's snapshot or, for newer posts, from the database."""
        stored: NDArray[np.float32] = model.snapshot["columns"]["text"]
        stored_rows = dict(model.snapshot["post_keys"])
        state = self._feed.state
        vectors = np.zeros((state.n_posts, stored.shape[1]), np.float32)
        missing: dict[bytes, int] = {}
        for key, row in list(state.post_rows.items()):
            if key in stored_rows:
                vectors[row] = stored[stored_rows[key]]
            else:
                missing[key] = row
        if stored.shape[1]:
            self._embed_missing(model, missing, vectors)
        return vectors

    def _embed_missing(
        self, model: RankingModel, missing: dict[bytes, int], vectors: NDArray[np.float32]
    ) -> None:
        """Write the vectors of the posts `missing` (key to row), whose texts are read from the database."""
        if self._posts is None:
            return
        keys = list(missing)
        for start in range(0, len(keys), _BATCH_SIZE):
            batch = [UUID(bytes=key) for key in keys[start : start + _BATCH_SIZE]]
            posts = self._posts.posts(batch)
            embedded = model.embed([post_text(post.content, post.tags) for post in posts])
            for post, vector in zip(posts, embedded, strict=True):
                vectors[missing[post.id.bytes]] = vector
