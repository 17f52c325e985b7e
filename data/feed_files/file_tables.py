"""Files as tables of Arrow columns, with the place of each row in its file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.schemas import ROWS, FeedFileError, FileKind


@dataclass(frozen=True, slots=True)
class FileTable:
    """The known columns of one file, all of the same length; `place` returns the place of a row in the file.

    A file without rows and columns is valid. Otherwise each required column has a value in every row; else
    FeedFileError is raised.
    """

    file: Path
    kind: FileKind
    columns: Mapping[str, Any]  # name -> pyarrow.ChunkedArray
    rows: int
    place: Callable[[int], str]

    def __post_init__(self) -> None:
        if not self.columns and not self.rows:
            return
        for name in (name for name, field in ROWS[self.kind].model_fields.items() if field.is_required()):
            if name not in self.columns:
                there = ", ".join(self.columns) or "none of the known ones"
                raise FeedFileError(self.file, f"has no column {name!r} for {self.kind} (columns: {there})")
            if self.columns[name].null_count:
                empty = self.columns[name].is_null().to_numpy()
                raise self.error(int(empty.argmax()), name, "is empty")

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
        return FeedFileError(self.file, problem, place=self.place(row), column=column, value=value)


def read_parquet(path: Path, kind: FileKind) -> FileTable:
    """A Parquet file; columns keep their types."""
    with path.open("rb") as file:
        try:
            source = pq.ParquetFile(file)
            names = known_columns(path, kind, source.schema_arrow.names)
            table = source.read(columns=names)
        except (pa.ArrowException, OSError) as error:  # OSError: damaged pages
            raise FeedFileError(path, f"is not a Parquet file: {str(error).splitlines()[0]}") from None
    columns = {name: _plain(table.column(name)) for name in names}
    return FileTable(path, kind, columns, table.num_rows, lambda row: f"row {row + 1}")


def known_columns(path: Path, kind: FileKind, names: Sequence[str], place: str | None = None) -> list[str]:
    """The columns of a file that are read. Raises FeedFileError for a duplicate."""
    known = [name for name in names if name in ROWS[kind].model_fields]
    if twice := next((name for name in known if known.count(name) > 1), None):
        raise FeedFileError(path, f"has two columns {twice!r}", place=place)
    return known


def _plain(column: Any) -> Any:
    """A column of a dictionary or extension type as one of its value type; texts and only nulls as large_string."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    is_text = pa.types.is_string(column.type) or pa.types.is_string_view(column.type)
    return column.cast(pa.large_string()) if is_text or pa.types.is_null(column.type) else column
