"""Files as tables of Arrow columns that know where each row stands in its file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.schemas import ROWS, FeedFileError, FileKind


@dataclass(frozen=True, slots=True)
class FileTable:
    """The known columns of one file, equally long; `place` says where the row with an index stands."""

    file: Path
    kind: FileKind
    columns: Mapping[str, Any]  # name -> pyarrow.ChunkedArray
    rows: int
    place: Callable[[int], str]

    def error(self, row: int, column: str, why: str, value: object = None) -> FeedFileError:
        """The error for what stands in a row; the value as the file has it, unless it is given."""
        if value is None:
            value = self.columns[column][row].as_py()
        return FeedFileError(self.file, why, place=self.place(row), column=column, value=value)


def read_table(path: Path, kind: FileKind) -> FileTable:
    """Read one file; raises FeedFileError when it is missing, torn, or lacks a required column."""
    return checked(_read_parquet(path, kind))


def checked(table: FileTable) -> FileTable:
    """The table itself; raises FeedFileError when a required column is missing."""
    for name, field in ROWS[table.kind].model_fields.items():
        if field.is_required() and name not in table.columns:
            there = ", ".join(table.columns) or "none of the known columns"
            raise FeedFileError(table.file, f"has no column {name!r} (found: {there})")
    return table


def _read_parquet(path: Path, kind: FileKind) -> FileTable:
    try:
        with pq.ParquetFile(path) as source:
            names = [name for name in source.schema_arrow.names if name in ROWS[kind].model_fields]
            table = source.read(columns=names)
    except OSError as error:
        raise FeedFileError(path, f"cannot be read: {error.strerror or 'no such file'}") from None
    except pa.ArrowInvalid as error:
        raise FeedFileError(path, f"is not a Parquet file: {str(error).splitlines()[0]}") from None
    columns = {name: _plain(table.column(name)) for name in names}
    return FileTable(path, kind, columns, table.num_rows, lambda row: f"row {row + 1}")


def _plain(column: Any) -> Any:
    """Dictionaries and extension types as the type they stand for."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
