"""Inputs of the learned scorer that describe a post and are the same for every user.

Decayed engagement is a decayed count of events; strong engagement counts only likes, comments and shares. The names of
the inputs are keys of the model artefact, so some keep older words than the functions.

Counts are logarithms, and so are most ages: the model standardises them, so feeds of hours and of years look similar.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import EvidenceKind, Reason
from app.domain.feed.state import AUTHOR_HALF_LIVES, HALF_LIVES, STRONG_HALF_LIVES, FeedState
from app.domain.feed.time_units import DAY, HOUR, MINUTE
from app.domain.ranking.features import Block, FeatureSet

_MIN_COUNT = 1e-6  # added to a decayed count before its logarithm
_MIN_TOPIC_RATIO = -8.0  # natural logarithm
NO_ENGAGEMENT = -1e9
"""log2 of a count below any other. It is finite, so -inf of a post without an event minus it is no NaN."""


def _single_precision(counts: NDArray[np.float64]) -> NDArray[np.float32]:
    """Decayed counts as float32, which the model computes in.

    The limits keep them in the range of normal numbers: subnormal ones are slow, and larger ones are infinite.
    """
    return counts.clip(1e-36, 1e36).astype(np.float32)


class PostBatch:
    """Some posts at one time, with the values that several features need.

    `now` in seconds since the epoch; `rows` (n,) are post rows of `state`.
    """

    def __init__(self, state: FeedState, now: float, rows: NDArray[np.intp]) -> None:
        self.state = state
        self.now = now
        self.rows = rows

    @cached_property
    def age_seconds(self) -> NDArray[np.float64]:
        """(n,) time since creation, at least 0."""
        return np.maximum(self.now - self.state.created[self.rows], 0.0)

    @cached_property
    def decayed_engagement(self) -> NDArray[np.float32]:
        """(n_half_lives, n) for each of HALF_LIVES: the sum of 0.5 ** (age / half-life) over the post's events."""
        return _single_precision(self.state.post_counters.values(self.now, self.rows))


POST_FEATURES: FeatureSet[PostBatch] = FeatureSet()
post_feature = POST_FEATURES.register


def _label(seconds: float) -> str:
    return f"{seconds / DAY:g}d" if seconds >= DAY else f"{seconds / HOUR:g}h"


_SHORT = [HALF_LIVES.index(h) for h in (HOUR, 6 * HOUR, DAY, 7 * DAY)]
_WIDE = [HALF_LIVES.index(h) for h in (HOUR, 30 * DAY, 180 * DAY)]
_SIX_HOURS = HALF_LIVES.index(6 * HOUR)


@post_feature(
    *(f"heat {_label(HALF_LIVES[i])}" for i in _SHORT), reason=Reason.TRENDING, evidence=EvidenceKind.TRENDING
)
def decayed_engagement(posts: PostBatch) -> Block:
    """log(1 + decayed engagement)."""
    return np.log1p(posts.decayed_engagement[_SHORT])


@post_feature(
    *(f"trace {_label(HALF_LIVES[i])}" for i in _WIDE), reason=Reason.TRENDING, evidence=EvidenceKind.TRENDING
)
def log_decayed_engagement(posts: PostBatch) -> Block:
    """log(decayed engagement + 1e-6): separates small counts, for which log(1 + x) is almost 0."""
    logarithms: Block = np.log(posts.decayed_engagement[_WIDE] + _MIN_COUNT)
    return logarithms


@post_feature(
    *(f"strong heat {_label(h)}" for h in STRONG_HALF_LIVES),
    reason=Reason.TRENDING,
    evidence=EvidenceKind.TRENDING,
)
def decayed_strong_engagement(posts: PostBatch) -> Block:
    """log(1 + decayed likes, comments and shares)."""
    counts = posts.state.strong_counters.values(posts.now, posts.rows)
    return np.log1p(_single_precision(counts))


@post_feature("age", "age in days", reason=Reason.RECENT, evidence=EvidenceKind.NEW)
def post_age(posts: PostBatch) -> Block:
    """log(age + 1 minute) of the age in seconds, and the age in days: exponential decay is linear in the second."""
    seconds = posts.age_seconds.astype(np.float32)
    return np.stack([np.log(seconds + MINUTE), seconds / DAY])


@post_feature("idle", "engagement", reason=Reason.TRENDING, evidence=EvidenceKind.TRENDING)
def idle_time_and_events(posts: PostBatch) -> Block:
    """log(seconds since the last event or the creation + 1 minute), and log(1 + number of events)."""
    since_event = posts.now - posts.state.last_engaged[posts.rows]
    idle = np.minimum(since_event, posts.age_seconds).clip(0).astype(np.float32)
    return np.stack([np.log(idle + MINUTE), _log_event_count(posts)])


