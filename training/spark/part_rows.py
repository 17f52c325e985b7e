"""Parts of a sliced replay as Arrow rows. A long value takes several rows, so that Java never holds it as a whole."""

import pickle
from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa

from training.evaluation.sliced_replay import Part

MAX_VALUE_BYTES: Final = 2**20
"""Of a row: Java copies rows several times, and a user or an author can have a large share of the log."""
ROW_SCHEMA: Final = (
    "kind string, key bigint, slice bigint, part string, place bigint, places bigint, value binary"
)
"""That of Spark: `value` is the place `place` of `places` of the pickled value of the part with the id `part`."""
_ARROW_SCHEMA: Final = pa.schema(
    [
        ("kind", pa.large_string()),
        ("key", pa.int64()),
        ("slice", pa.int64()),
        ("part", pa.large_string()),
        ("place", pa.int64()),
        ("places", pa.int64()),
        ("value", pa.large_binary()),
    ]
)
Row = tuple[str, int, int, str, int, int, bytes]


def rows_of(part: Part) -> list[Row]:
    """The rows of a part."""
    value = memoryview(pickle.dumps(part.value, pickle.HIGHEST_PROTOCOL))
    places, name = -(-len(value) // MAX_VALUE_BYTES), uuid4().hex
    pieces = (value[place * MAX_VALUE_BYTES : (place + 1) * MAX_VALUE_BYTES] for place in range(places))
    return [
        (part.kind, part.key, part.slice, name, place, places, bytes(piece))
        for place, piece in enumerate(pieces)
    ]


def batches_of(parts: Iterable[Part]) -> Iterator[pa.RecordBatch]:
    """The rows of parts, each as a batch."""
    for part in parts:
        for row in rows_of(part):
            columns = [
                pa.array([value], column.type) for value, column in zip(row, _ARROW_SCHEMA, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=_ARROW_SCHEMA)


def table_of(parts: Iterable[Part]) -> pa.Table:
    """The rows of parts, each as a batch of the table."""
    return pa.Table.from_batches(batches_of(parts), _ARROW_SCHEMA)


def parts_of(rows: Iterable[Iterable[Any]]) -> Iterator[Part]:
    """The parts of rows in any order, each with its last row. The values of a row may be buffers."""
    waiting: dict[str, dict[int, Any]] = {}
    for kind, key, of_slice, name, place, places, value in rows:
        pieces = waiting.setdefault(name, {})
        pieces[place] = value
        if len(pieces) == places:
            del waiting[name]
            pickled = value if places == 1 else b"".join(pieces[place] for place in range(places))
            yield Part(kind, key, of_slice, pickle.loads(pickled))  # noqa: S301  (this program made it)


def rows_of_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[Iterable[Any]]:
    """The rows of batches. The values are buffers of the batches."""
    for batch in batches:
        *columns, values = (batch.column(name) for name in _ARROW_SCHEMA.names)
        others = zip(*(column.to_pylist() for column in columns), strict=True)
        for row, value in zip(others, values, strict=True):
            yield (*row, value.as_buffer())
