"""Who chooses as this user does, and what they choose: neighbourhoods found in the live feed, as of now."""

from __future__ import annotations  # those of inner functions would be evaluated at each call

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.group_sums import GroupSums, group_sums
from app.domain.feed.state import DAY
from app.domain.services.ranking_context import RankingContext

_MAX_OWN_POSTS = 50  # newest posts of the user that are looked at
_MAX_USERS_PER_POST = 80  # newest users of each of them
_MAX_NEIGHBOURS = 80
_MAX_POSTS_PER_NEIGHBOUR = 30  # newest posts of each neighbour
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
        posts, times, _ = context.recent_events
        rows, times = posts[-_MAX_OWN_POSTS:].astype(np.intp), times[-_MAX_OWN_POSTS:]
        if not len(rows):
            return np.empty(0, np.intp), np.empty(0)
        weight = np.exp2((times - context.now) / _HALF_LIFE) / np.sqrt(1.0 + state.engagements[rows])
        owner, (users,) = state.users_by_post.gather(rows, _MAX_USERS_PER_POST, columns=(0,))
        overlap = group_sums(users, weight[owner][None], state.n_users)
        found = overlap.rows
        similarity = overlap.sums[0] / np.sqrt(4.0 + state.events_by_user.lengths(found))
        similarity[found == context.user] = 0.0
        if len(found) > 2 * _MAX_NEIGHBOURS:
            some = (-similarity).argpartition(_MAX_NEIGHBOURS)[: 2 * _MAX_NEIGHBOURS]
            found, similarity = found[some], similarity[some]
        best = np.lexsort((found, -similarity))[:_MAX_NEIGHBOURS]
        best = best[similarity[best] > 0]
        return found[best], similarity[best]

    return context.memoise("neighbours", find)


def user_knn(context: RankingContext) -> GroupSums:
    """Posts' support among the neighbours, one sum: of similarity x decayed event."""

    def score() -> GroupSums:
        state = context.state
        users, similarity = neighbours(context)
        owner, (posts, times) = state.events_by_user.gather(users, _MAX_POSTS_PER_NEIGHBOUR, columns=(0, 1))
        support = similarity[owner] * np.exp2((times - context.now) / _HALF_LIFE)
        return group_sums(posts, support[None], state.n_posts)

    return context.memoise("user_knn", score)


def item_transitions(context: RankingContext) -> GroupSums:
    """Item neighbourhood, one sum: how often users who met what this user met lately went on to each post, damped by
    the root of its engagement, so that what is merely popular does not lead."""

    def score() -> GroupSums:
        state = context.state
        posts = context.recent_events[0][-_STEPS:].astype(np.intp)
        owner, (users, met) = state.users_by_post.gather(posts, _STEPS)
        others = users != context.user
        owner, users, met = owner[others], users[others], met[others]
        which, (following, times) = state.events_by_user.gather(users.astype(np.intp), _STEPS, columns=(0, 1))
        recency = 1.0 / (1.0 + np.arange(len(posts))[::-1])
        weight = recency[owner[which]] * (times >= met[which]) / np.sqrt(4.0 + state.engagements[following])
        return group_sums(following, weight[None], state.n_posts)

    return context.memoise("next_posts", score)
