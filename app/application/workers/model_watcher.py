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
                updater.replace_model(published, np.zeros_like(published.model.embed([""])[:0]))
                updater.position = None

    def _embed_and_install(self, published: PublishedModel) -> None:
        """Embed all posts beside the log follower, then those that came or changed meanwhile.

        Raises StorageUnavailable.
        """
        model, updater = published.model, self.updater
        while self.feed.ranker.published is not published:
            state, ids, vectors = self.feed.state, list[str](), model.embed([""])[:0]
            with updater.noting_changed_texts() as changed:
                ids, vectors = self._embed_rows(model, ids, vectors, changed)
                with updater.write_lock:
                    ids, vectors = self._embed_rows(model, ids, vectors, changed)
                    with updater.change_lock:  # no post comes between the last vectors and the model
                        if self.feed.state is state:
                            _, vectors = self._embed_rows(model, ids, vectors, changed)
                            updater.replace_model(published, vectors)

    def _has_vectors_of(self, published: PublishedModel) -> bool:
        """True if the state is of a snapshot whose posts have vectors in the text space of the model."""
        if self.feed.ranker.published is not None or published.record.sha256 != self.restored_model:
            return False
        return len(published.model.embed([""])[0]) == self.feed.state.text.shape[1]

    def _embed_rows(
        self, model: RankingModel, ids: list[str], vectors: NDArray[np.float32], changed: set[bytes]
    ) -> tuple[list[str], NDArray[np.float32]]:
        """Post ids by row, and (n_posts, d) text vectors of all posts; 0 for rows without a post.

        `vectors` (n, d) of rows that have the same post as in `ids` (n,) are kept, except for the keys in `changed`,
        which is emptied. Other texts are read from the database.
        """
        state = self.feed.state
        now = state.post_ids.copy()
        rows = [row for row, id_ in enumerate(now) if row >= len(ids) or id_ != ids[row]]
        row_of = {
            bytes.fromhex(now[row].replace("-", "")): row for row in rows
        }  # a re-created post has two rows
        row_of |= {key: row for key in changed if (row := state.post_rows.get(key, -1)) >= 0}
        changed.clear()
        vectors = np.concatenate([vectors, np.zeros((len(now) - len(vectors), vectors.shape[1]), np.float32)])
        vectors[rows] = 0.0
        if vectors.shape[1]:
            for posts, _ in self.updater.read_posts([key for key in row_of if any(key)]):
                embedded = model.embed([post_text(post.content, post.tags) for post in posts])
                vectors[[row_of[post.id.bytes] for post in posts]] = embedded
        return now, vectors
