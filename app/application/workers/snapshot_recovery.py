"""A start from a model's snapshot: what came after it, where that leads to the feed that a whole read gives."""

from collections.abc import Sequence
from dataclasses import replace

from app.domain.entities import Post
from app.domain.feed.state import FeedState
from app.domain.repositories.feed_log import FeedChanges
from app.domain.repositories.interaction_repository import StoredInteraction


def merge_changes(state: FeedState, parts: Sequence[FeedChanges]) -> FeedChanges | None:
    """`parts`, read one after the other, as one, in the order in which a whole read comes upon them.

    None where `state` with them is not what a whole read gives. Counters keep what a deleted post or user earned, and
    an author or a topic what a post earned before it changed hands; rows are numbered, and histories read, by time. So
    users and posts may only be added, posts only be reworded or hidden, and a new post must be later than all that are
    there, a new event later than all of the same user and of the same post. Counters of authors and topics then agree
    but for rounding, as events of others may come in another order.
    """
    first, *others = parts
    if any((part.users, part.posts, part.follows) != ([], [], []) for part in others) or any(
        _removes(part) for part in others
    ):
        return None
    posts = sorted(first.posts, key=lambda post: (post.created_at, post.id.bytes))
    events = sorted(
        (event for part in parts for event in part.events),
        key=lambda event: (event.interaction.occurred_at, event.seq),
    )
    new = {post.id.bytes: post for post in posts if post.id.bytes not in state.post_rows}
    edited = [post for post in posts if post.id.bytes in state.post_rows]
    if (
        any(one.bytes in state.post_rows for one in first.removed_posts)
        or any(one.bytes in state.user_rows for one in first.removed_users)
        or not all(_keeps_its_place(state, post) for post in edited)
        or not _come_later(state, list(new.values()))
        or not _happen_later(state, new, events)
    ):
        return None
    return replace(first, posts=posts, events=events, position=parts[-1].position)


def _removes(part: FeedChanges) -> bool:
    return bool(part.removed_users or part.removed_posts or part.removed_follows)


def _keeps_its_place(state: FeedState, post: Post) -> bool:
    """Whether a known post is where it was: same author, time, number and topic."""
    row = state.post_rows[post.id.bytes]
    author = -1 if post.author_id is None else state.user_rows.get(post.author_id.bytes, -2)
    topic = state.topic_ids.get(post.tags[0], -2) if post.tags else -1
    return (author, post.created_at.timestamp(), post.seq, topic) == (
        int(state.author[row]),
        float(state.created[row]),
        int(state.seq[row]),
        int(state.topic[row]),
    )


def _come_later(state: FeedState, posts: Sequence[Post]) -> bool:
    if not posts or not state.n_posts:
        return True
    return posts[0].created_at.timestamp() > float(state.created[: state.n_posts].max())


def _happen_later(state: FeedState, new: dict[bytes, Post], events: Sequence[StoredInteraction]) -> bool:
    """Whether each event is later than what its user and its post have met; `events` in order of time."""
    for event in events:
        one, at = event.interaction, event.interaction.occurred_at.timestamp()
        post = state.post_rows.get(one.post_id.bytes)
        if post is not None:
            met = state.engagements[post] > 0
            before = float(state.last_engaged[post] if met else state.created[post])
        elif one.post_id.bytes in new:
            before = new[one.post_id.bytes].created_at.timestamp()
        else:
            return False
        user = state.user_rows.get(one.user_id.bytes)
        if user is not None:
            before = max([before, *state.events_by_user.row(user, last=1)[1].tolist()])
        if at <= before:
            return False
    return True
