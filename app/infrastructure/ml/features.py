"""What the learned scorer looks at. A feature is one small function here, and nothing anywhere else.

Each takes the question and candidate rows and returns one float64 row per name, (n_names, n_rows). Counts enter by
their logarithm, times by the logarithm of an age, so that a feed of hours and a feed of years look alike.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import summed
from app.domain.feed.state import DAY, HALF_LIVES, HOUR, STANDING_HALF_LIVES
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.ml import co_engagement

Rows = NDArray[np.intp]
Block = NDArray[np.float64]
Compute = Callable[[RankingContext, Rows], Block]

_MINUTE = 60.0
_FLOOR = 1e-6  # of a decayed count, under which it is as good as never


@dataclass(frozen=True, slots=True)
class Feature:
    """A block of named inputs."""

    names: tuple[str, ...]
    compute: Compute


FEATURES: list[Feature] = []


def feature(*names: str) -> Callable[[Compute], Compute]:
    """Register a function as the source of these inputs."""

    def register(compute: Compute) -> Compute:
        FEATURES.append(Feature(names, compute))
        return compute

    return register


def names() -> tuple[str, ...]:
    """All inputs, in the order of `matrix`."""
    return tuple(name for one in FEATURES for name in one.names)


def matrix(context: RankingContext, rows: Rows) -> Block:
    """All inputs of the candidates, (n_features, n_rows)."""
    return np.concatenate([one.compute(context, rows) for one in FEATURES])


def _label(seconds: float) -> str:
    return f"{seconds / DAY:g}d" if seconds >= DAY else f"{seconds / HOUR:g}h"


def _log_age(context: RankingContext, rows: Rows) -> NDArray[np.float64]:
    return np.log(np.maximum(context.now - context.state.created[rows], 0.0) + _MINUTE)


@feature(*(f"heat {_label(h)}" for h in HALF_LIVES))
def heat(context: RankingContext, rows: Rows) -> Block:
    """log(1 + decayed engagement)."""
    return np.log1p(context.state.heat.at(context.now, rows))


@feature(*(f"trace {_label(h)}" for h in HALF_LIVES))
def trace(context: RankingContext, rows: Rows) -> Block:
    """log of decayed engagement with a tiny floor: tells cold from colder, where log(1 + x) is all 0."""
    return np.log(context.state.heat.at(context.now, rows) + _FLOOR)


@feature(*(f"strong heat {_label(h)}" for h in HALF_LIVES[1:6:2]))
def strong_heat(context: RankingContext, rows: Rows) -> Block:
    """log(1 + decayed likes, comments and shares)."""
    return np.log1p(context.state.strong_heat.at(context.now, rows)[1:6:2])


@feature("age", "age^2", "idle", "idle^2", "engagement", "untouched", "gravity")
def life(context: RankingContext, rows: Rows) -> Block:
    """Age, time since the last engagement, total engagement, none yet, and Hacker News' ranking."""
    state = context.state
    age = _log_age(context, rows)
    idle = np.log(
        np.minimum(context.now - state.last_engaged[rows], context.now - state.created[rows]).clip(0)
        + _MINUTE
    )
    count = np.log1p(state.engagements[rows])
    gravity = count - 1.8 * np.log((context.now - state.created[rows]).clip(0) / HOUR + 2.0)
    return np.stack([age, age**2 / 10, idle, idle**2 / 10, count, state.engagements[rows] == 0, gravity])


@feature("newer posts", "newer in topic", "heat share", "heat in topic")
def standing_among_posts(context: RankingContext, rows: Rows) -> Block:
    """How many posts are newer, in all and in the topic; heat against the hottest, of all and of the topic."""
    state = context.state

    def moment() -> tuple[
        NDArray[np.float64], NDArray[np.intp], NDArray[np.float64], float, NDArray[np.float64]
    ]:
        order = state.by_created
        born = state.created[order]
        recent = order[
            max(0, int(np.searchsorted(born, context.now)) - 4000) : int(np.searchsorted(born, context.now))
        ]
        topics = max(len(state.topic_ids), 1)
        hot = state.heat.hottest(2, 300)
        level = state.heat.at(context.now, hot)[2]
        best = np.zeros(topics + 1)
        np.maximum.at(best, state.topic[hot], level)
        by_topic = np.argsort(state.topic[recent], kind="stable")
        return (
            born,
            recent[by_topic],
            state.topic[recent][by_topic].astype(np.float64),
            float(level.max(initial=0.0)),
            best,
        )

    born, recent, recent_topic, hottest, best = context.once("standing", moment)
    newer = np.log1p(
        np.searchsorted(born, context.now) - np.searchsorted(born, state.created[rows], side="right")
    ).clip(0)
    topic = state.topic[rows]
    starts = np.searchsorted(recent_topic, np.arange(-1, len(best)) - 0.5)
    key = recent_topic * 1e12 + state.created[recent]
    mine = topic * 1e12 + state.created[rows]
    upto = starts[topic + 2] if len(best) > 0 else starts[topic]
    newer_topic = np.log1p((upto - np.searchsorted(key, mine, side="right")).clip(0))
    level = state.heat.at(context.now, rows)[2]
    return np.stack(
        [
            newer,
            newer_topic,
            np.log((level + _FLOOR) / (hottest + _FLOOR)).clip(-8),
            np.log((level + 1e-3) / (best[topic] + 1e-3)).clip(-8),
        ]
    )


