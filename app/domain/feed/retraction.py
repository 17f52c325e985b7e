"""Takes events back out of a feed state, as if they had never been."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.bounded_lists import ENGAGEMENT_ORDER, EVENT_ORDER
from app.domain.feed.dataset import EventColumns
from app.domain.feed.decayed_counters import DecayedCounters
from app.domain.feed.engaged_users import engaged_users, has_all_users
from app.domain.feed.event_counting import counted_events
from app.domain.feed.ragged import RaggedArray
from app.domain.feed.slices import Writing, slices_by_size
from app.domain.feed.state import AUTHOR_HALF_LIVES, HALF_LIVES, FeedState

ENTRIES_PER_COUNTER: Final = 50
"""To replace the counts of a post takes as long as so many entries of lists."""
_AUTHORS_PER_STEP: Final = 1000
_ALL: Final = 2**31 - 1  # entries of a list
_AUTHOR_HALF_LIVES = [HALF_LIVES.index(half_life) for half_life in AUTHOR_HALF_LIVES]
Columns = Sequence[NDArray[Any]]
PostCounts = tuple[int, float, NDArray[np.float64], NDArray[np.float64]]
"""Of a post: number of events, time of the last one, decayed counts, and decayed counts of strong events."""
Rows = NDArray[np.intp]


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

    Memory must have all events of each pair (`is_complete`; `rebuild_lists` is for others). Events that were applied
    after the read stay. If a removed event was the one that counted in its window, the next one counts. The cost grows
    with the events of the posts, which are counted again.
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
    of_posts = _changed_posts(state, pairs, everything)
    if len(gone) or len(new) or of_posts:
        new = new[np.argsort(new.time, kind="stable")]
        of_users = _changed_users(state, gone, np.concatenate(of_pair)[is_gone], new)
        _rewrite(state, of_users, of_posts, writing)


def pairs_to_remove(state: FeedState, users: Iterable[int], posts: Iterable[int]) -> list[PairEvents]:
    """For `replace_events`: the removal of all events of some user rows, and of all events with some post rows.

    Of an event that its user's list does not contain, the pair has no number.
    """
    pairs = {(user, post) for user in users for post in state.seen_posts(user).tolist()}
    for post in posts:
        pairs |= {(user, post) for user in engaged_users(state, np.array([post])).tolist()}
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
    state: FeedState, of_users: dict[int, Columns], of_posts: dict[int, Columns], writing: Writing
) -> None:
    """Replace the rows of users and of posts, and count the events of the posts again."""
    users, posts = (np.array(list(by_row), np.intp) for by_row in (of_users, of_posts))
    _replace_lists(state.events_by_user, users, list(of_users.values()), writing)
    _replace_lists(state.users_by_post, posts, list(of_posts.values()), writing)
    if len(posts):
        _recount(state, posts, writing)
    state.cut_lists(users, posts, writing)


def _replace_lists(lists: RaggedArray, rows: Rows, columns: Sequence[Columns], writing: Writing) -> None:
    lengths = np.array([len(of_row[0]) for of_row in columns], np.int64)
    lists.reserve_lengths(rows, lengths)
    for step in slices_by_size(lengths):
        values = [np.concatenate(column) for column in zip(*columns[step], strict=True)]
        with writing():
            lists.replace_rows(rows[step], lengths[step], *values)


def _changed_users(
    state: FeedState, gone: EventColumns, places: NDArray[np.intp], new: EventColumns
) -> dict[int, Columns]:
    """The rows of users without the events `gone`, at `places`, and with the new ones."""
    rows: dict[int, Columns] = {}
    for user in np.union1d(gone.user, new.user).tolist():
        kept = [np.delete(column, places[gone.user == user]) for column in state.events_by_user.row(user)]
        added = new[np.flatnonzero(new.user == user)]
        columns = added.post, added.time, added.kind, added.received, added.seq
        rows[user] = _in_order(kept, columns, EVENT_ORDER)
    return rows


def _changed_posts(state: FeedState, pairs: Sequence[PairEvents], events: EventColumns) -> dict[int, Columns]:
    """The rows of posts whose entries of the pairs are not those of `events`, with these in place of them."""
    missing = Counter(
        zip(
            events.post.tolist(),
            events.user.tolist(),
            events.time.tolist(),
            events.kind.tolist(),
            strict=True,
        )
    )
    kept_places: dict[int, NDArray[np.bool_]] = {}
    for pair in pairs:
        users, times, kinds = state.users_by_post.row(pair.post)
        keep = kept_places.setdefault(pair.post, np.ones(len(users), np.bool_))
        for place in np.flatnonzero(users == pair.user).tolist():
            entry = pair.post, pair.user, times.item(place), kinds.item(place)
            keep[place] = missing[entry] > 0
            missing[entry] -= 1
    added: dict[int, list[tuple[float, int, int]]] = {}
    for post, user, time, kind in missing.elements():
        added.setdefault(post, []).append((time, user, kind))
    rows: dict[int, Columns] = {}
    for post, keep in kept_places.items():
        if post in added or not keep.all():
            kept = [column[keep] for column in state.users_by_post.row(post)]
            new = sorted(added.get(post, ()), key=lambda entry: entry[0])
            columns = (
                np.array([user for _, user, _ in new], np.int32),
                np.array([time for time, _, _ in new], np.float64),
                np.array([kind for *_, kind in new], np.uint8),
            )
            rows[post] = _in_order(kept, columns, ENGAGEMENT_ORDER)
    return rows


def _in_order(kept: Columns, added: Columns, order_by: tuple[int, ...]) -> list[NDArray[Any]]:
    """The columns of both; of equal entries, the added ones are the last."""
    columns = [np.concatenate(both) for both in zip(kept, added, strict=True)]
    order = np.lexsort([columns[column] for column in order_by])
    return [column[order] for column in columns]


def _recount(state: FeedState, posts: NDArray[np.intp], writing: Writing) -> None:
    """Count the events of posts and of their authors again: a counter that only adds would drift when it subtracts."""
    was_largest = state.engagements[posts].max() == state.largest_engagement
    for step in slices_by_size(np.full(len(posts), ENTRIES_PER_COUNTER)):
        some = posts[step]
        counts = [counts_of_post(state, *state.users_by_post.row(post)) for post in some.tolist()]
        with writing():
            replace_counts(state, some, counts)
    largest = int((state.engagements if was_largest else state.engagements[posts]).max())
    with writing():
        state.largest_engagement = max(0 if was_largest else state.largest_engagement, largest)
    for author in np.unique(state.author[posts]).tolist():
        recount_author(state, author, writing)
    with writing():  # at last, because a ranking between two steps read a part of the change
        state.events_replaced(posts)


def counts_of_post(
    state: FeedState, users: NDArray[np.int32], times: NDArray[np.float64], kinds: NDArray[np.uint8]
) -> PostCounts:
    """The counts of a post with these events, in order of time."""
    weights, strong = state.event_weights(users.astype(np.intp), kinds, times), state.is_strong(kinds)
    return (
        len(times),
        float(times.max(initial=-np.inf)),
        state.post_counters.log2_counts_of(times, weights),
        state.strong_counters.log2_counts_of(times[strong], weights[strong]),
    )


def replace_counts(state: FeedState, posts: Rows, counts: Iterable[PostCounts]) -> None:
    """Make these the counts of `posts`; their authors' counts and what depends on them follow."""
    number, last, log2_counts, strong = zip(*counts, strict=True)
    state.engagements[posts], state.last_engaged[posts] = number, last
    state.post_counters.replace(posts, np.array(log2_counts))
    state.strong_counters.replace(posts, np.array(strong))


