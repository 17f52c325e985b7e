"""NDJSON and JSON files as tables of text columns.

Every value becomes text: numbers as they are written, objects and lists as JSON. `data.feed_files.columns` parses the
texts. The line of a row is found by reading the file again, only when the row has an error.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa

from data.feed_files.encodings import open_utf8
from data.feed_files.file_tables import FileTable, file_table
from data.feed_files.headers import Header, match_header
from data.feed_files.options import ReadOptions
from data.schemas import ROWS, FeedFileError, FileKind

_CHUNK_ROWS: Final = 100_000
# Types of JSON values that a column accepts beside strings.
_JSON_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys(
        (
            "id",
            "user_id",
            "post_id",
            "author_id",
            "follower_id",
            "followee_id",
            "reply_to",
            "root_id",
            "repost_of",
        ),
        (int,),
    ),
    **dict.fromkeys(("created_at", "until", "like_count", "comment_count", "follower_count"), (int, float)),
    **dict.fromkeys(("visible", "sensitive", "discoverable", "personalised", "show_sensitive"), (bool, int)),
    **dict.fromkeys(("tags", "languages", "posts", "seen"), (list,)),
    "metadata": (dict,),
}


def read_ndjson(path: Path, kind: FileKind, options: ReadOptions) -> FileTable:
    """A file with one JSON object on each line; blank lines are skipped."""

    def places(rows: Sequence[int]) -> list[str]:
        with open_utf8(path) as lines:
            wanted = set(rows)
            full = (number for number, line in enumerate(lines, 1) if not line.isspace())
            numbers = (number for row, number in enumerate(full) if row in wanted)
            return [f"line {number}" for number in islice(numbers, len(wanted))]

    with open_utf8(path) as lines:
        return object_table(path, kind, _parsed_lines(path, lines), places, options)


def read_json(path: Path) -> dict[FileKind, Any] | list[Any]:
    """A JSON document: a list of rows, or the lists of a feed (`ROWS`), as far as it has them."""
    with open_utf8(path) as file:
        text = file.read()
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg}"
        if text.lstrip()[:1] == b"{" and error.lineno > 1:
            problem += "; a file with one object on each line needs the suffix .ndjson"
        raise FeedFileError(path, problem, place=f"line {error.lineno}") from None
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        raise FeedFileError(
            path, "is neither a list of rows nor an object with lists such as interactions and posts"
        )
    return {kind: document[kind] for kind in ROWS if kind in document}


def object_table(
    path: Path,
    kind: FileKind,
    rows: Iterator[Any],
    places: Callable[[Sequence[int]], list[str]],
    options: ReadOptions,
) -> FileTable:
    """The table of JSON objects; `places` returns the places of objects in the file.

    Objects are converted in chunks, to bound the memory they take.
    """
    keys: dict[str, None] = {}
    header = Header(path, kind, (), {})
    chunks: dict[str, list[Any]] = {}
    count = 0
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        for at, row in enumerate(chunk):
            if not isinstance(row, dict):
                raise FeedFileError(path, "is not a JSON object", place=places([count + at])[0])
            keys.update(dict.fromkeys(row))
        if len(keys) > len(header.given):
            header = match_header(path, kind, list(keys), options)
        for column, name in header.names.items():
            parts = chunks.setdefault(column, [pa.nulls(count, pa.large_string())])
            texts, invalid = _texts([row.get(name) for row in chunk], _JSON_TYPES.get(column, ()))
            if invalid is not None:
                problem = " or ".join(
                    ["is not a string", *(one.__name__ for one in _JSON_TYPES.get(column, ()))]
                )
                place, value = places([count + invalid])[0], chunk[invalid][name]
                raise FeedFileError(path, problem, place=place, column=column, value=value)
            parts.append(texts)
        count += len(chunk)
    columns = {name: pa.chunked_array(parts, pa.large_string()) for name, parts in chunks.items()}
    if not count:
        return FileTable(path, kind, {}, 0, places, header)
    return file_table(header, columns, count, places, options)


def _texts(values: list[Any], types: tuple[type, ...]) -> tuple[Any, int | None]:
    """(the values as large_string, the first that is neither a string nor of `types`)."""
    texts = [_as_text(value, types) for value in values]
    if _INVALID in texts:
        return None, texts.index(_INVALID)
    return pa.array(texts, pa.large_string()), None


_INVALID: Final = "\ud800"  # a lone surrogate, which no text from a file can equal


def _as_text(value: Any, types: tuple[type, ...]) -> str | None:
    if value is None or type(value) is str:
        return value
    if type(value) not in types:  # not isinstance, because a bool is an int
        return _INVALID
    try:
        return orjson.dumps(value).decode() if isinstance(value, list | dict) else str(value)
    except TypeError:  # nested too deeply
        return _INVALID


def _parsed_lines(path: Path, lines: Iterable[bytes]) -> Iterator[Any]:
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise FeedFileError(path, f"is not JSON: {error.msg}", place=f"line {number}") from None
