"""UserDataRepository over the tables in memory."""

import json
from collections.abc import Callable
from uuid import UUID

from app.domain.errors import UnknownUser
from app.domain.ids import user_uuid
from tests.support.fake_storage import InMemoryTables


class InMemoryUserData:
    """UserDataRepository; an export has the numbers of rows only."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables

    def export(self, user_id: str, write: Callable[[bytes], object]) -> None:
        key = self._known_user(user_id)
        events = [one for one in self._tables.events if one.interaction.user_id == key]
        write(json.dumps({"user_id": user_id, "interactions": len(events)}).encode())

    def _known_user(self, user_id: str) -> UUID:
        self._tables.begin()
        key = user_uuid(user_id)
        if key not in self._tables.users:
            raise UnknownUser(user_id)
        return key
