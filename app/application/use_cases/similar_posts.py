"""Find the posts whose texts are most similar to that of a post."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.dto import Reason, ScoredPosts
from app.application.viewers import Viewers
from app.domain.entities.post import Post, post_text
from app.domain.errors import UnknownPost
from app.domain.ranking.page_selector import one_per_thread
from app.domain.ranking.similar_posts import most_similar_first, text_similarities
from app.domain.repositories.post_repository import PostRepository
from app.domain.repositories.stored_posts import StoredPostRepository
from app.domain.services.ranking_context import RankingContext

Rows = NDArray[np.intp]
_NOBODY: Final = UUID(int=0)
_PARTS: Final = 4  # the first part of the search has so many times the posts that are needed


@dataclass(frozen=True, slots=True)
class SimilarPosts:
    """Of the posts in memory, returns those that the feed may show to the viewer, also seen ones; one of each thread.

    The search takes milliseconds beside the lock of the feed, so it belongs in a thread of its own.

    posts    reads a post that memory lacks; None without a database
    storage  decides who may see it
    """

    viewers: Viewers
    posts: PostRepository | None = None
    storage: StoredPostRepository | None = None

    def __call__(self, post_id: str, user_id: str | None, limit: int) -> ScoredPosts:
        """The `limit` most similar posts; scores are cosines. `user_id` None: what everybody may see.

        Raises InvalidId; UnknownPost also for a post that the viewer may not see; StorageUnavailable for a post that
        memory lacks.
        """
        feed, now = self.viewers.feed, self.viewers.clock.now()
        viewer, post = self.viewers.user_id(user_id), feed.post_id(post_id)
        with feed.lock:
            context = self.viewers.context(viewer, now)
            state = context.state
            row = state.post_rows.get(post.bytes, -1)
            if row >= 0 and not self._may_see(context, row):
                raise UnknownPost(post_id)
            text = state.text[: state.n_posts]
            vector = text[row].copy() if row >= 0 else None
        if vector is None:
            stored = self._stored_post(post, viewer)
            if stored is None:
                raise UnknownPost(post_id)
            [vector] = feed.ranker.embed([post_text(stored.content, stored.tags)])
        similarities = np.zeros(0, np.float32)
        if text.shape[1] == len(vector):  # else another model was loaded in between
            similarities = text_similarities(text, vector)
        if row >= 0:
            similarities[row : row + 1] = 0.0
        rows = self._first_eligible(context, similarities, row, limit)
        with feed.lock:
            return ScoredPosts(
                post_ids=state.post_ids(rows),
                external_ids=[state.external_ids[one] for one in rows.tolist()],
                scores=similarities[rows].tolist(),
                reasons=[Reason.CONTENT_SIMILARITY] * len(rows),
                omitted=0,
                model_version=feed.ranker.model_version,
                generated_at=now,
                degraded=feed.degraded,
            )

    def _may_see(self, context: RankingContext, row: int) -> bool:
        """Whether the feed may show a post to the viewer, or it is their own."""
        state, rows = context.state, np.array([row])
        if context.user >= 0 and state.author[row] == context.user:
            return bool(state.visible[row])
        return bool(self.viewers.feed.ranker.pipeline.eligible(context, rows)[0])

    def _stored_post(self, post_id: UUID, viewer: UUID | None) -> Post | None:
        """A post that memory lacks, if the viewer may see it."""
        if self.posts is None or self.storage is None or not self.viewers.feed.has_controls:
            return None
        found: Sequence[Post] = self.posts.posts([post_id])[0]
        if not found:
            return None
        is_own = viewer is not None and found[0].author_id == viewer and found[0].visible
        if is_own or self.storage.visible_posts(viewer or _NOBODY, [post_id]):
            return found[0]
        return None

    def _first_eligible(
        self, context: RankingContext, similarities: NDArray[np.float32], row: int, limit: int
    ) -> Rows:
        """The `limit` most similar eligible posts of different threads, none of them that of the post `row`."""
        feed, groups = self.viewers.feed, context.state.groups
        chosen = np.array([row] if row >= 0 else [], np.intp)
        n_given = len(chosen)
        for rows in most_similar_first(similarities, _PARTS * limit):
            with feed.lock:
                rows = rows[feed.ranker.pipeline.eligible(context, rows)]
                rows = rows[one_per_thread(groups, rows, chosen)]
            chosen = np.concatenate([chosen, rows])[: n_given + limit]
            if len(chosen) == n_given + limit:
                break
        return chosen[n_given:]
