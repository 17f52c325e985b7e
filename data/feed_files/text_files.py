"""CSV, NDJSON and JSON files as tables of text columns.

Every value becomes text here (numbers as they are written, objects and lists as JSON); `data.feed_files.columns` reads
the texts. Where a row stands is counted again from the file, and only when something is wrong with it.
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

from data.feed_files.file_tables import FileTable, known_columns, no_file
from data.schemas import ROWS, FeedFileError, FileKind

_CHUNK_ROWS: Final = 100_000
_CSV_RECORD_BYTES: Final = 16 * 1024**2  # the longest record that Arrow is sure to read
_NOTHING: Final = pa.chunked_array([], pa.large_string())
# What JSON may hold in a column, and the name of it for messages; the rest of the columns are strings.
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
        return FileTable(path, kind, dict.fromkeys(wanted, _NOTHING), 0, "line {}".format)
    convert = pacsv.ConvertOptions(
        include_columns=wanted,
        column_types=dict.fromkeys(wanted, pa.large_string()),
        strings_can_be_null=True,
        null_values=[""],
    )
    try:
        table = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(block_size=_CSV_RECORD_BYTES),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=convert,
        )
    except pa.ArrowInvalid as error:
        raise _torn_csv(path, len(names), str(error)) from None
    columns = {name: table.column(name) for name in wanted}
    return FileTable(path, kind, columns, table.num_rows, lambda row: f"line {_csv_line(path, row)}")


def read_ndjson(path: Path, kind: FileKind) -> FileTable:
    """A file with one JSON object on each line; blank lines are skipped."""
    with no_file(path), path.open("rb") as lines:
        objects = _parsed_lines(path, lines)
        columns, rows = _columns(path, kind, objects, lambda row: f"line {_full_line(path, row)}")
    return FileTable(path, kind, columns, rows, lambda row: f"line {_full_line(path, row)}")


def read_json(path: Path) -> dict[FileKind, list[Any]]:
    """The lists of a JSON document: an object with `interactions`, `posts`, `users` and `follows`."""
    with no_file(path):
        text = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        hint = "; one object a line is .ndjson" if text.lstrip()[:1] == b"{" and error.lineno > 1 else ""
        raise FeedFileError(path, f"is not JSON: {error.msg}{hint}", place=f"line {error.lineno}") from None
    if not isinstance(document, dict):
        raise FeedFileError(path, "holds no object with the lists interactions, posts, users and follows")
    lists: dict[FileKind, list[Any]] = {kind: document[kind] for kind in ROWS if kind in document}
    for kind, rows in lists.items():
        if not isinstance(rows, list):
            raise FeedFileError(path, f"holds no list under {kind!r}")
    return lists


def json_table(path: Path, kind: FileKind, rows: list[Any]) -> FileTable:
    """One list of a JSON document as a table."""

    def place(row: int) -> str:
        return f"{kind}[{row}]"

    columns, count = _columns(path, kind, iter(rows), place)
    return FileTable(path, kind, columns, count, place)


def _columns(path: Path, kind: FileKind, rows: Iterator[Any], place: Any) -> tuple[dict[str, Any], int]:
    """Objects turned into columns a chunk at a time: a large file never stands in memory as objects."""
    fields = tuple(ROWS[kind].model_fields)
    chunks: dict[str, list[Any]] = {name: [] for name in fields}
    count = 0
    seen: set[str] = set()
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        for at, row in enumerate(chunk):
            if not isinstance(row, dict):
                raise FeedFileError(path, "is no JSON object", place=place(count + at))
        for name in fields:
            texts = [_as_text(name, row.get(name)) for row in chunk]
            if _REFUSED in texts:
                at = texts.index(_REFUSED)
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
_REFUSED: Final = "\ud800"  # a lone surrogate: no text that was read from a file can be equal to it


def _as_text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    allowed = _JSON_TYPES.get(name, ((str,), ""))[0]
    if type(value) not in allowed:  # not isinstance: true is no whole number
        return _REFUSED
    if type(value) is str:
        return value
    if type(value) in (list, dict):
        try:
            return orjson.dumps(value).decode()
        except TypeError:  # nested beyond what it writes
            return _REFUSED
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
    """Records, the header first, each with the line that it begins on; empty lines are skipped."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        begins = 1
        for record in reader:
            if record:
                yield begins, record
            begins = reader.line_num + 1


def _csv_header(path: Path) -> tuple[list[str], bool]:
    """The names of the columns, and whether anything follows them."""
    records = _csv_records(path)
    with no_file(path):
        header, first = next(records, None), next(records, None)
    if header is None:
        raise FeedFileError(path, "is empty: a CSV file begins with the names of its columns")
    return header[1], first is not None


def _csv_line(path: Path, row: int) -> int:
    return next(islice(_csv_records(path), row + 1, None))[0]


def _torn_csv(path: Path, width: int, reason: str) -> FeedFileError:
    """What is wrong with a file that Arrow refuses: a record's width or length, its bytes, or what Arrow says."""
    for line, record in _csv_records(path):
        if len(record) != width:
            return FeedFileError(
                path, f"has {len(record)} values where the header has {width}", place=f"line {line}"
            )
        if sum(len(value.encode()) + value.count('"') + 3 for value in record) > _CSV_RECORD_BYTES:
            return FeedFileError(path, "is longer than the 16 MiB of a record", place=f"line {line}")
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            try:
                raw.decode()
            except UnicodeDecodeError:
                return FeedFileError(path, "is not UTF-8", place=f"line {number}")
    return FeedFileError(path, f"is no CSV file: {reason.splitlines()[0]}")
