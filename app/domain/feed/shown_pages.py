"""Stored pages: applied to the feed state, or as columns of a dataset."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import FeedDataset, PageColumns, microseconds, uuid_keys
from app.domain.feed.state import FeedState
from app.domain.feed.uuid_index import UuidIndex


@dataclass(frozen=True, slots=True, eq=False)
class ShownPage:
    """A page that a user got at an aware time.

    posts  (n,) numbers of the posts (`Post.seq`)
    seen   (n,) true for the posts that were on screen, as far as the client reported it
    """

    user_id: UUID
    shown_at: datetime
    posts: NDArray[np.int64]
    seen: NDArray[np.bool_]


def record_pages(state: FeedState, pages: Iterable[ShownPage]) -> None:
    """Add the pages of known users to the impressions of a state; a page that is there changes what was seen only."""
    for page in pages:
        user = state.user_rows.get(page.user_id.bytes)
        if user is None:
            continue
        for seen in set(page.seen.tolist()):
            posts = state.rows_of_seq(page.posts[page.seen == seen])
            if len(posts):
                state.impressions.record(user, posts, page.shown_at.timestamp(), seen=seen)


def page_columns(pages: Sequence[ShownPage], dataset: FeedDataset) -> PageColumns:
    """Pages with rows of a dataset, sorted by time. Users and posts that it does not contain are skipped."""
    user = UuidIndex(dataset.users.key).rows(uuid_keys(page.user_id for page in pages))
    pages = [page for page, row in zip(pages, user.tolist(), strict=True) if row >= 0]
    user = user[user >= 0]
    if not pages:
        return PageColumns()
    time_us = np.array([microseconds(page.shown_at) for page in pages])
    by_time = np.argsort(time_us, kind="stable")
    pages = [pages[row] for row in by_time.tolist()]
    by_seq = np.argsort(dataset.posts.seq)
    known_seq = dataset.posts.seq[by_seq]
    seq = np.concatenate([page.posts for page in pages])
    position = np.searchsorted(known_seq, seq)
    known = np.append(known_seq, -1)[position] == seq
    page_of = np.repeat(np.arange(len(pages)), [len(page.posts) for page in pages])
    return PageColumns(
        user=user[by_time],
        time_us=time_us[by_time],
        length=np.bincount(page_of[known], minlength=len(pages)),
        post=by_seq[position[known]].astype(np.int32),
        seen=np.concatenate([page.seen for page in pages])[known],
    )
