"""What the learned scorer sees of a post whoever asks. One small function each; ties to a user are in `features`.

Each takes posts and returns one row per name, (n_names, n_posts). Counts enter by their logarithm, times by the
logarithm of an age; the model takes all in standard deviations, so that a feed of hours and a feed of years look
alike. What was found of a post serves every request of that moment.
"""

from __future__ import annotations  # those of inner functions would be evaluated at each call

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.state import AUTHOR_HALF_LIVES, DAY, HALF_LIVES, HOUR, STRONG_HALF_LIVES, FeedState

# of single precision where there are many logarithms, which take half the time in it
Block = NDArray[np.floating[Any]]
MINUTE = 60.0
_FLOOR = 1e-6  # of a decayed count, under which it is as good as never
_AHEAD = 8192  # posts whose inputs may be found before anybody asks
_COLDEST = -8.0  # natural log of heat against the hottest


def _single(heat: NDArray[np.float64]) -> NDArray[np.float32]:
    """Heat in single precision, within what that writes in full; only events to come are hotter."""
    return heat.clip(1e-36, 1e36).astype(np.float32)


class PostBatch:
    """Some posts at one moment, and what several features need of them."""

    def __init__(self, state: FeedState, now: float, rows: NDArray[np.intp]) -> None:
        self.state = state
        self.now = now
        self.rows = rows

    @cached_property
    def age(self) -> NDArray[np.float64]:
        """Seconds since creation."""
        return np.maximum(self.now - self.state.created[self.rows], 0.0)

    @cached_property
    def decayed_engagement(self) -> Block:
        """(n_half_lives, n) decayed engagement."""
        return _single(self.state.post_counters.values(self.now, self.rows))


Compute = Callable[[PostBatch], Block]


@dataclass(frozen=True, slots=True)
class PostFeature:
    """A block of named inputs."""

    names: tuple[str, ...]
    compute: Compute


POST_FEATURES: list[PostFeature] = []


def post_feature(*names: str) -> Callable[[Compute], Compute]:
    """Register a function as the source of these inputs."""

    def register(compute: Compute) -> Compute:
        POST_FEATURES.append(PostFeature(names, compute))
        return compute

    return register


def names() -> tuple[str, ...]:
    """All inputs, in the order of `post_inputs`."""
    return tuple(name for one in POST_FEATURES for name in one.names)


