"""Reports the rows of feed files that were skipped."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.feed_files.file_tables import FileTable
from data.schemas import FileKind


@dataclass(frozen=True, slots=True)
class SkippedRows:
    """Rows of one file that were skipped for one reason."""

    kind: FileKind
    rows: int
    first: str  # place, value and problem of the first of them

    def __str__(self) -> str:
        return f"{self.rows:,} of the {self.kind} ({self.first})"


def report_skipped(
    table: FileTable, column: str, rows: NDArray[np.bool_] | Any, problem: str
) -> list[SkippedRows]:
    """The report of `rows`, a mask (table.rows,), whose value in `column` is the problem; [] for an empty mask."""
    if not rows.any():
        return []
    first = table.bad_rows(column, rows, problem)
    return [SkippedRows(table.kind, int(rows.sum()), str(first))]
