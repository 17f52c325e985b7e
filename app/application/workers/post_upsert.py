"""Adds posts to a state, or updates the ones that it has."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np

from app.domain.entities import Post
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.engaged_users import engaged_users
from app.domain.feed.post_settings import PostSettings
from app.domain.feed.rebuilt_lists import is_complete
from app.domain.feed.retraction import move_events, recount_author
from app.domain.feed.slices import Writing, slices
from app.domain.feed.state import FeedState
from app.domain.repositories.interaction_repository import UserAndPost

_POSTS_PER_STEP = 3


def upsert_posts(
    state: FeedState, posts: Sequence[Post], vectors: PostVectors, writing: Writing
) -> list[int]:
    """Update known posts and append new ones, in short steps. `vectors` are those of `posts`.

    Returns the previous and the present rows of re-created posts whose lists are to be rebuilt, with those of the users
    who engaged with them: memory does not have all their events.
    """
    state.add_users((post.author_id.bytes for post in posts if post.author_id is not None), writing)
    state.reserve(state.n_users, state.n_posts + len(posts))
    state.post_words.reserve([post.content for post in posts], [post.tags for post in posts])
    rows = np.array([_author_row(state, post) for post in posts], np.intp)
    state.posts_by_author.reserve(rows[rows >= 0])
    re_created = {  # the previous row of each: a re-created post has another number, and is a new post
        post.id.bytes: row
        for post in posts
        if (row := state.post_rows.get(post.id.bytes)) is not None and state.seq[row] != post.seq
    }
    if re_created:
        state.remove_posts(re_created, writing)
    authors: set[int] = set()  # who got or lost a post
    for places in slices(range(len(posts)), _POSTS_PER_STEP):
        with writing():
            _upsert_step(state, [posts[i] for i in places], vectors[places], authors)
    for author in authors:
        recount_author(state, author, writing)
        with writing():
            state.events_replaced(state.posts_by_author.row(author)[0].astype(np.intp))
    to_rebuild: list[int] = []
    for key, row in re_created.items():  # adopted tables keep the events of a removed post
        users = engaged_users(state, np.array([row]))
        if all(is_complete(state, user, row) for user in users.tolist()):
            move_events(state, row, state.post_rows[key], writing)
        else:
            to_rebuild += [row, state.post_rows[key]]
    return to_rebuild


def _upsert_step(state: FeedState, posts: Sequence[Post], vectors: PostVectors, authors: set[int]) -> None:
    """Upsert a few posts. Adds to `authors`."""
    new: list[int] = []
    for index, post in enumerate(posts):
        row = state.post_rows.get(post.id.bytes)
        if row is None:
            new.append(index)
        else:
            before = int(state.author[row])
            _update(state, row, post, vectors[index : index + 1])
            if before != state.author[row]:
                authors |= {before, int(state.author[row])} - {-1}
    if new:
        _append(state, [posts[index] for index in new], vectors[new])


def changed_authors(state: FeedState, posts: Sequence[Post]) -> list[UserAndPost]:
    """The previous and the present author of each known post whose author differs from that in `state`."""
    previous: dict[UUID, int] = {}
    pairs: list[UserAndPost] = []
    for post in posts:
        row = state.post_rows.get(post.id.bytes)
        if row is None:
            continue
        author = -1 if post.author_id is None else state.user_rows.get(post.author_id.bytes, -2)
        if author != state.author[row]:
            previous[post.id] = int(state.author[row])
            if post.author_id is not None:
                pairs.append((post.author_id, post.id))
    if previous:
        pairs += [
            (UUID(bytes=state.user_key(author)), post) for post, author in previous.items() if author >= 0
        ]
    return pairs


def restore_hidden_posts(state: FeedState, posts: Sequence[Post], writing: Writing) -> None:
    """Restore posts that a view hid and shows again: they keep their number, so their row and events stay valid."""
    unknown = {post.seq: post.id for post in posts if post.id.bytes not in state.post_rows}
    for row in state.rows_of_seq(np.array(list(unknown), np.int64)).tolist():
        post_id = unknown[int(state.seq[row])]
        if state.post_key(row) == post_id.bytes:
            state.reserve(state.n_users, state.n_posts)
            with writing():
                state.restore_post(post_id.bytes, row)
            recount_author(state, state.author.item(row), writing)


def _update(state: FeedState, row: int, post: Post, vector: PostVectors) -> None:
    state.update_post(
        post.id.bytes,
        external_id=_external_id(post),
        author=_author_row(state, post),
        created=post.created_at.timestamp(),
        visible=post.visible,
        text=post.content,
        tags=post.tags,
        settings=PostSettings.of_posts([post]),
    )
    state.set_text(np.array([row]), vector.text)
    state.set_embeddings(np.array([row]), vector.embedding)


def _append(state: FeedState, posts: Sequence[Post], vectors: PostVectors) -> None:
    state.add_posts(
        [post.id.bytes for post in posts],
        external_ids=[_external_id(post) for post in posts],
        author=np.array([_author_row(state, post) for post in posts], np.int32),
        created=np.array([post.created_at.timestamp() for post in posts]),
        visible=np.array([post.visible for post in posts]),
        seq=np.array([post.seq for post in posts]),
        texts=[post.content for post in posts],
        tags=[post.tags for post in posts],
        vectors=vectors,
        settings=PostSettings.of_posts(posts),
    )


def _external_id(post: Post) -> str | None:
    """The external id of the post, None if it is the UUID."""
    return None if post.external_id == str(post.id) else post.external_id


def _author_row(state: FeedState, post: Post) -> int:
    """User row of the author, -1 for an unknown author."""
    return -1 if post.author_id is None else state.user_rows[post.author_id.bytes]
