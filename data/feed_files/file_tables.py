"""Files as tables of Arrow columns, with the place of each row in its file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.feed_files.headers import Header, match_header
from data.feed_files.options import ReadOptions
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

    def error(self, row: int, column: str, problem: str, value: object = None) -> FeedFileError:
        """The error for a value in a row: `value`, or the one in the file."""
        if value is None:
            cell = self.columns[column][row]
            try:
                value = cell.as_py()
            except (OverflowError, ValueError):  # a time outside the range of Python's datetime
                value = cell.cast("int64").as_py()
        return FeedFileError(self.file, problem, place=self.places([row])[0], column=column, value=value)

    def bad_rows(self, column: str, bad: NDArray[np.bool_], problem: str) -> FeedFileError:
        """The error for the first of the rows where `bad` (rows,) is true."""
        return self.error(int(bad.argmax()), column, problem)

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
    if options.interaction_type is not None and "interaction_type" in header.names:
        raise FeedFileError(
            header.path, f"has a column {header.names['interaction_type']!r}; leave out --type or the column"
        )
    header.require([name for name in required if name not in columns])
    return FileTable(header.path, header.kind, columns, rows, places, header, (*header.notes(), *notes))


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


def _required(kind: FileKind) -> list[str]:
    return [name for name, field in ROWS[kind].model_fields.items() if field.is_required()]


def _plain(column: Any) -> Any:
    """A column of a dictionary or extension type as one of its value type; texts and only nulls as large_string."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    is_text = pa.types.is_string(column.type) or pa.types.is_string_view(column.type)
    return column.cast(pa.large_string()) if is_text or pa.types.is_null(column.type) else column
