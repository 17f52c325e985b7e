"""CSV, NDJSON and JSON files as tables of text columns.

Every value becomes text: numbers as they are written, objects and lists as JSON. `data.feed_files.columns` parses the
texts. The line of a row is found by reading the file again, only when the row has an error.
"""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.csv as pacsv

from data.feed_files.file_tables import FileTable, known_columns
from data.schemas import ROWS, FeedFileError, FileKind

_CHUNK_ROWS: Final = 100_000
_MAX_CSV_RECORD_BYTES: Final = 16 * 1024**2  # Arrow reads every record up to this size
_EMPTY_COLUMN: Final = pa.chunked_array([], pa.large_string())
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


def read_csv(path: Path, kind: FileKind) -> FileTable:
    """A CSV file with a header line, UTF-8."""

    def place(row: int) -> str:
        return f"line {next(islice(_csv_records(path), row + 1, None))[0]}"

    records = _csv_records(path)
    header, first = next(records, None), next(records, None)
    if header is None:
        raise FeedFileError(path, "is empty: the first line must contain the names of the columns")
    wanted = known_columns(path, kind, header[1], "line 1")
    if first is None:
        return FileTable(path, kind, dict.fromkeys(wanted, _EMPTY_COLUMN), 0, place)
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
        raise _csv_error(path, len(header[1]), str(error)) from None
    columns = {name: table.column(name) for name in wanted}
    return FileTable(path, kind, columns, table.num_rows, place)


def read_ndjson(path: Path, kind: FileKind) -> FileTable:
    """A file with one JSON object on each line; blank lines are skipped."""
    with path.open("rb") as lines:
        return object_table(
            path, kind, _parsed_lines(path, lines), lambda row: f"line {_full_line(path, row)}"
        )


def read_json(path: Path) -> dict[FileKind, Any]:
    """The values of each list of a feed (`ROWS`) in a JSON document, as far as it has them."""
    text = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg}"
        if text.lstrip()[:1] == b"{" and error.lineno > 1:
            problem += "; a file with one object on each line needs the suffix .ndjson"
        raise FeedFileError(path, problem, place=f"line {error.lineno}") from None
    if not isinstance(document, dict):
        raise FeedFileError(path, "is not an object with the lists interactions, posts, users and follows")
    return {kind: document[kind] for kind in ROWS if kind in document}


def object_table(path: Path, kind: FileKind, rows: Iterator[Any], place: Callable[[int], str]) -> FileTable:
    """The table of JSON objects; `place` returns the place of an object in the file.

    Objects are converted in chunks, to bound the memory they take.
    """
    chunks: dict[str, list[Any]] = {name: [] for name in ROWS[kind].model_fields}
    count = 0
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        for at, row in enumerate(chunk):
            if not isinstance(row, dict):
                raise FeedFileError(path, "is not a JSON object", place=place(count + at))
        for name, parts in chunks.items():
            types = _JSON_TYPES.get(name, ())
            texts = [_as_text(row.get(name), types) for row in chunk]
            if _INVALID in texts:
                at = texts.index(_INVALID)
                problem = " or ".join(["is not a string", *(one.__name__ for one in types)])
                value = chunk[at][name]
                raise FeedFileError(path, problem, place=place(count + at), column=name, value=value)
            parts.append(pa.array(texts, pa.large_string()))
        count += len(chunk)
    columns = {name: pa.chunked_array(parts, pa.large_string()) for name, parts in chunks.items()}
    return FileTable(path, kind, columns, count, place)


_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
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


def _csv_error(path: Path, width: int, reason: str) -> FeedFileError:
    """The error of a file that Arrow cannot read: the width, size or encoding of a record, or Arrow's message."""
    for line, record in _csv_records(path):
        if len(record) != width:
            problem = f"has {len(record)} values where the header has {width}"
            return FeedFileError(path, problem, place=f"line {line}")
        if sum(len(value.encode()) + value.count('"') + 3 for value in record) > _MAX_CSV_RECORD_BYTES:
            problem = "is longer than the 16 MiB that a record may have"
            return FeedFileError(path, problem, place=f"line {line}")
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            try:
                raw.decode()
            except UnicodeDecodeError:
                return FeedFileError(path, "is not UTF-8", place=f"line {number}")
    return FeedFileError(path, f"is not a CSV file: {reason.splitlines()[0]}")
