"""Writes into the feed that is served: another feed, what the log tells, and what this process commits."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.live_feed import ActiveRanker, LiveFeed
from app.domain.entities import INTERACTION_TYPES, Post
from app.domain.entities.post import post_text
from app.domain.feed.dataset import KEY_DTYPE, EventColumns
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import Embed
from app.domain.feed.uuid_index import UuidIndex
from app.domain.repositories.feed_log import FeedChanges, FeedChecksums
from app.domain.repositories.interaction_repository import StoredInteraction
from app.domain.repositories.post_repository import PostRepository

_PORTION = 500  # events or follows applied in one turn: requests wait for no longer than that takes
_NEWEST = 200  # posts
_REMEMBERED = 200_000  # numbers of events: the tail brings what this process committed and counted once more


class StateUpdater:
    """Takes turns with the requests that read. `embed` turns the texts of new posts into vectors."""

    def __init__(self, feed: LiveFeed, posts: PostRepository | None) -> None:
        self.embed: Embed = _no_text
        self._feed = feed
        self._posts = posts
        self._counted: dict[int, None] = {}

    def replace_state(self, state: FeedState, ranker: ActiveRanker, counted: NDArray[np.int64]) -> None:
        """Another feed and the numbers of the events in it, in one turn: no event is lost or counted twice."""
        numbers = dict.fromkeys(np.sort(counted)[-_REMEMBERED:].tolist())
        with self._feed.lock:
            self._feed.state, self._feed.ranker, self._counted = state, ranker, numbers

    def apply_events(self, stored: Sequence[StoredInteraction]) -> None:
        """Count events that were committed, each once."""
        with self._feed.lock:
            self._record(stored)

    def newest_created(self) -> float:
        """When the oldest of the newest posts was made: a few later ones may be dated in the future."""
        state = self._feed.state
        newest = state.by_created[-_NEWEST:]
        return float(state.created[newest[0]]) if len(newest) else 0.0

    def add_missing_posts(self, posts: Sequence[Post]) -> None:
        """Those of some posts that are not known yet."""
        known = self._feed.state.post_rows
        self._upsert_posts([post for post in posts if post.id.bytes not in known])

    def reconcile(self, there: FeedChecksums, before: Mapping[bytes, int]) -> None:
        """Bring users, posts and follows up to all that exist. `before`: the marks of the posts as memory has them.

        Raises StorageUnavailable.
        """
        marks = there.by_post()
        users = set(there.users.tolist())
        with self._feed.lock:
            state = self._feed.state
            known_posts, known_users = set(state.post_rows), set(state.user_rows)
            state.add_users(sorted(users - known_users))
        changed = [key for key, mark in marks.items() if key not in known_posts or before.get(key) != mark]
        for start in range(0, len(changed), _PORTION):
            portion = [UUID(bytes=key) for key in changed[start : start + _PORTION]]
            self._upsert_posts(self._posts.posts(portion) if self._posts is not None else [])
        with self._feed.lock:
            for key in known_posts - marks.keys():
                state.remove_post(key)
        self._reconcile_follows(there)
        with self._feed.lock:
            for key in known_users - users:
                state.remove_user(key)

    def _reconcile_follows(self, there: FeedChecksums) -> None:
        with self._feed.lock:
            state = self._feed.state
            known, base = dict(state.user_rows), state.n_users
            follower, followee = state.edges()
        present = follower * base + followee  # edges as numbers, which are compared all at once
        index = UuidIndex(np.frombuffer(b"".join(known), KEY_DTYPE))
        rows = np.fromiter(known.values(), np.int64, len(known))
        a, b = index.rows(there.followers), index.rows(there.followees)
        both = (a >= 0) & (b >= 0)
        wanted = np.sort(rows[a[both]] * base + rows[b[both]])
        wanted = wanted[np.diff(wanted, prepend=-1) > 0]  # each once
        new = np.setdiff1d(wanted, present, assume_unique=True)
        gone = np.setdiff1d(present, wanted, assume_unique=True)
        for start in range(0, max(len(new), len(gone)), _PORTION):
            with self._feed.lock:
                for one in gone[start : start + _PORTION].tolist():
                    state.unfollow(*divmod(one, base))
                state.follow(*np.divmod(new[start : start + _PORTION], base))

    def apply_changes(self, changes: FeedChanges) -> None:
        """What the log told. Raises StorageUnavailable."""
        self._upsert_posts(changes.posts)
        self._read_posts({one.interaction.post_id for one in changes.events})
        with self._feed.lock:
            state = self._feed.state
            state.add_users([user.id.bytes for user in changes.users])
            for gone in changes.removed_posts:
                state.remove_post(gone.bytes)
            for gone in changes.removed_users:
                state.remove_user(gone.bytes)
            for follower, followee in changes.removed_follows:
                a, b = state.user_rows.get(follower.bytes, -1), state.user_rows.get(followee.bytes, -1)
                if a >= 0 and b >= 0:
                    state.unfollow(a, b)
            for follower, followee in changes.follows:
                a, b = state.user_rows.get(follower.bytes, -1), state.user_rows.get(followee.bytes, -1)
                if a >= 0 and b >= 0:
                    state.follow(np.array([a]), np.array([b]))
        for start in range(0, len(changes.events), _PORTION):
            self.apply_events(changes.events[start : start + _PORTION])

    def _upsert_posts(self, posts: Sequence[Post]) -> None:
        for start in range(0, len(posts), _PORTION):
            portion = list({post.id: post for post in posts[start : start + _PORTION]}.values())
            vectors = self.embed([post_text(post.content, post.tags) for post in portion])
            with self._feed.lock:
                self._upsert_portion(portion, vectors)

    def _upsert_portion(self, posts: Sequence[Post], vectors: NDArray[np.float32]) -> None:
        """Known posts are brought up to date one by one, new ones come all at once."""
        state = self._feed.state
        state.add_users([post.author_id.bytes for post in posts if post.author_id is not None])
        self._restore_hidden(posts)
        authors = [-1 if post.author_id is None else state.user_rows[post.author_id.bytes] for post in posts]
        topics = [post.tags[0] if post.tags else None for post in posts]
        new: list[int] = []
        for place, post in enumerate(posts):
            row = state.post_rows.get(post.id.bytes)
            if row is None or state.seq[row] != post.seq:
                state.remove_post(post.id.bytes)
                new.append(place)
                continue
            state.update_post(
                row,
                author=authors[place],
                created=post.created_at.timestamp(),
                visible=post.visible,
                topic=topics[place],
            )
            state.set_text(np.array([row]), vectors[place : place + 1])
        if not new:
            return
        coming = [posts[place] for place in new]
        state.add_posts(
            [post.id.bytes for post in coming],
            ids=[str(post.id) for post in coming],
            external_ids=[None if post.external_id == str(post.id) else post.external_id for post in coming],
            author=np.array([authors[place] for place in new], np.int32),
            created=np.array([post.created_at.timestamp() for post in coming]),
            visible=np.array([post.visible for post in coming]),
            seq=np.array([post.seq for post in coming]),
            topics=[topics[place] for place in new],
            text=vectors[new],
        )

    def _restore_hidden(self, posts: Sequence[Post]) -> None:
        """A post that a view of others hid and shows again kept its number: it is the same one, with its events."""
        state = self._feed.state
        unknown = {post.seq: post for post in posts if post.id.bytes not in state.post_rows}
        for row in state.rows_of_seq(np.array(list(unknown), np.int64)).tolist():
            post = unknown[int(state.seq[row])]
            if state.post_ids[row] == str(post.id):
                state.post_rows[post.id.bytes] = row

    def _record(self, stored: Sequence[StoredInteraction]) -> None:
        """Count each event once, in the order in which they happened, if the post is known."""
        state = self._feed.state
        new = sorted(
            (one for one in stored if one.seq not in self._counted),
            key=lambda one: (one.interaction.occurred_at, one.seq),
        )
        # what was committed speaks of a user who exists, also where no trigger of ours told us of him
        state.add_users([one.interaction.user_id.bytes for one in new])
        rows = [
            (one, state.user_rows[one.interaction.user_id.bytes], post)
            for one in new
            if (post := state.post_rows.get(one.interaction.post_id.bytes, -1)) >= 0
        ]
        if rows:
            state.record(
                EventColumns(
                    np.array([user for _, user, _ in rows], np.int32),
                    np.array([post for _, _, post in rows], np.int32),
                    np.array(
                        [INTERACTION_TYPES.index(one.interaction.interaction_type) for one, _, _ in rows],
                        np.uint8,
                    ),
                    np.array([one.interaction.occurred_at.timestamp() for one, _, _ in rows]),
                    np.array([one.seq for one, _, _ in rows], np.int64),
                )
            )
        self._counted.update((one.seq, None) for one, _, _ in rows)
        while len(self._counted) > _REMEMBERED:
            self._counted.pop(next(iter(self._counted)))

    def _read_posts(self, ids: AbstractSet[UUID]) -> None:
        """Posts that the log did not tell of; those that are known already, or gone, are passed over."""
        known = self._feed.state.post_rows
        missing = [one for one in ids if one.bytes not in known]
        if self._posts is not None:
            for start in range(0, len(missing), _PORTION):
                self._upsert_posts(self._posts.posts(missing[start : start + _PORTION]))


def _no_text(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of no dimension: without a model there is no text space."""
    return np.zeros((len(texts), 0), np.float32)
