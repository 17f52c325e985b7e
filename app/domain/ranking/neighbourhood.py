"""User and item neighbourhoods in the live feed: who engages with the same posts, and with which posts next."""

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.group_sums import GroupSums
from app.domain.feed.time_units import DAY
from app.domain.services.ranking_context import RankingContext

_MAX_OWN_POSTS = 50  # newest posts of the user
MAX_USERS_PER_POST = 80  # newest users of each of these posts
_MAX_NEIGHBOURS = 80
MAX_EVENTS_PER_NEIGHBOUR = 50  # newest events of another user that rankings and explanations read
_MAX_POSTS_PER_NEIGHBOUR = 30  # newest posts of each neighbour
_HALF_LIFE = 30 * DAY  # of the weight of an event, seconds
_MAX_PER_TRANSITION = (
    12  # newest posts of the user, newest users of each, newest posts of each of these users
)


def neighbours(context: RankingContext) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Rows of the most similar users and their similarities (positive), largest first; ties by row.

    similarity(u, v) = sum over the shared posts p of 0.5 ** (age of u's event / 30 d) / sqrt(1 + engagements of p),
    divided by sqrt(4 + number of v's events). It resembles a cosine with decay in which popular posts count less.
    """
    return context.memoise("neighbours", lambda: _neighbours(context))


def _neighbours(context: RankingContext) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    state = context.state
    newest_posts, times, _ = context.recent_events
    posts = newest_posts[-_MAX_OWN_POSTS:].astype(np.intp)
    if not len(posts):
        return np.empty(0, np.intp), np.empty(0)
    age = context.now - times[-_MAX_OWN_POSTS:]
    weight = np.exp2(-age / _HALF_LIFE) / np.sqrt(1.0 + state.engagements[posts])
    users_per_post = min(MAX_USERS_PER_POST, state.limits.users_per_post)
    owner, (users,) = state.users_by_post.gather(posts, users_per_post, columns=(0,))
    overlap = GroupSums(users, weight[owner][None], state.n_users)
    found = overlap.rows
    events = state.event_counts(found)
    similarity = overlap.sums[0] / np.sqrt(4.0 + events)
    similarity[events == 0] = 0.0  # the events of users who are away are not in memory
    similarity[context.excluded_as_neighbours(found)] = 0.0
    if len(found) > _MAX_NEIGHBOURS:  # sort the largest ones, with all that equal the last of them
        is_large = similarity >= np.partition(similarity, -_MAX_NEIGHBOURS)[-_MAX_NEIGHBOURS]
        found, similarity = found[is_large], similarity[is_large]
    best = np.lexsort((found, -similarity))[:_MAX_NEIGHBOURS]
    best = best[similarity[best] > 0]
    return found[best], similarity[best]


def user_knn(context: RankingContext) -> GroupSums:
    """One sum per post: the similarity of each neighbour x 0.5 ** (age of their event / 30 d)."""

    def support() -> GroupSums:
        state = context.state
        users, similarity = neighbours(context)
        owner, (posts, times) = state.events_by_user.gather(users, _MAX_POSTS_PER_NEIGHBOUR, columns=(0, 1))
        weight = similarity[owner] * np.exp2((times - context.now) / _HALF_LIFE)
        return GroupSums(posts, weight[None], state.n_posts)

    return context.memoise("user_knn", support)  # a source and a feature read it


def item_transitions(context: RankingContext) -> GroupSums:
    """One sum per post: how often other users engaged with it after a post of the user's newest events.

    Each transition counts 1 / (1 + rank of the user's event, newest 0) / sqrt(4 + engagements of the post).
    """
    state = context.state
    posts = context.recent_events[0][-_MAX_PER_TRANSITION:].astype(np.intp)
    owner, (users, engaged_at) = state.users_by_post.gather(posts, _MAX_PER_TRANSITION, columns=(0, 1))
    engaged_at[context.excluded_as_neighbours(users)] = np.inf  # no event of theirs is later
    event, (next_posts, times) = state.events_by_user.gather(users, _MAX_PER_TRANSITION, columns=(0, 1))
    recency = 1.0 / (1.0 + np.arange(len(posts))[::-1])
    weight = (
        recency[owner[event]] * (times >= engaged_at[event]) / np.sqrt(4.0 + state.engagements[next_posts])
    )
    return GroupSums(next_posts, weight[None], state.n_posts)
