"""What the learned scorer looks at. A feature is one small function here, and nothing anywhere else.

Each takes the candidates and returns one row per name, (n_names, n_candidates): what ties a post to the user who
asks. What is the same for everybody (heat, age, standing) is found once for all, in `post_features`.
"""

from __future__ import annotations  # those of inner functions would be evaluated at each call

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.group_sums import GroupSums, group_sums
from app.domain.feed.ragged import sum_by_row
from app.domain.feed.state import DAY, HOUR
from app.domain.ranking import neighbourhood, post_features
from app.domain.ranking.post_features import MINUTE, post_inputs
from app.domain.ranking.text_profile import text_profile
from app.domain.services.ranking_context import RankingContext

# of single precision where there are many logarithms, which take half the time in it
Block = NDArray[np.floating[Any]]


class CandidateBatch:
    """Posts to be looked at for one question, and what several features need of them."""

    def __init__(self, context: RankingContext, rows: NDArray[np.intp], posts: NDArray[np.float32]) -> None:
        """`posts` are their `post_inputs`, (n_rows, n_inputs)."""
        self.context = context
        self.state = context.state
        self.rows = rows
        self._posts = posts

    def post_input(self, name: str) -> NDArray[np.float32]:
        """(n,) one input of `post_features`."""
        column: NDArray[np.float32] = self._posts[:, _POST_COLUMN[name]]
        return column

    @cached_property
    def author(self) -> NDArray[np.intp]:
        """User rows, -1 unknown."""
        return self.state.author[self.rows].astype(np.intp)

    @cached_property
    def topic(self) -> NDArray[np.intp]:
        """Topics, -1 none."""
        return self.state.topic[self.rows].astype(np.intp)

    def zeros(self, rows: int) -> Block:
        """The block of a feature that has nothing to say."""
        return np.zeros((rows, len(self.rows)))


Compute = Callable[[CandidateBatch], Block]


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


_POST_COLUMN = {name: column for column, name in enumerate(post_features.names())}


def names() -> tuple[str, ...]:
    """All inputs, in the order of `matrix`."""
    return (*_POST_COLUMN, *(name for one in FEATURES for name in one.names))


def groups() -> dict[str, tuple[str, ...]]:
    """The inputs that one function computes, by the name of the function."""
    of_posts = {one.compute.__name__: one.names for one in post_features.POST_FEATURES}
    return of_posts | {one.compute.__name__: one.names for one in FEATURES}


def excluded(without: Collection[str]) -> NDArray[np.bool_]:
    """(n_features,) which inputs are left out, given names of inputs or of groups of inputs."""
    dropped = {name for group, members in groups().items() if group in without for name in members}
    return np.array([name in without or name in dropped for name in names()])


def matrix(context: RankingContext, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """All inputs of the candidates, (n_features, n_rows)."""
    posts = post_inputs(context.state, context.now, rows)
    candidates = CandidateBatch(context, rows, posts)
    blocks = [one.compute(candidates) for one in FEATURES]
    return np.concatenate([posts.T, *blocks], dtype=np.float32)


@feature("met", "met within 1h", "met within 1d")
def seen_before(c: CandidateBatch) -> Block:
    """The user's own earlier events with the post: a look often comes before a choice. 0 on a page of unseen posts."""
    posts, times, _ = c.context.recent_events
    mine = np.zeros(c.state.n_posts, np.bool_)
    mine[posts] = True
    if not mine[c.rows].any():
        return c.zeros(3)
    age = c.context.now - times
    weights = np.stack([np.ones(len(posts)), np.exp2(-age / HOUR), np.exp2(-age / DAY)])
    return np.log1p(group_sums(posts, weights, c.state.n_posts).for_rows(c.rows))


@dataclass(frozen=True, slots=True, eq=False)
class UserAffinities:
    """A user's ties: to users (faded events with their posts, slowly and fast; follows) and to topics.

    `topics` (2, 1 + n_topics): faded events, and their share of all; entry 0, no topic, is 0.
    """

    users: GroupSums
    topics: Block


def user_affinities(context: RankingContext) -> UserAffinities:
    """The taste of the user of a question."""

    def read() -> UserAffinities:
        state = context.state
        posts, times, _ = context.recent_events
        age = context.now - times
        slow, fast = np.exp2(age / (-30 * DAY)), np.exp2(age / -DAY)
        followed = context.followed
        ties = np.zeros((3, len(posts) + len(followed)))
        ties[0, : len(posts)], ties[1, : len(posts)] = slow, fast
        ties[2, len(posts) :] = 1.0
        users = group_sums(np.concatenate([state.author[posts], followed]), ties, state.n_users)
        topics = np.empty((2, len(state.topic_ids) + 1))
        topics[0] = sum_by_row(state.topic[posts] + 1, slow, topics.shape[1])
        np.divide(topics[0], topics[0].sum() or 1.0, out=topics[1])
        topics[:, 0] = 0.0
        return UserAffinities(users, topics)

    return context.memoise("taste", read)


@feature("affinity author", "affinity author recent", "follows author", "affinity topic", "topic share")
def affinity(c: CandidateBatch) -> Block:
    """The user's own history with author and topic, and follow edges."""
    if c.context.user < 0:
        return c.zeros(5)
    block = np.empty((5, len(c.rows)), np.float32)
    np.log1p(user_affinities(c.context).users.for_rows(c.author).astype(np.float32), out=block[:3])
    block[2] = block[2] > 0
    topics = user_affinities(c.context).topics[:, c.topic + 1]
    np.log1p(topics[0].astype(np.float32), out=block[3])
    block[4] = topics[1]
    return block


@feature("user kNN 30d", "next posts")
def knn_support(c: CandidateBatch) -> Block:
    """Support by users who choose alike, and by what people went on to."""
    if not c.context.event_count:
        return c.zeros(2)
    knn, following = neighbourhood.user_knn(c.context), neighbourhood.item_transitions(c.context)
    support = np.concatenate([knn.for_rows(c.rows), following.for_rows(c.rows)], dtype=np.float32)
    block: Block = np.log(support + np.float32(1e-3)) - np.float32(np.log(1e-3))
    return block


@feature("text like history")
def text_similarity(c: CandidateBatch) -> Block:
    """Similarity of the text to what the user engaged with."""
    profile = text_profile(c.context)
    if profile is None:
        return c.zeros(1)
    alike: Block = (c.state.text.take(c.rows, axis=0) @ profile)[None]
    return alike


@feature("topic of last")
def topic_inputs(c: CandidateBatch) -> Block:
    """Whether the topic is that of the user's last event, fading within hours."""
    posts, times, _ = c.context.recent_events
    if not len(posts):
        return c.zeros(1)
    last: Block = (c.topic == c.state.topic[posts[-1]]) * np.exp2((times[-1] - c.context.now) / HOUR)
    return last[None]


@feature("heat x newcomer", "age against habit", "(age against habit)^2", "heat against habit")
def usual_age_gap(c: CandidateBatch) -> Block:
    """Against what this user usually takes: how old, how hot; and how short the history is that the rest rests on."""
    newcomer = 1.0 / (1.0 + c.context.event_count)
    hot, age = c.post_input("heat 6h"), c.post_input("age")
    block = c.zeros(4)
    block[0] = hot * newcomer
    posts, times, _ = c.context.recent_events
    if len(posts):
        own = posts[-50:].astype(np.intp)
        usual = np.log((times[-50:] - c.state.created[own]).clip(0) + MINUTE).mean()
        gap = (age - usual) * (1 - newcomer)
        block[1], block[2], block[3] = np.abs(gap), gap**2 / 10, hot * gap / 3
    return block
