"""Writes the bad rows of feed files to a file, so that the other rows can be read."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import orjson

from data.schemas import FeedFileError


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is not read: its place in the file, what is wrong, and the row as far as it was read."""

    place: str
    problem: str
    row: Any
    column: str = ""
    value: Any = ""


@dataclass(slots=True)
class BadRowFile:
    """A CSV file with one line for each bad row: file, place, column, value, problem, row. It is replaced if it exists.

    Raises OSError if it cannot be written.
    """

    path: Path
    count: int = 0
    _file: TextIO = field(init=False)

    def __enter__(self) -> Self:
        self._file = self.path.open("w", newline="", encoding="utf-8")
        csv.writer(self._file).writerow(("file", "place", "column", "value", "problem", "row"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, file: Path, rows: Iterable[BadRow], left: int) -> None:
        """Write bad rows of a file. Raises FeedFileError if no row of the file is `left`."""
        writer = csv.writer(self._file)
        for row in rows:
            text = row.row if isinstance(row.row, str) else orjson.dumps(row.row, default=str).decode()
            writer.writerow((file, row.place, row.column, row.value, row.problem, text))
            self.count += 1
        if not left:
            raise FeedFileError(file, f"has no row without an error; {self.path} lists them")
