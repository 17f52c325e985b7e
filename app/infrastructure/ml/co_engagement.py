"""Who chooses as this user does, and what they choose: neighbourhoods found in the live feed, as of now."""

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import summed
from app.domain.feed.state import DAY
from app.domain.services.ranking_context import RankingContext

_OWN_POSTS = 50  # newest posts of the user that are looked at
_AUDIENCE = 80  # newest users of each of them
_NEIGHBOURS = 150
_THEIR_POSTS = 50  # newest posts of each neighbour
_ALIKE_HALF_LIFE = 30 * DAY  # of the user's own events, in finding who is alike

PACES = (DAY, 30 * DAY)
"""Half-lives of the neighbours' events, seconds: what they choose now, and what they chose at all."""


def neighbours(context: RankingContext) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The users most alike by what both engaged with, and how alike: user rows and similarities, best first.

    Similarity is the sum over shared posts of the faded weight of the user's own event, each post damped by the root
    of its audience (a post that everybody met says little), over the root of the neighbour's history length: a
    decayed relative of the cosine.
    """

    def find() -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        state = context.state
        posts, times, _ = context.history
        rows, times = posts[-_OWN_POSTS:].astype(np.intp), times[-_OWN_POSTS:]
        if not len(rows):
            return np.empty(0, np.intp), np.empty(0)
        weight = np.exp2((times - context.now) / _ALIKE_HALF_LIFE) / np.sqrt(1.0 + state.engagements[rows])
        owner, (users,) = state.audiences.gather(rows, _AUDIENCE, columns=(0,))
        overlap = summed(users, weight[owner], state.n_users)
        overlap[context.user] = 0.0
        found = np.flatnonzero(overlap)
        similarity = overlap[found] / np.sqrt(4.0 + state.histories.lengths(found))
        if len(found) > 4 * _NEIGHBOURS:
            some = np.argpartition(-similarity, _NEIGHBOURS)[: 2 * _NEIGHBOURS]
            some.sort()
            found, similarity = found[some], similarity[some]
        best = np.argsort(-similarity, kind="stable")[:_NEIGHBOURS]
        return found[best], similarity[best]

    return context.once("neighbours", find)


def user_knn(context: RankingContext) -> NDArray[np.float64]:
    """Each post's support among the neighbours at each of PACES, (2, n_posts): sum of similarity x faded event."""

    def score() -> NDArray[np.float64]:
        state = context.state
        users, similarity = neighbours(context)
        owner, (posts, times) = state.histories.gather(users, _THEIR_POSTS, columns=(0, 1))
        alike, age = similarity[owner], times - context.now
        return np.stack([summed(posts, alike * np.exp2(age / pace), state.n_posts) for pace in PACES])

    return context.once("user_knn", score)


def next_posts(context: RankingContext) -> NDArray[np.float64]:
    """Item neighbourhood, (n_posts,): how often users who met what this user met lately went on to each post,
    damped by the root of its engagement, so that what is merely popular does not lead."""

    def score() -> NDArray[np.float64]:
        state = context.state
        posts = context.history[0][-20:].astype(np.intp)
        owner, (users, met) = state.audiences.gather(posts, 20)
        others = users != context.user
        owner, users, met = owner[others], users[others], met[others]
        which, (following, times) = state.histories.gather(users.astype(np.intp), 20, columns=(0, 1))
        recency = 1.0 / (1.0 + np.arange(len(posts))[::-1])
        weight: NDArray[np.float64] = recency[owner[which]] * (times >= met[which])
        damped: NDArray[np.float64] = summed(following, weight, state.n_posts)
        damped /= np.sqrt(4.0 + state.engagements[: state.n_posts])
        return damped

    return context.once("next_posts", score)
