"""CSV, NDJSON and JSON files as tables of text columns.

Every value becomes text: numbers as they are written, objects and lists as JSON. `data.feed_files.columns` parses the
texts. The line of a row is found by reading the file again, only when the row has an error.
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.csv as pacsv

from data.feed_files.file_tables import FileTable, file_errors, known_columns
from data.schemas import ROWS, FeedFileError, FileKind

_CHUNK_ROWS: Final = 100_000
_MAX_CSV_RECORD_BYTES: Final = 16 * 1024**2  # Arrow reads every record up to this size
_EMPTY_COLUMN: Final = pa.chunked_array([], pa.large_string())
# JSON types that a column accepts, and their name in messages. All other columns accept strings.
_JSON_TYPES: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    **dict.fromkeys(
        ("id", "user_id", "post_id", "author_id", "follower_id", "followee_id"),
        ((str, int), "a string or whole number"),
    ),
    "created_at": ((str, int, float), "a string or number"),
    "visible": ((bool, str, int), "true or false"),
    **dict.fromkeys(("like_count", "comment_count", "follower_count"), ((int, float, str), "a number")),
    "tags": ((list, str), "a list"),
    "metadata": ((dict, str), "an object"),
}


def read_csv(path: Path, kind: FileKind) -> FileTable:
    """A CSV file with a header line, UTF-8."""
    names, has_rows = _csv_header(path)
    wanted = known_columns(path, kind, names, "line 1")
    if not has_rows:
        return FileTable(path, kind, dict.fromkeys(wanted, _EMPTY_COLUMN), 0, "line {}".format)
    convert = pacsv.ConvertOptions(
        include_columns=wanted,
        column_types=dict.fromkeys(wanted, pa.large_string()),
        strings_can_be_null=True,
        null_values=[""],
    )
    try:
        table = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(block_size=_MAX_CSV_RECORD_BYTES),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=convert,
        )
    except pa.ArrowInvalid as error:
        raise _csv_error(path, len(names), str(error)) from None
    columns = {name: table.column(name) for name in wanted}
    return FileTable(path, kind, columns, table.num_rows, lambda row: f"line {_csv_line(path, row)}")


def read_ndjson(path: Path, kind: FileKind) -> FileTable:
    """A file with one JSON object on each line; blank lines are skipped."""
    with file_errors(path), path.open("rb") as lines:
        objects = _parsed_lines(path, lines)
        columns, rows = _columns(path, kind, objects, lambda row: f"line {_full_line(path, row)}")
    return FileTable(path, kind, columns, rows, lambda row: f"line {_full_line(path, row)}")


def read_json(path: Path) -> dict[FileKind, list[Any]]:
    """The lists of a JSON document: an object with `interactions`, `posts`, `users` and `follows`."""
    with file_errors(path):
        text = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        hint = (
            "; a file with one object on each line needs the suffix .ndjson"
            if text.lstrip()[:1] == b"{" and error.lineno > 1
            else ""
        )
        raise FeedFileError(path, f"is not JSON: {error.msg}{hint}", place=f"line {error.lineno}") from None
    if not isinstance(document, dict):
        raise FeedFileError(path, "is not an object with the lists interactions, posts, users and follows")
    lists: dict[FileKind, list[Any]] = {kind: document[kind] for kind in ROWS if kind in document}
    for kind, rows in lists.items():
        if not isinstance(rows, list):
            raise FeedFileError(path, f"has no list {kind!r}")
    return lists


def json_table(path: Path, kind: FileKind, rows: list[Any]) -> FileTable:
    """One list of a JSON document as a table."""

    def place(row: int) -> str:
        return f"{kind}[{row}]"

    columns, count = _columns(path, kind, iter(rows), place)
    return FileTable(path, kind, columns, count, place)


def _columns(path: Path, kind: FileKind, rows: Iterator[Any], place: Any) -> tuple[dict[str, Any], int]:
    """Columns of the objects, and their number. Objects are converted in chunks, to bound the memory they take."""
    fields = tuple(ROWS[kind].model_fields)
    chunks: dict[str, list[Any]] = {name: [] for name in fields}
    count = 0
    seen: set[str] = set()
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        for at, row in enumerate(chunk):
            if not isinstance(row, dict):
                raise FeedFileError(path, "is not a JSON object", place=place(count + at))
        for name in fields:
            texts = [_as_text(name, row.get(name)) for row in chunk]
            if _INVALID in texts:
                at = texts.index(_INVALID)
                what = f"is not {_JSON_TYPES.get(name, ((str,), 'a string'))[1]}"
                raise FeedFileError(path, what, place=place(count + at), column=name, value=chunk[at][name])
            chunks[name].append(pa.array(texts, pa.large_string()))
            if name not in seen and any(name in row for row in chunk):
                seen.add(name)
        count += len(chunk)
    required = {name for name, field in ROWS[kind].model_fields.items() if field.is_required()}
    kept = [name for name in fields if name in seen or name in required]
    return {name: pa.chunked_array(chunks[name], pa.large_string()) for name in kept}, count


_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_INVALID: Final = "\ud800"  # a lone surrogate, which no text from a file can equal


def _as_text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    allowed = _JSON_TYPES.get(name, ((str,), ""))[0]
    if type(value) not in allowed:  # not isinstance, because a bool is an int
        return _INVALID
    if type(value) is str:
        return value
    if type(value) in (list, dict):
        try:
            return orjson.dumps(value).decode()
        except TypeError:  # nested too deeply
            return _INVALID
    return str(value)


def _parsed_lines(path: Path, lines: Iterable[bytes]) -> Iterator[Any]:
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            yield orjson.loads(line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line)
        except orjson.JSONDecodeError as error:
            raise FeedFileError(path, f"is not JSON: {error.msg}", place=f"line {number}") from None


def _full_line(path: Path, row: int) -> int:
    with path.open("rb") as lines:
        full = (number for number, line in enumerate(lines, 1) if not line.isspace())
        return next(islice(full, row, None))


def _csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number of its start, values) of each record, the header first; empty lines are skipped."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        start = 1
        for record in reader:
            if record:
                yield start, record
            start = reader.line_num + 1


def _csv_header(path: Path) -> tuple[list[str], bool]:
    """The names of the columns, and whether a record follows."""
    records = _csv_records(path)
    with file_errors(path):
        header, first = next(records, None), next(records, None)
    if header is None:
        raise FeedFileError(path, "is empty: the first line must contain the names of the columns")
    return header[1], first is not None


def _csv_line(path: Path, row: int) -> int:
    return next(islice(_csv_records(path), row + 1, None))[0]


def _csv_error(path: Path, width: int, reason: str) -> FeedFileError:
    """The error of a file that Arrow cannot read: the width, size or encoding of a record, or Arrow's message."""
    for line, record in _csv_records(path):
        if len(record) != width:
            return FeedFileError(
                path, f"has {len(record)} values where the header has {width}", place=f"line {line}"
            )
        if sum(len(value.encode()) + value.count('"') + 3 for value in record) > _MAX_CSV_RECORD_BYTES:
            return FeedFileError(
                path, "is longer than the 16 MiB that a record may have", place=f"line {line}"
            )
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            try:
                raw.decode()
            except UnicodeDecodeError:
                return FeedFileError(path, "is not UTF-8", place=f"line {number}")
    return FeedFileError(path, f"is not a CSV file: {reason.splitlines()[0]}")
