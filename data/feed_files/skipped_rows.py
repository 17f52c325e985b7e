"""Rows of feed files that do not get into the feed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.feed_files.file_tables import FileTable
from data.schemas import FileKind


@dataclass(frozen=True, slots=True)
class SkippedRows:
    """Rows of one file that were left out for one reason."""

    kind: FileKind
    rows: int
    first: str  # where the first of them stands, its value, and why

    def __str__(self) -> str:
        return f"{self.rows:,} of the {self.kind} ({self.first})"


def skipped(table: FileTable, column: str, rows: NDArray[np.bool_], why: str) -> list[SkippedRows]:
    """What is told of `rows`, a mask (table.rows,), whose value in `column` is the reason; [] when it is empty."""
    if not rows.any():
        return []
    first = table.error(int(rows.argmax()), column, why)
    return [SkippedRows(table.kind, int(rows.sum()), str(first))]


def repeated_ids(table: FileTable | None, ids: NDArray[np.int32]) -> list[SkippedRows]:
    """The rows whose id, given as a number (table.rows,), an earlier row has."""
    if table is None:
        return []
    again = all_except(np.unique(ids, return_index=True)[1], len(ids))
    return skipped(table, "id", again, "stands in an earlier row too, which counts")


def all_except(kept: NDArray[np.intp], n: int) -> NDArray[np.bool_]:
    """The mask (n,) of the rows that are not among `kept`."""
    others = np.ones(n, dtype=np.bool_)
    others[kept] = False
    return others
