"""Finds the rows that the ids of a feed mean, so that a load makes no second row for them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from app.domain.entities.control import Control
from app.domain.feed.dataset import FeedDataset, PostColumns
from app.domain.feed.external_ids import derived_keys
from app.domain.ids import canonical_id
from app.infrastructure.database.bulk_load import must_be_ours
from app.infrastructure.database.connection import storage_errors
from app.infrastructure.database.schema import PUBLIC_SCHEMA, SchemaName

_IDS_PER_QUERY: Final = 10_000
_REFERENCES: Final = ("reply_to", "root_id", "repost_of")
"""Columns of posts that refer to posts."""


def with_existing_keys(engine: Engine, feed: FeedDataset, schema: SchemaName = PUBLIC_SCHEMA) -> FeedDataset:
    """The feed with the UUIDs of existing rows: of those whose `external_id` equals an id of the feed.

    All parts of the feed refer to these rows: events, authors, follows, controls, threads. Raises LoadRejected (the
    tables are not ours) and StorageUnavailable.
    """
    users, posts = feed.users, feed.posts
    with storage_errors(), engine.connect() as connection:
        must_be_ours(connection, schema)
        user_keys = _existing_keys(connection, schema["users"], users.external_id, users.key)
        post_keys = _existing_keys(connection, schema["posts"], posts.external_id, posts.key)
        changed_posts = _existing_heads(connection, schema["posts"], posts)
    changed_users = _changes(users.key, user_keys)
    changed_posts |= _changes(posts.key, post_keys)
    references: dict[str, Any] = {
        name: _replaced(getattr(posts, name), changed_posts) for name in _REFERENCES
    }
    return replace(
        feed,
        users=replace(users, key=user_keys),
        posts=replace(posts, key=post_keys, **references),
        controls=[_with_keys(control, changed_users, changed_posts) for control in feed.controls],
    )


def _existing_keys(
    connection: Connection, table: str, external_ids: Sequence[str], keys: NDArray[np.void]
) -> NDArray[np.void]:
    """(n,) `keys`, with those of the rows of `table` that the ids mean in their places."""
    canonical = list(map(canonical_id, external_ids))
    existing = dict(_rows(connection, table, sorted({*external_ids, *canonical})))
    found = keys.copy()
    for row, (given, form) in enumerate(zip(external_ids, canonical, strict=True)):
        if (key := existing.get(given) or existing.get(form)) is not None:
            found[row] = np.void(key)
    return found


def _existing_heads(connection: Connection, table: str, posts: PostColumns) -> dict[UUID | None, UUID]:
    """The UUIDs of existing posts that `posts` refer to by the derived UUID, and that are no rows of `posts`.

    Such a reference makes it read the ids of all existing posts.
    """
    heads = {head.bytes for name in _REFERENCES for head in getattr(posts, name) or () if head}
    if not heads or heads <= set(posts.key.tolist()):
        return {}
    rows = connection.exec_driver_sql(f"SELECT external_id, id FROM {table}").all()
    derived = derived_keys("post", [external_id for external_id, _ in rows]).tolist()
    return {UUID(bytes=key): id_ for key, (_, id_) in zip(derived, rows, strict=True) if key in heads}


def _rows(connection: Connection, table: str, external_ids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The external id and the UUID bytes of each row of `table` with one of these external ids."""
    query = f"SELECT external_id, uuid_send(id) FROM {table} WHERE external_id = ANY(%s)"
    for start in range(0, len(external_ids), _IDS_PER_QUERY):
        for external_id, key in connection.exec_driver_sql(
            query, (external_ids[start : start + _IDS_PER_QUERY],)
        ):
            yield external_id, bytes(key)


def _changes(before: NDArray[np.void], after: NDArray[np.void]) -> dict[UUID | None, UUID]:
    """The UUIDs that differ, from `before` to `after`."""
    rows = np.flatnonzero(before != after)
    return {
        UUID(bytes=old): UUID(bytes=new)
        for old, new in zip(before[rows].tolist(), after[rows].tolist(), strict=True)
    }


def _replaced(ids: list[UUID | None] | None, changes: dict[UUID | None, UUID]) -> list[UUID | None] | None:
    return None if ids is None else [changes.get(one, one) for one in ids]


def _with_keys(control: Control, users: dict[UUID | None, UUID], posts: dict[UUID | None, UUID]) -> Control:
    return replace(
        control,
        user_id=users.get(control.user_id, control.user_id),
        author_id=users.get(control.author_id, control.author_id),
        post_id=posts.get(control.post_id, control.post_id),
    )
