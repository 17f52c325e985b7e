"""Numbers the users and posts of a feed by their ids."""

import unicodedata
from collections.abc import Callable
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import KEY_DTYPE
from app.shared.command_line import preview
from data.feed_files.columns import id_text, parse_column
from data.feed_files.file_tables import FileTable
from data.values import parse_id


class IdIndex:
    """Row numbers for the users, or the posts, of a feed: one for each UUID, in order of first occurrence."""

    def __init__(self, uuid_of: Callable[[str], UUID]) -> None:
        self._uuid_of = uuid_of
        self._row: dict[bytes, int] = {}
        self.given: list[str] = []
        self._other_spellings: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._row)

    @property
    def keys(self) -> NDArray[np.void]:
        """(n,) ``V16`` UUID bytes."""
        return np.frombuffer(b"".join(self._row), dtype=KEY_DTYPE)

    def rows(self, table: FileTable, name: str) -> NDArray[np.int32]:
        """(n,) the row of each id in a column, -1 for an empty value. A new id gets the next row."""
        return parse_column(table, name, id_text(table, name), self.row_of, -1, np.int32)

    def row_of(self, given: str) -> int:
        """The row of an id, a new one for a new id. Raises ValueError for a text that is not an id."""
        row = self._row.setdefault(self._uuid_of(parse_id(given)).bytes, len(self._row))
        if row == len(self.given):
            self.given.append(given)
        elif given != self.given[row]:
            self._other_spellings[given] = row
        return row

    def notes(self, what: str) -> list[str]:
        """Notes on ids that are spelled in several ways: those that are one id, and those that only look like one."""
        notes = []
        if self._other_spellings:
            given, row = next(iter(self._other_spellings.items()))
            count = f"{len(self._other_spellings):,} ids of {what} are other spellings of an id"
            notes.append(f"{count}, such as {preview(given)} of {preview(self.given[row])}")
        first: dict[str, str] = {}
        similar = [
            (one, given) for given in self.given if (one := first.setdefault(_rough(given), given)) != given
        ]
        if similar:
            how = "case, spaces, leading zeros or Unicode form"
            example = f"such as {preview(similar[0][0])} and {preview(similar[0][1])}"
            notes.append(f"{len(similar):,} ids of {what} differ from another only in {how}, {example}")
        return notes


def _rough(given: str) -> str:
    """An id without case, spaces, leading zeros and compatibility forms."""
    if given.isalnum() and given.isascii():
        return given.lower().lstrip("0")
    return "".join(unicodedata.normalize("NFKC", given).casefold().split()).lstrip("0")
