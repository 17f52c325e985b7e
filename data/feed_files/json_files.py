"""NDJSON and JSON files as tables of text columns.

Every value becomes text: numbers as they are written, objects and lists as JSON. `data.feed_files.columns` parses the
texts. The line of a row is found by reading the file again, only when the row has an error.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa

from data.feed_files.bad_rows import BadRow, BadRowFile
from data.feed_files.encodings import DAMAGED_GZIP, open_utf8
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
    **dict.fromkeys(
        ("visible", "hidden", "sensitive", "discoverable", "personalised", "show_sensitive"), (bool, int)
    ),
    **dict.fromkeys(("tags", "languages", "posts", "seen", "embedding"), (list,)),
    "interaction_type": (int, float),
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
        try:
            return object_table(path, kind, _parsed_lines(lines), places, options)
        except DAMAGED_GZIP as error:
            raise FeedFileError(path, f"is damaged: {error}") from None


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
    bad: dict[int, BadRow] = {}
    count = 0
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        for at, row in enumerate(chunk):
            if not isinstance(row, dict):
                bad[count + at], chunk[at] = _no_object(row), {}
            keys.update(dict.fromkeys(chunk[at]))
        if len(keys) > len(header.given):
            header = match_header(path, kind, list(keys), options)
        for column, name in header.names.items():
            texts = [_as_text(row.get(name), _JSON_TYPES.get(column, ())) for row in chunk]
            if _INVALID in texts:
                for at in (at for at, text in enumerate(texts) if text is _INVALID):
                    bad.setdefault(count + at, _wrong_type(column, chunk[at][name], chunk[at]))
                    texts[at] = None
            parts = chunks.setdefault(column, [pa.nulls(count, pa.large_string())])
            parts.append(pa.array(texts, pa.large_string()))
        count += len(chunk)
        if bad and options.bad_rows is None:
            first = min(bad)
            place, row = places([first])[0], bad[first]
            raise FeedFileError(path, row.problem, place=place, column=row.column or None, value=row.value)
    columns = {name: pa.chunked_array(parts, pa.large_string()) for name, parts in chunks.items()}
    if not count:
        return FileTable(path, kind, {}, 0, places, header)
    table = file_table(header, columns, count, places, options)
    return _without(table, bad, options.bad_rows) if bad and options.bad_rows is not None else table


def _without(table: FileTable, bad: Mapping[int, BadRow], bad_rows: BadRowFile) -> FileTable:
    """The table without bad rows, which are written to a file."""
    numbers = sorted(bad)
    found = zip(numbers, table.places(numbers), strict=True)
    bad_rows.add(table.file, [replace(bad[row], place=place) for row, place in found], table.rows - len(bad))
    return table.where(~np.isin(np.arange(table.rows), numbers))


def _no_object(row: Any) -> BadRow:
    if isinstance(row, _InvalidLine):
        return BadRow("", row.problem, row.text)
    return BadRow("", "is not a JSON object", row)


def _wrong_type(column: str, value: Any, row: dict[str, Any]) -> BadRow:
    wanted = [one.__name__ for one in _JSON_TYPES.get(column, ())]
    return BadRow("", " or ".join(["is not a string", *wanted]), row, column, value)


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


@dataclass(frozen=True, slots=True)
class _InvalidLine:
    text: str
    problem: str


def _parsed_lines(lines: Iterable[bytes]) -> Iterator[Any]:
    """The value of each line that is not blank, _InvalidLine for one that is not JSON."""
    for line in lines:
        if not line.isspace():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield _InvalidLine(line.decode(errors="replace").strip(), f"is not JSON: {error.msg}")
