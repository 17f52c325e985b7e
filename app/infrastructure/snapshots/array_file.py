"""A file of arrays that is mapped into memory as it is: no pickle, and nothing is read before it is authenticated.

magic and format  8 bytes
table             8 + 8 bytes, little-endian: where the table begins, and its length
code              32 bytes: HMAC-SHA256 of the SHA-256 digest of everything else
arrays            each at a multiple of 64 bytes
table             JSON: what the caller describes, and name, type, shape and place of each array
"""

import hashlib
import hmac
import json
import mmap
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.array_tree import ArrayTree, Concatenated, Late
from app.domain.feed.dataset import KEY_DTYPE

FORMAT: Final = 5
_MAGIC: Final = b"FEEDSN" + FORMAT.to_bytes(2, "little")
_TABLE: Final = slice(8, 24)
_CODE: Final = slice(24, 56)
_FIRST_ARRAY: Final = 64
_ALIGNMENT: Final = 64
_HASHED_AT_ONCE: Final = 1 << 24
_DTYPES: Final = {
    np.dtype(one).str: np.dtype(one)
    for one in (
        np.bool_, np.uint8, np.int32, np.uint32, np.int64, np.float16, np.float32, np.float64, KEY_DTYPE,
    )
}  # fmt: skip


class DamagedFile(Exception):
    """A file that this process cannot use: it is damaged, not authentic, or of another version."""


@dataclass(eq=False)
class ArrayWriter:
    """Writes one file, open for reading and writing. First `add`, then `seal`."""

    file: IO[bytes]
    _table: list[tuple[str, str, tuple[int, ...], int]] = field(default_factory=list, init=False)
    _late: list[tuple[str, Late]] = field(default_factory=list, init=False)
    _end: int = field(default=_FIRST_ARRAY, init=False)

    def add(self, tree: ArrayTree) -> None:
        """Write the arrays of `tree`, but not what is late."""
        self._add(tree, "")

    def seal(self, description: Mapping[str, Any], key: bytes) -> int:
        """Write what is late, the table with `description` (plain JSON), and the code. Returns the size in bytes."""
        while self._late:
            name, compute = self._late.pop()
            result = compute()
            self._add({"": result} if not isinstance(result, Mapping) else result, name)
        table = json.dumps({**description, "arrays": self._table}).encode()
        self._write(self._end, [table])
        place = self._end.to_bytes(8, "little") + len(table).to_bytes(8, "little")
        self._write(0, [_MAGIC + place])
        self.file.flush()
        with mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            size_bytes, code = len(content), _code(_digest(content), key)
        self._write(_CODE.start, [code])
        self.file.flush()
        return size_bytes

    def _add(self, tree: ArrayTree, group: str) -> None:
        for name, one in tree.items():
            path = f"{group}/{name}".strip("/")
            if isinstance(one, Mapping):
                self._add(one, path)
            elif callable(one):
                self._late.append((path, one))
            elif isinstance(one, Concatenated):
                self._add_array(path, one.dtype, one.whole_shape, one.arrays)
            else:
                rows = one if one.ndim and not one.flags.c_contiguous else [one]
                self._add_array(path, one.dtype, one.shape, rows)

    def _add_array(
        self,
        name: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        parts: Sequence[NDArray[Any]] | NDArray[Any],
    ) -> None:
        start = -(-self._end // _ALIGNMENT) * _ALIGNMENT
        self._write(start, [np.ascontiguousarray(part).reshape(-1).view(np.uint8).data for part in parts])
        self._table.append((name, dtype.str, shape, start))
        self._end = start + _size_bytes(dtype, shape)

    def _write(self, start: int, parts: Sequence[bytes | memoryview]) -> None:
        self.file.seek(start)
        for part in parts:
            self.file.write(part)


def read_arrays(path: Path, keys: Sequence[bytes]) -> tuple[dict[str, Any], ArrayTree]:
    """The description and the arrays of a file that was sealed with one of `keys`. Raises DamagedFile.

    The arrays are a private mapping: processes share the pages that none of them changes.
    """
    content = _map(path)
    if content[: len(_MAGIC)] != _MAGIC:
        raise DamagedFile("it is no snapshot of this version")
    digest = _digest(content)
    if not any(hmac.compare_digest(_code(digest, key), content[_CODE]) for key in keys):
        raise DamagedFile("its code is wrong: it is damaged, or was written with another CURSOR_SECRET")
    place = content[_TABLE]
    start, length = int.from_bytes(place[:8], "little"), int.from_bytes(place[8:], "little")
    try:
        description = json.loads(content[start : start + length])
        arrays: dict[str, Any] = {}
        for name, type_name, shape, place in description.pop("arrays"):
            group = arrays
            *groups, last = name.split("/")
            for one in groups:
                group = group.setdefault(one, {})
            group[last] = _array(content, _DTYPES[type_name], shape, place)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedFile(f"its table is wrong: {error!r}") from error
    return description, arrays


def _map(path: Path) -> mmap.mmap:
    """The content of a regular file, no link. Raises DamagedFile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size < _FIRST_ARRAY:
                raise DamagedFile("it is cut off, or no file")
            return mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DamagedFile(error.strerror or str(error)) from error


def _array(content: mmap.mmap, dtype: np.dtype[Any], shape: Sequence[int], start: int) -> NDArray[Any]:
    """Raises ValueError if the array is not within the content."""
    count = _size_bytes(dtype, shape) // dtype.itemsize
    if start % _ALIGNMENT:
        raise ValueError(f"an array begins at {start}")
    if not count:
        return np.empty(shape, dtype)
    return np.frombuffer(content, dtype, count, start).reshape(shape)


def _size_bytes(dtype: np.dtype[Any], shape: Sequence[int]) -> int:
    size = dtype.itemsize
    for length in shape:
        if length < 0:
            raise ValueError(f"a negative length: {length}")
        size *= length
    return size


def _digest(content: mmap.mmap) -> bytes:
    """SHA-256 of all but the code."""
    digest = hashlib.sha256(content[: _CODE.start])
    with memoryview(content) as view:
        for start in range(_CODE.stop, len(view), _HASHED_AT_ONCE):
            digest.update(view[start : start + _HASHED_AT_ONCE])
    return digest.digest()


def _code(digest: bytes, key: bytes) -> bytes:
    return hmac.digest(key, digest, "sha256")
