"""Makes lists of a state again from all their events: of lists that were cut, memory does not know what comes next."""

from collections import Counter
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.engaged_users import has_all_users
from app.domain.feed.event_counting import counted_events
from app.domain.feed.ragged import ranges_to_indices
from app.domain.feed.retraction import ENTRIES_PER_COUNTER, counts_of_post, recount_author, replace_counts
from app.domain.feed.slices import Writing, slices_by_size
from app.domain.feed.state import FeedState

Rows = NDArray[np.intp]


def is_complete(state: FeedState, user: int, post: int) -> bool:
    """True if the list of a post row contains all its events that count, and that of a user row those with the post.

    Of a user's earlier events, memory has neither the times nor the numbers.
    """
    if state.is_away[user] or not has_all_users(state, np.array([post]))[0]:
        return False
    return not state.earlier_events.length(user) or user not in state.users_by_post.row(post)[0]


def short_lists(state: FeedState) -> tuple[Rows, Rows]:
    """Rows of users and of posts whose lists lack entries that they must have (see ListLimits)."""
    users, posts = np.arange(state.n_users), np.arange(state.n_posts)
    is_short = state.events_by_user.lengths(users) < state.limits.events_per_user
    users = users[is_short & (state.earlier_events.lengths(users) > 0)]
    is_short = state.users_by_post.lengths(posts) < state.limits.users_per_post
    return users, posts[is_short & ~has_all_users(state, posts)]


def rebuild_lists(
    state: FeedState, users: Rows, posts: Rows, events: EventColumns, writing: Writing = nullcontext
) -> Rows:
    """Make `events` all events of `users` and of `posts`, and count those of the posts again, in short steps.

    `events` with other users and posts are ignored. Returns further posts to rebuild: those with which the users had
    other events before, because changes were missed.
    """
    if state.counting is not None:
        events = events[np.flatnonzero(counted_events(state.counting, events, state.author))]
    events = events[np.lexsort((events.seq, events.time_us))]
    outdated = _rebuild_users(state, users, events, writing)
    _rebuild_posts(state, posts, events, writing)
    if len(posts):
        largest = int(state.engagements[: state.n_posts].max())
        for author in np.unique(state.author[posts]).tolist():
            recount_author(state, author, writing)
        with writing():
            state.largest_engagement = largest
            state.events_replaced(posts)
    return np.array(sorted(outdated.difference(posts.tolist())), np.intp)


def _rebuild_users(state: FeedState, users: Rows, events: EventColumns, writing: Writing) -> set[int]:
    """Returns the posts with which one of the users has another number of events than before."""
    order, ends, lengths = _grouped(events.user, users)
    outdated: set[int] = set()
    for user, end, length in zip(users.tolist(), ends.tolist(), lengths.tolist(), strict=True):
        if not state.is_away[user]:
            before = Counter(state.seen_posts(user).tolist())
            after = Counter(events.post[order[end - length : end]].tolist())
            outdated.update((before - after) | (after - before))
    n_newest = np.minimum(lengths, state.limits.events_per_user)
    n_earlier = lengths - n_newest
    state.events_by_user.reserve_lengths(users, n_newest)
    state.earlier_events.reserve_lengths(users, n_earlier)
    for step in slices_by_size(lengths):
        newest = events[order[ranges_to_indices(ends[step], n_newest[step])]]
        earlier = events[order[ranges_to_indices((ends - n_newest)[step], n_earlier[step])]]
        columns = newest.post, newest.time, newest.kind, newest.received, newest.seq
        with writing():
            state.events_by_user.replace_rows(users[step], n_newest[step], *columns)
            state.earlier_events.replace_rows(users[step], n_earlier[step], earlier.post, earlier.kind)
            state.is_away[users[step]] = False
    return outdated


def _rebuild_posts(state: FeedState, posts: Rows, events: EventColumns, writing: Writing) -> None:
    order, ends, lengths = _grouped(events.post, posts)
    n_newest = np.minimum(lengths, state.limits.users_per_post)
    state.users_by_post.reserve_lengths(posts, n_newest)
    for step in slices_by_size(n_newest + ENTRIES_PER_COUNTER):
        counts = []
        for end, length in zip(ends[step].tolist(), lengths[step].tolist(), strict=True):
            own = events[order[end - length : end]]
            counts.append(counts_of_post(state, own.user, own.time, own.kind))
        newest = events[order[ranges_to_indices(ends[step], n_newest[step])]]
        with writing():
            state.users_by_post.replace_rows(
                posts[step], n_newest[step], newest.user, newest.time, newest.kind
            )
            replace_counts(state, posts[step], counts)


def _grouped(rows: NDArray[np.int32], wanted: Rows) -> tuple[Rows, Rows, Rows]:
    """An order of `rows`, and where in it each of `wanted` is: before which place, and how often.

    Equal rows keep their order.
    """
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts, ends = (np.searchsorted(ordered, wanted, side) for side in ("left", "right"))
    return order, ends, ends - starts
