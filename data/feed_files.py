"""Feed files read into one validated feed in columns (docs: contract of feed files in the README)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.history import EventColumns, FeedHistory, FollowColumns, PostColumns, UserColumns
from app.domain.ids import post_uuid, user_uuid
from data import columns
from data.columns import Identities
from data.file_tables import FileTable, read_table
from data.times import NO_TIME

_LATEST = np.iinfo(np.int64).max


def _seconds(micro: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(micro == NO_TIME, np.nan, micro / 1e6)


@dataclass(frozen=True, slots=True, eq=False)
class FeedFile:
    """A feed as its files tell it. Times are int64 microseconds since the epoch, UTC; NO_TIME where there is none."""

    users: Identities
    posts: Identities
    post_author: NDArray[np.int32]
    post_created: NDArray[np.int64]
    post_visible: NDArray[np.bool_]
    post_text: list[str]
    post_tags: list[tuple[str, ...]]
    follower: NDArray[np.int32]
    followee: NDArray[np.int32]
    followed: NDArray[np.int64]
    event_user: NDArray[np.int32]
    event_post: NDArray[np.int32]
    event_kind: NDArray[np.uint8]
    event_time: NDArray[np.int64]

    def history(self) -> FeedHistory:
        """The feed for a replay: events by time, ties in the order of the file; ids as the files spell them."""
        n = len(self.posts)
        return FeedHistory(
            UserColumns(self.users.keys, self.users.given),
            PostColumns(
                self.posts.keys,
                self.posts.given,
                self.post_author,
                _seconds(self.post_created),
                self.post_visible,
                np.arange(n, dtype=np.int64),
                self.post_text,
                self.post_tags,
            ),
            FollowColumns(self.follower, self.followee, _seconds(self.followed)),
            EventColumns(
                self.event_user,
                self.event_post,
                self.event_kind,
                _seconds(self.event_time),
                np.zeros(len(self.event_time), dtype=np.int64),
            ),
        )


def read_feed(
    interactions: Path,
    posts: Path | None = None,
    users: Path | None = None,
    follows: Path | None = None,
    event_map: Mapping[str, str] | None = None,
) -> FeedFile:
    """Read the files of one feed. Raises FeedFileError for the first thing in them that is not as it should be."""
    user_ids, post_ids = Identities(user_uuid), Identities(post_uuid)
    events = read_table(interactions, "interactions")
    post_table = read_table(posts, "posts") if posts else None
    if users:
        user_ids.rows(read_table(users, "users"), "id")
    listed = post_ids.rows(post_table, "id") if post_table else np.empty(0, dtype=np.int32)
    author = user_ids.rows(post_table, "author_id", required=False) if post_table else listed
    follow_table = read_table(follows, "follows") if follows else None
    follower, followee, followed = _follows(follow_table, user_ids)

    user, post = user_ids.rows(events, "user_id"), post_ids.rows(events, "post_id")
    kind, time = columns.interaction_codes(events, event_map or {}), columns.times(events, required=True)
    order = np.argsort(time, kind="stable")

    n = len(post_ids)
    first_row = np.full(n, -1)
    first_row[listed[::-1]] = np.arange(len(listed))[::-1]  # of several rows of one post the first counts
    named = first_row >= 0
    created = np.full(n, _LATEST)
    np.minimum.at(created, post, time)
    post_author = np.full(n, -1, dtype=np.int32)
    text, tags = [""] * n, [()] * n  # type: list[str], list[tuple[str, ...]]
    if post_table:
        rows = first_row[named]
        post_author[named] = author[rows]
        given = columns.times(post_table)[rows]
        created[named] = np.where(given == NO_TIME, created[named], given)
        text, tags = _texts(post_table, first_row)
    if post_table and (created == _LATEST).any():
        row = int(first_row[(created == _LATEST).argmax()])
        raise post_table.error(row, "id", "has no created_at and no interaction to date it by")
    return FeedFile(
        users=user_ids,
        posts=post_ids,
        post_author=post_author,
        post_created=created,
        post_visible=np.ones(n, dtype=np.bool_),
        post_text=text,
        post_tags=tags,
        follower=follower,
        followee=followee,
        followed=followed,
        event_user=user[order],
        event_post=post[order],
        event_kind=kind[order],
        event_time=time[order],
    )


def _texts(table: FileTable, first_row: NDArray[np.intp]) -> tuple[list[str], list[tuple[str, ...]]]:
    content = table.columns["content"].to_pylist() if "content" in table.columns else [None] * table.rows
    tags = table.columns["tags"].to_pylist() if "tags" in table.columns else [None] * table.rows
    return (
        [content[row] or "" if row >= 0 else "" for row in first_row],
        [tuple(tags[row] or ()) if row >= 0 else () for row in first_row],
    )


def _follows(
    table: FileTable | None, users: Identities
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    if table is None:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64)
    follower, followee = users.rows(table, "follower_id"), users.rows(table, "followee_id")
    since = columns.times(table)
    order = np.lexsort(
        (since.view(np.uint64), followee, follower)
    )  # NO_TIME is the largest as uint64: dated first
    order = order[follower[order] != followee[order]]
    pair = np.stack([follower[order], followee[order]])
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = (pair[:, 1:] != pair[:, :-1]).any(axis=0)
    kept = order[fresh]
    return follower[kept], followee[kept], since[kept]
