"""Takes posts out of memory that are in storage, and makes their rows available to other posts."""

from contextlib import nullcontext
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.decayed_counters import DecayedCounters
from app.domain.feed.engaged_users import EngagedUsers
from app.domain.feed.live_posts import LivePostLimits, largest, live_posts
from app.domain.feed.ragged import RaggedArray
from app.domain.feed.retraction import recount_authors
from app.domain.feed.row_set import RowSet
from app.domain.feed.slices import Writing, slices_by_size
from app.domain.feed.state import HALF_LIVES, FeedState
from app.domain.feed.top_k import NEVER

_POSTS_PER_STEP = 200
_ALL: Final = 2**31 - 1  # entries of a list
Rows = NDArray[np.intp]


def evictable_posts(state: FeedState, limits: LivePostLimits) -> tuple[Rows, tuple[float, int]]:
    """The posts that are not live, oldest first, and the state's `complete_from` without them."""
    rows = state.by_seq[np.lexsort((state.seq[state.by_seq], state.created[state.by_seq]))]
    known = state.post_rows.present()
    log2_counts = np.stack([state.post_counters.log2_values(i, known) for i in range(len(HALF_LIVES))])
    is_live = live_posts(
        limits, state.created[known], state.seq[known], state.last_engaged[known], log2_counts
    )
    newest = known[largest(state.created[known], state.seq[known], limits.newest)]
    oldest = newest[np.lexsort((state.seq[newest], state.created[newest]))[:1]]
    complete_from = -np.inf, -1
    if len(newest) < len(known):
        complete_from = state.created.item(oldest[0]), state.seq.item(oldest[0])
    return rows[~np.isin(rows, known[is_live])], max(complete_from, state.complete_from or complete_from)


def evict_posts(
    state: FeedState, rows: Rows, writing: Writing = nullcontext, engaged: EngagedUsers | None = None
) -> None:
    """Remove the posts `rows` and their events, in short steps. The state is then that of a log without them.

    `engaged` knows the users of all posts in `rows`; None: they are looked for. The lists of these users may be short
    afterwards (see `short_lists`).

    The rows belong to nobody until `free_evicted_rows`: impressions and other readers of rows may still refer to them.
    """
    recount_authors_of_evicted(state, remove_posts(state, rows, writing, engaged), writing)


def remove_posts(
    state: FeedState, rows: Rows, writing: Writing = nullcontext, engaged: EngagedUsers | None = None
) -> Rows:
    """As `evict_posts`, but the counts of the posts' authors stay. Returns these authors."""
    authors = np.unique(state.author[rows]).astype(np.intp)
    authors = authors[authors >= 0]
    was_largest = state.engagements[rows].max(initial=-1) == state.largest_engagement
    state.forget_posts(rows, writing)
    users = (engaged or EngagedUsers(state, rows)).of(rows)
    evicted = RowSet(rows, state.n_posts)
    _remove_from_lists(state.posts_by_author, authors, evicted, writing)
    for lists in (state.events_by_user, state.earlier_events):
        _remove_from_lists(lists, users, evicted, writing)
    for start in range(0, len(rows), _POSTS_PER_STEP):
        with writing():
            _clear(state, rows[start : start + _POSTS_PER_STEP])
    largest = int(state.engagements.max()) if was_largest else state.largest_engagement
    with writing():
        state.largest_engagement = largest
        state.events_replaced(rows)
    return authors


def recount_authors_of_evicted(state: FeedState, authors: Rows, writing: Writing = nullcontext) -> None:
    """Count the events of distinct authors again, of whom posts were removed."""
    recount_authors(state, authors, writing)
    _, (posts,) = state.posts_by_author.gather(authors, _ALL)
    with writing():
        state.events_replaced(posts.astype(np.intp))


def free_evicted_rows(state: FeedState, rows: Rows) -> None:
    """Let new posts have the rows of evicted posts, to which no impression refers (see FeedImpressions.discard)."""
    state.free_rows += rows.tolist()
    state.reuses += 1


def _remove_from_lists(lists: RaggedArray, rows: Rows, evicted: RowSet, writing: Writing) -> None:
    """Remove the entries with evicted posts, which are in the first column, from the lists `rows`."""
    for step in slices_by_size(lists.lengths(rows)):
        some = rows[step]
        of_row, columns = lists.gather(some, _ALL)
        kept = ~evicted.contains(columns[0])
        lengths = np.bincount(of_row[kept], minlength=len(some))
        is_shorter = lengths < lists.lengths(some)
        if is_shorter.any():
            kept &= is_shorter[of_row]
            values = [column[kept] for column in columns]
            with writing():
                lists.replace_rows(some[is_shorter], lengths[is_shorter], *values)


def _clear(state: FeedState, rows: Rows) -> None:
    """Give the rows of posts the values of a row without a post."""
    for lists in (state.users_by_post, state.post_words.words, state.post_words.tags):
        lists.clear(rows)
    state.clear_posts(rows)
    for counters in (state.post_counters, state.strong_counters):
        _set_to_zero(counters, rows)


def _set_to_zero(counters: DecayedCounters, rows: Rows) -> None:
    counters.replace(rows, np.full((len(rows), len(counters.half_lives)), NEVER))