def post_inputs(state: FeedState, now: float, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """All inputs of some posts, (n_rows, n_inputs); found once for each post, moment and change of the feed."""
    found = state.memoised("post inputs", lambda: _PostFeatureCache(state, now), now=now)
    return found.inputs(rows)


class _PostFeatureCache:
    """The inputs of every post that was asked for, as of one moment."""

    def __init__(self, state: FeedState, now: float) -> None:
        self._state, self._now = state, now
        self._inputs = np.empty((state.n_posts, len(names())), np.float32)
        self._has = np.zeros(state.n_posts, np.bool_)

    def inputs(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        missing = rows[~self._has[rows]]
        if len(missing):
            before = int(np.count_nonzero(self._has))
            self._has[missing] = True
            found = np.concatenate([missing, self._likely_next(before)])
            self._has[found] = True
            posts = PostBatch(self._state, self._now, found)
            inputs = np.concatenate([one.compute(posts) for one in POST_FEATURES], dtype=np.float32)
            self._inputs[found] = inputs.T
        return self._inputs.take(rows, axis=0)

    def _likely_next(self, before: int) -> NDArray[np.intp]:
        """As many of the latest posts as were found `before`: a few posts at a time cost several times as much as all
        at once. None for the first who asks, who may be the only one at this moment."""
        room = min(before, _AHEAD - before)
        if room <= 0:
            return np.empty(0, np.intp)
        latest = self._has[::-1]
        return len(latest) - 1 - np.flatnonzero(~latest)[:room]


def _label(seconds: float) -> str:
    return f"{seconds / DAY:g}d" if seconds >= DAY else f"{seconds / HOUR:g}h"


_HEAT = [HALF_LIVES.index(h) for h in (HOUR, 6 * HOUR, DAY, 7 * DAY)]
_TRACE = [HALF_LIVES.index(h) for h in (HOUR, 30 * DAY, 180 * DAY)]


@post_feature(*(f"heat {_label(HALF_LIVES[i])}" for i in _HEAT))
def decayed_engagement(posts: PostBatch) -> Block:
    """log(1 + decayed engagement)."""
    return np.log1p(posts.decayed_engagement[_HEAT])


@post_feature(*(f"trace {_label(HALF_LIVES[i])}" for i in _TRACE))
def log_decayed_engagement(posts: PostBatch) -> Block:
    """log of decayed engagement with a tiny floor: tells cold from colder, where log(1 + x) is all 0."""
    traces: Block = np.log(posts.decayed_engagement[_TRACE] + _FLOOR)
    return traces


@post_feature(*(f"strong heat {_label(h)}" for h in STRONG_HALF_LIVES))
def decayed_strong_engagement(posts: PostBatch) -> Block:
    """log(1 + decayed likes, comments and shares)."""
    strong = posts.state.strong_counters.values(posts.now, posts.rows)
    return np.log1p(_single(strong))


@post_feature("age", "age in days", "idle", "engagement", "untouched", "gravity")
def age_and_engagement(posts: PostBatch) -> Block:
    """Age, time since the last engagement, total engagement, none yet, and Hacker News' ranking.

    Age also as it is: interest that halves in equal times is a straight line in it, and bent in its logarithm.
    """
    seconds = posts.age.astype(np.float32)
    age = np.log(seconds + MINUTE)
    since = posts.now - posts.state.last_engaged[posts.rows]
    idle = np.log(np.minimum(since, posts.age).clip(0).astype(np.float32) + MINUTE)
    engagements = posts.state.engagements[posts.rows].astype(np.float32)
    count = np.log1p(engagements)
    gravity = count - 1.8 * np.log(seconds / HOUR + 2.0)
    days = seconds / DAY
    return np.stack([age, days, idle, count, engagements == 0, gravity])


_SIX_HOURS = HALF_LIVES.index(6 * HOUR)
_WINDOW = 4000  # newest posts among which those of a topic are counted


def _newer(state: FeedState, now: float) -> NDArray[np.float32]:
    """(2, n_posts) log(1 + newer posts that are out), of all and of the newest in the topic; for every post at once."""
    out = state.published_count(now)

    def count() -> NDArray[np.float32]:
        order = state.by_created
        newer = np.zeros((2, state.n_posts), np.float32)
        newer[0, order] = np.maximum(out - _ends_of_runs(state.created[order]), 0)
        recent = order[max(0, out - _WINDOW) : out]
        topic, born = state.topic[recent], state.created[recent]
        # stable, of what is in order of creation; of small numbers that is a radix sort
        by_topic = topic.astype(np.min_scalar_type(-len(state.topic_ids) - 1)).argsort(kind="stable")
        topic, born, recent = topic[by_topic], born[by_topic], recent[by_topic]
        ends = np.searchsorted(topic, np.arange(-1, len(state.topic_ids)), side="right")
        older = order[: max(0, out - _WINDOW)]
        newer[1, older] = np.diff(ends, prepend=0)[state.topic[older] + 1]
        newer[1, recent] = ends[topic + 1] - _ends_of_runs(born, topic)
        return np.log1p(newer)

    return state.memoised("newer posts", count, posts_only=True, now=out)


def _ends_of_runs(*columns: NDArray[Any]) -> NDArray[np.intp]:
    """Where the run of equal entries ends that each entry stands in: [3, 3, 7] -> [2, 2, 3]."""
    place = np.arange(1, len(columns[0]) + 1)
    ends = np.zeros(len(place), np.bool_)
    ends[-1:] = True
    for column in columns:
        ends[:-1] |= column[1:] != column[:-1]
    last: NDArray[np.intp] = np.minimum.accumulate(np.where(ends, place, len(place))[::-1])[::-1]
    return last


@post_feature("newer posts", "newer in topic", "heat in topic")
def relative_popularity(posts: PostBatch) -> Block:
    """How many posts are newer, in all and in the topic; heat against the hottest of the topic."""
    state = posts.state

    def hottest() -> NDArray[np.float64]:
        """Level of the hottest post of each topic, -1 (no topic) first."""
        hot = state.post_counters.top_k(_SIX_HOURS, 300)
        level = state.post_counters.log2_values(_SIX_HOURS, hot)
        best = np.full(len(state.topic_ids) + 1, -np.inf)
        np.maximum.at(best, state.topic[hot] + 1, level)
        return best

    best = state.memoised("hottest by topic", hottest)
    topic = state.topic[posts.rows]
    level = state.post_counters.log2_values(_SIX_HOURS, posts.rows)
    block = np.empty((3, len(posts.rows)), np.float32)
    _newer(state, posts.now).take(posts.rows, axis=1, out=block[:2], mode="clip")
    # where nothing ever happened, nowhere, -inf stands against -inf: no number, which `fmax` passes over
    with np.errstate(invalid="ignore"):
        np.subtract(level, best[topic + 1], out=block[2])
    block[2] *= np.log(2)
    np.fmax(block[2], _COLDEST, out=block[2])
    np.minimum(block[2], 0.0, out=block[2])
    return block


@post_feature(*(f"author {_label(h)}" for h in AUTHOR_HALF_LIVES), "author per post")
def author_popularity(posts: PostBatch) -> Block:
    """Decayed engagement with all posts of the author, and the longest-lived of it per post; 0 for an unknown one."""
    state = posts.state
    written_by = state.author[posts.rows].astype(np.intp)
    known = written_by >= 0
    block = np.zeros((len(AUTHOR_HALF_LIVES) + 1, len(posts.rows)), np.float32)
    if known.any():
        author = written_by.clip(0)
        np.log1p(_single(state.author_counters.values(posts.now, author)), out=block[:-1])
        np.subtract(block[-2], np.log1p(state.posts_by_author.lengths(author)), out=block[-1])
        block *= known
    return block
