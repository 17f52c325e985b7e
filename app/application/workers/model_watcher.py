"""Watches the model registry and installs newly published models."""

from collections.abc import Sequence
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
            ids = self.feed.state.post_ids.copy()
            vectors = self._text_vectors(model, ids)
            with self.updater.change_lock:  # no post comes between the last vectors and the model
                now = self.feed.state.post_ids
                new = [row for row, id_ in enumerate(now) if row >= len(ids) or id_ != ids[row]]
                vectors = np.concatenate(
                    [vectors, np.zeros((len(now) - len(ids), vectors.shape[1]), np.float32)]
                )
                vectors[new] = self._text_vectors(model, [now[row] for row in new])
                self.updater.replace_model(published, vectors)
        model.release_snapshot()

    def _has_vectors_of(self, published: PublishedModel) -> bool:
        """True if the state is of a snapshot whose posts have vectors in the text space of the model."""
        if self.feed.ranker.published is not None or published.record.sha256 != self.restored_model:
            return False
        return len(published.model.embed([""])[0]) == self.feed.state.text.shape[1]

    def _text_vectors(self, model: RankingModel, post_ids: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) text vectors of posts; 0 for NO_POST_ID.

        They are from the model's snapshot or, for newer posts, from the database.
        """
        keys = [bytes.fromhex(id_.replace("-", "")) for id_ in post_ids]
        places = {
            key: place for place, key in enumerate(dict.fromkeys(keys))
        }  # a re-created post has two rows
        stored: NDArray[np.float32] = model.snapshot["columns"]["text"]
        stored_rows = dict(model.snapshot["post_keys"])
        vectors = np.zeros((len(places), stored.shape[1]), np.float32)
        known = [key for key in places if key in stored_rows]
        vectors[[places[key] for key in known]] = stored[[stored_rows[key] for key in known]]
        missing = [key for key in places if any(key) and key not in stored_rows] if stored.shape[1] else []
        for posts, _ in self.updater.read_posts(missing):
            embedded = model.embed([post_text(post.content, post.tags) for post in posts])
            vectors[[places[post.id.bytes] for post in posts]] = embedded
        return vectors[[places[key] for key in keys]]
