"""Reads the present rows of the keys that the outbox names."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import PositionExpired
from app.domain.repositories.control_repository import UserControls
from app.domain.repositories.feed_log import FeedChanges, LogPosition, RowKeys
from app.domain.repositories.interaction_repository import RemovedEvents, StoredInteraction
from app.infrastructure.database.control_repository_impl import read_controls
from app.infrastructure.database.impression_repository_impl import read_pages_of
from app.infrastructure.database.interaction_repository_impl import event_from_row, read_events_of
from app.infrastructure.database.post_repository_impl import read_posts
from app.infrastructure.database.row_checksums import read_checksums
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.user_rows import read_users

Pair = tuple[UUID, UUID]

_UNREAD = LogPosition("", 0)


def keys_of(changes: Iterable[Any]) -> RowKeys:
    """Return the keys in rows (xid, seq, entity, key, other, event_seqs) of the outbox.

    Raises PositionExpired after a TRUNCATE of the events.
    """
    keys = RowKeys()
    for _, seq, entity, key, other, numbers in changes:
        if entity in ("user", "post"):
            latest = keys.users if entity == "user" else keys.posts
            latest[key] = max(seq, latest.get(key, 0))
        elif entity == "follow":
            keys.follows[key, other] = max(seq, keys.follows.get((key, other), 0))
        elif entity == "control":
            # the number of an update or a removal is in the outbox, because no row of user_feedback has it
            keys.controls[key] = max([keys.controls.get(key, 0), *(numbers or ())])
        elif entity == "impression":
            keys.pages.add(key)
        elif numbers is None:
            raise PositionExpired("all events were removed; read the whole feed again")
        else:
            keys.events.setdefault((key, other), []).extend(numbers)
    return keys


def read_present_rows(
    connection: Connection, schema: SchemaName, keys: RowKeys, new_events: Sequence[Any]
) -> FeedChanges:
    """Return the present rows of `keys` and the new events, without a position.

    A key that the views do not show is removed. Events of users or posts that they do not show are removed, or skipped.

    new_events  rows (xid, seq, *EVENT_COLUMNS) of the log
    """
    users = read_users(connection, schema, list(keys.users)) if keys.users else []
    posts = read_posts(connection, schema, "id = ANY(%s)", list(keys.posts)) if keys.posts else []
    removed_users = list(keys.users.keys() - {user.id for user in users})
    removed_posts = list(keys.posts.keys() - {post.id for post in posts})
    follows = _present_follows(connection, schema, keys)
    removed_events = _removed_events(connection, schema, keys.events, removed_users, removed_posts)
    events = sorted((event_from_row(*row) for row in new_events), key=lambda event: event.seq)
    checksums = read_checksums(
        connection,
        schema,
        users=keys.users,
        controls=keys.controls,
        posts=keys.posts,
        events=_numbers(events, removed_events).union(keys.numbers),
    )
    shown = checksums.events.by_key()
    return FeedChanges(
        users=users,
        removed_users=removed_users,
        user_seqs=keys.users,
        posts=posts,
        removed_posts=removed_posts,
        post_seqs=keys.posts,
        follows=follows,
        removed_follows=list(keys.follows.keys() - set(follows)),
        follow_seqs=keys.follows,
        events=[event for event in events if event.seq in shown],
        removed_events=removed_events,
        controls=_changed_controls(connection, schema, keys.controls),
        position=_UNREAD,
        pages=read_pages_of(connection, schema, keys.pages),
        removed_pages=list(keys.pages),
        checksums=checksums,
    )


def _numbers(events: Iterable[StoredInteraction], removed: Iterable[RemovedEvents]) -> set[int]:
    """The numbers of new, removed and remaining events."""
    numbers = {event.seq for event in events}
    for one in removed:
        numbers.update(one.seqs, (event.seq for event in one.remaining))
    return numbers


def _present_follows(connection: Connection, schema: SchemaName, keys: RowKeys) -> list[Pair]:
    if not (keys.follows or keys.followers):
        return []
    followers, followees = ([pair[side] for pair in keys.follows] for side in (0, 1))
    query = (
        f"SELECT follower_id, followee_id FROM {schema['feed_follows']} "
        "WHERE (follower_id, followee_id) IN (SELECT * FROM unnest(%s::uuid[], %s::uuid[])) "
        f"UNION SELECT follower_id, followee_id FROM {schema['feed_follows']} WHERE follower_id = ANY(%s::uuid[])"
    )
    rows = connection.exec_driver_sql(query, (followers, followees, list(keys.followers)))
    return [(follower, followee) for follower, followee in rows]


def _changed_controls(
    connection: Connection, schema: SchemaName, numbers: dict[UUID, int]
) -> list[UserControls]:
    """Return the present controls of users, with the numbers of their latest changes."""
    return [
        replace(controls, seq=max(controls.seq, numbers[controls.user_id]))
        for controls in read_controls(connection, schema, list(numbers))
    ]


def _removed_events(
    connection: Connection,
    schema: SchemaName,
    changed: dict[Pair, list[int]],
    removed_users: list[UUID],
    removed_posts: list[UUID],
) -> list[RemovedEvents]:
    """Return the events that were removed or changed, or whose user or post was removed, by user and post.

    Adopted tables have no foreign keys to our log, so the events of a removed user stay in it.
    """
    left = read_events_of(connection, schema, list(changed))
    without_owner: dict[Pair, list[int]] = {}
    if removed_users or removed_posts:
        query = (
            f"SELECT user_id, post_id, array_agg(seq) FROM {schema['user_interaction']} "
            "WHERE user_id = ANY(%s) OR post_id = ANY(%s) GROUP BY user_id, post_id"
        )
        rows = connection.exec_driver_sql(query, (removed_users, removed_posts))
        without_owner = {(user, post): numbers for user, post, numbers in rows}
    return [
        RemovedEvents(*pair, [*changed.get(pair, ()), *without_owner.get(pair, ())], left.get(pair, ()))
        for pair in changed.keys() | without_owner.keys()
    ]
