"""Small feed files in every format, for the tests."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Rows = Sequence[Mapping[str, Any]]
FORMATS = ("csv", "ndjson", "json", "parquet")

VIEW = {
    "user_id": "ann",
    "post_id": "p1",
    "interaction_type": "view",
    "created_at": "2026-01-02T03:04:05Z",
}


def write_rows(path: Path, rows: Rows, kind: str = "interactions") -> Path:
    """Rows as a file of the format that the path's ending names."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    match path.suffix:
        case ".csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, names)
                writer.writeheader()
                writer.writerows(
                    {
                        name: json.dumps(value) if isinstance(value, dict | list) else value
                        for name, value in row.items()
                    }
                    for row in rows
                )
        case ".ndjson":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        case ".json":
            path.write_text(json.dumps({kind: list(rows)}), encoding="utf-8")
        case ".parquet":
            pq.write_table(
                pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows]), path
            )
    return path
