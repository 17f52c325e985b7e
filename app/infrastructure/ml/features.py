"""What the learned scorer looks at. A feature is one small function here, and nothing anywhere else.

Each takes the candidates and returns one float64 row per name, (n_names, n_candidates). Counts enter by their
logarithm, times by the logarithm of an age, so that a feed of hours and a feed of years look alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import summed
from app.domain.feed.state import DAY, HALF_LIVES, HOUR, STANDING_HALF_LIVES
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.ml import co_engagement
from app.infrastructure.ml.tally import Tally

Block = NDArray[np.float64]
_MINUTE = 60.0
_FLOOR = 1e-6  # of a decayed count, under which it is as good as never
_COLDEST = -8.0  # natural log of heat against the hottest


class Candidates:
    """Posts to be looked at for one question, and what several features need of them."""

    def __init__(self, context: RankingContext, rows: NDArray[np.intp]) -> None:
        self.context = context
        self.state = context.state
        self.rows = rows

    @cached_property
    def age(self) -> NDArray[np.float64]:
        """Seconds since creation."""
        return np.maximum(self.context.now - self.state.created[self.rows], 0.0)

    @cached_property
    def log_age(self) -> NDArray[np.float64]:
        """Natural log of the age, of a minute at least."""
        return np.log(self.age + _MINUTE)

    @cached_property
    def heat(self) -> Block:
        """(n_half_lives, n) decayed engagement."""
        return self.state.heat.at(self.context.now, self.rows)

    @cached_property
    def trace(self) -> Block:
        """Natural log of `heat`, with a tiny floor."""
        return np.log(self.heat + _FLOOR)

    @cached_property
    def author(self) -> NDArray[np.intp]:
        """User rows, -1 unknown."""
        return self.state.author[self.rows].astype(np.intp)

    @cached_property
    def topic(self) -> NDArray[np.intp]:
        """Topics, -1 none."""
        return self.state.topic[self.rows].astype(np.intp)

    @cached_property
    def topic_share(self) -> NDArray[np.float64]:
        """Share of the user's faded history that each post's topic has."""
        by_topic = taste(self.context).by_topic
        total = by_topic.sum()
        share: NDArray[np.float64] = (
            by_topic[self.topic + 1] * (self.topic >= 0) / (total if total > 0 else 1.0)
        )
        return share

    def none(self, rows: int) -> Block:
        """The block of a feature that has nothing to say."""
        return np.zeros((rows, len(self.rows)))


Compute = Callable[[Candidates], Block]


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


def matrix(context: RankingContext, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """All inputs of the candidates, (n_features, n_rows)."""
    candidates = Candidates(context, rows)
    result = np.empty((sum(len(one.names) for one in FEATURES), len(rows)), np.float32)
    start = 0
    for one in FEATURES:
        result[start : start + len(one.names)] = one.compute(candidates)
        start += len(one.names)
    return result


def _label(seconds: float) -> str:
    return f"{seconds / DAY:g}d" if seconds >= DAY else f"{seconds / HOUR:g}h"


@feature(*(f"heat {_label(h)}" for h in HALF_LIVES))
def heat(c: Candidates) -> Block:
    """log(1 + decayed engagement)."""
    return np.log1p(c.heat)


@feature(*(f"trace {_label(h)}" for h in HALF_LIVES))
def trace(c: Candidates) -> Block:
    """log of decayed engagement with a tiny floor: tells cold from colder, where log(1 + x) is all 0."""
    return c.trace


@feature(*(f"strong heat {_label(h)}" for h in HALF_LIVES[1:6:2]))
def strong_heat(c: Candidates) -> Block:
    """log(1 + decayed likes, comments and shares)."""
    return np.log1p(c.state.strong_heat.at(c.context.now, c.rows, slice(1, 6, 2)))


@feature("age", "age^2", "idle", "idle^2", "engagement", "untouched", "gravity")
def life(c: Candidates) -> Block:
    """Age, time since the last engagement, total engagement, none yet, and Hacker News' ranking."""
    since = c.context.now - c.state.last_engaged[c.rows]
    idle = np.log(np.minimum(since, c.age).clip(0) + _MINUTE)
    engagements = c.state.engagements[c.rows]
    count = np.log1p(engagements)
    gravity = count - 1.8 * np.log(c.age / HOUR + 2.0)
    return np.stack([c.log_age, c.log_age**2 / 10, idle, idle**2 / 10, count, engagements == 0, gravity])


