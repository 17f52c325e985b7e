"""Rows of columns as JSON, which PostgreSQL expands."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, Sequence[Any] | NDArray[Any]]
"""Column -> one value per row."""


def json_rows(columns: Columns, rows: NDArray[np.intp] | slice) -> list[dict[str, Any]]:
    """Some rows as objects that JSON can hold."""
    values = [json_values(_selected(column, rows)) for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def json_values(column: Sequence[Any] | NDArray[Any]) -> Sequence[Any]:
    """Values that JSON can hold: UUIDs (V16) as hexadecimal digits, times in ISO 8601, None for an unknown time.

    Of vectors (n, d), those of zeros are None.
    """
    if not isinstance(column, np.ndarray):
        return column
    if column.dtype.kind == "V":
        return [key.hex() for key in column.tolist()]
    if column.dtype.kind == "M":
        return [None if time == "NaT" else time for time in np.datetime_as_string(column).tolist()]
    if column.ndim == 2:
        return [vector.tolist() if vector.any() else None for vector in column]
    values: list[Any] = column.tolist()
    return values


def _selected(column: Sequence[Any] | NDArray[Any], rows: NDArray[np.intp] | slice) -> Any:
    if isinstance(rows, slice):
        return column[rows]
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows.tolist()]
