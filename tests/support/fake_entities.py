"""EntityRepository over the tables in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from app.domain.entities import Post, User
from app.domain.errors import ErasedUser, InvalidPost, ManagedElsewhere, UnknownAuthor
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.entity_repository import EntityChange, Fields
from app.domain.repositories.interaction_repository import RemovedEvents
from tests.support.fake_storage import InMemoryTables


class InMemoryEntities:
    """EntityRepository; `managed_elsewhere` as if another application stored the rows."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables
        self.managed_elsewhere = False

    def put_user(self, user_id: str, fields: Fields, now: datetime) -> EntityChange:
        self._begin()
        columns = {name: value for name, value in fields.items() if name != "username"}
        key = user_uuid(user_id)
        if key in self._tables.erased:
            raise ErasedUser(user_id)
        for author in columns.get("authors") or ():
            if user_uuid(author) not in self._tables.users:
                raise UnknownAuthor(author)
        self._tables.add_users(
            replace(self._tables.users.get(key) or User(key, user_id, now), **_values(columns))
        )
        return self._change([key], [])

    def put_posts(self, posts: Sequence[tuple[str, Fields]], now: datetime) -> EntityChange:
        self._begin()
        tables, keys = self._tables, [post_uuid(post_id) for post_id, _ in posts]
        repeated = [place for place, key in enumerate(keys) if key in keys[:place]]
        if repeated:
            raise InvalidPost(
                f"posts[{repeated[0]}]: the same post as an earlier one; send it once", repeated
            )
        written = []
        for key, (post_id, fields) in zip(keys, posts, strict=True):
            stored = tables.posts.get(key) or Post(key, post_id, None, now, 0)
            columns = {name: value for name, value in fields.items() if name != "reply_to"}
            written.append(replace(stored, **_values(columns)))
        authors = {
            user_uuid(one): one for _, fields in posts if isinstance(one := fields.get("author_id"), str)
        }
        tables.add_users(*(User(key, one, now) for key, one in authors.items() if key not in tables.users))
        tables.add_posts(*written)
        return self._change(list(authors), keys)

    def delete_post(self, post_id: str) -> EntityChange:
        self._begin()
        key, before = post_uuid(post_id), len(self._tables.removed_events)
        if key in self._tables.posts:
            self._tables.remove_post(key)
        removed = [RemovedEvents(*pair, seqs, ()) for _, pair, seqs in self._tables.removed_events[before:]]
        return replace(self._change([], [key]), removed_events=removed)

    def _begin(self) -> None:
        self._tables.begin()
        if self.managed_elsewhere:
            raise ManagedElsewhere("feed_posts: another application stores the posts")

    def _change(self, user_ids: Sequence[UUID], post_ids: Sequence[UUID]) -> EntityChange:
        tables = self._tables
        seqs = {key: xid for xid, _, key in tables.changes if isinstance(key, UUID)}
        return EntityChange(
            users=[tables.users[id_] for id_ in user_ids],
            posts=[tables.posts[id_] for id_ in post_ids if id_ in tables.posts],
            removed_posts=[id_ for id_ in post_ids if id_ not in tables.posts],
            user_seqs={id_: seqs.get(id_, 0) for id_ in user_ids},
            post_seqs={id_: seqs.get(id_, 0) for id_ in post_ids},
        )


def _values(columns: dict[str, Any]) -> dict[str, Any]:
    """The fields of an entity for columns: UUIDs for ids, tuples for lists, an empty text for no content."""
    values: dict[str, Any] = {}
    for name, value in columns.items():
        if isinstance(value, str) and name in {"author_id", "root_id", "repost_of"}:
            value = (user_uuid if name == "author_id" else post_uuid)(value)
        if name == "authors":
            value = [user_uuid(author) for author in value]
        if name == "embedding" and value is not None:
            value = np.array(value, np.float16).tobytes()
        values[name] = tuple(value) if isinstance(value, list) else value
    if "content" in values:
        values["content"] = values["content"] or ""
    return values
