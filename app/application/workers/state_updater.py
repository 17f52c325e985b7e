"""Applies changes to the state that is served: a replaced state, changes from the log, events of this process."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.live_feed import ActiveRanker, LiveFeed
from app.application.workers.follow_difference import follow_difference
from app.application.workers.post_upsert import upsert_posts
from app.domain.entities import INTERACTION_TYPES, Post
from app.domain.entities.post import post_text
from app.domain.feed.dataset import EventColumns, microseconds
from app.domain.feed.state import FeedState
from app.domain.ranking.assembly import ranking_pipeline
from app.domain.ranking.model_interface import PublishedModel
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedChanges, FeedChecksums, LogPosition
from app.domain.repositories.interaction_repository import StoredInteraction
from app.domain.repositories.post_repository import PostRepository
from app.domain.services.stage_observer import StageObserver

_BATCH_SIZE = 500  # posts, events or follows applied under one lock: bounds the time that requests wait
_NEWEST_POSTS = 200
_MAX_APPLIED_EVENTS = 200_000  # the log returns events again that this process applied after its commit


class StateUpdater:
    """Writes to the served state, while requests read it.

    write_lock  held by a worker for several changes that belong together; requests never wait for it
    position    where the log continues after the state; None if only a full read can continue it
    """

    def __init__(
        self,
        feed: LiveFeed,
        posts: PostRepository | None,
        options: RankingOptions,
        observer: StageObserver,
    ) -> None:
        """`posts` is None without a database. `options` configure the ranking without a model."""
        self.write_lock = Lock()
        self.position: LogPosition | None = None
        self._feed = feed
        self._posts = posts
        self._options = options
        self._observer = observer
        self._applied: dict[int, None] = {}  # seq of applied events, oldest first

    # -- state and model -----------------------------------------------------------------------------------------

    def replace_state(
        self,
        state: FeedState,
        published: PublishedModel | None,
        event_seqs: NDArray[np.int64],
        position: LogPosition | None,
    ) -> None:
        """Serve another state with this model. `event_seqs` are the events in it, which are not applied again.

        Raises InvalidArtifact.
        """
        if published is None:
            pipeline = ranking_pipeline(self._options, None, None, self._observer)
        else:
            pipeline = published.model.pipeline(state, self._observer)
        applied = dict.fromkeys(np.sort(event_seqs)[-_MAX_APPLIED_EVENTS:].tolist())
        with self._feed.lock:  # all at once, so that no event is lost or counted twice
            self._feed.state = state
            self._feed.ranker = ActiveRanker(pipeline, published)
            self._applied = applied
        self.position = position

    def replace_model(self, published: PublishedModel, vectors: NDArray[np.float32]) -> None:
        """Rank the served state with another model. `vectors` are the (n, d) text vectors of its first n posts.

        Raises InvalidArtifact.
        """
        state = self._feed.state
        pipeline = published.model.pipeline(state, self._observer)
        with self._feed.lock:
            state.set_text(np.arange(len(vectors)), vectors)
            self._feed.ranker = ActiveRanker(pipeline, published)

    # -- changes -------------------------------------------------------------------------------------------------

    def apply_events(self, stored: Sequence[StoredInteraction]) -> None:
        """Count committed events, each once."""
        with self._feed.lock:
            self._record(stored)

    def apply_changes(self, changes: FeedChanges) -> None:
        """Apply one batch of the log. Raises StorageUnavailable."""
        self._upsert_posts(changes.posts)
        self._add_posts_of(changes.events)
        with self._feed.lock:
            state = self._feed.state
            state.add_users([user.id.bytes for user in changes.users])
            for post_id in changes.removed_posts:
                state.remove_post(post_id.bytes)
            for user_id in changes.removed_users:
                state.remove_user(user_id.bytes)
            for follower, followee in _known_pairs(state, changes.removed_follows):
                state.unfollow(follower, followee)
            for follower, followee in _known_pairs(state, changes.follows):
                state.follow(np.array([follower]), np.array([followee]))
        for start in range(0, len(changes.events), _BATCH_SIZE):
            self.apply_events(changes.events[start : start + _BATCH_SIZE])
        self.position = changes.position

    # -- comparison with the tables ------------------------------------------------------------------------------

    def newest_posts_since(self) -> float:
        """Creation time of the 200th newest post, in epoch seconds: later posts may be dated in the future."""
        state = self._feed.state
        newest = state.by_created[-_NEWEST_POSTS:]
        return float(state.created[newest[0]]) if len(newest) else 0.0

    def add_missing_posts(self, posts: Sequence[Post]) -> None:
        """Add the posts that are not in the state."""
        known = self._feed.state.post_rows
        self._upsert_posts([post for post in posts if post.id.bytes not in known])

    def reconcile(self, current: FeedChecksums, previous: Mapping[bytes, int]) -> None:
        """Apply the difference between the state and the tables.

        `current` holds the keys and checksums in the tables, `previous` the checksums of the posts in the state.
        Raises StorageUnavailable.
        """
        checksums = current.by_post()
        users = set(current.users.tolist())
        with self._feed.lock:
            state = self._feed.state
            known_posts, known_users = set(state.post_rows), set(state.user_rows)
            state.add_users(sorted(users - known_users))
        changed = [
            key
            for key, checksum in checksums.items()
            if key not in known_posts or previous.get(key) != checksum
        ]
        self._read_posts(changed)
        with self._feed.lock:
            for key in known_posts - checksums.keys():
                state.remove_post(key)
        self._reconcile_follows(current)
        with self._feed.lock:
            for key in known_users - users:
                state.remove_user(key)

    def _reconcile_follows(self, current: FeedChecksums) -> None:
        with self._feed.lock:
            state = self._feed.state
            user_rows, edges = dict(state.user_rows), state.edges()
        difference = follow_difference(user_rows, edges, current.followers, current.followees)
        added, removed = difference.added, difference.removed
        for start in range(0, max(len(added), len(removed)), _BATCH_SIZE):
            with self._feed.lock:
                for follower, followee in removed[start : start + _BATCH_SIZE].tolist():
                    state.unfollow(follower, followee)
                state.follow(*added[start : start + _BATCH_SIZE].T)

    # -- posts ---------------------------------------------------------------------------------------------------

    def _add_posts_of(self, events: Iterable[StoredInteraction]) -> None:
        """Read the posts of `events` that the log did not contain. Removed posts are not found and are ignored."""
        known = self._feed.state.post_rows
        keys = dict.fromkeys(event.interaction.post_id.bytes for event in events)
        self._read_posts([key for key in keys if key not in known])

    def _read_posts(self, keys: Sequence[bytes]) -> None:
        """Read posts from the database into the state. Raises StorageUnavailable."""
        if self._posts is None:
            return
        for start in range(0, len(keys), _BATCH_SIZE):
            batch = [UUID(bytes=key) for key in keys[start : start + _BATCH_SIZE]]
            self._upsert_posts(self._posts.posts(batch))

    def _upsert_posts(self, posts: Sequence[Post]) -> None:
        for start in range(0, len(posts), _BATCH_SIZE):
            batch = list({post.id: post for post in posts[start : start + _BATCH_SIZE]}.values())
            vectors = self._feed.ranker.embed([post_text(post.content, post.tags) for post in batch])
            with self._feed.lock:
                upsert_posts(self._feed.state, batch, vectors)

    # -- events --------------------------------------------------------------------------------------------------

    def _record(self, stored: Sequence[StoredInteraction]) -> None:
        """Count each new event of a known post, in order of time."""
        state = self._feed.state
        new = sorted(
            (event for event in stored if event.seq not in self._applied),
            key=lambda event: (event.interaction.occurred_at, event.seq),
        )
        # the user of a committed event exists, even if no trigger captured it
        state.add_users([event.interaction.user_id.bytes for event in new])
        counted = [event for event in new if event.interaction.post_id.bytes in state.post_rows]
        if counted:
            state.record(_event_columns(state, counted))
        self._applied.update((event.seq, None) for event in counted)
        while len(self._applied) > _MAX_APPLIED_EVENTS:
            self._applied.pop(next(iter(self._applied)))


def _event_columns(state: FeedState, events: Sequence[StoredInteraction]) -> EventColumns:
    interactions = [event.interaction for event in events]
    kinds = [INTERACTION_TYPES.index(interaction.interaction_type) for interaction in interactions]
    return EventColumns(
        np.array([state.user_rows[interaction.user_id.bytes] for interaction in interactions], np.int32),
        np.array([state.post_rows[interaction.post_id.bytes] for interaction in interactions], np.int32),
        np.array(kinds, np.uint8),
        np.array([microseconds(interaction.occurred_at) for interaction in interactions], np.int64),
        np.array([event.seq for event in events], np.int64),
    )


def _known_pairs(state: FeedState, pairs: Iterable[tuple[UUID, UUID]]) -> Iterator[tuple[int, int]]:
    """User rows of the pairs of which both users are in the state."""
    for first, second in pairs:
        rows = state.user_rows.get(first.bytes), state.user_rows.get(second.bytes)
        if rows[0] is not None and rows[1] is not None:
            yield rows[0], rows[1]
