"""Takes events back out of a feed state, as if they had never been."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.event_counting import counted_events
from app.domain.feed.slices import Writing, slices
from app.domain.feed.state import FeedState

_ROWS_PER_STEP = 50
Columns = Sequence[NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class PairEvents:
    """The events of a user row with a post row, after some of them were removed or changed.

    removed  numbers (`seq`) of removed or changed events
    stored   all events of the pair that a later read of the log found
    """

    user: int
    post: int
    removed: Collection[int]
    stored: EventColumns


def replace_events(state: FeedState, pairs: Sequence[PairEvents], writing: Writing = nullcontext) -> None:
    """Make the events of distinct pairs those that are stored; counters and histories follow, in short steps.

    Events that were applied after the read stay. If a removed event was the one that counted in its window, the next
    one counts. The cost grows with the events of the posts and of their authors, which are counted again.
    """
    if not pairs:
        return
    of_pair = [np.flatnonzero(state.events_by_user.row(pair.user)[0] == pair.post) for pair in pairs]
    present = EventColumns.concatenate(
        [_events_at(state, pair.user, places) for pair, places in zip(pairs, of_pair, strict=True)]
    )
    replaced = {
        (pair.user, pair.post, seq) for pair in pairs for seq in (*pair.removed, *pair.stored.seq.tolist())
    }
    keys = zip(present.user.tolist(), present.post.tolist(), present.seq.tolist(), strict=True)
    later = present[np.flatnonzero([key not in replaced for key in keys])]
    everything = EventColumns.concatenate([*(pair.stored for pair in pairs), later])
    if state.counting is not None:
        everything = everything[np.flatnonzero(counted_events(state.counting, everything, state.author))]
    before, after = _contents(present), _contents(everything)
    is_gone, is_new = ~_contains(after, before), ~_contains(before, after)
    gone, new = present[np.flatnonzero(is_gone)], everything[np.flatnonzero(is_new)]
    if len(gone) or len(new):
        new = new[np.argsort(new.time, kind="stable")]
        _rewrite(state, gone, np.concatenate(of_pair)[is_gone], new, writing)


def pairs_to_remove(state: FeedState, users: Iterable[int], posts: Iterable[int]) -> list[PairEvents]:
    """For `replace_events`: the removal of all events of some user rows, and of all events with some post rows."""
    pairs = {(user, post) for user in users for post in state.events_by_user.row(user)[0].tolist()}
    pairs |= {(user, post) for post in posts for user in state.users_by_post.row(post)[0].tolist()}
    every = [_events_of_pair(state, user, post) for user, post in sorted(pairs)]
    return [
        PairEvents(user, post, events.seq.tolist(), events[:0])
        for (user, post), events in zip(sorted(pairs), every, strict=True)
    ]


def move_events(state: FeedState, before: int, after: int, writing: Writing = nullcontext) -> None:
    """Move all events with a post row to another row, which is of the same post."""
    removals = pairs_to_remove(state, (), [before])
    every = [_events_of_pair(state, pair.user, before) for pair in removals]
    moved = [replace(events, post=np.full_like(events.post, after)) for events in every]
    additions = [
        PairEvents(pair.user, after, (), events) for pair, events in zip(removals, moved, strict=True)
    ]
    replace_events(state, [*removals, *additions], writing)


def _events_of_pair(state: FeedState, user: int, post: int) -> EventColumns:
    return _events_at(state, user, np.flatnonzero(state.events_by_user.row(user)[0] == post))


def _events_at(state: FeedState, user: int, places: NDArray[np.intp]) -> EventColumns:
    """The events at some places of the user's row."""
    posts, times, kinds, received, seqs = (column[places] for column in state.events_by_user.row(user))
    return EventColumns(
        user=np.full(len(places), user, np.int32),
        post=posts,
        kind=kinds,
        time_us=np.round(times * 1e6).astype(np.int64),
        seq=seqs,
        received_us=np.round(received * 1e6).astype(np.int64),
    )


def _contents(events: EventColumns) -> list[tuple[Any, ...]]:
    columns = (events.user, events.post, events.kind, events.seq, events.time, events.received)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _contains(those: Collection[tuple[Any, ...]], events: Sequence[tuple[Any, ...]]) -> NDArray[np.bool_]:
    """(n_events,) true for the events that are among `those`."""
    known = set(those)
    return np.array([event in known for event in events], np.bool_)


def _rewrite(
    state: FeedState, gone: EventColumns, places: NDArray[np.intp], new: EventColumns, writing: Writing
) -> None:
    """Remove the events `gone`, at `places` of their users' rows, and insert the events `new`, in order of time."""
    users, posts = np.union1d(gone.user, new.user), np.union1d(gone.post, new.post).astype(np.intp)
    for rows in slices(users.tolist(), _ROWS_PER_STEP):
        of_users = [_rewritten_user(state, user, places[gone.user == user], new) for user in rows]
        with writing():
            for user, columns in zip(rows, of_users, strict=True):
                state.events_by_user.replace(user, *columns)
    for rows in slices(posts.tolist(), _ROWS_PER_STEP):
        of_posts = [_rewritten_post(state, post, gone, new) for post in rows]
        with writing():
            for post, columns in zip(rows, of_posts, strict=True):
                state.users_by_post.replace(post, *columns)
    _recount(state, posts, writing)


