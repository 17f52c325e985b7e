"""Decides whether a start from a model's snapshot gives the same state as a full read of the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.domain.entities import Post
from app.domain.feed.state import FeedState
from app.domain.repositories.feed_log import FeedChanges
from app.domain.repositories.interaction_repository import StoredInteraction


def merge_changes(state: FeedState, batches: Sequence[FeedChanges]) -> FeedChanges | None:
    """Merge consecutive batches into one, sorted as a full read sorts them; None if the state would differ from it.

    Counters keep what a removed post or user contributed, and what a post contributed to its previous author or topic.
    Rows are numbered by time. So nothing may be removed, an existing post may only change its text or visibility, a new
    post must be newer than all others, and an event newer than all events of its user and its post.
    Counters of authors and topics agree up to rounding, because events of different users may be applied in another
    order.
    """
    first, *later = batches
    if any(not replace(batch, events=(), pages=()).is_empty for batch in later):
        return None
    posts = sorted(first.posts, key=lambda post: (post.created_at, post.id.bytes))
    events = sorted(
        (event for batch in batches for event in batch.events),
        key=lambda event: (event.interaction.occurred_at, event.seq),
    )
    new_posts = {post.id.bytes: post for post in posts if post.id.bytes not in state.post_rows}
    existing = [post for post in posts if post.id.bytes in state.post_rows]
    if (
        _removes_known(state, first)
        or not all(_keeps_position(state, post) for post in existing)
        or not _are_newest(state, list(new_posts.values()))
        or not _events_are_newest(state, new_posts, events)
    ):
        return None
    controls = [one for batch in batches for one in batch.controls]
    pages = [page for batch in batches for page in batch.pages]
    position = batches[-1].position
    return replace(first, posts=posts, events=events, controls=controls, pages=pages, position=position)


def _removes_known(state: FeedState, batch: FeedChanges) -> bool:
    """True if the batch removes events, or a post or a user of `state`. A removed follow leaves no trace: allowed."""
    return (
        bool(batch.removed_events)
        or any(post.bytes in state.post_rows for post in batch.removed_posts)
        or any(user.bytes in state.user_rows for user in batch.removed_users)
    )


def _keeps_position(state: FeedState, post: Post) -> bool:
    """True if an existing post keeps its author, creation time, number and topic."""
    row = state.post_rows[post.id.bytes]
    author = -1 if post.author_id is None else state.user_rows.get(post.author_id.bytes, -2)
    topic = state.topic_ids.get(post.tags[0], -2) if post.tags else -1
    return (author, post.created_at.timestamp(), post.seq, topic) == (
        int(state.author[row]),
        float(state.created[row]),
        int(state.seq[row]),
        int(state.topic[row]),
    )


def _are_newest(state: FeedState, posts: Sequence[Post]) -> bool:
    """True if all `posts`, oldest first, are newer than the posts of `state`."""
    if not posts or not state.n_posts:
        return True
    return posts[0].created_at.timestamp() > float(state.created[: state.n_posts].max())


def _events_are_newest(
    state: FeedState, new_posts: Mapping[bytes, Post], events: Sequence[StoredInteraction]
) -> bool:
    """True if each event is newer than the events of its user and its post in `state`, and than the post."""
    for event in events:
        interaction = event.interaction
        latest = _latest_of_post(state, new_posts, interaction.post_id.bytes)
        if latest is None:
            return False
        user = state.user_rows.get(interaction.user_id.bytes)
        if user is not None:
            latest = max([latest, *state.events_by_user.row(user, last=1)[1].tolist()])
        if interaction.occurred_at.timestamp() <= latest:
            return False
    return True


def _latest_of_post(state: FeedState, new_posts: Mapping[bytes, Post], key: bytes) -> float | None:
    """Time of the last event of a post, or of its creation; None for an unknown post."""
    row = state.post_rows.get(key)
    if row is None:
        return new_posts[key].created_at.timestamp() if key in new_posts else None
    times = state.last_engaged if state.engagements[row] > 0 else state.created
    return float(times[row])
