"""A feed state as arrays, which a snapshot stores as they are and a start uses as they are."""

from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.array_tree import (
    ArrayTree,
    Late,
    array_of,
    check,
    check_range,
    group_of,
    known_texts_from_arrays,
    number_array,
    number_of,
    text_arrays,
    texts_from_arrays,
)
from app.domain.feed.controls import FeedControls
from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.decayed_counters import DecayedCounters
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.external_ids import ExternalIds
from app.domain.feed.interests import FeedInterests
from app.domain.feed.list_limits import DEFAULT_LIST_LIMITS, ListLimits, longest
from app.domain.feed.post_groups import PostGroups
from app.domain.feed.ragged import RaggedArray
from app.domain.feed.row_checksums import RowChecksums
from app.domain.feed.state import (
    AUTHOR_HALF_LIVES,
    HALF_LIVES,
    STRONG_HALF_LIVES,
    TOP_K_SIZE,
    FeedState,
)
from app.domain.feed.uuid_index import UuidIndex
from app.domain.feed.visibility import FeedVisibility

# arrays by post and by user, with an entry for each row; those of users are as long
_POST_ARRAYS: Final = {
    "created": np.float64,
    "author": np.int32,
    "topic": np.int32,
    "visible": np.bool_,
    "seq": np.int64,
    "engagements": np.int64,
    "last_engaged": np.float64,
}
_USER_ARRAYS: Final = {
    "followers": np.int64,
    "accounts_created": np.float64,
    "requested": np.float64,
    "is_away": np.bool_,
}
_KINDS: Final = 5
_EVENT_DTYPES: Final = (np.int32, np.float64, np.uint8)


def state_to_arrays(state: FeedState) -> ArrayTree:
    """Everything in a state but its counting rule and impressions.

    The arrays are those of the state, with a little of the room behind them. No change may be made before they are
    read. What is late (see ArrayTree) may be computed after later changes.
    """
    users, posts = state.n_users, state.n_posts
    room_users, room_posts = users + users // 8 + 16, posts + posts // 8 + 16
    tree: dict[str, NDArray[Any] | Late | ArrayTree] = {
        "n_users": np.array(users),
        "n_events": np.array(state.n_events),
        "retractions": np.array(state.retractions),
        "user_rows": state.user_rows.array_tree(users),
        "post_rows": state.post_rows.array_tree(posts),
        "free_rows": partial(number_array, list(state.free_rows)),
        "external_ids": partial(text_arrays, list(state.external_ids)),
        "users_by_external_id": state.users_by_external_id.array_tree(),
        "posts_by_external_id": state.posts_by_external_id.array_tree(),
        "topics": partial(text_arrays, list(state.topic_names)),
        "posts": {name: getattr(state, name)[:room_posts] for name in _POST_ARRAYS},
        "users": {name: getattr(state, name)[:room_users] for name in _USER_ARRAYS},
        "by_created": state.by_created,
        "text": state.text[:room_posts],
        "controls": state.controls.copy().array_tree,
        "words": state.post_words.words.array_tree(),
        "tags": state.post_words.tags.array_tree(),
        "visibility": state.visibility.array_tree(users, room_posts),
        "interests": state.interests.array_tree(),
        "groups": state.groups.array_tree(room_posts),
        "post_counters": state.post_counters.array_tree(room_posts),
        "strong_counters": state.strong_counters.array_tree(room_posts),
        "author_counters": state.author_counters.array_tree(room_users),
        "events_by_user": state.events_by_user.array_tree(),
        "earlier_events": state.earlier_events.array_tree(),
        "users_by_post": state.users_by_post.array_tree(),
        "posts_by_author": state.posts_by_author.array_tree(),
        "follows": state.follows.array_tree(),
    }
    if state.embeddings.shape[1]:
        tree["embeddings"] = state.embeddings[:room_posts]
    if state.complete_from is not None:
        created, seq = state.complete_from
        tree["complete_from"] = {"created": np.array(created), "seq": np.array(seq)}
    if state.checksums is not None:
        tree["checksums"] = state.checksums.array_tree()
    return tree


def state_from_arrays(
    tree: ArrayTree, counting: CountingRule | None, limits: ListLimits = DEFAULT_LIST_LIMITS
) -> FeedState:
    """The state of `state_to_arrays`, without impressions, around the arrays of `tree` themselves.

    Raises ValueError if any array is missing, or contains a value that the state could not have.
    """
    state = FeedState(counting, limits)
    state.n_users, state.n_events = number_of(tree, "n_users"), number_of(tree, "n_events")
    state.retractions = number_of(tree, "retractions")
    state.user_rows = UuidIndex.from_tree(group_of(tree, "user_rows"))
    state.post_rows = UuidIndex.from_tree(group_of(tree, "post_rows"))
    users, posts = state.n_users, len(state.post_rows.by_row)
    check(len(state.user_rows.by_row) == users, "keys of users are missing")
    state.n_posts = posts
    state.external_ids = texts_from_arrays(group_of(tree, "external_ids"))
    check(len(state.external_ids) == posts, "external ids of posts are missing")
    state.users_by_external_id = ExternalIds.from_tree("user", group_of(tree, "users_by_external_id"))
    state.posts_by_external_id = ExternalIds.from_tree("post", group_of(tree, "posts_by_external_id"))
    topics = known_texts_from_arrays(group_of(tree, "topics"))
    state.topic_ids = {topic: number for number, topic in enumerate(topics)}
    state.topic_names = topics
    _read_columns(state, tree, np.flatnonzero(state.post_rows.by_row != np.zeros((), KEY_DTYPE)))
    state.controls = FeedControls.from_tree(group_of(tree, "controls"), users)
    state.post_words.words = RaggedArray.from_tree(group_of(tree, "words"), np.uint32, longest=1)
    state.post_words.tags = RaggedArray.from_tree(group_of(tree, "tags"), np.uint32, longest=1)
    state.visibility = FeedVisibility.from_tree(group_of(tree, "visibility"), users, posts)
    state.interests = FeedInterests.from_tree(group_of(tree, "interests"), users)
    state.groups = PostGroups.from_tree(group_of(tree, "groups"), posts)
    _read_counters(state, tree)
    _read_rows(state, tree)
    if "complete_from" in tree:
        since = group_of(tree, "complete_from")
        created, seq = array_of(since, "created", np.float64, 0), array_of(since, "seq", np.int64, 0)
        state.complete_from = created.item(), seq.item()
    if "checksums" in tree:
        state.checksums = RowChecksums.from_tree(group_of(tree, "checksums"))
    return state


