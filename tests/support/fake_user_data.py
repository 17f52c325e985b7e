"""UserDataRepository over the tables in memory."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from app.domain.errors import InvalidMerge, UnknownUser
from app.domain.ids import user_uuid
from app.domain.repositories.feed_log import LogPosition
from app.domain.repositories.user_data_repository import ErasureReceipt, MergeReceipt, RemovedUserData
from tests.support.fake_storage import InMemoryFeedLog, InMemoryTables


class InMemoryUserData:
    """UserDataRepository; an export has the numbers of rows only."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables

    def export(self, user_id: str, write: Callable[[bytes], object]) -> None:
        key = self._known_user(user_id)
        events = [one for one in self._tables.events if one.interaction.user_id == key]
        write(json.dumps({"user_id": user_id, "interactions": len(events)}).encode())

    def reset(self, user_id: str) -> RemovedUserData:
        key = self._known_user(user_id)
        before = LogPosition(self._tables.source, self._tables.next_xid)
        rows = {"user_interaction": self._tables.reset(key)}
        return RemovedUserData(rows, [], InMemoryFeedLog(self._tables).read_changes(before))

    def erase(self, user_id: str) -> ErasureReceipt:
        self._tables.begin()
        key = user_uuid(user_id)
        if key in self._tables.erased:
            return ErasureReceipt(self._tables.erased[key], {"users": 1}, [])
        self._known_user(user_id)
        before = LogPosition(self._tables.source, self._tables.next_xid)
        for post in [post for post in self._tables.posts.values() if post.author_id == key]:
            self._tables.remove_post(post.id)
        self._tables.remove_user(key)
        self._tables.erased[key] = datetime(2026, 3, 1, tzinfo=UTC)
        changes = InMemoryFeedLog(self._tables).read_changes(before)
        return ErasureReceipt(self._tables.erased[key], {"users": 1}, [], changes)

    def merge(self, user_id: str, from_user_id: str) -> MergeReceipt:
        self._tables.begin()
        kept, gone = user_uuid(user_id), user_uuid(from_user_id)
        if kept == gone:
            raise InvalidMerge(from_user_id)
        if gone in self._tables.erased:
            return MergeReceipt(self._tables.erased[gone], {"users": 1})
        self._known_user(user_id)
        self._known_user(from_user_id)
        before = LogPosition(self._tables.source, self._tables.next_xid)
        rows = {"user_interaction": self._tables.merge(gone, kept), "users": 1}
        self._tables.erased[gone] = datetime(2026, 3, 1, tzinfo=UTC)
        changes = InMemoryFeedLog(self._tables).read_changes(before)
        return MergeReceipt(self._tables.erased[gone], rows, changes)

    def _known_user(self, user_id: str) -> UUID:
        self._tables.begin()
        key = user_uuid(user_id)
        if key not in self._tables.users:
            raise UnknownUser(user_id)
        return key
