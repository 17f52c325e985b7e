"""Converts the tables of an export to the columns of a dataset, for the users and posts that it keeps."""

from collections.abc import Iterable
from itertools import compress
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.control import Control
from app.domain.feed.dataset import (
    FollowColumns,
    MembershipColumns,
    PostColumns,
    UserColumns,
    time_of,
)
from app.domain.feed.embeddings import same_length
from app.domain.feed.shown_pages import ShownPage
from app.domain.feed.uuid_index import UuidIndex
from app.domain.repositories.control_repository import UserControls
from data.log_export.arrow_tables import ids, times_us


def users(table: Any) -> UserColumns:
    """Users in the order of the table."""
    return UserColumns(
        ids(table["id"]),
        table["external_id"].to_pylist(),
        created_us=times_us(table["created_at"]),
        discoverable=_flags(table["discoverable"]),
        personalised=_flags(table["personalised"]),
        show_sensitive=_flags(table["show_sensitive"]),
        languages=list(map(tuple, table["languages"].to_pylist())),
    )


def posts(table: Any, users: UuidIndex) -> PostColumns:
    """Posts in the order of the table."""
    return PostColumns(
        key=ids(table["id"]),
        external_id=table["external_id"].to_pylist(),
        author=users.rows(ids(table["author_id"])),
        created_us=times_us(table["created_at"]),
        visible=_flags(table["visible"]),
        seq=table["seq"].to_numpy(),
        text=table["content"].to_pylist(),
        tags=list(map(tuple, table["tags"].to_pylist())),
        visibility=table["visibility"].to_pylist(),
        audience_id=table["audience_id"].to_pylist(),
        language=table["language"].to_pylist(),
        sensitive=_flags(table["sensitive"]),
        root_id=_uuids(table["root_id"]),
        repost_of=_uuids(table["repost_of"]),
        embedding=same_length(
            [
                None if one is None else np.frombuffer(one, np.float16)
                for one in table["embedding"].to_pylist()
            ]
        ),
    )


def follows(batches: Iterable[Any], users: UuidIndex) -> FollowColumns:
    """The follows between two known users."""
    parts = [_follows(batch, users) for batch in batches]
    if not parts:
        return FollowColumns(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64))
    return FollowColumns(*map(np.concatenate, zip(*parts, strict=True)))


def _follows(batch: Any, users: UuidIndex) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    follower, followee = users.rows(ids(batch["follower_id"])), users.rows(ids(batch["followee_id"]))
    known = (follower >= 0) & (followee >= 0)
    return follower[known], followee[known], times_us(batch["created_at"])[known]


def memberships(table: Any, users: UuidIndex) -> MembershipColumns:
    """The memberships of known users."""
    user = users.rows(ids(table["user_id"]))
    return MembershipColumns(
        user[user >= 0], list(compress(table["audience_id"].to_pylist(), (user >= 0).tolist()))
    )


def controls(table: Any, users: UuidIndex) -> list[UserControls]:
    """The controls of known users; the rows of one user follow each other."""
    table = table.filter(users.rows(ids(table["user_id"])) >= 0)
    by_user: dict[UUID, UserControls] = {}
    columns = (
        _uuids(table["user_id"]),
        table["user_seq"].to_pylist(),
        table["action"].to_pylist(),
        _uuids(table["post_id"]),
        _uuids(table["author_id"]),
        table["tag"].to_pylist(),
        table["word"].to_pylist(),
        map(time_of, times_us(table["created_at"]).tolist()),
        map(time_of, times_us(table["until"]).tolist()),
    )
    for user_id, seq, action, *values in zip(*columns, strict=True):
        before = by_user.get(user_id)
        given = () if before is None else before.controls
        added = () if action is None else (Control(user_id, action, *values),)
        by_user[user_id] = UserControls(user_id, (*given, *added), seq)
    return list(by_user.values())


def pages(table: Any, users: UuidIndex, start_us: int) -> list[ShownPage]:
    """The pages of known users from a time (microseconds) on, oldest first."""
    times = times_us(table["created_at"])
    kept = (users.rows(ids(table["user_id"])) >= 0) & (times >= start_us)
    table = table.filter(kept)
    columns = (
        _uuids(table["user_id"]),
        times[kept].tolist(),
        table["posts"].to_pylist(),
        table["seen"].to_pylist(),
    )
    return [
        ShownPage(user_id, time, np.array(shown, np.int64), np.array(seen, np.bool_))
        for user_id, time_us, shown, seen in zip(*columns, strict=True)
        if user_id is not None and (time := time_of(time_us)) is not None
    ]


def _flags(column: Any) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = column.to_numpy().astype(np.bool_)
    return flags


def _uuids(column: Any) -> list[UUID | None]:
    return [None if one is None else UUID(bytes=one) for one in column.to_pylist()]