def _read_columns(state: FeedState, tree: ArrayTree, with_post: NDArray[np.intp]) -> None:
    """Read the arrays by post and by user. `with_post` are the rows of posts, also of removed ones."""
    users, posts = state.n_users, state.n_posts
    for group, arrays, rows in (("posts", _POST_ARRAYS, posts), ("users", _USER_ARRAYS, users)):
        for name, dtype in arrays.items():
            array = array_of(group_of(tree, group), name, dtype)
            check(len(array) >= rows, f"{name}: values are missing")
            setattr(state, name, array)
    state.text = array_of(tree, "text", np.float32, 2)
    check(len(state.text) >= posts, "text: vectors are missing")
    state.embeddings = np.zeros((len(state.text), 0), np.float16)
    if "embeddings" in tree:
        state.embeddings = array_of(tree, "embeddings", np.float16, 2)
        check(len(state.embeddings) >= posts, "embeddings: vectors are missing")
    check_range(state.author[:posts], -1, users, "author")
    check_range(state.topic[:posts], -1, len(state.topic_ids), "topic")
    check(bool((state.engagements >= 0).all()), "engagements: a value is negative")
    by_created = array_of(tree, "by_created", np.int64)
    check_range(by_created, 0, posts, "by_created")
    is_listed = np.zeros(posts, np.bool_)
    is_listed[by_created] = True
    created = state.created[by_created]
    check(bool((created[:-1] <= created[1:]).all()), "by_created: posts are not in order of time")
    free_rows = array_of(tree, "free_rows", np.int64)
    check_range(free_rows, 0, posts, "free_rows")
    is_free = np.zeros(posts, np.bool_)
    is_free[free_rows] = True
    present = state.post_rows.present()
    check(
        len(by_created) == np.count_nonzero(is_listed)
        and len(free_rows) == np.count_nonzero(is_free)
        and not (is_listed & is_free).any()
        and bool(is_listed[present].all()),
        "by_created: not all posts, or evicted ones",
    )
    state.free_rows = free_rows.tolist()
    is_present = np.zeros(posts, np.bool_)
    is_present[present] = True
    state.sort_posts(by_created[is_present[by_created]], with_post)
    state.largest_engagement = int(state.engagements[:posts].max(initial=0))


def _read_counters(state: FeedState, tree: ArrayTree) -> None:
    for name, half_lives, rows, top_k_size in (
        ("post_counters", HALF_LIVES, state.n_posts, TOP_K_SIZE),
        ("strong_counters", STRONG_HALF_LIVES, state.n_posts, 0),
        ("author_counters", AUTHOR_HALF_LIVES, state.n_users, 0),
    ):
        counters = DecayedCounters.from_tree(group_of(tree, name), half_lives, rows, top_k_size)
        setattr(state, name, counters)


def _read_rows(state: FeedState, tree: ArrayTree) -> None:
    """Read the rows of unequal length. All of them contain rows of posts or users."""
    users, posts = state.n_users, state.n_posts
    limits = state.limits
    for name, rows, values, dtypes, limit in (
        ("events_by_user", users, posts, (*_EVENT_DTYPES, np.float64, np.int64), limits.events_per_user),
        ("earlier_events", users, posts, (np.int32, np.uint8), None),
        ("users_by_post", posts, users, _EVENT_DTYPES, limits.users_per_post),
        ("posts_by_author", users, posts, (np.int32,), None),
        ("follows", users, users, (np.int32,), None),
    ):
        usual = {} if limit is None else {"longest": longest(limit)}
        ragged = RaggedArray.from_tree(group_of(tree, name), *dtypes, **usual)
        check(ragged.rows >= rows, f"{name}: rows are missing")
        check_range(ragged.column(0), 0, values, name)
        for column, dtype in enumerate(dtypes):
            if dtype is np.float64:
                check(bool(np.isfinite(ragged.column(column)).all()), f"{name}: a time is not finite")
            elif dtype is np.uint8:
                check_range(ragged.column(column), 0, _KINDS, f"{name}: kinds")
        setattr(state, name, ragged)
    for name, one in (("words", state.post_words.words), ("tags", state.post_words.tags)):
        check(one.rows >= posts, f"{name}: rows are missing")
