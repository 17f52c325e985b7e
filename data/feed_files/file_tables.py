"""Files as tables of Arrow columns, with the place of each row in its file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.feed_files.bad_rows import BadRow, BadRowFile
from data.feed_files.headers import Header, match_header
from data.feed_files.options import ReadOptions
from data.feed_files.presets import Preset
from data.placeholders import without_placeholders
from data.schemas import ROWS, FeedFileError, FileKind


@dataclass(frozen=True, slots=True)
class FileTable:
    """The known columns of one file, all of the same length; `places` returns the places of rows in the file.

    A table without header contains no file.
    """

    file: Path
    kind: FileKind
    columns: Mapping[str, Any]  # name -> pyarrow.ChunkedArray
    rows: int
    places: Callable[[Sequence[int]], list[str]]
    header: Header | None = None
    notes: tuple[str, ...] = ()  # what the user should know about how the file was read

    def check_required(self) -> None:
        """Raise FeedFileError unless each required column has a value in every row."""
        for name in _required(self.kind) if self.rows else ():
            if self.columns[name].null_count:
                raise self.bad_rows(name, self.columns[name].is_null().to_numpy(), "is empty")

    def column(self, name: str) -> Any:
        """A column as pyarrow.ChunkedArray; only nulls if the file does not have it."""
        if self.rows and name in self.columns:
            return self.columns[name]
        return pa.chunked_array([pa.nulls(self.rows, pa.large_string())])

    def value(self, name: str, row: int) -> Any:
        """The value of a column in a row."""
        cell = self.columns[name][row]
        try:
            return cell.as_py()
        except (OverflowError, ValueError):  # a time outside the range of Python's datetime
            return cell.cast("int64").as_py()

    def bad_rows(self, column: str, bad: NDArray[np.bool_], problem: str | Callable[[int], str]) -> "BadRows":
        """The error for the rows where `bad` (rows,) is true; `problem` may depend on the number of the row."""
        rows = np.flatnonzero(bad).tolist()
        return BadRows(
            self, column, rows, [problem if isinstance(problem, str) else problem(row) for row in rows]
        )

    def where(self, kept: NDArray[np.bool_]) -> "FileTable":
        """The rows where `kept` (rows,) is true."""
        numbers = np.flatnonzero(kept)
        columns = {name: column.filter(pa.array(kept)) for name, column in self.columns.items()}
        return replace(
            self,
            columns=columns,
            rows=len(numbers),
            places=lambda rows: self.places(numbers[list(rows)].tolist()),
        )

    def without_placeholders(self) -> "FileTable":
        """The table with nulls for words that stand for a missing value, and a note for each such column."""
        columns, notes = dict(self.columns), list(self.notes)
        for name in ROWS[self.kind].nullable_columns():
            if name in columns and pa.types.is_large_string(columns[name].type):
                columns[name], count = without_placeholders(columns[name])
                notes += [f"read {count:,} words for a missing value as an empty {name}"] * bool(count)
        return replace(self, columns=columns, notes=tuple(notes))


class BadRows(FeedFileError):
    """Rows with an invalid value in one column. The message describes the first of them.

    rows, problems  the numbers of the rows, and what is wrong with the value of each
    """

    def __init__(self, table: FileTable, column: str, rows: Sequence[int], problems: Sequence[str]) -> None:
        place, value = table.places(rows[:1])[0], table.value(column, rows[0])
        super().__init__(table.file, problems[0], place=place, column=column, value=value)
        self.table, self.rows, self.problems = table, rows, problems

    def skip(self, bad_rows: BadRowFile) -> FileTable:
        """Write the rows to a file; returns the table without them."""
        table, column = self.table, str(self.column)
        kept = ~np.isin(np.arange(table.rows), self.rows)
        found = [
            BadRow(place, problem, {name: table.value(name, row) for name in table.columns}, column)
            for row, place, problem in zip(self.rows, table.places(self.rows), self.problems, strict=True)
        ]
        found = [replace(row, value=row.row[column]) for row in found]
        bad_rows.add(table.file, found, int(kept.sum()))
        return table.where(kept)


def file_table(
    header: Header,
    columns: Mapping[str, Any],
    rows: int,
    places: Callable[[Sequence[int]], list[str]],
    options: ReadOptions,
    notes: Sequence[str] = (),
) -> FileTable:
    """The table of a file. Columns that it lacks get the values of the options. Raises FeedFileError without one."""
    required, columns = _required(header.kind), dict(columns)
    given = {
        "interaction_type": options.interaction_type,
        "created_at": options.created_at and options.created_at.isoformat(),
    }
    for name, value in given.items():
        if name in required and name not in header.names and value is not None:
            columns[name] = pa.chunked_array([pa.repeat(pa.scalar(value, pa.large_string()), rows)])
    notes = [*header.notes(), *notes]
    if header.kind == "posts" and "author_id" not in columns and "id" in columns and options.preset:
        authors = _authors_in_ids(columns["id"], options.preset)
        if authors is not None:
            columns["author_id"] = authors
            notes.append("read the author of each post from its id")
    if header.kind == "posts" and "author_id" not in columns:
        notes.append("has no column for authors, so users may be recommended their own posts")
    if options.interaction_type is not None and "interaction_type" in header.names:
        raise FeedFileError(
            header.path, f"has a column {header.names['interaction_type']!r}; leave out --type or the column"
        )
    header.require([name for name in required if name not in columns])
    return FileTable(header.path, header.kind, columns, rows, places, header, tuple(notes))


def joined_tables(folder: Path, tables: Sequence[FileTable]) -> FileTable:
    """The rows of all files of a folder. Raises FeedFileError if their columns differ."""
    first = tables[0]
    for table in tables:
        if table.header and first.header and set(table.header.names) != set(first.header.names):
            problem = f"has other columns than {first.file.name}: {', '.join(table.columns)} instead of "
            raise FeedFileError(table.file, problem + ", ".join(first.columns))
    starts = np.cumsum([0, *(table.rows for table in tables)])

    def places(rows: Sequence[int]) -> list[str]:
        found = []
        for table, start, end in zip(tables, starts, starts[1:], strict=False):
            of_table = [int(row - start) for row in rows if start <= row < end]
            found += [f"{table.file.name}: {place}" for place in (table.places(of_table) if of_table else [])]
        return found

    try:
        joined = pa.concat_tables(
            [pa.table(dict(one.columns)) for one in tables], promote_options="permissive"
        )
    except pa.ArrowException as error:
        raise FeedFileError(folder, f"has columns of several types: {str(error).splitlines()[0]}") from None
    columns = {name: joined.column(name) for name in joined.column_names}
    notes = tuple(dict.fromkeys(note for table in tables for note in table.notes))
    return FileTable(folder, first.kind, columns, int(starts[-1]), places, first.header, notes)


def read_parquet(path: Path, kind: FileKind, options: ReadOptions) -> FileTable:
    """A Parquet file; columns keep their types."""
    with path.open("rb") as file:
        try:
            source = pq.ParquetFile(file)
            header = match_header(path, kind, source.schema_arrow.names, options)
            table = source.read(columns=list(header.names.values()))
        except (pa.ArrowException, OSError) as error:  # OSError: damaged pages
            raise FeedFileError(path, f"is not a Parquet file: {str(error).splitlines()[0]}") from None
    columns = {column: _plain(table.column(name)) for column, name in header.names.items()}
    return file_table(
        header, columns, table.num_rows, lambda rows: [f"row {row + 1}" for row in rows], options
    )


def _authors_in_ids(ids: Any, preset: Preset) -> Any:
    if preset.author_pattern is None or not pa.types.is_large_string(ids.type):
        return None
    return pc.struct_field(pc.extract_regex(ids, preset.author_pattern), "author")


def _required(kind: FileKind) -> list[str]:
    return [name for name, field in ROWS[kind].model_fields.items() if field.is_required()]


def _plain(column: Any) -> Any:
    """A column of a dictionary or extension type as one of its value type; texts and only nulls as large_string.

    NaN becomes null.
    """
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):  # pandas and polars write missing numbers as NaN
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    is_text = pa.types.is_string(column.type) or pa.types.is_string_view(column.type)
    return column.cast(pa.large_string()) if is_text or pa.types.is_null(column.type) else column
