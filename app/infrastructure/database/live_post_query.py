"""Chooses the posts that a start reads into memory, without reading the others."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.feed.event_counting import CountingRule
from app.domain.feed.live_post_choice import LivePostChoice
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.row_checksums import ComparedPosts
from app.domain.feed.state import FeedState
from app.infrastructure.database.full_read import (
    EVENT_FIELDS,
    EVENT_RECORD,
    chosen_posts,
    column_parts,
    keyed_events,
    post_source,
)
from app.infrastructure.database.schema import SchemaName

_MIN_SKIPPED: Final = 0.1  # of the live posts; with fewer others, all posts are read
_EVENTS_PER_ROW: Final = 100
_ROWS_PER_FETCH: Final = 1_000
_EVENTS_PER_PART: Final = 300_000
_RECORD: Final = np.dtype([*EVENT_FIELDS, ("post_seq", ">i8")])


def choose_live_posts(
    connection: Connection,
    schema: SchemaName,
    state: FeedState,
    limits: LivePostLimits,
    counting: CountingRule,
    *,
    own_tables: bool,
) -> ComparedPosts | None:
    """The newest posts and the other live ones; None if few or no posts are not live.

    PostgreSQL sorts the events by post, so that memory holds a part of them and what is known of the possible posts.
    `state` has the users, and `own_tables` is as in `read_feed`.
    """
    posts = post_source(schema, own_tables=own_tables)
    some_more = round((1 + _MIN_SKIPPED) * limits.newest)
    newest = f"SELECT (extract(epoch FROM created_at) * 1000000)::int8, seq FROM {posts}"
    newest += " ORDER BY created_at DESC, seq DESC OFFSET %s LIMIT 1"
    if not limits.newest or connection.exec_driver_sql(newest, (some_more,)).one_or_none() is None:
        return None
    created_us, seq = connection.exec_driver_sql(newest, (limits.newest - 1,)).one()
    choice = LivePostChoice(limits, counting, state.accounts_created)
    for records in events_by_post(connection, schema, posts):
        is_first = np.append(True, records["post"][1:] != records["post"][:-1])
        first = np.flatnonzero(is_first)
        rows = (np.cumsum(is_first) - 1).astype(np.int32)
        events = keyed_events(records).with_rows(state.user_rows.rows(records["user"]), rows)
        choice.add(records["post"][first], records["post_seq"][first].astype(np.int64), events)
    chosen = ComparedPosts((created_us / 1e6, seq), choice.keys())
    total = f"SELECT count(*), count(*) FILTER (WHERE {chosen_posts(chosen)}) FROM {posts}"
    n_posts, n_chosen = connection.exec_driver_sql(total).one()
    return chosen if n_posts > (1 + _MIN_SKIPPED) * n_chosen else None


def events_by_post(
    connection: Connection, schema: SchemaName, posts: str, events_per_part: int = _EVENTS_PER_PART
) -> Iterator[NDArray[np.void]]:
    """The events of `posts` (`post_source`) as records of _RECORD, by post. All events of a post are in one part.

    A part has about `events_per_part` events, or one post with more. Those of authors with own posts are skipped.
    """
    source = f"""(
        SELECT post_id, string_agg(record, ''::bytea) AS records FROM (
            SELECT post_id, {EVENT_RECORD} || int8send(post_seq) AS record,
                (row_number() OVER (PARTITION BY post_id) - 1) / {_EVENTS_PER_ROW} AS part
            FROM {schema["user_interaction"]}
            JOIN (SELECT id AS post, author, seq AS post_seq FROM {posts}) AS posts ON post = post_id
            WHERE user_id IS DISTINCT FROM author
        ) AS foreign_events GROUP BY post_id, part ORDER BY post_id
    ) AS by_post"""
    waiting, n_bytes = [b""], 0  # what came since the last part, with the events of its last post
    for (records,) in column_parts(connection, ["records"], source, rows=_ROWS_PER_FETCH):
        for record in records:
            waiting.append(record)
            n_bytes += len(record)
            if n_bytes >= events_per_part * _RECORD.itemsize:
                part = np.frombuffer(b"".join(waiting), _RECORD)
                is_last = part["post"] == part["post"][-1]  # its other events may follow
                if not is_last.all():
                    yield part[~is_last]
                waiting, n_bytes = [part[is_last].tobytes()], 0
    if rest := b"".join(waiting):
        yield np.frombuffer(rest, _RECORD)
