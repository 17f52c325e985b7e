"""A page whose last posts are in storage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import numpy as np

from app.application.cursor import CursorCodec
from app.application.dto import RecommendationResponse
from app.application.feed_list import FeedList
from app.application.feed_query import FeedQuery
from app.application.list_progress import ListProgress
from app.application.live_feed import LiveFeed
from app.domain.errors import StorageUnavailable
from app.domain.experiments.team_draft import NO_TEAM
from app.domain.feed.time_position import TimePosition
from app.domain.feed.time_units import DAY
from app.domain.ranking.evidence import followed_author
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.repositories.stored_posts import StoredPost, StoredPostRepository, StoredPostsQuery
from app.domain.services.ranking_context import RankingContext

_READS_FOR_THREADS: Final = 3
"""Reads of storage to find posts of other threads. Each is of four times as many posts as the one before."""
_FIRST_READ_FOR_THREADS: Final = 20  # posts


@dataclass(frozen=True, slots=True, eq=False)
class UnfinishedPage:
    """What memory has of a page. `complete` adds the posts that storage has; it waits, and needs no lock for that.

    response   the page without them
    unlisted   posts in memory that follow when no other thread is left
    position   storage is read after it
    threads    the roots of the threads of the page's posts
    originals  the originals of the page's posts; a post that reposts nothing is its own
    """

    feed: LiveFeed
    cursors: CursorCodec
    storage: StoredPostRepository
    on_completed: Callable[[RecommendationResponse], None]
    query: FeedQuery
    feed_list: FeedList
    response: RecommendationResponse
    progress: ListProgress
    unlisted: Sequence[StoredPost]
    position: TimePosition
    threads: frozenset[UUID]
    originals: frozenset[UUID]

    def complete(self) -> RecommendationResponse:
        """Return the page. While the database is away, the list ends, and the response is degraded."""
        try:
            posts, reached = self._read()
        except StorageUnavailable:
            return self.without_storage()
        self.feed_list.stored_seqs = [*self._earlier(), *(post.position.seq for post in posts)]
        is_short, has_ended = len(posts) < self._missing, reached is None
        cursor = None
        if not (is_short and has_ended) and not self.query.request.single_page:
            cursor = self.cursors.seal(self.progress.cursor_state(posts, reached if is_short else None))
        response = self._with(posts, exhausted=is_short and has_ended, next_cursor=cursor)
        self.on_completed(response)
        return response

    def without_storage(self) -> RecommendationResponse:
        """The posts in memory alone, as the end of the list."""
        response = replace(self.response, degraded=True, exhausted=True, next_cursor=None)
        self.on_completed(response)
        return response

    @property
    def _missing(self) -> int:
        """Number of posts that the page lacks."""
        return self.query.stop - max(self.query.start, len(self.feed_list.listed.rows))

    def _earlier(self) -> list[int]:
        return self.feed_list.stored_before(self.query.start)

    def _read(self) -> tuple[Sequence[StoredPost], TimePosition | None]:
        """The posts that the page lacks, and the position up to which storage was read; None if it has no others."""
        request, earlier = self.query.request, self._earlier()
        first_missing = max(self.query.start - len(self.feed_list.listed.rows), 0)
        query = StoredPostsQuery(
            self.query.user_id,
            followed_only=request.mode == "following",
            exclude_seen=request.exclude_seen,
            excluded_ids=[UUID(bytes=key) for key in self.query.excluded_keys],
            excluded_seqs=self.progress.shown.tolist(),
            skipped=first_missing - len(earlier),
        )
        if not self.feed_list.has_one_post_per_thread:
            read = self.storage.posts_after(query, self.position, self._missing)
            return read.posts, read.next_position
        found: list[StoredPost] = []
        position: TimePosition | None = self.position
        limit = max(2 * self._missing, _FIRST_READ_FOR_THREADS)
        for _ in range(_READS_FOR_THREADS):
            if position is None or len(self._first_of_threads(found)) >= self._missing:
                break
            read = self.storage.posts_after(query, position, limit)
            found += read.posts
            position, limit = read.next_position, 4 * limit
        chosen = self._first_of_threads(found)
        is_chosen = set(chosen)
        others = [post for post in (*self.unlisted, *found) if post not in is_chosen]
        return [*chosen, *others][: self._missing], position

    def _first_of_threads(self, posts: Sequence[StoredPost]) -> list[StoredPost]:
        """The posts whose threads and originals the page lacks; of several, the first."""
        chosen, threads, originals = [], set(self.threads), set(self.originals)
        for post in posts:
            thread, original = post.root_id or post.id, post.repost_of or post.id
            if thread not in threads and original not in originals:
                chosen.append(post)
                threads.add(thread)
                originals.add(original)
        return chosen

    def _with(
        self, posts: Sequence[StoredPost], *, exhausted: bool, next_cursor: str | None
    ) -> RecommendationResponse:
        page, feed_list = self.response, self.feed_list
        now = self.query.now.timestamp()
        ages_days = np.array([(now - post.position.created) / DAY for post in posts], np.float64).clip(0)
        explanations = feed_list.explain_by_time(ages_days.tolist()) if self.query.request.explain else []
        with self.feed.lock:
            state = self.feed.state
            user = state.user_rows.get(self.query.user_id.bytes, -1)
            evidence = followed_author(state, user, [post.author_id for post in posts])
        return replace(
            page,
            post_ids=[*page.post_ids, *(str(post.id) for post in posts)],
            external_ids=[*page.external_ids, *(post.external_id for post in posts)],
            scores=[*page.scores, *feed_list.values_by_time(ages_days).tolist()],
            reasons=[*page.reasons, *[feed_list.reason] * len(posts)],
            evidence=[*page.evidence, *evidence],
            post_seqs=[*page.post_seqs, *(post.position.seq for post in posts)],
            explanations=[*page.explanations, *explanations],
            teams=[*page.teams, *[NO_TEAM] * len(posts)] if page.teams else (),
            probabilities=[*page.probabilities, *[1.0] * len(posts)] if page.probabilities else (),
            exhausted=exhausted,
            next_cursor=next_cursor,
        )


def unlisted_posts(
    pipeline: FeedPipeline, context: RankingContext, feed_list: FeedList, stop: int
) -> Sequence[StoredPost]:
    """The posts in memory that the list has left for the end of a page, as storage returns posts."""
    if not feed_list.has_one_post_per_thread:
        return ()
    state = context.state
    rows = feed_list.unlisted(pipeline, context, stop - len(feed_list.listed.rows)).tolist()
    return [
        StoredPost(
            UUID(bytes=state.post_key(row)),
            state.external_ids[row],
            TimePosition.of(state.created.item(row), state.seq.item(row)),
            None if author < 0 else UUID(bytes=state.user_key(author)),
        )
        for row, author in zip(rows, state.author[rows].tolist(), strict=True)
    ]