def _rewritten_user(
    state: FeedState, user: int, places: NDArray[np.intp], new: EventColumns
) -> list[NDArray[Any]]:
    """The user's row without the entries at `places`, and with the new ones of the user by their time."""
    kept = [np.delete(column, places) for column in state.events_by_user.row(user)]
    new = new[np.flatnonzero(new.user == user)]
    return _inserted_by_time(kept, (new.post, new.time, new.kind, new.received, new.seq))


def _rewritten_post(state: FeedState, post: int, gone: EventColumns, new: EventColumns) -> list[NDArray[Any]]:
    """The post's row without one entry for each of `gone` of the post, and with the new ones by their time."""
    gone, new = gone[np.flatnonzero(gone.post == post)], new[np.flatnonzero(new.post == post)]
    users, times, kinds = state.users_by_post.row(post)
    keep = np.ones(len(users), np.bool_)
    for user, time, kind in zip(gone.user, gone.time, gone.kind, strict=True):
        keep[np.flatnonzero(keep & (users == user) & (times == time) & (kinds == kind))[0]] = False
    kept = [column[keep] for column in (users, times, kinds)]
    return _inserted_by_time(kept, (new.user, new.time, new.kind))


def _inserted_by_time(kept: Columns, added: Columns) -> list[NDArray[Any]]:
    """The columns with `added` rows before the first later row; the second column holds the times."""
    place: Any = np.searchsorted(kept[1], added[1], side="right")
    return [np.insert(column, place, values) for column, values in zip(kept, added, strict=True)]


def _recount(state: FeedState, posts: NDArray[np.intp], writing: Writing) -> None:
    """Count the events of posts and of their authors again: a counter that only adds would drift when it subtracts."""
    was_largest = state.engagements[posts].max() == state.largest_engagement
    for start in range(0, len(posts), _ROWS_PER_STEP):
        some = posts[start : start + _ROWS_PER_STEP]
        counts = (_counts_of_post(state, post) for post in some.tolist())
        number, last, log2_counts, strong = zip(*counts, strict=True)
        with writing():
            state.engagements[some], state.last_engaged[some] = number, last
            state.post_counters.replace(some, np.array(log2_counts))
            state.strong_counters.replace(some, np.array(strong))
    largest = int((state.engagements if was_largest else state.engagements[posts]).max())
    with writing():
        state.largest_engagement = max(0 if was_largest else state.largest_engagement, largest)
    for author in np.unique(state.author[posts]).tolist():
        recount_author(state, author, writing)
    with writing():  # at last, because a ranking between two steps read a part of the change
        state.events_replaced(posts)


def _counts_of_post(
    state: FeedState, post: int
) -> tuple[int, float, NDArray[np.float64], NDArray[np.float64]]:
    """Number of events, time of the last one, decayed counts, and decayed counts of strong events."""
    users, times, kinds = state.users_by_post.row(post)
    weights, strong = state.event_weights(users.astype(np.intp), kinds, times), state.is_strong(kinds)
    return (
        len(times),
        float(times.max(initial=-np.inf)),
        state.post_counters.log2_counts_of(times, weights),
        state.strong_counters.log2_counts_of(times[strong], weights[strong]),
    )


def recount_author(state: FeedState, author: int, writing: Writing = nullcontext) -> None:
    """Count the events of an author's posts again. -1 is no author."""
    if author >= 0:
        posts = state.posts_by_author.row(author)[0].astype(np.intp)
        longest = int(state.users_by_post.lengths(posts).max(initial=0))
        _, (users, times, kinds) = state.users_by_post.gather(posts, longest)
        weights = state.event_weights(users.astype(np.intp), kinds, times)
        others = np.flatnonzero(users != author)
        in_order = others[np.argsort(times[others], kind="stable")]
        log2_counts = state.author_counters.log2_counts_of(times[in_order], weights[in_order])
        with writing():
            state.author_counters.replace(np.array([author]), log2_counts[None])


def set_account_created(state: FeedState, user: int, created: float, writing: Writing = nullcontext) -> None:
    """Date a user's account (seconds, -inf unknown). Counts the user's events again if that changes their weights."""
    posts, times, kinds, *_ = state.events_by_user.row(user)
    users = np.full(len(posts), user)
    before = state.event_weights(users, kinds, times)
    state.accounts_created[user] = created
    changed = before != state.event_weights(users, kinds, times)
    changed_posts = np.unique(posts[changed]).astype(np.intp)
    if len(changed_posts):
        _recount(state, changed_posts, writing)
