"""Fills a state with rows of a dataset, or with a whole feed of which memory holds one part of the events at a time.

A state of a whole feed gets its users first (`add_users`), in any parts, and the rest at once (`fill_state`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.user import User
from app.domain.feed.away_users import note_idle_users
from app.domain.feed.dataset import (
    EventColumns,
    EventParts,
    FeedDataset,
    InterestColumns,
    MembershipColumns,
    PostColumns,
    UserColumns,
)
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.event_counting import CountingRule, counted_events
from app.domain.feed.filled_lists import by_row_in_parts, fill_lists_of_posts, fill_lists_of_users
from app.domain.feed.post_settings import PostSettings
from app.domain.feed.slices import slices
from app.domain.feed.state import FeedState
from app.domain.feed.uuid_index import uuid_texts

EVENTS_PER_STEP = 100_000
Rows = NDArray[np.intp]


def add_users(state: FeedState, users: UserColumns) -> None:
    """Give users, none of whom is known, the next rows, and their settings."""
    first = state.n_users
    state.append_users(users.key)
    state.users_by_external_id.set(users.key.tolist(), users.external_id)
    state.accounts_created[first : state.n_users] = accounts_created(users)
    for row in np.flatnonzero(_differs(users)).tolist():
        user = User(
            UUID(bytes=users.key[row].tobytes()),
            users.external_id[row],
            discoverable=users.discoverable is None or bool(users.discoverable[row]),
            personalised=users.personalised is None or bool(users.personalised[row]),
            show_sensitive=users.show_sensitive is not None and bool(users.show_sensitive[row]),
            languages=() if users.languages is None else users.languages[row],
        )
        state.visibility.set_user(first + row, user)


def accounts_created(users: UserColumns) -> NDArray[np.float64]:
    """(n_users,) as in FeedState."""
    return np.nan_to_num(users.created, nan=-np.inf)


def _differs(users: UserColumns) -> NDArray[np.bool_]:
    """(n_users,) true for users with other settings than the default."""
    differs = np.zeros(len(users), np.bool_)
    if users.discoverable is not None:
        differs |= ~users.discoverable
    if users.personalised is not None:
        differs |= ~users.personalised
    if users.show_sensitive is not None:
        differs |= users.show_sensitive
    if users.languages is not None:
        differs |= np.fromiter(map(bool, users.languages), np.bool_, len(users))
    return differs


def set_memberships(state: FeedState, memberships: MembershipColumns, user_rows: Rows | None = None) -> None:
    """Make users members of audiences. `user_rows` (n_users,) has the state's row of each row; None: the same."""
    audiences: defaultdict[int, list[str]] = defaultdict(list)
    users = memberships.user if user_rows is None else user_rows[memberships.user]
    for row, audience_id in zip(users.tolist(), memberships.audience_id, strict=True):
        audiences[row].append(audience_id)
    for row, of_user in audiences.items():
        state.visibility.set_audiences(row, of_user)


def set_interests(state: FeedState, interests: InterestColumns, user_rows: Rows | None = None) -> None:
    """Give users their declared interests, but those in unknown authors. `user_rows` is as in `set_memberships`."""
    tags, authors = defaultdict[int, list[str]](list), defaultdict[int, list[int]](list)
    users = interests.user if user_rows is None else user_rows[interests.user]
    for row, tag, author in zip(users.tolist(), interests.tag, interests.author, strict=True):
        if tag is not None:
            tags[row].append(tag)
        elif author is not None and (known := state.user_rows.get(author.bytes)) is not None:
            authors[row].append(known)
    for row in tags.keys() | authors.keys():
        state.interests.set_user(row, tags[row], authors[row])


def add_posts(
    state: FeedState,
    posts: PostColumns,
    those: Rows,
    author: NDArray[np.int32],
    vectors: PostVectors,
    since: NDArray[np.float64] | None = None,
) -> None:
    """Add the rows `those` (n,) of posts, none of which is known.

    author   (n,) user rows of the state, -1 unknown
    vectors  of these posts
    since    (n,) seconds: a replay dates and numbers posts by their existence, and shows them to everybody
    """
    settings = PostSettings.of_columns(posts, those)
    keys = posts.key[those]
    given = [posts.external_id[row] for row in those]
    if since is None:
        created, visible, seq = posts.created[those], posts.visible[those], posts.seq[those]
    else:
        created, visible = since, np.ones(len(those), np.bool_)
        seq = np.arange(state.n_posts, state.n_posts + len(those))
        settings = None if settings is None else settings.public()
    state.add_posts(
        keys.tolist(),
        external_ids=[None if one == id_ else one for one, id_ in zip(given, uuid_texts(keys), strict=True)],
        author=author,
        created=created,
        visible=visible,
        seq=seq,
        texts=[posts.text[row] for row in those],
        tags=[posts.tags[row] for row in those],
        vectors=vectors,
        settings=settings,
    )


def fill_state(
    state: FeedState,
    dataset: FeedDataset,
    events: EventParts,
    vectors: PostVectors,
    idle_seconds: float = np.inf,
) -> None:
    """Fill a state that has the users of a feed (`add_users`) and nothing else.

    dataset       the rest but the events, with the state's rows of users
    events        with the state's rows of users and the dataset's rows of posts
    vectors       of the dataset's posts
    idle_seconds  users who did nothing for so long before the last event are away
    """
    posts, follows = dataset.posts, dataset.follows
    set_memberships(state, dataset.memberships)
    set_interests(state, dataset.interests)
    oldest_first = np.lexsort((posts.seq, posts.created))
    add_posts(state, posts, oldest_first, posts.author[oldest_first], vectors[oldest_first])
    post_row = np.empty(len(posts), np.int32)
    post_row[oldest_first] = np.arange(len(posts))
    order = np.argsort(follows.since, kind="stable")
    state.follow(follows.follower[order].astype(np.intp), follows.followee[order].astype(np.intp))
    for part, counted in _counted_parts(state, events.by_author, post_row):
        count_in_steps(state, part, counted)
        fill_lists_of_posts(state, part, counted)
    last = state.last_engaged[: state.n_posts].max(initial=-np.inf)
    for part, counted in _counted_parts(state, events.by_user, post_row):
        note_idle_users(state, part[np.flatnonzero(counted)], last - idle_seconds)
        fill_lists_of_users(state, part, counted)


def count_in_steps(state: FeedState, events: EventColumns, counted: NDArray[np.bool_]) -> None:
    """Count events, given with rows of the state and in order of time, some after the other; lists stay as they are."""
    for these in slices(range(len(events)), EVENTS_PER_STEP):
        step = slice(these[0], these[-1] + 1)
        state.count(events[step], counted[step])


def counted_in_parts(
    rule: CountingRule | None, events: EventColumns, author_of_post: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """(n_events,) as `counted_events`, which compares the events of some users at once; without a rule, all count."""
    if rule is None:
        return np.ones(len(events), np.bool_)
    counted = np.zeros(len(events), np.bool_)
    for places in by_row_in_parts(events.user):
        counted[places] = counted_events(rule, events[places], author_of_post)
    return counted


def _counted_parts(
    state: FeedState, parts: Iterable[EventColumns], post_row: NDArray[np.int32]
) -> Iterator[tuple[EventColumns, NDArray[np.bool_]]]:
    """The parts with rows of the state, and which events count: all of a user with a post are in one part."""
    authors = state.author[: state.n_posts]
    for part in parts:
        events = EventColumns(
            part.user, post_row[part.post], part.kind, part.time_us, part.seq, received_us=part.received_us
        )
        yield events, counted_in_parts(state.counting, events, authors)