def recount_author(state: FeedState, author: int, writing: Writing = nullcontext) -> None:
    """Count the events of an author's posts again. -1 is no author."""
    if author >= 0:
        recount_authors(state, np.array([author]), writing)


def recount_authors(state: FeedState, authors: Rows, writing: Writing = nullcontext) -> None:
    """Count the events of the posts of distinct authors again, in short steps."""
    for start in range(0, len(authors), _AUTHORS_PER_STEP):
        some = authors[start : start + _AUTHORS_PER_STEP]
        log2_counts = _counts_of_authors(state, some)
        with writing():
            state.author_counters.replace(some, log2_counts.T)


def _counts_of_authors(state: FeedState, authors: Rows) -> NDArray[np.float64]:
    """(n_half_lives, n_authors) decayed counts of the events with the posts of authors.

    Those of an author of whose posts memory has all events are to the bit those of a full read. Those of others are the
    sums of the counts of their posts.
    """
    of_author, (posts,) = state.posts_by_author.gather(authors, _ALL)
    posts = posts.astype(np.intp)
    incomplete = np.bincount(of_author[~has_all_users(state, posts)], minlength=len(authors)) > 0
    is_summed = incomplete[of_author]
    of_post, (users, times, kinds) = state.users_by_post.gather(posts[~is_summed], _ALL)
    of_event = of_author[~is_summed][of_post]
    weights = state.event_weights(users.astype(np.intp), kinds, times)
    others = np.flatnonzero(users != authors[of_event])
    in_order = others[np.argsort(times[others], kind="stable")]
    counters = DecayedCounters(AUTHOR_HALF_LIVES)
    counters.ensure_rows(len(authors))
    counters.add(of_event[in_order], times[in_order], weights[in_order])
    log2_counts = counters.log2_counts(np.arange(len(authors)))
    for of_half_life, index in zip(log2_counts, _AUTHOR_HALF_LIVES, strict=True):
        values = state.post_counters.log2_values(index, posts[is_summed])
        np.logaddexp2.at(of_half_life, of_author[is_summed], values)
    return log2_counts


def set_account_created(state: FeedState, user: int, created: float, writing: Writing = nullcontext) -> Rows:
    """Date a user's account (seconds, -inf unknown). Counts the user's events again if that changes their weights.

    Returns the posts that are still to be counted, because memory does not have all their events.
    """
    posts, times, kinds, *_ = state.events_by_user.row(user)
    users = np.full(len(posts), user)
    before = state.event_weights(users, kinds, times)
    dated_before = state.accounts_created.item(user)
    state.accounts_created[user] = created
    changed = posts[before != state.event_weights(users, kinds, times)]
    if dated_before != created and state.weighs_new_accounts:
        changed = np.concatenate([changed, state.earlier_events.row(user)[0]])
    changed_posts = np.unique(changed).astype(np.intp)
    complete = has_all_users(state, changed_posts)
    if complete.any():
        _recount(state, changed_posts[complete], writing)
    return changed_posts[~complete]
