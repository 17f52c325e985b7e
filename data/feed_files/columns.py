"""Checks the columns of a feed file and converts them to arrays. The first invalid value raises FeedFileError.

Single values are parsed by the functions of `data.schemas`. An empty value is a null of Arrow.
"""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.entities.post import VISIBILITIES
from app.domain.feed.dataset import KEY_DTYPE
from app.domain.ids import post_uuid
from data.feed_files.file_tables import FileTable
from data.feed_files.options import DROP, ReadOptions
from data.schemas import NO_AUDIENCE
from data.times import (
    MAX_DAYS_AHEAD,
    TOO_EARLY,
    TOO_LATE,
    are_too_early,
    are_too_late,
    problem_of,
    to_microseconds,
)
from data.values import (
    UUID_FORM,
    parse_count,
    parse_embedding,
    parse_flag,
    parse_hidden,
    parse_id,
    parse_ids,
    parse_interaction_type,
    parse_language,
    parse_languages,
    parse_metadata,
    parse_tags,
    parse_visible,
)

DROPPED_CODE: Final = len(INTERACTION_TYPES)
"""The code of an interaction whose type is not read."""


_LARGEST_EXACT: Final = {pa.float64(): 2.0**53, pa.float32(): 2.0**24, pa.float16(): 2.0**11}
"""Type -> the number up to which it holds each whole number."""


def times(
    table: FileTable, name: str = "created_at", *, max_days_ahead: int | None = MAX_DAYS_AHEAD
) -> NDArray[np.int64]:
    """(n,) microseconds since the Unix epoch, NO_TIME for an empty value; `max_days_ahead` None allows any future.

    Raises FeedFileError for a value that is not a time, or not within the bounds of a feed (`data.times`).
    """
    try:
        micro, invalid = to_microseconds(table.column(name))
    except TypeError:
        raise _wrong_type(table, name, "times") from None
    if invalid.any():
        raise table.bad_rows(name, invalid, lambda row: problem_of(table.value(name, row)))
    _fail_if_any(table, name, are_too_early(micro), TOO_EARLY)
    if max_days_ahead is not None:
        _fail_if_any(table, name, are_too_late(micro, max_days_ahead), TOO_LATE)
    return micro


def interaction_codes(table: FileTable, options: ReadOptions) -> NDArray[np.uint8]:
    """(n,) positions in INTERACTION_TYPES, after events were mapped; DROPPED_CODE for types that are dropped."""

    def parse(given: str) -> int:
        kind = options.type_of(given)
        return DROPPED_CODE if kind == DROP else INTERACTION_TYPES.index(parse_interaction_type(kind))

    name = "interaction_type"
    column = table.column(name)
    is_rating = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    column = column.cast(pa.large_string()) if is_rating else _text(table, name)
    return parse_column(table, name, column, parse, 0, np.uint8)


def texts(table: FileTable, name: str) -> list[str | None]:
    """Strings that PostgreSQL can store; None for an empty value."""
    column = _text(table, name)
    _fail_if_any(table, name, _true(pc.match_substring(column, "\0")), "contains a NUL character")
    values: list[str | None] = column.to_pylist()
    return values


def shown(table: FileTable) -> NDArray[np.bool_]:
    """(n,) whether a post is shown: `visible`, by default true, and not `hidden`."""
    visible = parse_column(table, "visible", table.column("visible"), parse_visible, True, np.bool_)
    hidden = parse_column(table, "hidden", table.column("hidden"), parse_hidden, False, np.bool_)
    is_shown: NDArray[np.bool_] = visible & ~hidden
    return is_shown


def flags(table: FileTable, name: str, *, default: bool) -> NDArray[np.bool_]:
    """(n,) booleans in the usual spellings; `default` for an empty value."""
    return parse_column(table, name, table.column(name), parse_flag, default, np.bool_)


def counts(table: FileTable, name: str) -> NDArray[np.int64]:
    """(n,) whole numbers of at least 0, -1 for an empty value."""
    return parse_column(table, name, table.column(name), parse_count, -1, np.int64)


def tags(table: FileTable, name: str = "tags") -> list[tuple[str, ...]]:
    """The texts of a list in each row, () for an empty value."""
    values: list[tuple[str, ...]] = parse_column(
        table, name, table.column(name), parse_tags, (), np.object_
    ).tolist()
    return values


def embeddings(table: FileTable, name: str) -> list[NDArray[np.float16] | None]:
    """The unit vectors of the posts, None for an empty value. All have the length of the first."""
    values: list[NDArray[np.float16] | None] = parse_column(
        table, name, table.column(name), parse_embedding, None, np.object_
    ).tolist()
    lengths = np.array([0 if one is None else len(one) for one in values])
    first = next(iter(lengths[lengths > 0]), 0)
    is_other = (lengths > 0) & (lengths != first)
    _fail_if_any(
        table, name, is_other, f"has another length than the first embedding, which has {first} numbers"
    )
    return values


def language(table: FileTable, name: str) -> list[str | None]:
    """Language tags, None for an empty value."""
    values: list[str | None] = parse_column(
        table, name, _text(table, name), parse_language, None, np.object_
    ).tolist()
    return values


def languages(table: FileTable, name: str) -> list[tuple[str, ...]]:
    """The language tags of each row, () for an empty value."""
    values: list[tuple[str, ...]] = parse_column(
        table, name, table.column(name), parse_languages, (), np.object_
    ).tolist()
    return values


