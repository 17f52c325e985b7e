"""Watches the model registry and installs newly published models."""

from dataclasses import dataclass, field

import numpy as np
import structlog
from numpy.typing import NDArray

from app.application.live_feed import LiveFeed
from app.application.workers.event_updates import EventUpdates
from app.application.workers.state_updater import StateUpdater
from app.domain.entities.post import post_text
from app.domain.errors import ModelUnavailable, StorageUnavailable
from app.domain.feed.state_snapshot import from_snapshot
from app.domain.ranking.model_interface import ModelSource, PublishedModel, RankingModel

log = structlog.get_logger()


@dataclass(eq=False)
class ModelWatcher:
    """Loads a new model beside the active one. After a failure the active model stays.

    last_error  why the newest model is not active; None if it is
    failures    number of models that failed to load
    restored_model  SHA-256 of the artefact in whose text space the posts of a snapshot have vectors
    """

    feed: LiveFeed
    models: ModelSource
    updater: StateUpdater
    restored_model: str | None = field(default=None, init=False)
    last_error: str | None = field(default=None, init=False)
    failures: int = field(default=0, init=False)
    _last_fingerprint: object = field(default=None, init=False)
    _pending: PublishedModel | None = field(default=None, init=False)  # loaded, but not installed

    def check_for_new_model(self) -> None:
        """Load and install the published model if it changed, or if its last installation failed."""
        fingerprint = self.models.fingerprint()
        is_retry = fingerprint == self._last_fingerprint
        if is_retry and self.last_error is None:
            return
        if not is_retry:
            self._last_fingerprint, self._pending = fingerprint, None
        try:
            published = self._pending = self._pending or self.models.fetch()
            if published is not None and not self._is_active(published):
                with self.updater.write_lock:
                    self._install(published)
                log.info("model.loaded", version=published.record.version)
            self._pending = self.last_error = None
        except (ModelUnavailable, StorageUnavailable) as error:
            if not is_retry:
                self.failures += 1
                log.warning("model.reload_failed", cause=str(error), active=self.feed.ranker.model_version)
            self.last_error = str(error)

    def _is_active(self, published: PublishedModel) -> bool:
        """Compare the hash as well: a re-created registry restarts at v1."""
        active = self.feed.ranker.published
        return active is not None and (active.record.version, active.record.sha256) == (
            published.record.version,
            published.record.sha256,
        )

    def _install(self, published: PublishedModel) -> None:
        """Rank the running feed with the model. Before the first read of a database, its own posts may be the feed."""
        model, feed = published.model, self.feed
        if feed.caught_up_at is None and not feed.is_restored and feed.has_controls:
            self.updater.replace_state(from_snapshot(model.snapshot), published, EventUpdates(), None)
        elif self._has_vectors_of(published):
            self.updater.replace_model(published, None)
        else:
            vectors = self._text_vectors(
                model, np.empty((0, model.snapshot["columns"]["text"].shape[1]), np.float32)
            )
            with self.updater.change_lock:  # no post comes between the last vectors and the model
                self.updater.replace_model(published, self._text_vectors(model, vectors))
        model.release_snapshot()

    def _has_vectors_of(self, published: PublishedModel) -> bool:
        """True if the state is of a snapshot whose posts have vectors in the text space of the model."""
        if self.feed.ranker.published is not None or published.record.sha256 != self.restored_model:
            return False
        return len(published.model.embed([""])[0]) == self.feed.state.text.shape[1]

    def _text_vectors(self, model: RankingModel, first: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n_posts, d) text vectors of all posts. `first` (n, d) are those of the first n posts.

        The others are from the model's snapshot or, for newer posts, from the database.
        """
        keys = [bytes.fromhex(one.replace("-", "")) for one in self.feed.state.post_ids[len(first) :]]
        if not keys:
            return first
        rows = {key: row for row, key in enumerate(keys)}  # a re-created post has the later row
        stored: NDArray[np.float32] = model.snapshot["columns"]["text"]
        stored_rows = dict(model.snapshot["post_keys"])
        vectors = np.zeros((len(keys), stored.shape[1]), np.float32)
        known = [key for key in rows if key in stored_rows]
        vectors[[rows[key] for key in known]] = stored[[stored_rows[key] for key in known]]
        missing = [key for key in rows if key not in stored_rows] if stored.shape[1] else []
        for posts in self.updater.read_posts(missing):
            embedded = model.embed([post_text(post.content, post.tags) for post in posts])
            vectors[[rows[post.id.bytes] for post in posts]] = embedded
        return np.concatenate([first, vectors])
