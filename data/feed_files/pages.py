"""Reads the pages of feed files that users were shown."""

import numpy as np
import pandas as pd

from app.domain.feed.dataset import PageColumns
from data.feed_files import columns
from data.feed_files.file_tables import FileTable
from data.feed_files.ids import IdIndex
from data.feed_files.skipped_rows import SkippedRows, report_skipped
from data.schemas import NOT_ON_PAGE


def read_pages(
    table: FileTable, users: IdIndex, posts: IdIndex, n_posts: int
) -> tuple[PageColumns, list[SkippedRows]]:
    """The distinct pages by time, without posts from row `n_posts` on, and the rows that are skipped.

    Raises FeedFileError for an invalid value, and for a seen post that is not on its page.
    """
    if not table.rows:
        return PageColumns(), []
    user, time_us = users.rows(table, "user_id"), columns.times(table)
    request_ids = columns.ids(table, "request_id")
    places = [[posts.row_of(given) for given in page] for page in columns.id_lists(table, "posts")]
    seen = [{posts.row_of(given) for given in page} for page in columns.id_lists(table, "seen")]
    empty = np.array([not page for page in places])
    if empty.any():
        raise table.bad_rows("posts", empty, "is empty")
    not_on_page = np.array([not on_screen <= set(page) for page, on_screen in zip(places, seen, strict=True)])
    if not_on_page.any():
        raise table.bad_rows("seen", not_on_page, NOT_ON_PAGE)
    pages = pd.DataFrame({"user": user, "time": time_us, "request": request_ids})
    repeated = pages.duplicated().to_numpy()
    known = [[post for post in page if post < n_posts] for page in places]
    unknown = np.array([not page for page in known]) & ~repeated
    rows = np.argsort(time_us, kind="stable")
    rows = rows[~(repeated | unknown)[rows]]
    order = rows.tolist()
    return PageColumns(
        user=user[rows],
        time_us=time_us[rows],
        length=np.array([len(known[row]) for row in order], np.int64),
        post=np.array([post for row in order for post in known[row]], np.int32),
        seen=np.array([post in seen[row] for row in order for post in known[row]], np.bool_),
        request_id=[request_ids[row] for row in order],
    ), [
        *report_skipped(
            table, "request_id", repeated, "is a page of the user at the same time in another row too"
        ),
        *report_skipped(table, "posts", unknown, "are posts that no other row mentions"),
    ]
