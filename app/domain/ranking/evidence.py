"""The evidence of the posts of a page: of the facts that raise their scores, the strongest one that is true.

Scorers give strengths to kinds of evidence (see `Grounds`). Whether a fact is true is looked up for the posts of a page
only, when the page is returned: it holds at that time, and for this user.
"""

import json
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import inf
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES, Evidence, EvidenceKind
from app.domain.feed.row_set import RowSet
from app.domain.feed.state import FeedState
from app.domain.feed.time_units import DAY
from app.domain.ranking import neighbourhood
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import CLAIMED_KINDS, Strengths

Rows = NDArray[np.intp]

MAX_BYTES: Final = 80
"""Of the JSON of one evidence."""
MIN_COUNT: Final = 3
"""A smaller number of people, or of the user's own events, is no evidence."""
NEW_SECONDS: Final = DAY
TRENDING_SECONDS: Final = 7 * DAY

_MAX_OWN_EVENTS: Final = 64  # newest ones of the user
_MAX_CACHED: Final = 10_000  # users, and tags
_LIKE: Final = INTERACTION_TYPES.index("like")
_, _SIMILAR, _TRENDING, _READ, _TAG, _NEW = range(len(CLAIMED_KINDS))
_COUNTED: Final = slice(_SIMILAR, _TRENDING + 1)  # kinds with a number of people
_READ_AUTHOR: Final = Evidence(EvidenceKind.READ_AUTHOR)
_NEW_POST: Final = Evidence(EvidenceKind.NEW)
_NEW_FROM_READ_AUTHOR: Final = Evidence(EvidenceKind.NEW_FROM_READ_AUTHOR)


def find_evidence(context: RankingContext, rows: Rows, strengths: Strengths) -> list[Evidence | None]:
    """The evidence of each of the posts `rows` (n,) of a page; None for a post without a true fact of some strength.

    A followed author comes before all other facts. Users whom the user does not follow are counted, never named.
    A page has few posts: lists are faster than arrays.
    """
    state = context.state
    authors, topics = state.author[rows].tolist(), state.topic[rows].tolist()
    ages_seconds = (context.now - state.created[rows]).tolist()
    read_authors, read_topics = _frequent(context, state.author), _frequent(context, state.topic)
    found: list[Evidence | None] = []
    found_strengths: list[float] = []
    for is_followed, author, topic, age_seconds, strength in zip(
        context.by_followed(rows).tolist(), authors, topics, ages_seconds, strengths.tolist(), strict=True
    ):
        evidence, best = None, 0.0
        if is_followed:
            evidence, best = _author_evidence(state, author), inf
        else:
            is_new, is_read = 0 <= age_seconds <= NEW_SECONDS, author in read_authors
            if is_new and strength[_NEW] > best:
                evidence, best = _NEW_FROM_READ_AUTHOR if is_read else _NEW_POST, strength[_NEW]
            if is_read and strength[_READ] > best:
                evidence, best = _NEW_FROM_READ_AUTHOR if is_new else _READ_AUTHOR, strength[_READ]
            if topic in read_topics and strength[_TAG] > best:
                of_tag = _tag_evidence(state.topic_names[topic])
                evidence, best = (of_tag, strength[_TAG]) if of_tag else (evidence, best)
        found.append(evidence)
        found_strengths.append(best)
    undecided = (strengths[:, _COUNTED].max(axis=1, initial=0.0) > found_strengths) & (
        state.engagements[rows] >= MIN_COUNT
    )
    if undecided.any():
        _add_counted(context, rows, strengths, undecided.nonzero()[0], found, found_strengths)
    return found


def followed_author(state: FeedState, user: int, authors: Sequence[UUID | None]) -> list[Evidence | None]:
    """The evidence of posts that are not in memory, from their authors, for a user row (-1: unknown)."""
    known = [-1 if author is None else state.user_rows.get(author.bytes, -1) for author in authors]
    followed = set(state.follows.row(user)[0].tolist()) if user >= 0 else set()
    return [_author_evidence(state, author) if author in followed else None for author in known]


def _frequent(context: RankingContext, by_post: NDArray[np.int32]) -> frozenset[int]:
    """The values of `by_post` that MIN_COUNT of the user's newest events have in common, without -1."""
    own = by_post[context.recent_events[0][-_MAX_OWN_EVENTS:]].tolist()
    return frozenset(value for value, count in Counter(own).items() if count >= MIN_COUNT and value >= 0)


def _add_counted(
    context: RankingContext,
    rows: Rows,
    strengths: Strengths,
    undecided: Rows,
    found: list[Evidence | None],
    found_strengths: list[float],
) -> None:
    """Replace the evidence of the posts at `undecided` by a number of people, where that is stronger."""
    counts = _count_people(context, rows[undecided])
    for post, of_kinds in zip(undecided.tolist(), counts.tolist(), strict=True):
        for kind, count in zip((_SIMILAR, _TRENDING), of_kinds, strict=True):
            strength = strengths.item(post, kind)
            if count >= MIN_COUNT and strength > found_strengths[post]:
                found[post], found_strengths[post] = Evidence(CLAIMED_KINDS[kind], count=count), strength


def _count_people(context: RankingContext, rows: Rows) -> NDArray[np.intp]:
    """(n, 2) how many of the user's nearest users liked each of `rows`, and how many people reacted in the last week.

    Reactions are likes, comments and shares, among the newest events of each post. The user, and the users whom they
    muted or blocked or who block them, do not count.
    """
    state = context.state
    post, (users, times, kinds) = state.users_by_post.gather(rows, neighbourhood.MAX_USERS_PER_POST)
    counts = state.is_strong(kinds)
    counts &= users != context.user
    if len(context.controls.authors):
        counts &= ~RowSet(context.controls.authors, state.n_users).contains(users)
    person = post * state.n_users + users  # a different number for each person and post
    nearest, _ = neighbourhood.neighbours(context)
    likes = counts & (kinds == _LIKE)
    likes &= RowSet(nearest, state.n_users).contains(users)
    recent = counts & (times > context.now - TRENDING_SECONDS)
    return np.stack(
        [_distinct(person[chosen], state.n_users, len(rows)) for chosen in (likes, recent)], axis=1
    )


def _distinct(person: NDArray[np.intp], n_users: int, n_posts: int) -> NDArray[np.intp]:
    """(n_posts,) how many different numbers each post has; that of a person is post * n_users + user."""
    person.sort()
    is_first = np.ones(len(person), np.bool_)
    np.not_equal(person[1:], person[:-1], out=is_first[1:])
    return np.bincount(person[is_first] // n_users, minlength=n_posts)


def _author_evidence(state: FeedState, author: int) -> Evidence:
    """The evidence that a user follows an author (a user row), who is named if they are discoverable."""
    if not state.visibility.discoverable.item(author):
        return Evidence(EvidenceKind.FOLLOWED_AUTHOR)
    return _named_author(state.user_key(author))


@lru_cache(maxsize=_MAX_CACHED)
def _named_author(key: bytes) -> Evidence:
    return Evidence(EvidenceKind.FOLLOWED_AUTHOR, user_id=str(UUID(bytes=key)))


@lru_cache(maxsize=_MAX_CACHED)
def _tag_evidence(tag: str) -> Evidence | None:
    """The evidence of a tag; None for a tag that is too long."""
    text = json.dumps({"kind": EvidenceKind.TAG, "tag": tag}, ensure_ascii=False, separators=(",", ":"))
    return Evidence(EvidenceKind.TAG, tag=tag) if len(text.encode()) <= MAX_BYTES else None
