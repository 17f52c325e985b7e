"""The Parquet files of an export: their columns, and the conversion from and to arrays."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import KEY_DTYPE, NO_TIME
from app.shared.atomic_file import open_atomically
from data.log_export.manifest import ExportedFile, ExportError, Table

_ID: Final = pa.binary(16)
_TIME: Final = pa.timestamp("us", "UTC")
_TEXT: Final = pa.string()
_FLAG: Final = pa.bool_()
_TYPE: Final = pa.dictionary(pa.int8(), _TEXT)

INTERACTIONS: Final = pa.schema(
    {
        "user_id": _ID,
        "post_id": _ID,
        "interaction_type": _TYPE,
        "created_at": _TIME,  # of the interaction itself, as in feed files
        "received_at": _TIME,
        "seq": pa.int64(),
    }
)
CHANGED: Final = pa.schema({"seq": pa.int64()})
TABLES: Final[dict[Table, Any]] = {
    "users": pa.schema(
        {
            "id": _ID,
            "external_id": _TEXT,
            "created_at": _TIME,
            "discoverable": _FLAG,
            "personalised": _FLAG,
            "show_sensitive": _FLAG,
            "languages": pa.list_(_TEXT),
        }
    ),
    "posts": pa.schema(
        {
            "id": _ID,
            "external_id": _TEXT,
            "author_id": _ID,
            "created_at": _TIME,
            "visible": _FLAG,
            "seq": pa.int64(),
            "content": _TEXT,
            "tags": pa.list_(_TEXT),
            "visibility": _TEXT,
            "audience_id": _TEXT,
            "language": _TEXT,
            "sensitive": _FLAG,
            "root_id": _ID,
            "repost_of": _ID,
            "embedding": pa.binary(),  # float16 values of a unit vector
        }
    ),
    "follows": pa.schema({"follower_id": _ID, "followee_id": _ID, "created_at": _TIME}),
    "memberships": pa.schema({"user_id": _ID, "audience_id": _TEXT}),
    # One row for each control, and one without an action for a user who took back all of theirs.
    "controls": pa.schema(
        {
            "user_id": _ID,
            "user_seq": pa.int64(),
            "action": _TEXT,
            "post_id": _ID,
            "author_id": _ID,
            "tag": _TEXT,
            "word": _TEXT,
            "created_at": _TIME,
            "until": _TIME,
        }
    ),
    "impressions": pa.schema(
        {"user_id": _ID, "created_at": _TIME, "posts": pa.list_(pa.int64()), "seen": pa.list_(_FLAG)}
    ),
}


def table_of(schema: Any, columns: Sequence[Any]) -> Any:
    """The Arrow table of a schema from its columns, each an array or a list.

    Ids are a (n,) ``V16`` array, or UUIDs as objects or text; times are microseconds with NO_TIME. None is null.
    """
    arrays = [_array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Any, kind: Any) -> Any:
    if kind == _ID and isinstance(values, np.ndarray):
        return pa.FixedSizeBinaryArray.from_buffers(kind, len(values), [None, pa.py_buffer(values.tobytes())])
    if kind == _ID:
        return pa.array([None if one is None else UUID(str(one)).bytes for one in values], kind)
    if kind == _TIME:
        times = np.asarray(values, np.int64)
        return pa.array(times, mask=times == NO_TIME).cast(kind)
    if kind == _TYPE:
        return pa.DictionaryArray.from_arrays(pa.array(values, pa.int8()), pa.array(INTERACTION_TYPES))
    return pa.array(values, kind)


def ids(column: Any) -> NDArray[np.void]:
    """(n,) ``V16`` ids of a column; zeros for null."""
    parts = (
        [_keys(chunk) for chunk in column.chunks] if isinstance(column, pa.ChunkedArray) else [_keys(column)]
    )
    return np.concatenate([np.empty(0, KEY_DTYPE), *parts])


def _keys(array: Any) -> NDArray[np.void]:
    array = array.fill_null(bytes(16))
    content = array.buffers()[1]
    keys = np.empty(0, KEY_DTYPE) if content is None else np.frombuffer(content, KEY_DTYPE)
    return keys[array.offset : array.offset + len(array)]


def times_us(column: Any) -> NDArray[np.int64]:
    """(n,) microseconds since the Unix epoch, NO_TIME for null."""
    numbers: NDArray[np.int64] = column.cast(pa.int64()).fill_null(NO_TIME).to_numpy(zero_copy_only=False)
    return numbers


def numbers(column: Any, dtype: type) -> NDArray[Any]:
    """(n,) a column without null."""
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values.astype(dtype, copy=False)


def write_file(
    folder: Path, name: str, run: int, schema: Any, write: Callable[[Callable[[Any], None]], None]
) -> ExportedFile:
    """Write the file of a run in the folder `name` of an export; it appears whole. Raises OSError.

    `write` receives a function that adds an Arrow table to the file.
    """
    file = ExportedFile.of_run(name, run)
    path, rows = folder / file.path, 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomically(path) as target, pq.ParquetWriter(target, schema, compression="zstd") as writer:

        def add(table: Any) -> None:
            nonlocal rows
            writer.write_table(table)
            rows += table.num_rows

        write(add)
    return file.model_copy(update={"rows": rows, "sha256": _sha256(path)})


def batches(folder: Path, file: ExportedFile, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """The record batches of a file, all columns or some. Raises ExportError for a missing or damaged file."""
    path = folder / file.path
    try:
        if _sha256(path) != file.sha256:
            raise ExportError(path, f"was changed after the export; {_REMEDY}")
        with pq.ParquetFile(path) as source:
            yield from source.iter_batches(batch_size=_BATCH_ROWS, columns=columns)
    except FileNotFoundError:
        raise ExportError(path, f"is missing; {_REMEDY}") from None
    except (pa.ArrowException, OSError) as error:
        raise ExportError(path, f"cannot be read: {str(error).splitlines()[0]}; {_REMEDY}") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_BATCH_ROWS: Final = 1 << 18
_REMEDY: Final = "export the log again, to a new folder"
