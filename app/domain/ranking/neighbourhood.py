"""Who chooses as this user does, and what they choose: neighbourhoods found in the live feed, as of now."""

from __future__ import annotations  # those of inner functions would be evaluated at each call

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.group_sums import Tally, tally
from app.domain.feed.state import DAY
from app.domain.services.ranking_context import RankingContext

_OWN_POSTS = 50  # newest posts of the user that are looked at
_AUDIENCE = 80  # newest users of each of them
_NEIGHBOURS = 80
_THEIR_POSTS = 30  # newest posts of each neighbour
_HALF_LIFE = 30 * DAY  # of the user's own events in finding neighbours, and of the neighbours' events
_STEPS = (
    12  # newest posts of the user, newest users of each, what each of them went on to: so many at each step
)


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
        weight = np.exp2((times - context.now) / _HALF_LIFE) / np.sqrt(1.0 + state.engagements[rows])
        owner, (users,) = state.audiences.gather(rows, _AUDIENCE, columns=(0,))
        overlap = tally(users, weight[owner][None], state.n_users)
        found = overlap.rows
        similarity = overlap.sums[0] / np.sqrt(4.0 + state.histories.lengths(found))
        similarity[found == context.user] = 0.0
        if len(found) > 2 * _NEIGHBOURS:
            some = (-similarity).argpartition(_NEIGHBOURS)[: 2 * _NEIGHBOURS]
            found, similarity = found[some], similarity[some]
        best = np.lexsort((found, -similarity))[:_NEIGHBOURS]
        best = best[similarity[best] > 0]
        return found[best], similarity[best]

    return context.once("neighbours", find)


def user_knn(context: RankingContext) -> Tally:
    """Posts' support among the neighbours, one sum: of similarity x decayed event."""

    def score() -> Tally:
        state = context.state
        users, similarity = neighbours(context)
        owner, (posts, times) = state.histories.gather(users, _THEIR_POSTS, columns=(0, 1))
        support = similarity[owner] * np.exp2((times - context.now) / _HALF_LIFE)
        return tally(posts, support[None], state.n_posts)

    return context.once("user_knn", score)


def next_posts(context: RankingContext) -> Tally:
    """Item neighbourhood, one sum: how often users who met what this user met lately went on to each post, damped by
    the root of its engagement, so that what is merely popular does not lead."""

    def score() -> Tally:
        state = context.state
        posts = context.history[0][-_STEPS:].astype(np.intp)
        owner, (users, met) = state.audiences.gather(posts, _STEPS)
        others = users != context.user
        owner, users, met = owner[others], users[others], met[others]
        which, (following, times) = state.histories.gather(users.astype(np.intp), _STEPS, columns=(0, 1))
        recency = 1.0 / (1.0 + np.arange(len(posts))[::-1])
        weight = recency[owner[which]] * (times >= met[which]) / np.sqrt(4.0 + state.engagements[following])
        return tally(following, weight[None], state.n_posts)

    return context.once("next_posts", score)
