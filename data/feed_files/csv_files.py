"""CSV files as tables of text columns. The delimiter and the encoding are recognised.

The line of a row is found by reading the file again, only when the row has an error.
"""

import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pacsv

from data.feed_files.bad_rows import BadRow
from data.feed_files.encodings import (
    DAMAGED_GZIP,
    UTF_8,
    WINDOWS_1252,
    encoding_of,
    encoding_of_invalid_utf8,
    open_bytes,
)
from data.feed_files.file_tables import FileTable, file_table
from data.feed_files.headers import header_as_read, match_header
from data.feed_files.options import ReadOptions
from data.schemas import FeedFileError, FileKind

_MAX_RECORD_BYTES: Final = 16 * 1024**2  # Arrow reads every record up to this size
_DELIMITERS: Final = ",;\t|"
_DELIMITER_LINE: Final = re.compile(r'"?sep=([,;\t|])"?\s*')  # the first line of a file from a table program


@dataclass(frozen=True, slots=True)
class _CsvText:
    """A CSV file and how to read it. Its first `header_lines` lines end with the header."""

    path: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...] = ()
    header_lines: int = 0
    skips_bad: bool = False

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """(line number of its start, values) of each record after the header; empty lines are skipped."""
        with self.open() as lines:
            reader = csv.reader(islice(lines, self.header_lines, None), delimiter=self.delimiter)
            start = self.header_lines + 1
            for record in reader:
                if record:
                    yield start, record
                start = self.header_lines + reader.line_num + 1

    def with_header(self) -> "_CsvText":
        """The file with the header that follows the lines skipped so far."""
        with self.open() as lines:
            reader = csv.reader(islice(lines, self.header_lines, None), delimiter=self.delimiter)
            header = next(filter(None, reader), [])
            return replace(self, header=tuple(header), header_lines=self.header_lines + reader.line_num)

    def open(self) -> TextIOWrapper:
        """The lines of the file, with their line ends."""
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        return TextIOWrapper(open_bytes(self.path), self.encoding, errors="replace", newline="")

    def places(self, rows: Sequence[int]) -> list[str]:
        """The places of rows in ascending order. Records that are skipped do not count."""
        wanted, width = set(rows), len(self.header)
        records = (line for line, record in self.records() if not self.skips_bad or len(record) == width)
        lines = (line for row, line in enumerate(records) if row in wanted)
        return [f"line {line}" for line in islice(lines, len(wanted))]


def read_csv(path: Path, kind: FileKind, options: ReadOptions) -> FileTable:
    """A CSV file with a header line; `.tsv` files are separated by tabs, others by one of `,` `;` tab and `|`."""
    try:
        return _read_csv(_recognised(path), path, kind, options)
    except DAMAGED_GZIP as error:
        raise FeedFileError(path, f"is damaged: {error}") from None
    except UnicodeDecodeError as error:
        raise FeedFileError(path, f"is not {error.encoding}: {error.reason}") from None


def _read_csv(text: _CsvText, path: Path, kind: FileKind, options: ReadOptions) -> FileTable:
    header = match_header(path, kind, text.header, options, f"line {text.header_lines}")
    positions = {column: text.header.index(name) for column, name in header.names.items()}
    if next(text.records(), None) is None:
        columns = dict.fromkeys(positions, pa.chunked_array([], pa.large_string()))
        return file_table(header, columns, 0, text.places, options)
    if options.bad_rows is not None:
        text = replace(text, skips_bad=True)
    try:
        table, notes = _read_arrow(text, positions), []
    except pa.ArrowInvalid as error:
        _check_records(text)
        if text.encoding != UTF_8 or "UTF8" not in str(error):
            raise FeedFileError(path, f"is not a CSV file: {str(error).splitlines()[0]}") from None
        table = _read_arrow(replace(text, encoding=encoding_of_invalid_utf8(path)), positions)
        notes = [f"read as {WINDOWS_1252}, because it is not UTF-8"]
    if options.bad_rows is not None:
        bad = [BadRow(f"line {line}", problem, record) for line, record, problem in _wrong_widths(text)]
        options.bad_rows.add(path, bad, table.num_rows)
    columns = {column: table.column(str(position)) for column, position in positions.items()}
    return file_table(header, columns, table.num_rows, text.places, options, notes)


def _recognised(path: Path) -> _CsvText:
    """The file with its encoding, delimiter and header. Raises FeedFileError for an empty file."""
    encoding = encoding_of(path)
    is_tsv = ".tsv" in [suffix.lower() for suffix in path.suffixes[-2:]]
    with _CsvText(path, encoding, ",").open() as lines:
        given = _DELIMITER_LINE.fullmatch(next(lines, ""))
    delimiters = given[1] if given else "\t" if is_tsv else _DELIMITERS
    readings = [_CsvText(path, encoding, one, (), 1 if given else 0).with_header() for one in delimiters]
    best = max(readings, key=lambda reading: len(reading.header))  # the first of equal ones
    if not best.header:
        raise FeedFileError(path, "is empty: the first line must contain the names of the columns")
    return best


def _read_arrow(text: _CsvText, positions: Mapping[str, int]) -> Any:
    """The columns at some positions as large_string; the name of each is its position. Raises pyarrow.ArrowInvalid."""
    wanted = [str(position) for position in sorted(positions.values())]
    compression = "gzip" if text.path.suffix.lower() == ".gz" else None
    return pacsv.read_csv(
        pa.input_stream(str(text.path), compression=compression),
        read_options=pacsv.ReadOptions(
            block_size=_MAX_RECORD_BYTES,
            skip_rows=text.header_lines,
            column_names=list(map(str, range(len(text.header)))),
            encoding="utf8" if text.encoding == UTF_8 else text.encoding,
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=text.delimiter,
            newlines_in_values=True,
            invalid_row_handler=(lambda _row: "skip") if text.skips_bad else None,
        ),
        convert_options=pacsv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.large_string()),
            strings_can_be_null=True,
            null_values=[""],
        ),
    )


def _check_records(text: _CsvText) -> None:
    """Raise FeedFileError for the first record that has the wrong number of values or is too long."""
    for line, _, problem in _wrong_widths(text):
        raise FeedFileError(text.path, problem, place=f"line {line}")
    for line, record in text.records():
        if sum(len(value.encode()) + value.count('"') + 3 for value in record) > _MAX_RECORD_BYTES:
            problem = "is longer than the 16 MiB that a record may have"
            raise FeedFileError(text.path, problem, place=f"line {line}")


def _wrong_widths(text: _CsvText) -> Iterator[tuple[int, list[str], str]]:
    """(line, values, problem) of each record that has another number of values than the header."""
    width = len(text.header)
    for line, record in text.records():
        if len(record) != width:
            yield (
                line,
                record,
                f"has {len(record)} values where the header has {width} ({header_as_read(text.header)})",
            )
