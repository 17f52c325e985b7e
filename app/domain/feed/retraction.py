"""Takes events back out of a feed state, as if they had never been."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.event_counting import counted_events
from app.domain.feed.state import FeedState

Columns = Sequence[NDArray[Any]]


def replace_events(
    state: FeedState, user: int, post: int, removed: Collection[int], stored: EventColumns
) -> None:
    """Make the events of one user with one post those that are stored; counters and histories follow.

    `removed` are the numbers (`seq`) of removed events; `stored` are all events of the pair that a later read of the
    log found. Events that were applied after that read stay. If a removed event was the one that counted in its window,
    the next one counts. The cost grows with the events of the post and of its author, which are counted again.
    """
    own = state.events_by_user.row(user)
    of_pair = np.flatnonzero(own[0] == post)
    present = EventColumns(
        user=np.full(len(of_pair), user, np.int32),
        post=own[0][of_pair],
        kind=own[2][of_pair],
        time_us=np.round(own[1][of_pair] * 1e6).astype(np.int64),
        seq=own[4][of_pair],
        received_us=np.round(own[3][of_pair] * 1e6).astype(np.int64),
    )
    later = present[np.flatnonzero(~np.isin(present.seq, [*removed, *stored.seq]))]
    everything = EventColumns.concatenate([stored, later])
    if state.counting is not None:
        everything = everything[np.flatnonzero(counted_events(state.counting, everything, state.author))]
    gone = np.flatnonzero(~np.isin(present.seq, everything.seq))
    new = everything[np.flatnonzero(~np.isin(everything.seq, present.seq))]
    new = new[np.argsort(new.time, kind="stable")]
    if not len(gone) and not len(new):
        return
    state.events_replaced(post)
    _rewrite_user(state, user, of_pair[gone], new)
    _rewrite_post(state, user, post, present[gone], new)
    _recount(state, post)


def _rewrite_user(state: FeedState, user: int, gone: NDArray[np.intp], new: EventColumns) -> None:
    """Remove the entries at the positions `gone` from the user's row, and insert new ones by their time."""
    kept = [np.delete(column, gone) for column in state.events_by_user.row(user)]
    added = (new.post, new.time, new.kind, new.received, new.seq)
    state.events_by_user.replace(user, *_inserted_by_time(kept, added))


def _rewrite_post(state: FeedState, user: int, post: int, gone: EventColumns, new: EventColumns) -> None:
    """Remove one entry of the post's row for each of `gone`, and insert new ones by their time."""
    users, times, kinds = state.users_by_post.row(post)
    keep = np.ones(len(users), np.bool_)
    for time, kind in zip(gone.time, gone.kind, strict=True):
        keep[np.flatnonzero(keep & (users == user) & (times == time) & (kinds == kind))[0]] = False
    kept = [column[keep] for column in (users, times, kinds)]
    state.users_by_post.replace(post, *_inserted_by_time(kept, (new.user, new.time, new.kind)))


def _inserted_by_time(kept: Columns, added: Columns) -> list[NDArray[Any]]:
    """The columns with `added` rows before the first later row; the second column holds the times."""
    place: Any = np.searchsorted(kept[1], added[1], side="right")
    return [np.insert(column, place, values) for column, values in zip(kept, added, strict=True)]


def _recount(state: FeedState, post: int) -> None:
    """Count the events of a post and of its author again: a counter that only adds would drift when it subtracts."""
    users, times, kinds = state.users_by_post.row(post)
    weights = state.event_weights(users.astype(np.intp), kinds, times)
    was_largest = state.engagements[post] == state.largest_engagement
    state.engagements[post] = len(times)
    if was_largest:
        state.largest_engagement = int(state.engagements.max())
    state.last_engaged[post] = times.max(initial=-np.inf)
    state.post_counters.recount(post, times, weights)
    strong = state.is_strong(kinds)
    state.strong_counters.recount(post, times[strong], weights[strong])
    recount_author(state, int(state.author[post]))


def recount_author(state: FeedState, author: int) -> None:
    """Count the events of an author's posts again. -1 is no author."""
    if author >= 0:
        posts = state.posts_by_author.row(author)[0].astype(np.intp)
        longest = int(state.users_by_post.lengths(posts).max(initial=0))
        _, (users, times, kinds) = state.users_by_post.gather(posts, longest)
        weights = state.event_weights(users.astype(np.intp), kinds, times)
        others = np.flatnonzero(users != author)
        in_order = others[np.argsort(times[others], kind="stable")]
        state.author_counters.recount(author, times[in_order], weights[in_order])


def set_account_created(state: FeedState, user: int, created: float) -> None:
    """Date a user's account (seconds, -inf unknown). Counts the user's events again if that changes their weights."""
    posts, times, kinds, *_ = state.events_by_user.row(user)
    users = np.full(len(posts), user)
    before = state.event_weights(users, kinds, times)
    state.accounts_created[user] = created
    changed = before != state.event_weights(users, kinds, times)
    for post in np.unique(posts[changed]).tolist():
        state.events_replaced(post)
        _recount(state, post)