def visibilities(table: FileTable, name: str = "visibility") -> list[str]:
    """Values of VISIBILITIES, "public" for an empty one. A post for members needs an audience."""

    def parse(given: str) -> str:
        if given not in VISIBILITIES:
            raise ValueError(f"is not one of {', '.join(VISIBILITIES)}")
        return given

    values = parse_column(table, name, _text(table, name), parse, "public", np.object_)
    has_audience = np.array([bool(audience) for audience in texts(table, "audience_id")], np.bool_)
    _fail_if_any(table, name, (values == "members") & ~has_audience, NO_AUDIENCE)
    visibility: list[str] = values.tolist()
    return visibility


def ids(table: FileTable, name: str) -> list[str]:
    """The ids of a column without empty values."""
    values: list[str] = parse_column(table, name, id_text(table, name), parse_id, "", np.object_).tolist()
    return values


def id_lists(table: FileTable, name: str) -> list[tuple[str, ...]]:
    """The ids of a list in each row, () for an empty value."""
    values: list[tuple[str, ...]] = parse_column(
        table, name, table.column(name), parse_ids, (), np.object_
    ).tolist()
    return values


def post_ids(table: FileTable, name: str) -> list[UUID | None]:
    """The UUIDs of posts, which the feed need not contain; None for an empty value."""

    def parse(given: str) -> UUID:
        return post_uuid(parse_id(given))

    column = id_text(table, name)
    values: list[UUID | None] = parse_column(table, name, column, parse, None, np.object_).tolist()
    return values


def metadata(table: FileTable) -> NDArray[np.object_] | None:
    """(n,) JSON objects as text, "{}" for an empty value; None if no row has a value."""
    column = table.column("metadata")
    if column.null_count == table.rows:
        return None
    return parse_column(table, "metadata", column, _metadata_text, "{}", np.object_)


def event_ids(table: FileTable) -> tuple[NDArray[np.void], NDArray[np.bool_]]:
    """(keys (n,) ``V16``, is_given (n,)): keys are zero for empty values."""
    column = id_text(table, "event_id")
    given: NDArray[np.bool_] = column.is_valid().to_numpy()
    well_formed = _true(pc.match_substring_regex(column, f"^{UUID_FORM}$"))
    _fail_if_any(table, "event_id", given & ~well_formed, "is not a UUID")
    digits = pc.replace_substring(column.drop_null(), "-", "").to_pylist()
    keys = np.zeros(table.rows, dtype=KEY_DTYPE)
    keys[given] = np.frombuffer(bytes.fromhex("".join(digits)), dtype=KEY_DTYPE)
    return keys, given


def _metadata_text(value: object) -> str:
    if isinstance(value, dict):  # an Arrow struct has a field for every key of the column
        value = {key: one for key, one in value.items() if one is not None}
    elif isinstance(value, list):  # a map
        value = dict(value)
    return orjson.dumps(parse_metadata(value)).decode()


def parse_column(
    table: FileTable, name: str, column: Any, parse: Callable[[Any], object], default: object, dtype: type
) -> NDArray[Any]:
    """(n,) the values of a column, each parsed by `parse`; `default` for an empty value.

    Each distinct value is parsed once, except lists and structs: Arrow cannot encode nested values as a dictionary.
    Raises BadRows for the values that `parse` rejects.
    """
    if pa.types.is_nested(column.type):
        values = column.to_pylist()
        codes = np.arange(len(values))
    else:
        encoded = column.combine_chunks().dictionary_encode()
        values = encoded.dictionary.to_pylist()
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.intp)
    parsed: list[Any] = []
    problems: dict[int, str] = {}
    for code, value in enumerate(values):
        try:
            parsed.append(default if value is None else parse(value))
        except (ValueError, TypeError) as error:
            parsed.append(default)
            problems[code] = str(error)
    if problems:
        raise table.bad_rows(name, np.isin(codes, list(problems)), lambda row: problems[int(codes[row])])
    return np.fromiter([*parsed, default], dtype)[codes]  # code -1, of an empty value, selects `default`


def _text(table: FileTable, name: str) -> Any:
    column = table.column(name)
    if not pa.types.is_large_string(column.type):
        raise _wrong_type(table, name, "text")
    return column


def id_text(table: FileTable, name: str) -> Any:
    """A column of ids as large_string. Whole numbers that are stored as decimals or floats are ids without `.0`."""
    column = table.column(name)
    kind = column.type
    if pa.types.is_fixed_size_binary(kind) and kind.byte_width == 16:
        texts = [None if one is None else str(UUID(bytes=one)) for one in column.to_pylist()]
        return pa.chunked_array([texts], pa.large_string())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        exact = _true(pc.equal(column, pc.trunc(column)))
        if kind in _LARGEST_EXACT:
            exact &= _true(pc.less(pc.abs(column), _LARGEST_EXACT[kind]))
        _fail_if_any(table, name, column.is_valid().to_numpy() & ~exact, "is not an exact whole number")
        column = column.cast(pa.int64() if pa.types.is_floating(kind) else pa.decimal256(76, 0))
    elif not pa.types.is_integer(kind) and not pa.types.is_large_string(kind):
        raise _wrong_type(table, name, "ids")
    return column.cast(pa.large_string())


def _wrong_type(table: FileTable, name: str, wanted: str) -> Exception:
    column = table.column(name)
    return table.bad_rows(
        name, column.is_valid().to_numpy(), f"is of type {column.type}, which cannot hold {wanted}"
    )


def _true(booleans: Any) -> NDArray[np.bool_]:
    """(n,) an Arrow column of booleans, false for null."""
    is_true: NDArray[np.bool_] = pc.fill_null(booleans, fill_value=False).to_numpy()
    return is_true


def _fail_if_any(table: FileTable, name: str, bad: NDArray[np.bool_], problem: str) -> None:
    if bad.any():
        raise table.bad_rows(name, bad, problem)
