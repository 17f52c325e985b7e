"""Who chooses as this user does, and what they choose: neighbourhoods found in the live feed, as of now."""

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import summed
from app.domain.services.ranking_context import RankingContext

_OWN_POSTS = 60  # newest posts of the user that are looked at
_AUDIENCE = 100  # newest users of each of them
_NEIGHBOURS = 200
_THEIR_POSTS = 60  # newest posts of each neighbour


def neighbours(context: RankingContext, half_life: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The users most alike by what both engaged with, and how alike: user rows and similarities, best first.

    Similarity is the sum over shared posts of 0.5 ** (age of the user's event / `half_life`), each post damped by the
    root of its audience (a post that everybody met says little), over the root of the neighbour's history length:
    a decayed relative of the cosine.
    """

    def find() -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        state = context.state
        posts, times, _ = context.history
        posts, times = posts[-_OWN_POSTS:], times[-_OWN_POSTS:]
        if not len(posts):
            return np.empty(0, np.intp), np.empty(0)
        rows = posts.astype(np.intp)
        weight = np.exp2((times - context.now) / half_life) / np.sqrt(1.0 + state.engagements[rows])
        owner, (users, _) = state.audiences.gather(rows, _AUDIENCE)
        overlap = summed(users, weight[owner], state.n_users)
        overlap[context.user] = 0.0
        found = np.flatnonzero(overlap)
        similarity = overlap[found] / np.sqrt(4.0 + state.histories.lengths(found))
        best = np.argsort(-similarity, kind="stable")[:_NEIGHBOURS]
        return found[best], similarity[best]

    return context.once(("neighbours", half_life), find)


def user_knn(context: RankingContext, half_life: float) -> NDArray[np.float64]:
    """Each post's support among the neighbours, (n_posts,): sum of similarity x 0.5 ** (event's age / half-life)."""

    def score() -> NDArray[np.float64]:
        state = context.state
        users, similarity = neighbours(context, half_life)
        owner, (posts, times, _) = state.histories.gather(users, _THEIR_POSTS)
        weight = similarity[owner] * np.exp2((times - context.now) / half_life)
        return summed(posts, weight, state.n_posts)

    return context.once(("user_knn", half_life), score)


def next_posts(context: RankingContext) -> NDArray[np.float64]:
    """Item neighbourhood, (n_posts,): how often users who met what this user met lately went on to each post,
    damped by the root of its engagement, so that what is merely popular does not lead."""

    def score() -> NDArray[np.float64]:
        state = context.state
        posts = context.history[0][-20:].astype(np.intp)
        owner, (users, met) = state.audiences.gather(posts, 20)
        which, (following, times, _) = state.histories.gather(users.astype(np.intp), 20)
        recency = 1.0 / (1.0 + np.arange(len(posts))[::-1])
        later = times >= met[which]
        weight: NDArray[np.float64] = recency[owner[which]] * later
        found = summed(following, weight, state.n_posts)
        damped: NDArray[np.float64] = found / np.sqrt(4.0 + state.engagements[: state.n_posts])
        return damped

    return context.once("next_posts", score)