@post_feature("untouched", reason=Reason.RECENT, evidence=EvidenceKind.NEW)
def no_engagement(posts: PostBatch) -> Block:
    """1 for a post without events, else 0."""
    without: Block = (posts.state.engagements[posts.rows] == 0).astype(np.float32)
    return without[None]


@post_feature("gravity", reason=Reason.TRENDING, evidence=EvidenceKind.TRENDING)
def hacker_news_rank(posts: PostBatch) -> Block:
    """log(1 + number of events) - 1.8 x log(age in hours + 2), the ranking of Hacker News."""
    hours = posts.age_seconds.astype(np.float32) / HOUR
    value: Block = _log_event_count(posts) - 1.8 * np.log(hours + 2.0)
    return value[None]


def _log_event_count(posts: PostBatch) -> NDArray[np.float32]:
    return np.log1p(posts.state.engagements[posts.rows].astype(np.float32))


_MAX_RECENT = 4000  # newest published posts that are counted per topic


@post_feature("newer posts", "newer in topic", reason=Reason.RECENT, evidence=EvidenceKind.NEW)
def newer_posts(posts: PostBatch) -> Block:
    """log(1 + number of newer published posts), among all posts and among recent posts of the same topic."""
    state = posts.state
    published = state.published_count(posts.now)
    recent_keys = state.memoised(("recent posts by topic", published), lambda: _recent_keys(state, published))
    rank = state.creation_rank(state.created[posts.rows])
    first_key = _first_key(state, posts.rows)
    topic_end = np.searchsorted(recent_keys, first_key + state.n_posts, side="right")
    not_newer = np.searchsorted(recent_keys, first_key + rank, side="right")
    counts = np.stack([np.maximum(published - rank, 0), topic_end - not_newer])
    return np.log1p(counts.astype(np.float32))


def _recent_keys(state: FeedState, published: int) -> NDArray[np.intp]:
    """The keys of the recent ones of the `published` oldest posts, ascending.

    The key of a post is topic * (n_posts + 1) + creation rank, so one search in the sorted keys counts the posts of a
    topic up to a rank.
    """
    recent = state.by_created[max(0, published - _MAX_RECENT) : published]
    return np.sort(_first_key(state, recent) + state.creation_rank(state.created[recent]))


def _first_key(state: FeedState, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """(n_rows,) the smallest key of the topic of each of `rows`."""
    return state.topic[rows].astype(np.intp) * (state.n_posts + 1)


@post_feature("heat in topic", reason=Reason.TRENDING, evidence=EvidenceKind.TRENDING)
def engagement_within_topic(posts: PostBatch) -> Block:
    """log(decayed engagement / the largest of the post's topic), half-life 6 hours, limited to [-8, 0]."""
    state = posts.state
    largest = largest_engagement_by_topic(state)
    own = state.post_counters.log2_values(_SIX_HOURS, posts.rows)
    ratio = (own - largest[state.topic[posts.rows] + 1]).astype(np.float32)
    ratio *= np.log(2)
    return ratio.clip(_MIN_TOPIC_RATIO, 0.0)[None]


def largest_engagement_by_topic(state: FeedState) -> NDArray[np.float64]:
    """(1 + n_topics,) log2 of the largest count among the top 300 posts; the first is of posts without a topic.

    NO_ENGAGEMENT for a topic without any of them.
    """

    def compute() -> NDArray[np.float64]:
        top = state.top_posts(_SIX_HOURS, 300)
        largest = np.full(len(state.topic_ids) + 1, NO_ENGAGEMENT)
        np.maximum.at(largest, state.topic[top] + 1, state.post_counters.log2_values(_SIX_HOURS, top))
        return largest

    return state.memoised("largest engagement by topic", compute)


@post_feature(
    *(f"author {_label(h)}" for h in AUTHOR_HALF_LIVES), "author per post", reason=Reason.POPULAR_AUTHOR
)
def author_popularity(posts: PostBatch) -> Block:
    """log(1 + decayed engagement with the author), and the last of them minus log(1 + number of the author's posts).

    0 for a post with an unknown author.
    """
    state = posts.state
    author = state.author[posts.rows].astype(np.intp)
    known = author >= 0
    if not known.any():
        return np.zeros((len(AUTHOR_HALF_LIVES) + 1, len(author)), np.float32)
    author = author.clip(0)
    popularity = np.log1p(_single_precision(state.author_counters.values(posts.now, author)))
    per_post = popularity[-1] - np.log1p(state.posts_by_author.lengths(author))
    return np.concatenate([popularity, per_post[None]]) * known
