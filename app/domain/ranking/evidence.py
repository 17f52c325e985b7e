"""The evidence of the posts of a page: of the facts that raise their scores, the strongest one that is true.

Scorers give strengths to kinds of evidence (see `Grounds`). Whether a fact is true is looked up for the posts of a page
only, when the page is returned: it holds at that time, and for this user.
"""

import json
from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import inf, log2
from typing import Final, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES, Evidence, EvidenceKind
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
_MAX_KEPT_POSTS: Final = 2000  # whose reactions are kept, at most 10 kB each
_LIKE: Final = INTERACTION_TYPES.index("like")
_, _SIMILAR, _TRENDING, _READ, _TAG, _NEW = range(len(CLAIMED_KINDS))
_READ_AUTHOR: Final = Evidence(EvidenceKind.READ_AUTHOR)
_NEW_POST: Final = Evidence(EvidenceKind.NEW)
_NEW_FROM_READ_AUTHOR: Final = Evidence(EvidenceKind.NEW_FROM_READ_AUTHOR)


def find_evidence(context: RankingContext, rows: Rows, strengths: Strengths) -> list[Evidence | None]:
    """The evidence of each of the posts `rows` (n,) of a page; None for a post without a true fact of some strength.

    A followed author comes before all other facts. Users whom the user does not follow are counted, never named.
    A page has few posts: lists are faster than arrays.
    """
    state = context.state
    read_authors, read_topics = _frequent(context, state.author), _frequent(context, state.topic)
    least_recent = _least_recent_reactions(context)
    found: list[Evidence | None] = []
    undecided: list[_Undecided] = []
    for is_followed, author, topic, created, events, recent, strength in zip(
        context.by_followed(rows).tolist(),
        state.author[rows].tolist(),
        state.topic[rows].tolist(),
        state.created[rows].tolist(),
        state.engagements[rows].tolist(),
        state.strong_counters.log2_values(0, rows).tolist(),
        strengths.tolist(),
        strict=True,
    ):
        if is_followed:
            found.append(_author_evidence(state, author))
            continue
        evidence, best = None, 0.0
        is_new, is_read = 0 <= context.now - created <= NEW_SECONDS, author in read_authors
        if is_new and strength[_NEW] > best:
            evidence, best = _NEW_FROM_READ_AUTHOR if is_read else _NEW_POST, strength[_NEW]
        if is_read and strength[_READ] > best:
            evidence, best = _NEW_FROM_READ_AUTHOR if is_new else _READ_AUTHOR, strength[_READ]
        if (
            strength[_TAG] > best
            and topic in read_topics
            and (of_tag := _tag_evidence(state.topic_names[topic]))
        ):
            evidence, best = of_tag, strength[_TAG]
        similar = strength[_SIMILAR] if events >= MIN_COUNT else 0.0
        trending = strength[_TRENDING] if recent >= least_recent else 0.0
        if max(similar, trending) > best:
            undecided.append(_Undecided(len(found), best, similar, trending))
        found.append(evidence)
    if undecided:
        _add_counted(context, rows, undecided, found)
    return found


class _Undecided(NamedTuple):
    """A post of a page that a number of people may be the strongest evidence of.

    best               strength of the evidence without it
    similar, trending  strengths of SIMILAR_USERS and TRENDING
    """

    place: int
    best: float
    similar: float
    trending: float


def followed_author(state: FeedState, user: int, authors: Sequence[UUID | None]) -> list[Evidence | None]:
    """The evidence of posts that are not in memory, from their authors, for a user row (-1: unknown)."""
    known = [-1 if author is None else state.user_rows.get(author.bytes, -1) for author in authors]
    followed = set(state.follows.row(user)[0].tolist()) if user >= 0 else set()
    return [_author_evidence(state, author) if author in followed else None for author in known]