@feature(
    *(f"author {_label(h)}" for h in STANDING_HALF_LIVES[2:]),
    "author followers",
    "author posts",
    "author per post",
    "author unknown",
)
def author_standing(context: RankingContext, rows: Rows) -> Block:
    """Decayed engagement with all posts of the author, followers, posts, engagement per post."""
    state = context.state
    author = state.author[rows].astype(np.intp)
    known = author >= 0
    safe = author.clip(0)
    if not state.n_users:
        return np.zeros((len(STANDING_HALF_LIVES) + 2, len(rows)))
    standing = np.log1p(state.author_heat.at(context.now, safe)[2:])
    posts = state.authored.lengths(safe)
    per_post = standing[-1] - np.log1p(posts)
    block = (
        np.vstack([standing, np.log1p(state.followers[safe]), np.log1p(posts), per_post, np.ones(len(rows))])
        * known
    )
    block[-1] = ~known
    return block


@feature(
    "affinity author",
    "affinity author recent",
    "affinity topic",
    "topic share",
    "follows author",
    "author came to me",
)
def affinity(context: RankingContext, rows: Rows) -> Block:
    """The user's own history with author and topic, follow edges, and whether the author engages with the user."""
    state = context.state
    posts, times, _ = context.history
    block = np.zeros((6, len(rows)))
    if context.user < 0:
        return block
    author, topic = state.author[rows], state.topic[rows]

    def mine() -> tuple[NDArray[np.float64], ...]:
        own = posts.astype(np.intp)
        slow, fast = np.exp2((times - context.now) / (30 * DAY)), np.exp2((times - context.now) / DAY)
        authors = state.author[own].astype(np.intp) + 1
        by_author = summed(authors, slow, state.n_users + 1)
        by_author_fast = summed(authors, fast, state.n_users + 1)
        topics = state.topic[own].astype(np.intp) + 1
        by_topic = summed(topics, slow, len(state.topic_ids) + 1)
        by_author[0] = by_author_fast[0] = 0.0
        written = state.authored.row(context.user, 30)[0].astype(np.intp)
        _, (visitors, _) = state.audiences.gather(written, 50)
        visits = summed(visitors, np.ones(len(visitors)), state.n_users)
        followed = np.zeros(state.n_users + 1)
        followed[state.follows.row(context.user)[0] + 1] = 1.0
        return by_author, by_author_fast, by_topic, visits, followed

    by_author, by_author_fast, by_topic, visits, followed = context.once("affinity", mine)
    total = by_topic.sum()
    block[0] = np.log1p(by_author[author + 1])
    block[1] = np.log1p(by_author_fast[author + 1])
    block[2] = np.log1p(by_topic[topic + 1]) * (topic >= 0)
    block[3] = (by_topic[topic + 1] / total if total > 0 else 0.0) * (topic >= 0)
    block[4] = followed[author + 1]
    block[5] = np.log1p(visits[author.clip(0)]) * (author >= 0)
    return block


@feature("user kNN 1d", "user kNN 7d", "user kNN 90d", "next posts")
def neighbourhood(context: RankingContext, rows: Rows) -> Block:
    """Support by users who choose alike, at three paces, and by what people went on to."""
    if not context.history_length:
        return np.zeros((4, len(rows)))
    scores = [co_engagement.user_knn(context, h)[rows] for h in (DAY, 7 * DAY, 90 * DAY)]
    support: Block = np.log(np.stack([*scores, co_engagement.next_posts(context)[rows]]) + 1e-3) - np.log(
        1e-3
    )
    return support


@feature("text like history", "text like last")
def text(context: RankingContext, rows: Rows) -> Block:
    """Similarity of the text to what the user engaged with, lately and last."""
    state = context.state
    posts = context.history[0]
    if not len(posts) or not state.text.shape[1]:
        return np.zeros((2, len(rows)))

    def profiles() -> NDArray[np.float32]:
        own = posts[-50:].astype(np.intp)
        rank = np.arange(len(own))[::-1]
        vectors = state.text[own]
        both = np.stack([0.9**rank @ vectors, 0.5**rank @ vectors])
        length = np.linalg.norm(both, axis=1, keepdims=True) + 1e-9
        return np.asarray(both / length, np.float32)

    return np.asarray(context.once("text profiles", profiles) @ state.text[rows].T, np.float64)


@feature(
    "age against habit",
    "(age against habit)^2",
    "heat against habit",
    "heat x newcomer",
    "age x newcomer",
    "topic of last",
    "heat x topic share",
    "trace x topic share",
    "age x topic share",
)
def habit(context: RankingContext, rows: Rows) -> Block:
    """Against what this user usually takes: how old, how hot, which topic; how long a history the rest rests on."""
    state = context.state
    posts, times, _ = context.history
    block = np.zeros((9, len(rows)))
    age = _log_age(context, rows)
    hot = np.log1p(state.heat.at(context.now, rows)[2])
    newcomer = 1.0 / (1.0 + context.history_length)
    block[3], block[4] = hot * newcomer, age * newcomer
    if not len(posts):
        return block

    def usual() -> tuple[float, float]:
        own = posts[-50:].astype(np.intp)
        ages = np.log((times[-50:] - state.created[own]).clip(0) + _MINUTE)
        return float(ages.mean()), float(ages.std() + 0.5)

    mean, _spread = context.once("usual age", usual)
    gap = (age - mean) * (1 - newcomer)
    block[0], block[1] = np.abs(gap), gap**2 / 10
    block[2] = hot * gap / 3
    block[5] = (state.topic[rows] == state.topic[posts[-1]]) * np.exp2((times[-1] - context.now) / HOUR)
    share = affinity(context, rows)[3]
    block[6] = hot * share
    block[7] = np.log(state.heat.at(context.now, rows)[1] + _FLOOR) * share
    block[8] = age * share
    return block
