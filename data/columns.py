"""Columns of a feed file, checked and turned into arrays; the first bad value raises FeedFileError."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.errors import InvalidId
from app.domain.feed.history import KEY_DTYPE
from data.file_tables import FileTable
from data.times import NO_TIME, WHY, to_microseconds

MISSING = "is empty"


def is_text(column: Any) -> bool:
    """Whether an Arrow column holds strings."""
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


class Identities:
    """The users, or the posts, of a feed: rows in the order in which they are first named, one for each UUID."""

    def __init__(self, uuid_of: Callable[[str], UUID]) -> None:
        self._uuid_of = uuid_of
        self._row: dict[bytes, int] = {}
        self.given: list[str] = []

    def __len__(self) -> int:
        return len(self._row)

    @property
    def keys(self) -> NDArray[np.void]:
        """(n,) ``V16`` UUID bytes."""
        return np.frombuffer(b"".join(self._row), dtype=KEY_DTYPE)

    def rows(self, table: FileTable, name: str, *, required: bool = True) -> NDArray[np.int32]:
        """The row of each id in a column, -1 for none; ids that are new get the next rows."""
        if name not in table.columns:
            return np.full(table.rows, -1, dtype=np.int32)
        encoded = pc.dictionary_encode(_id_text(table, name).combine_chunks())
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
        if required and (codes < 0).any():
            raise table.error(int(np.flatnonzero(codes < 0)[0]), name, MISSING)
        found = np.full(len(encoded.dictionary) + 1, -1, dtype=np.int32)  # the last one answers code -1
        for code, given in enumerate(encoded.dictionary.to_pylist()):
            try:
                key = self._uuid_of(given).bytes
            except InvalidId:
                row = int(np.flatnonzero(codes == code)[0])
                raise table.error(row, name, "is no id: 1 to 128 printable characters", given) from None
            at = self._row.setdefault(key, len(self._row))
            if at == len(self.given):
                self.given.append(given)
            found[code] = at
        return found[codes]


def _id_text(table: FileTable, name: str) -> Any:
    column = table.columns[name]
    if is_text(column):
        return column.cast(pa.large_string())
    if pa.types.is_integer(column.type) or pa.types.is_null(column.type):
        return column.cast(pa.string()).cast(pa.large_string())
    if pa.types.is_fixed_size_binary(column.type) and column.type.byte_width == 16:
        return pa.chunked_array(
            [[None if one is None else str(UUID(bytes=one)) for one in column.to_pylist()]]
        )
    raise _wrong_type(table, name, "ids")


def _wrong_type(table: FileTable, name: str, wanted: str) -> Exception:
    first = next((row for row in range(table.rows) if table.columns[name][row].is_valid), 0)
    return table.error(first, name, f"is of type {table.columns[name].type}, which cannot hold {wanted}")


def times(table: FileTable, name: str = "created_at", *, required: bool = False) -> NDArray[np.int64]:
    """Microseconds since the epoch, NO_TIME where there is none."""
    if name not in table.columns:
        return np.full(table.rows, NO_TIME)
    try:
        micro, bad = to_microseconds(table.columns[name])
    except TypeError:
        raise _wrong_type(table, name, "times") from None
    if bad.any():
        raise table.error(int(bad.argmax()), name, WHY)
    if required and (micro == NO_TIME).any():
        raise table.error(int((micro == NO_TIME).argmax()), name, MISSING)
    return micro


def interaction_codes(table: FileTable, event_map: Mapping[str, str]) -> NDArray[np.uint8]:
    """Positions in INTERACTION_TYPES, after the names were mapped."""
    name = "interaction_type"
    if not is_text(table.columns[name]):
        raise _wrong_type(table, name, "interaction types")
    encoded = pc.dictionary_encode(table.columns[name].combine_chunks())
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    if (codes < 0).any():
        raise table.error(int((codes < 0).argmax()), name, MISSING)
    known = {kind: at for at, kind in enumerate(INTERACTION_TYPES)}
    kinds = [known.get(event_map.get(given, given), -1) for given in encoded.dictionary.to_pylist()]
    found = np.array([*kinds, -1], dtype=np.int16)[codes]
    if (found < 0).any():
        allowed = ", ".join(INTERACTION_TYPES)
        raise table.error(
            int((found < 0).argmax()), name, f"is none of {allowed} (--event-map maps other names)"
        )
    return found.astype(np.uint8)
