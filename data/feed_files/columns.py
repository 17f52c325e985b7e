"""Checks the columns of a feed file and converts them to arrays. The first invalid value raises FeedFileError.

The rules are those of the models in `data.schemas`, applied to whole columns.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.errors import InvalidId
from app.domain.feed.dataset import KEY_DTYPE, NO_TIME
from data.feed_files.file_tables import FileTable
from data.schemas import (
    COUNT_FORM,
    MAX_COUNT,
    UUID_FORM,
    parse_flag,
    parse_metadata,
    parse_tags,
)
from data.times import WHY, to_microseconds

MISSING = "is empty"
T = TypeVar("T")


class IdIndex:
    """Row numbers for the users, or the posts, of a feed: one for each UUID, in order of first occurrence."""

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
        """(n,) the row of each id in a column, -1 for an empty value. A new id gets the next row."""
        if name not in table.columns:
            return np.full(table.rows, -1, dtype=np.int32)
        codes, values = _encoded(_id_text(table, name))
        if required:
            _fail_if_any(table, name, codes < 0, MISSING)
        found = np.full(len(values) + 1, -1, dtype=np.int32)  # the last entry is that of code -1
        for code, given in enumerate(values):
            try:
                key = self._uuid_of(given).bytes
            except InvalidId:
                row = int((codes == code).argmax())
                raise table.error(
                    row, name, "is not an id: it needs 1 to 128 printable characters", given
                ) from None
            at = self._row.setdefault(key, len(self._row))
            if at == len(self.given):
                self.given.append(given)
            found[code] = at
        rows: NDArray[np.int32] = found[codes]
        return rows


def times(table: FileTable, name: str = "created_at", *, required: bool = False) -> NDArray[np.int64]:
    """(n,) microseconds since the Unix epoch, NO_TIME for an empty value."""
    if name not in table.columns:
        return np.full(table.rows, NO_TIME)
    try:
        micro, bad = to_microseconds(table.columns[name])
    except TypeError:
        raise _wrong_type(table, name, "times") from None
    _fail_if_any(table, name, bad, WHY)
    if required:
        _fail_if_any(table, name, micro == NO_TIME, MISSING)
    return micro


def interaction_codes(table: FileTable, event_map: Mapping[str, str]) -> NDArray[np.uint8]:
    """(n,) positions in INTERACTION_TYPES, after `event_map` was applied."""
    name = "interaction_type"
    codes, values = _encoded(_text(table, name))
    _fail_if_any(table, name, codes < 0, MISSING)
    known: dict[str, int] = {kind: at for at, kind in enumerate(INTERACTION_TYPES)}
    kinds = [known.get(event_map.get(given, given), -1) for given in values]
    found = np.array([*kinds, -1], dtype=np.int16)[codes]
    allowed = ", ".join(INTERACTION_TYPES)
    _fail_if_any(table, name, found < 0, f"is not one of {allowed}; map other names with --event-map")
    mapped: NDArray[np.uint8] = found.astype(np.uint8)
    return mapped


def texts(table: FileTable, name: str) -> list[str | None]:
    """Strings that PostgreSQL can store; None for an empty value."""
    if name not in table.columns:
        return [None] * table.rows
    column = _text(table, name)
    _fail_if_any(table, name, _true(pc.match_substring(column, "\0")), "contains a NUL character")
    values: list[str | None] = column.to_pylist()
    return values


def flags(table: FileTable, name: str, *, default: bool) -> NDArray[np.bool_]:
    """(n,) booleans in the usual spellings; `default` for an empty value."""
    found = _each(table, name, parse_flag)
    return np.array([default if one is None else one for one in found], dtype=np.bool_)


def counts(table: FileTable, name: str) -> NDArray[np.int64]:
    """(n,) whole numbers of at least 0, -1 for an empty value."""
    if name not in table.columns:
        return np.full(table.rows, -1)
    column = table.columns[name]
    if not _is_text(column):
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or _is_null(column)):
            raise _wrong_type(table, name, "counts")
        if pa.types.is_floating(column.type):  # pandas writes missing numbers as NaN
            column = pc.if_else(pc.is_nan(column), None, column)
        column = column.cast(pa.string())
    present = column.is_valid().to_numpy()
    good = _true(pc.match_substring_regex(column, f"^{COUNT_FORM}$"))
    numbers = np.full(table.rows, -1.0)
    numbers[good] = column.filter(pa.array(good)).cast(pa.float64()).to_numpy()
    why = f"is not a whole number from 0 to {MAX_COUNT}"
    _fail_if_any(table, name, (present & ~good) | (numbers > MAX_COUNT), why)
    return numbers.astype(np.int64)


def tags(table: FileTable, name: str = "tags") -> list[tuple[str, ...]]:
    """The tags of each row, () for an empty value."""
    return [found or () for found in _each(table, name, parse_tags)]


def metadata(table: FileTable, name: str = "metadata") -> list[str] | None:
    """JSON objects as text, "{}" for an empty value; None if no row has a value."""
    if name not in table.columns or table.columns[name].null_count == table.rows:
        return None
    return [found or "{}" for found in _each(table, name, _metadata_text)]


def uuids(table: FileTable, name: str = "event_id") -> tuple[NDArray[np.void], NDArray[np.bool_]]:
    """(keys (n,) ``V16``, is_given (n,)): keys are zero for empty values."""
    keys = np.zeros(table.rows, dtype=KEY_DTYPE)
    if name not in table.columns:
        return keys, np.zeros(table.rows, dtype=np.bool_)
    column = _id_text(table, name)
    given: NDArray[np.bool_] = column.is_valid().to_numpy()
    good = _true(pc.match_substring_regex(column, f"^{UUID_FORM}$"))
    _fail_if_any(table, name, given & ~good, "is not a UUID")
    digits = pc.replace_substring(column.drop_null(), "-", "").to_pylist()
    keys[given] = np.frombuffer(bytes.fromhex("".join(digits)), dtype=KEY_DTYPE)
    return keys, given


def _metadata_text(value: object) -> str:
    if isinstance(value, dict):  # an Arrow struct has a field for every key of the column
        value = {key: one for key, one in value.items() if one is not None}
    elif isinstance(value, list):  # a map
        value = dict(value)
    return orjson.dumps(parse_metadata(value)).decode()


def _each(table: FileTable, name: str, parse: Callable[[object], T]) -> list[T | None]:
    """The parsed values. Each distinct value is parsed once."""
    if name not in table.columns:
        return [None] * table.rows
    column = table.columns[name]
    if _is_text(column) or pa.types.is_boolean(column.type) or pa.types.is_integer(column.type):
        codes, values = _encoded(column)
    else:
        listed = column.to_pylist()
        codes = np.where([value is None for value in listed], -1, np.arange(len(listed)))
        values = listed
    found: list[T | None] = []
    for code, value in enumerate(values):
        try:
            found.append(None if value is None else parse(value))
        except (ValueError, TypeError) as error:
            raise table.error(int((codes == code).argmax()), name, str(error), value) from None
    found.append(None)
    return [found[code] for code in codes.tolist()]


def _encoded(column: Any) -> tuple[NDArray[np.intp], list[Any]]:
    """Dictionary encoding: (codes (n,), -1 for null; the distinct values)."""
    encoded = pc.dictionary_encode(column).unify_dictionaries()
    if encoded.num_chunks == 0:
        return np.empty(0, dtype=np.intp), []
    chunks = [pc.fill_null(chunk.indices, -1).to_numpy(zero_copy_only=False) for chunk in encoded.chunks]
    return np.concatenate(chunks).astype(np.intp), encoded.chunk(0).dictionary.to_pylist()


def _is_text(column: Any) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _is_null(column: Any) -> bool:
    return bool(pa.types.is_null(column.type))


def _text(table: FileTable, name: str) -> Any:
    column = table.columns[name]
    if not (_is_text(column) or _is_null(column)):
        raise _wrong_type(table, name, "text")
    return column.cast(pa.large_string())


def _id_text(table: FileTable, name: str) -> Any:
    column = table.columns[name]
    if _is_text(column):
        return column.cast(pa.large_string())
    if pa.types.is_integer(column.type) or _is_null(column):
        return column.cast(pa.string()).cast(pa.large_string())
    if pa.types.is_fixed_size_binary(column.type) and column.type.byte_width == 16:
        texts = [None if one is None else str(UUID(bytes=one)) for one in column.to_pylist()]
        return pa.chunked_array([texts], pa.large_string())
    raise _wrong_type(table, name, "ids")


def _wrong_type(table: FileTable, name: str, wanted: str) -> Exception:
    first = next((row for row in range(table.rows) if table.columns[name][row].is_valid), 0)
    return table.error(first, name, f"is of type {table.columns[name].type}, which cannot hold {wanted}")


def _true(booleans: Any) -> NDArray[np.bool_]:
    """(n,) an Arrow column of booleans, false for null."""
    is_true: NDArray[np.bool_] = pc.fill_null(booleans, fill_value=False).to_numpy().astype(np.bool_)
    return is_true


def _fail_if_any(table: FileTable, name: str, bad: NDArray[np.bool_], why: str) -> None:
    if bad.any():
        raise table.error(int(bad.argmax()), name, why)
