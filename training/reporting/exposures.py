"""Writes who was exposed to which variant, and what they did by day, as Parquet files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

EXPOSURES: Final = pa.schema(
    [("user_id", pa.string()), ("variant", pa.string()), ("first_day", pa.date32()), ("pages", pa.int64())]
)
COUNTS: Final = pa.schema(
    [
        ("user_id", pa.string()),
        ("variant", pa.string()),
        ("day", pa.date32()),
        ("metric", pa.string()),
        ("count", pa.int64()),
    ]
)


def write_rows(path: Path, schema: pa.Schema, batches: Iterator[Sequence[Sequence[Any]]]) -> int:
    """Write a file, whole or not at all, and return the number of its rows. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    rows = 0
    try:
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for batch in batches:
                columns = zip(*batch, strict=True)
                arrays = [pa.array(values, one.type) for values, one in zip(columns, schema, strict=True)]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
                rows += len(batch)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return rows
