"""Applies posts, and their removal, to the state that is served."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import RLock
from uuid import UUID

import numpy as np

from app.application.live_feed import LiveFeed
from app.application.workers.event_columns import returned_events
from app.application.workers.event_updates import stored_pairs
from app.application.workers.latest_changes import LatestChanges
from app.application.workers.post_revival import PostRevival, posts_of_memory, posts_with_stored_events
from app.application.workers.post_upsert import changed_authors, restore_hidden_posts, upsert_posts
from app.application.workers.stored_lists import StoredLists
from app.domain.entities import Post
from app.domain.feed.engaged_users import engaged_users
from app.domain.feed.row_checksums import Checksums
from app.domain.feed.slices import Writing, slices
from app.domain.repositories.interaction_repository import RemovedEvents, StoredInteraction
from app.domain.repositories.post_repository import PostRepository

_BATCH_SIZE = 500  # posts that one change applies; other changes wait for it
_REMOVED_PER_STEP = 20
_NEWEST_POSTS = 200


@dataclass(eq=False)
class PostUpdates:
    """Applies changes of posts, unless later ones are known. Numbers (`seqs`) of changes are those in the outbox.

    stored_posts  None without a database
    lists         of the state, in storage
    change_lock   held during each change, as in StateUpdater
    """

    feed: LiveFeed
    stored_posts: PostRepository | None
    lists: StoredLists
    change_lock: RLock
    _changed_posts: set[bytes] | None = field(default=None, init=False)
    _latest: LatestChanges = field(default_factory=LatestChanges, init=False)
    _revival: PostRevival = field(default_factory=PostRevival, init=False)

    def forget_numbers(self) -> None:
        """Forget which changes were applied: the state is another one."""
        self._latest = LatestChanges()

    def number_of(self, post: UUID) -> int:
        """The number of the latest change of a post that is known, else 0."""
        return self._latest.number_of(post)

    def upsert(
        self, posts: Sequence[Post], seqs: Mapping[UUID, int] | None = None, *, revives: bool = False
    ) -> None:
        """Add or update posts. A post without a number is always updated.

        Evicted posts are added only if `revives` is set, or if they are as new as the newest posts in memory.
        """
        for batch in slices(posts, _BATCH_SIZE):
            with self.change_lock:
                self._upsert_batch(batch, seqs or {}, revives=revives)

    def remove(self, ids: Sequence[UUID], seqs: Mapping[UUID, int]) -> None:
        """Hide posts from every feed. `seqs` as in `upsert`."""
        for step in slices(ids, _REMOVED_PER_STEP):
            with self.change_lock:
                removed = [one.bytes for one in step if self._latest.accepts(one, seqs.get(one))]
                self.feed.state.remove_posts(removed, self._writes("posts"))

    def add_missing(self, posts: Sequence[Post]) -> None:
        """Add the posts that are not in the state."""
        known = self.feed.state.post_rows
        self.upsert([post for post in posts if post.id.bytes not in known])

    def add_of(self, events: Iterable[StoredInteraction]) -> None:
        """Read the posts of `events` that the state does not have, and that may return to memory.

        Removed posts are not found and are ignored.
        """
        state = self.feed.state
        for posts, checksums in self.read(self._revival.posts_of(state, events)):
            self.upsert(posts, revives=True)
            if state.checksums is not None:
                with self.change_lock:
                    state.checksums.by_kind["posts"].update(state.post_rows, checksums)

    def read(self, keys: Sequence[bytes]) -> Iterator[tuple[Sequence[Post], Checksums]]:
        """Read posts and their checksums in batches; none without a database. Raises StorageUnavailable."""
        if self.stored_posts is not None:
            for batch in slices(keys, _BATCH_SIZE):
                yield self.stored_posts.posts([UUID(bytes=key) for key in batch])

    def newest_since(self) -> float:
        """Creation time of the 200th newest post, in epoch seconds: later posts may be dated in the future."""
        state = self.feed.state
        newest = state.by_created[-_NEWEST_POSTS:]
        return float(state.created[newest[0]]) if len(newest) else 0.0

    @contextmanager
    def noting_changed_posts(self) -> Iterator[set[bytes]]:
        """A set of the keys (UUID bytes) of posts that are added or updated in this context."""
        self._changed_posts = set()
        try:
            yield self._changed_posts
        finally:
            self._changed_posts = None

    def _upsert_batch(self, posts: Sequence[Post], seqs: Mapping[UUID, int], *, revives: bool) -> None:
        state, interactions = self.feed.state, self.lists.interactions
        accepts = self._latest.accepts
        batch = list({post.id: post for post in posts if accepts(post.id, seqs.get(post.id))}.values())
        batch = batch if revives else posts_of_memory(state, batch)
        vectors = self.feed.ranker.vectors(batch)
        if self._changed_posts is not None:
            self._changed_posts.update(post.id.bytes for post in batch)
        returning = posts_with_stored_events(state, batch)
        restore_hidden_posts(state, batch, self._writes("posts"))
        changed = changed_authors(state, batch)
        # Read first: if the database is away, the batch comes again and its authors still differ.
        # Events on own posts do not count.
        stored = interactions.events_of(changed) if changed else {}
        events = {pair: returned_events(state, of_pair) for pair, of_pair in stored.items()}
        if returning:
            stored = interactions.events_of_posts(returning)
            returned = {pair: returned_events(state, of_pair) for pair, of_pair in stored.items()}
            # those of a new post follow in the log
            returned = {pair: of_pair for pair, of_pair in returned.items() if of_pair}
            # their users exist, even if no trigger captured them
            state.add_users([user_id.bytes for user_id, _ in returned], self._writes("users"))
            events |= returned
        moved = upsert_posts(state, batch, vectors, self._writes("posts"))
        if moved:
            rows = np.array(moved, np.intp)
            self.lists.rebuild(state, engaged_users(state, rows), rows, self._writes("posts"))
        changes = [RemovedEvents(*pair, (), of_pair) for pair, of_pair in events.items()]
        for some in slices(changes, _BATCH_SIZE):
            self.lists.replace_events(state, stored_pairs(state, some), self._writes("retraction"))

    def _writes(self, writer: str) -> Writing:
        return partial(self.feed.lock.writing, writer)
