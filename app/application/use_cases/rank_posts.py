"""Rank given posts for a user, such as the results of a search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

import numpy as np

from app.application.dto import ScoredPosts
from app.application.use_cases.unfinished import Unfinished
from app.application.viewers import Viewers
from app.domain.errors import StorageUnavailable
from app.domain.feed.array_tree import key_array
from app.domain.repositories.stored_posts import StoredPost, StoredPostRepository

MAX_POSTS = 500


@dataclass(frozen=True, slots=True)
class _Query:
    user_id: UUID
    post_ids: Sequence[UUID]
    now: datetime
    explain: bool


@dataclass(frozen=True, slots=True)
class RankPosts:
    """Orders posts by the scores of the user's feed. Only posts that the feed may show to the user are returned.

    Posts that the user has seen are ranked as well. Posts that memory lacks follow all others, newest first, with score
    0, as in the feed. Nothing is recorded.

    storage  has the posts that memory lacks; None without a database
    """

    viewers: Viewers
    storage: StoredPostRepository | None = None

    def __call__(
        self, user_id: str, post_ids: Sequence[str], *, explain: bool = False
    ) -> ScoredPosts | Unfinished[ScoredPosts]:
        """The ranking, from memory if possible, with the parts of the scores if `explain`. Raises InvalidId."""
        feed = self.viewers.feed
        distinct = dict.fromkeys(feed.post_id(post_id) for post_id in post_ids)
        query = _Query(feed.user_id(user_id), list(distinct), self.viewers.clock.now(), explain)
        unfinished = Unfinished(partial(self._complete, query), partial(self._without_storage, query))
        if self.viewers.is_away(query.user_id):
            return unfinished
        ranked, missing = self._ranked_in_memory(query)
        can_read = self.storage is not None and feed.database_ok and feed.has_controls
        return unfinished if missing and can_read else ranked

    def _complete(self, query: _Query) -> ScoredPosts:
        """The ranking, with the posts that memory lacks. Raises StorageUnavailable."""
        self.viewers.read_events(query.user_id)
        ranked, missing = self._ranked_in_memory(query)
        if not missing:
            return ranked
        if self.storage is None:
            raise StorageUnavailable("no database is configured")
        return _with_stored(ranked, self.storage.visible_posts(query.user_id, missing))

    def _without_storage(self, query: _Query) -> ScoredPosts:
        ranked, _ = self._ranked_in_memory(query)
        return replace(ranked, degraded=True)

    def _ranked_in_memory(self, query: _Query) -> tuple[ScoredPosts, list[UUID]]:
        """The ranking of the posts that memory has, and the ids of the others."""
        feed = self.viewers.feed
        with feed.lock:
            state, pipeline = feed.state, feed.ranker.pipeline
            rows = state.post_rows.rows(key_array(post_id.bytes for post_id in query.post_ids))
            missing = [post_id for post_id, row in zip(query.post_ids, rows.tolist(), strict=True) if row < 0]
            context = self.viewers.context(query.user_id, query.now)
            ranked = pipeline.rank_posts(context, rows[rows >= 0].astype(np.intp))
            posts = ScoredPosts(
                post_ids=state.post_ids(ranked.rows),
                external_ids=[state.external_ids[row] for row in ranked.rows.tolist()],
                scores=ranked.values.tolist(),
                reasons=pipeline.reasons_of(ranked),
                omitted=len(query.post_ids) - len(ranked.rows),
                model_version=feed.ranker.model_version,
                generated_at=query.now,
                degraded=feed.degraded,
                explanations=pipeline.explain(context, ranked, ranked.rows) if query.explain else (),
            )
        return posts, missing


def _with_stored(ranked: ScoredPosts, stored: Sequence[StoredPost]) -> ScoredPosts:
    return replace(
        ranked,
        post_ids=[*ranked.post_ids, *(str(post.id) for post in stored)],
        external_ids=[*ranked.external_ids, *(post.external_id for post in stored)],
        scores=[*ranked.scores, *[0.0] * len(stored)],
        reasons=[*ranked.reasons, *[None] * len(stored)],
        omitted=ranked.omitted - len(stored),
        explanations=[*ranked.explanations, *[{} for _ in stored]] if ranked.explanations else (),
    )
