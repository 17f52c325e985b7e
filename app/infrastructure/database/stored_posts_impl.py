"""StoredPostRepository over PostgreSQL."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from app.domain.feed.time_position import TimePosition
from app.domain.repositories.stored_posts import StoredPost, StoredPosts, StoredPostsQuery
from app.infrastructure.database.full_read import READABLE_POST
from app.infrastructure.database.sql_repository import SqlRepository

_MOST_LOOKS: Final = 4
"""Each is at four times as many posts as the one before, at first at twice as many as are needed."""
_FIRST_LOOK: Final = 100  # posts, at least

_TIME: Final = "(extract(epoch FROM p.created_at) * 1000000)::int8"
# The position is given as two comparisons: PostgreSQL finds its place in an index by the first, also where the numbers
# of posts are in another table than their times.
_AFTER: Final = "p.created_at <= %(time)s AND (p.created_at, p.seq) < (%(time)s, %(seq)s)"
_OF_ALL: Final = f"""
    SELECT p.id, p.created_at, p.seq, p.author_id, p.external_id FROM {{feed_posts}} p
    WHERE {_AFTER} AND {READABLE_POST}
    ORDER BY p.created_at DESC, p.seq DESC LIMIT %(look)s
"""
# The newest posts of each author, and then the newest of all of them: so far, an index has all that is read.
_OF_FOLLOWED: Final = f"""
    SELECT p.id, p.created_at, p.seq, p.author_id, p.external_id FROM (
        SELECT p.* FROM {{feed_follows}} f CROSS JOIN LATERAL (
            SELECT p.created_at, p.seq FROM {{feed_posts}} p
            WHERE p.author_id = f.followee_id AND {_AFTER} AND {READABLE_POST}
            ORDER BY p.created_at DESC, p.seq DESC LIMIT %(look)s
        ) p
        WHERE f.follower_id = %(user)s
        ORDER BY p.created_at DESC, p.seq DESC LIMIT %(look)s
    ) newest JOIN {{feed_posts}} p ON p.seq = newest.seq
    ORDER BY newest.created_at DESC, newest.seq DESC
"""
# OFFSET 0 makes PostgreSQL check post by post, and stop at the last one that is needed.
_ALLOWED: Final = """
    p.author_id IS DISTINCT FROM %(user)s AND p.seq <> ALL(%(seqs)s) AND p.id <> ALL(%(ids)s)
    AND EXISTS (SELECT FROM {feed_visible_posts}(%(user)s) AS v (id) WHERE v.id = p.id OFFSET 0)
"""
_UNSEEN: Final = """
    AND NOT EXISTS (
        SELECT FROM {user_interaction} i WHERE i.user_id = %(user)s AND i.post_id = p.id OFFSET 0
    )
"""
_PAGE: Final = f"""
    SELECT p.id, nullif(p.external_id, p.id::text), {_TIME}, p.seq, p.author_id, c.root_id, c.repost_of
    FROM (
        SELECT p.* FROM ({{looked_at}}) p WHERE {{allowed}}
        ORDER BY p.created_at DESC, p.seq DESC OFFSET %(skipped)s LIMIT %(limit)s
    ) p JOIN {{feed_complete_posts}}() c ON c.id = p.id
    ORDER BY p.created_at DESC, p.seq DESC
"""
_LAST_LOOKED_AT: Final = f"""
    SELECT {_TIME}, p.seq, count(*) OVER () FROM ({{looked_at}}) p ORDER BY p.created_at, p.seq LIMIT 1
"""

_GIVEN: Final = f"""
    SELECT p.id, nullif(p.external_id, p.id::text), {_TIME}, p.seq, p.author_id, p.root_id, p.repost_of
    FROM {{feed_complete_posts}}() p
    WHERE p.id = ANY(%(given)s) AND {READABLE_POST} AND p.author_id IS DISTINCT FROM %(user)s
    AND EXISTS (SELECT FROM {{feed_visible_posts}}(%(user)s) AS v (id) WHERE v.id = p.id OFFSET 0)
    ORDER BY p.created_at DESC, p.seq DESC
"""


class SqlStoredPostRepository(SqlRepository):
    """StoredPostRepository over the views, and over the events for what a user has seen."""

    def visible_posts(self, user_id: UUID, post_ids: Sequence[UUID]) -> Sequence[StoredPost]:
        """As in StoredPostRepository, with one query."""
        values = {"user": user_id, "given": list(post_ids)}
        with self.transaction() as connection:
            return _posts(connection.exec_driver_sql(_GIVEN.format_map(self.schema), values))

    def posts_after(self, query: StoredPostsQuery, position: TimePosition, limit: int) -> StoredPosts:
        """As in StoredPostRepository. It looks at more posts as long as it finds too few."""
        values: dict[str, object] = {
            "user": query.user_id,
            "ids": list(query.excluded_ids),
            "seqs": list(query.excluded_seqs),
            "skipped": query.skipped,
            "limit": limit,
        }
        look = max(_FIRST_LOOK, 2 * (limit + query.skipped))
        found = StoredPosts((), position)
        with self.transaction() as connection:
            for _ in range(_MOST_LOOKS):
                values |= {"time": _datetime(position), "seq": position.seq, "look": look}
                found = self._look(connection, query, values)
                if len(found.posts) == limit or found.next_position is None:
                    break
                look *= 4
        return found

    def _look(
        self, connection: Connection, query: StoredPostsQuery, values: dict[str, object]
    ) -> StoredPosts:
        looked_at = (_OF_FOLLOWED if query.followed_only else _OF_ALL).format_map(self.schema)
        allowed = (_ALLOWED + (_UNSEEN if query.exclude_seen else "")).format_map(self.schema)
        page = _PAGE.format(
            looked_at=looked_at, allowed=allowed, feed_complete_posts=self.schema["feed_complete_posts"]
        )
        posts = _posts(connection.exec_driver_sql(page, values))
        if len(posts) == values["limit"]:
            return StoredPosts(posts, posts[-1].position)
        last = connection.exec_driver_sql(_LAST_LOOKED_AT.format(looked_at=looked_at), values).one_or_none()
        if last is None or last[2] < values["look"]:
            return StoredPosts(posts, None)
        return StoredPosts(posts, TimePosition(last[0], last[1]))


def _posts(rows: Iterable[Any]) -> list[StoredPost]:
    return [
        StoredPost(id_, external_id, TimePosition(time, seq), author_id, root_id, repost_of)
        for id_, external_id, time, seq, author_id, root_id, repost_of in rows
    ]


def _datetime(position: TimePosition) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=position.created_us)