def _frequent(context: RankingContext, by_post: NDArray[np.int32]) -> frozenset[int]:
    """The values of `by_post` that MIN_COUNT of the user's newest events have in common, without -1."""
    own = by_post[context.recent_events[0][-_MAX_OWN_EVENTS:]]
    own.sort()
    frequent = own[MIN_COUNT - 1 :][own[MIN_COUNT - 1 :] == own[: 1 - MIN_COUNT]]
    return frozenset(frequent.tolist()) - {-1}


def _least_recent_reactions(context: RankingContext) -> float:
    """What `strong_counters` have at least for a post to which MIN_COUNT people reacted in the last week.

    The half-life of a week halves an event at most. Events of new accounts may weigh less: they make no post trend.
    """
    counting = context.state.counting
    weight = 1.0 if counting is None else min(counting.kind_weights[_LIKE:])
    if weight <= 0:  # a kind that counts nothing
        return -inf
    return log2(MIN_COUNT * weight / 2) + context.now / TRENDING_SECONDS


def _add_counted(
    context: RankingContext, rows: Rows, undecided: Sequence[_Undecided], found: list[Evidence | None]
) -> None:
    """Replace the evidence of undecided posts by a number of people, where that is stronger."""
    hidden = {context.user, *context.controls.authors.tolist()}
    nearest = set(neighbourhood.neighbours(context)[0].tolist())
    for post in undecided:
        best = post.best
        reactions = _reactions(context.state, rows.item(post.place))
        if post.similar > best:
            liked = {user for user, _, is_like in reactions if is_like and user in nearest} - hidden
            if len(liked) >= MIN_COUNT:
                found[post.place] = Evidence(EvidenceKind.SIMILAR_USERS, count=len(liked))
                best = post.similar
        if post.trending > best:
            since = context.now - TRENDING_SECONDS
            recent = {user for user, time, _ in reactions if time > since} - hidden
            if len(recent) >= MIN_COUNT:
                found[post.place] = Evidence(EvidenceKind.TRENDING, count=len(recent))


def _reactions(state: FeedState, row: int) -> Sequence[tuple[int, float, bool]]:
    """The likes, comments and shares among the newest events with a post: user row, time, and whether it is a like.

    They are kept for the next requests, until the events of the post change.
    """
    kept: dict[int, tuple[Hashable, list[tuple[int, float, bool]]]]
    kept = state.memoised("reactions", dict, lasting=True)
    version = state.engagements.item(row), state.retractions, state.reuses
    known = kept.get(row)
    if known is None or known[0] != version:
        users, times, kinds = state.users_by_post.row(row, neighbourhood.MAX_USERS_PER_POST)
        strong = state.is_strong(kinds)
        is_like = (kinds[strong] == _LIKE).tolist()
        reactions = list(zip(users[strong].tolist(), times[strong].tolist(), is_like, strict=True))
        if len(kept) >= _MAX_KEPT_POSTS:
            kept.clear()
        known = kept[row] = version, reactions
    return known[1]


def _author_evidence(state: FeedState, author: int) -> Evidence:
    """The evidence that a user follows an author (a user row), who is named if they are discoverable."""
    if not state.visibility.discoverable.item(author):
        return Evidence(EvidenceKind.FOLLOWED_AUTHOR)
    named: dict[int, Evidence] = state.memoised("evidence of authors", dict, lasting=True)
    if author not in named:
        if len(named) == _MAX_CACHED:
            named.clear()
        named[author] = Evidence(EvidenceKind.FOLLOWED_AUTHOR, str(UUID(bytes=state.user_key(author))))
    return named[author]


@lru_cache(maxsize=_MAX_CACHED)
def _tag_evidence(tag: str) -> Evidence | None:
    """The evidence of a tag; None for a tag that is too long."""
    text = json.dumps({"kind": EvidenceKind.TAG, "tag": tag}, ensure_ascii=False, separators=(",", ":"))
    return Evidence(EvidenceKind.TAG, tag=tag) if len(text.encode()) <= MAX_BYTES else None
