"""Makes lists of a state again from all their events: of lists that were cut, memory does not know what comes next."""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.engaged_users import has_all_users
from app.domain.feed.event_counting import counted_events
from app.domain.feed.retraction import recount_author
from app.domain.feed.slices import Writing, slices
from app.domain.feed.state import FeedState

_ROWS_PER_STEP = 50
Rows = NDArray[np.intp]


def is_complete(state: FeedState, user: int, post: int) -> bool:
    """True if the lists of a user row and of a post row contain all their events that count."""
    has_all_events = not state.is_away[user] and not state.earlier_events.length(user)
    return has_all_events and bool(has_all_users(state, np.array([post]))[0])


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
    outdated: set[int] = set()
    for rows in slices(users.tolist(), _ROWS_PER_STEP):
        outdated |= _rebuild_users(state, rows, events, writing)
    for rows in slices(posts.tolist(), _ROWS_PER_STEP):
        _rebuild_posts(state, rows, events, writing)
    if len(posts):
        largest = int(state.engagements[: state.n_posts].max())
        for author in np.unique(state.author[posts]).tolist():
            recount_author(state, author, writing)
        with writing():
            state.largest_engagement = largest
            state.events_replaced(posts)
    return np.array(sorted(outdated.difference(posts.tolist())), np.intp)


def _rebuild_users(
    state: FeedState, users: Sequence[int], events: EventColumns, writing: Writing
) -> set[int]:
    """Returns the posts with which one of the users has another number of events than before."""
    limit = state.limits.events_per_user
    of_users = [events[places] for places in _places(events.user, users)]
    outdated: set[int] = set()
    for user, own in zip(users, of_users, strict=True):
        if not state.is_away[user]:
            before, after = Counter(state.seen_posts(user).tolist()), Counter(own.post.tolist())
            outdated.update((before - after) | (after - before))
    with writing():
        for user, own in zip(users, of_users, strict=True):
            newest, earlier = own[-limit:], own[:-limit]
            state.events_by_user.replace(
                user, newest.post, newest.time, newest.kind, newest.received, newest.seq
            )
            state.earlier_events.replace(user, earlier.post, earlier.kind)
        state.is_away[users] = False
    return outdated


def _rebuild_posts(state: FeedState, posts: Sequence[int], events: EventColumns, writing: Writing) -> None:
    limit = state.limits.users_per_post
    of_posts = [events[places] for places in _places(events.post, posts)]
    weights = [state.event_weights(own.user.astype(np.intp), own.kind, own.time) for own in of_posts]
    strong = [state.is_strong(own.kind) for own in of_posts]
    counts = [
        state.post_counters.log2_counts_of(own.time, of_own)
        for own, of_own in zip(of_posts, weights, strict=True)
    ]
    strong_counts = [
        state.strong_counters.log2_counts_of(own.time[is_strong], of_own[is_strong])
        for own, of_own, is_strong in zip(of_posts, weights, strong, strict=True)
    ]
    rows = np.array(posts, np.intp)
    with writing():
        for post, own in zip(posts, of_posts, strict=True):
            newest = own[-limit:]
            state.users_by_post.replace(post, newest.user, newest.time, newest.kind)
        state.engagements[rows] = [len(own) for own in of_posts]
        state.last_engaged[rows] = [own.time.max(initial=-np.inf) for own in of_posts]
        state.post_counters.replace(rows, np.array(counts))
        state.strong_counters.replace(rows, np.array(strong_counts))


def _places(rows: NDArray[np.int32], wanted: Sequence[int]) -> list[NDArray[np.intp]]:
    """The places of each of the `wanted` rows in `rows`, ascending."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts, ends = (np.searchsorted(ordered, wanted, side=side).tolist() for side in ("left", "right"))
    return [order[start:end] for start, end in zip(starts, ends, strict=True)]
