"""Takes posts out of memory that are in storage, and makes their rows available to other posts."""

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.decayed_counters import DecayedCounters
from app.domain.feed.engaged_users import EngagedUsers
from app.domain.feed.live_posts import LivePostLimits, largest, live_posts
from app.domain.feed.retraction import recount_author
from app.domain.feed.row_set import RowSet
from app.domain.feed.slices import Writing, slices
from app.domain.feed.state import HALF_LIVES, FeedState
from app.domain.feed.top_k import NEVER

_POSTS_PER_STEP = 10
_USERS_PER_STEP = 50
Rows = NDArray[np.intp]


def evictable_posts(state: FeedState, limits: LivePostLimits) -> tuple[Rows, tuple[float, int]]:
    """The posts that are not live, oldest first, and the state's `complete_from` without them."""
    rows = state.by_seq[np.lexsort((state.seq[state.by_seq], state.created[state.by_seq]))]
    known = np.fromiter(state.post_rows.values(), np.intp, len(state.post_rows))
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
    authors = np.unique(state.author[rows])
    was_largest = state.engagements[rows].max(initial=-1) == state.largest_engagement
    state.forget_posts(rows, writing)
    users = (engaged or EngagedUsers(state, rows)).of(rows)
    _remove_from_users(state, rows, users, writing)
    for some in slices(rows.tolist(), _POSTS_PER_STEP):
        with writing():
            _clear(state, some)
    for author in authors[authors >= 0].tolist():
        recount_author(state, author, writing)
        with writing():
            state.events_replaced(state.posts_by_author.row(author)[0].astype(np.intp))
    largest = int(state.engagements.max()) if was_largest else state.largest_engagement
    with writing():
        state.largest_engagement = largest
        state.events_replaced(rows)


def free_evicted_rows(state: FeedState, rows: Rows) -> None:
    """Let new posts have the rows of evicted posts, to which no impression refers (see FeedImpressions.discard)."""
    state.free_rows += rows.tolist()
    state.reuses += 1


def _remove_from_users(state: FeedState, rows: Rows, users: Rows, writing: Writing) -> None:
    """Remove the events with the posts `rows` from the rows of `users`."""
    evicted = RowSet(rows, state.n_posts)
    for some in slices(users.tolist(), _USERS_PER_STEP):
        for events in (state.events_by_user, state.earlier_events):
            columns = [events.row(user) for user in some]
            kept = [[column[~evicted.contains(of_user[0])] for column in of_user] for of_user in columns]
            with writing():
                for user, of_user in zip(some, kept, strict=True):
                    if len(of_user[0]) < events.length(user):
                        events.replace(user, *of_user)


def _clear(state: FeedState, rows: Sequence[int]) -> None:
    """Give the rows of posts the values of a row without a post."""
    for row in rows:
        for ragged in (state.users_by_post, state.post_words.words, state.post_words.tags):
            ragged.clear(row)
    state.clear_posts(np.array(rows))
    for counters in (state.post_counters, state.strong_counters):
        _set_to_zero(counters, np.array(rows))


def _set_to_zero(counters: DecayedCounters, rows: Rows) -> None:
    counters.replace(rows, np.full((len(rows), len(counters.half_lives)), NEVER))
