"""The feed that is served: the state in memory, its ranker, and the lock that guards both."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.feed_lock import FeedLock
from app.application.running_experiments import NO_EXPERIMENTS, RunningExperiments
from app.domain.entities import Post
from app.domain.entities.post import post_text
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.state import FeedState
from app.domain.ranking.model_interface import PublishedModel, RankingModel
from app.domain.ranking.pipeline import FeedPipeline


@dataclass(frozen=True, slots=True)
class ActiveRanker:
    """The pipeline that ranks requests. `published` is its model; None if the pipeline needs no model.

    experiments  have the pipelines of variants, for users of these
    """

    pipeline: FeedPipeline
    published: PublishedModel | None = None
    experiments: RunningExperiments = NO_EXPERIMENTS

    @property
    def model_version(self) -> str | None:
        """Version of the model; None without a model."""
        return None if self.published is None else self.published.record.version

    @property
    def ranking(self) -> str | None:
        """Name of the model's ranking; None without a model."""
        return None if self.published is None else self.published.model.ranking

    @property
    def model_created_at(self) -> datetime | None:
        """Time of the training; None without a model."""
        return None if self.published is None else datetime.fromisoformat(self.published.record.trained_at)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, d) float32 text vectors in the space of the model; d is 0 without a model."""
        if self.published is None:
            return np.zeros((len(texts), 0), np.float32)
        return self.published.model.embed(texts)

    def vectors(self, posts: Sequence[Post]) -> PostVectors:
        """Return the vectors of posts in the spaces of the model; they have no dimension without a model."""
        if self.published is None:
            return PostVectors.zeros(len(posts))
        return vectors_of(self.published.model, posts)

    def project(self, embeddings: NDArray[np.float16]) -> NDArray[np.float16]:
        """Return (n, k) projected embeddings (n, d); k is 0 without a model, or without a projection in it."""
        if self.published is None:
            return np.zeros((len(embeddings), 0), np.float16)
        return self.published.model.project(list(embeddings))


def vectors_of(model: RankingModel, posts: Sequence[Post]) -> PostVectors:
    """The vectors of posts in the spaces of a model."""
    embeddings = (post.embedding for post in posts)
    return PostVectors(
        model.embed([post_text(post.content, post.tags) for post in posts]),
        model.project([None if one is None else np.frombuffer(one, np.float16) for one in embeddings]),
    )


class LiveFeed:
    """Shared by requests, which read, and by workers, which write. Both hold `lock` for a short time.

    database_ok     the last read of the log succeeded
    is_read_only    the database rejected writes at the last read of the log: a standby, or a setting of the operator
    caught_up_at    monotonic seconds of the last complete read of the log; None before the first one
    warnings        short texts about tables of which the feed shows nothing
    is_restored     the state began as a snapshot, which has the users' controls
    needs_controls  an empty feed before the first read is not ready: the users' controls are unknown
    """

    def __init__(self, state: FeedState, ranker: ActiveRanker) -> None:
        self.lock = FeedLock()
        self.state = state
        self.ranker = ranker
        self.database_ok = False
        self.is_read_only = False
        self.caught_up_at: float | None = None
        self.is_restored = False
        self.needs_controls = False
        self.warnings: Sequence[str] = ()

    def user_id(self, given: str) -> UUID:
        """As in IdResolver."""
        return self.state.users_by_external_id.resolve(given)

    def post_id(self, given: str) -> UUID:
        """As in IdResolver."""
        return self.state.posts_by_external_id.resolve(given)

    def needs_stored_events(self, user_id: UUID) -> bool:
        """True if only storage has the events of the user, and it can be read."""
        with self.lock:
            user = self.state.user_rows.get(user_id.bytes, -1)
            return self.database_ok and user >= 0 and bool(self.state.is_away[user])

    @property
    def interaction_count(self) -> int:
        """Number of interactions with all posts in memory, with those that do not count."""
        return self.state.n_events

    @property
    def has_controls(self) -> bool:
        """False while it is unknown what users hid: before the first read of the database without a snapshot."""
        return not self.needs_controls or self.caught_up_at is not None or self.is_restored

    @property
    def public_only(self) -> bool:
        """True before the first read of the database: the audiences of a snapshot may be outdated."""
        return self.caught_up_at is None

    @property
    def degraded(self) -> bool:
        """True while the model or the database is missing."""
        return self.ranker.published is None or not self.database_ok
