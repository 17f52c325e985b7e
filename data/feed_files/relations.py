"""Reads the follows, controls and memberships of feed files."""

from uuid import UUID

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.domain.entities.control import Control
from app.domain.feed.dataset import NO_TIME, FollowColumns, MembershipColumns, time_of
from app.domain.words import normal_phrase, normal_tag
from data.feed_files import columns
from data.feed_files.file_tables import FileTable
from data.feed_files.ids import IdIndex
from data.feed_files.skipped_rows import SkippedRows, report_skipped
from data.placeholders import MISSING_VALUE, PLACEHOLDERS

_LATEST = np.iinfo(np.int64).max


def read_follows(table: FileTable, users: IdIndex) -> tuple[FollowColumns, list[SkippedRows]]:
    """The distinct edges in the order of the file, and the rows that repeat one or follow themselves."""
    follower, followee = users.rows(table, "follower_id"), users.rows(table, "followee_id")
    since_us = columns.times(table)
    of_oneself = follower == followee
    undated_last = np.argsort(np.where(since_us == NO_TIME, _LATEST, since_us), kind="stable")
    edges = pd.DataFrame({"follower": follower, "followee": followee}).iloc[undated_last]
    repeated = edges.duplicated().sort_index().to_numpy() & ~of_oneself
    kept = ~(of_oneself | repeated)
    return FollowColumns(follower[kept], followee[kept], since_us[kept]), [
        *report_skipped(table, "followee_id", of_oneself, "equals the follower"),
        *report_skipped(
            table, "followee_id", repeated, "is followed in another row too, of which the earliest counts"
        ),
    ]


def read_controls(
    table: FileTable, users: IdIndex, posts: IdIndex, n_posts: int
) -> tuple[list[Control], list[SkippedRows]]:
    """The controls by time, those without a time first, and the rows that are skipped."""
    user, author = users.rows(table, "user_id"), users.rows(table, "author_id")
    post, time_us = posts.rows(table, "post_id"), columns.times(table)
    values = zip(
        _uuids(users, user),
        columns.texts(table, "action"),
        _uuids(posts, post),
        _uuids(users, author),
        (None if tag is None else normal_tag(tag) for tag in columns.texts(table, "tag")),
        (None if word is None else normal_phrase(word) for word in columns.texts(table, "word")),
        map(time_of, time_us.tolist()),
        map(time_of, columns.times(table, "until", max_days_ahead=None).tolist()),
        strict=True,
    )
    controls: list[Control] = []
    problems: dict[int, str] = {}
    for row, fields in enumerate(values):
        try:
            controls.append(Control(*fields))
        except ValueError as error:
            problems[row] = f"is invalid: {error}"
    if problems:
        raise table.bad_rows("action", np.isin(np.arange(table.rows), list(problems)), problems.__getitem__)
    of_oneself, unknown = author == user, post >= n_posts
    order = np.argsort(time_us, kind="stable")  # NO_TIME is the smallest number
    return [controls[row] for row in order.tolist() if not (of_oneself | unknown)[row]], [
        *report_skipped(table, "author_id", of_oneself, "equals the user"),
        *report_skipped(table, "post_id", unknown, "is a post that no other row mentions"),
    ]


def read_memberships(table: FileTable, users: IdIndex) -> tuple[MembershipColumns, list[SkippedRows]]:
    """The distinct memberships in the order of the file, and the rows that repeat one."""
    user, audiences = users.rows(table, "user_id"), columns.texts(table, "audience_id")
    unknown = np.array([audience == "" or audience in PLACEHOLDERS for audience in audiences], np.bool_)
    if unknown.any():
        raise table.bad_rows("audience_id", unknown, MISSING_VALUE)
    repeated = pd.DataFrame({"user": user, "audience": audiences}).duplicated().to_numpy()
    kept = np.flatnonzero(~repeated)
    return MembershipColumns(user[kept], [str(audiences[row]) for row in kept.tolist()]), report_skipped(
        table, "audience_id", repeated, "is an audience of the user in another row too"
    )


def _uuids(ids: IdIndex, rows: NDArray[np.int32]) -> list[UUID | None]:
    """The UUID of each row, None for -1."""
    keys = ids.keys
    return [UUID(bytes=keys[row].tobytes()) if row >= 0 else None for row in rows.tolist()]