_SIX_HOURS = HALF_LIVES.index(6 * HOUR)
_WINDOW = 4000  # newest posts among which those of a topic are counted


@dataclass(frozen=True, slots=True, eq=False)
class _Newest:
    """The newest posts, ordered by topic and then by creation.

    key      (n,) topic x 1e12 + creation
    ends     (n_topics + 1,) where each topic (-1 first) ends in `key`
    created  (n_posts,) creation of all posts that are out, oldest first
    """

    key: NDArray[np.float64]
    ends: NDArray[np.intp]
    created: NDArray[np.float64]


def _newest(c: Candidates) -> _Newest:
    state = c.state
    order = state.by_created
    created = state.derived("created in order", lambda: state.created[order], posts_only=True)
    out = int(np.searchsorted(created, c.context.now, side="right"))

    def arrange() -> _Newest:
        recent = order[max(0, out - _WINDOW) : out]
        topic = state.topic[recent]
        by_topic = np.lexsort((state.created[recent], topic))
        topic = topic[by_topic]
        ends = np.searchsorted(topic, np.arange(-1, len(state.topic_ids)), side="right")
        return _Newest(topic * 1e12 + state.created[recent][by_topic], ends, created[:out])

    return state.derived(("newest by topic", out), arrange, posts_only=True)


@feature("newer posts", "newer in topic", "heat share", "heat in topic")
def standing_among_posts(c: Candidates) -> Block:
    """How many posts are newer, in all and in the topic; heat against the hottest, of all and of the topic."""
    state = c.state
    newest = _newest(c)

    def hottest() -> NDArray[np.float64]:
        """Level of the hottest post of each topic (-1 first), and of all of them last."""
        hot = state.heat.hottest(_SIX_HOURS, 300)
        level = state.heat.level(_SIX_HOURS, hot)
        best = np.full(len(state.topic_ids) + 2, -np.inf)
        np.maximum.at(best, state.topic[hot] + 1, level)
        best[-1] = level.max(initial=-np.inf)
        return best

    best = state.derived("hottest by topic", hottest)
    born = state.created[c.rows]
    newer = len(newest.created) - np.searchsorted(newest.created, born, side="right")
    in_topic = newest.ends[c.topic + 1] - np.searchsorted(newest.key, c.topic * 1e12 + born, side="right")
    level = state.heat.level(_SIX_HOURS, c.rows)
    with np.errstate(invalid="ignore"):  # nothing ever happened, nowhere: -inf against -inf
        share = np.log(2) * np.stack([level - best[-1], level - best[c.topic + 1]])
    cold = np.where(np.isnan(share), _COLDEST, share).clip(_COLDEST, 0.0)
    return np.stack([np.log1p(newer.clip(0)), np.log1p(in_topic.clip(0)), *cold])


@feature("met", "met within 1h", "met within 1d")
def met(c: Candidates) -> Block:
    """The user's own earlier events with the post: a look often comes before a choice. 0 on a page of unseen posts."""
    posts, times, _ = c.context.history
    if not len(posts):
        return c.none(3)

    age = c.context.now - times
    weights = np.stack([np.ones(len(posts)), np.exp2(-age / HOUR), np.exp2(-age / DAY)])
    return np.log1p(Tally(posts, weights).of(c.rows))


_AUTHOR_FROM = STANDING_HALF_LIVES.index(DAY)


@feature(
    *(f"author {_label(h)}" for h in STANDING_HALF_LIVES[_AUTHOR_FROM:]),
    "author followers",
    "author posts",
    "author per post",
    "author unknown",
)
def author_standing(c: Candidates) -> Block:
    """Decayed engagement with all posts of the author, followers, posts, engagement per post."""
    state = c.state
    known = c.author >= 0
    block = c.none(len(STANDING_HALF_LIVES) - _AUTHOR_FROM + 4)
    block[-1] = ~known
    if known.any():
        author = c.author.clip(0)
        posts = np.log1p(state.authored.lengths(author))
        standing = np.log1p(state.author_heat.at(c.context.now, author, slice(_AUTHOR_FROM, None)))
        block[:-1] = (
            np.stack([*standing, np.log1p(state.followers[author]), posts, standing[-1] - posts]) * known
        )
    return block


