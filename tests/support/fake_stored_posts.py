"""The posts of tables in memory that a user may see, one post at a time: what `feed_visible_posts` returns."""

from collections.abc import Sequence
from uuid import UUID

from app.domain.entities import Post
from app.domain.entities.control import Control
from app.domain.feed.time_position import TimePosition
from app.domain.repositories.stored_posts import StoredPost, StoredPosts, StoredPostsQuery
from app.domain.words import tag_codes, word_codes
from tests.support.fake_storage import InMemoryTables


class InMemoryStoredPosts:
    """StoredPostRepository. `reads` counts the calls; a read looks at `most` posts."""

    def __init__(self, tables: InMemoryTables, most: int = 1000) -> None:
        self._tables = tables
        self.most = most
        self.reads = 0

    def posts_after(self, query: StoredPostsQuery, position: TimePosition, limit: int) -> StoredPosts:
        self._tables.begin()
        self.reads += 1
        places = {_position(post): post for post in self._tables.posts.values() if _position(post) < position}
        newest_first = sorted(places, reverse=True)
        looked_at = newest_first[: self.most]
        allowed = [place for place in looked_at if self._allows(query, places[place])]
        found = allowed[query.skipped : query.skipped + limit]
        reached = found[-1] if len(found) == limit else looked_at[-1] if looked_at else None
        posts = [_stored(places[place]) for place in found]
        return StoredPosts(posts, None if not newest_first or reached == newest_first[-1] else reached)

    def visible_posts(self, user_id: UUID, post_ids: Sequence[UUID]) -> Sequence[StoredPost]:
        self._tables.begin()
        self.reads += 1
        given = [post for post in self._tables.posts.values() if post.id in post_ids]
        query = StoredPostsQuery(user_id, exclude_seen=False)
        allowed = [post for post in given if self._allows(query, post)]
        return [_stored(post) for post in sorted(allowed, key=_position, reverse=True)]

    def _allows(self, query: StoredPostsQuery, post: Post) -> bool:
        tables, user = self._tables, query.user_id
        seen = {event.interaction.post_id for event in tables.events if event.interaction.user_id == user}
        follows = post.author_id is not None and (user, post.author_id) in tables.follows
        if query.followed_only and not follows:
            return False
        if post.id in query.excluded_ids or post.seq in query.excluded_seqs:
            return False
        if post.author_id == user or not post.visible or (query.exclude_seen and post.id in seen):
            return False
        reader, author = tables.users.get(user), tables.users.get(post.author_id) if post.author_id else None
        if post.visibility != "public" and (reader is None or not tables.is_readable(user, post.id)):
            return False
        if author is not None and not author.discoverable and not follows:
            return False
        if post.sensitive and not (reader is not None and reader.show_sensitive):
            return False
        if reader is not None and reader.languages and post.language not in (None, *reader.languages):
            return False
        hides = any(_hides(control, post) for control in tables.controls_of(user).controls)
        blocks = post.author_id is not None and any(
            control.action == "block_author" and control.author_id == user
            for control in tables.controls_of(post.author_id).controls
        )
        return not hides and not blocks


def _stored(post: Post) -> StoredPost:
    external_id = None if post.external_id == str(post.id) else post.external_id
    return StoredPost(post.id, external_id, _position(post), post.author_id, post.root_id, post.repost_of)


def _position(post: Post) -> TimePosition:
    return TimePosition.of(post.created_at.timestamp(), post.seq)


def _hides(control: Control, post: Post) -> bool:
    if control.tag is not None:
        return bool(set(tag_codes((control.tag,)).tolist()) & set(tag_codes(post.tags).tolist()))
    if control.word is not None:
        phrase, words = word_codes(control.word).tolist(), word_codes(post.content).tolist()
        return any(
            words[start : start + len(phrase)] == phrase for start in range(len(words) - len(phrase) + 1)
        )
    return control.post_id == post.id if control.post_id else control.author_id == post.author_id
