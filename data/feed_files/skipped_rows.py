"""Rows of feed files that are not loaded."""

from dataclasses import dataclass

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


def skipped(table: FileTable, column: str, rows: NDArray[np.bool_], why: str) -> list[SkippedRows]:
    """The report of `rows`, a mask (table.rows,), whose value in `column` is the problem; [] for an empty mask."""
    if not rows.any():
        return []
    first = table.error(int(rows.argmax()), column, why)
    return [SkippedRows(table.kind, int(rows.sum()), str(first))]


def repeated_ids(table: FileTable | None, ids: NDArray[np.int32]) -> list[SkippedRows]:
    """The report of rows that repeat the id of an earlier row; `ids` (table.rows,) are numbers of ids."""
    if table is None:
        return []
    again = all_except(np.unique(ids, return_index=True)[1], len(ids))
    return skipped(table, "id", again, "is a duplicate id; the first row was kept")


def all_except(kept: NDArray[np.intp], n: int) -> NDArray[np.bool_]:
    """(n,) the mask of the rows that are not in `kept`."""
    others = np.ones(n, dtype=np.bool_)
    others[kept] = False
    return others