@dataclass(frozen=True, slots=True, eq=False)
class Taste:
    """A user's faded history by author (slow, fast) and topic (entry 0: none), who visits, and who is followed."""

    by_author: Tally
    by_topic: NDArray[np.float64]
    visits: Tally
    follows: Tally


def taste(context: RankingContext) -> Taste:
    """The taste of the user of a question."""

    def read() -> Taste:
        state = context.state
        posts, times, _ = context.history
        own = posts.astype(np.intp)
        slow, fast = np.exp2((times - context.now) / (30 * DAY)), np.exp2((times - context.now) / DAY)
        written, followed = np.empty(0, np.intp), np.empty(0, np.int32)
        if context.user >= 0:
            written = state.authored.row(context.user, 30)[0].astype(np.intp)
            followed = state.follows.row(context.user)[0]
        _, (visitors,) = state.audiences.gather(written, 50, columns=(0,))
        return Taste(
            Tally(state.author[own], np.stack([slow, fast])),
            summed(state.topic[own] + 1, slow, len(state.topic_ids) + 1),
            Tally(visitors, np.ones((1, len(visitors)))),
            Tally(followed, np.ones((1, len(followed)))),
        )

    return context.once("taste", read)


@feature(
    "affinity author",
    "affinity author recent",
    "affinity topic",
    "topic share",
    "follows author",
    "author came to me",
)
def affinity(c: Candidates) -> Block:
    """The user's own history with author and topic, follow edges, and whether the author engages with the user."""
    if c.context.user < 0:
        return c.none(6)
    mine, known = taste(c.context), c.author >= 0
    return np.stack(
        [
            *(np.log1p(mine.by_author.of(c.author)) * known),
            np.log1p(mine.by_topic[c.topic + 1]) * (c.topic >= 0),
            c.topic_share,
            *mine.follows.of(c.author),
            *np.log1p(mine.visits.of(c.author)),
        ]
    )


@feature("user kNN 1d", "user kNN 30d", "next posts")
def neighbourhood(c: Candidates) -> Block:
    """Support by users who choose alike, at two paces, and by what people went on to."""
    if not c.context.history_length:
        return c.none(3)
    support = [*co_engagement.user_knn(c.context)[:, c.rows], co_engagement.next_posts(c.context)[c.rows]]
    block: Block = np.log(np.stack(support) + 1e-3) - np.log(1e-3)
    return block


@feature("text like history", "text like last")
def text(c: Candidates) -> Block:
    """Similarity of the text to what the user engaged with, lately and last."""
    posts = c.context.history[0][-50:].astype(np.intp)
    if not len(posts) or not c.state.text.shape[1]:
        return c.none(2)

    def profiles() -> NDArray[np.float32]:
        rank = np.arange(len(posts))[::-1]
        both = np.stack([0.9**rank, 0.5**rank]).astype(np.float32) @ c.state.text[posts]
        return np.asarray(both / (np.linalg.norm(both, axis=1, keepdims=True) + 1e-9), np.float32)

    return np.asarray(c.context.once("text profiles", profiles) @ c.state.text[c.rows].T, np.float64)


@feature("topic of last", "heat x topic share", "trace x topic share", "age x topic share")
def topical(c: Candidates) -> Block:
    """The topic of the user's last event, and age and heat as far as the topic is the user's."""
    posts, times, _ = c.context.history
    if not len(posts):
        return c.none(4)
    last = (c.topic == c.state.topic[posts[-1]]) * np.exp2((times[-1] - c.context.now) / HOUR)
    share = c.topic_share
    return np.stack([last, np.log1p(c.heat[_SIX_HOURS]) * share, c.trace[1] * share, c.log_age * share])


@feature(
    "heat x newcomer", "age x newcomer", "age against habit", "(age against habit)^2", "heat against habit"
)
def habit(c: Candidates) -> Block:
    """Against what this user usually takes: how old, how hot; and how short the history is that the rest rests on."""
    newcomer = 1.0 / (1.0 + c.context.history_length)
    hot = np.log1p(c.heat[_SIX_HOURS])
    block = c.none(5)
    block[0], block[1] = hot * newcomer, c.log_age * newcomer
    posts, times, _ = c.context.history
    if len(posts):
        own = posts[-50:].astype(np.intp)
        usual = np.log((times[-50:] - c.state.created[own]).clip(0) + _MINUTE).mean()
        gap = (c.log_age - usual) * (1 - newcomer)
        block[2], block[3], block[4] = np.abs(gap), gap**2 / 10, hot * gap / 3
    return block
