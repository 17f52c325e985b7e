"""Input of PostgreSQL's COPY: rows as text, or columns of fixed width in the binary format."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import NO_TIME

ROWS_PER_PAGE = 10_000
NULL = r"\N"
EPOCH_2000_US = 946_684_800_000_000
"""PostgreSQL's binary timestamptz counts microseconds from this time, in microseconds since the Unix epoch."""
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


class UnstorableText(ValueError):
    """Text that PostgreSQL cannot store."""


class CopySource(io.RawIOBase):
    """A file for `copy_expert` that creates its pages during the read, so that the text is never whole in memory.

    psycopg2 reports an error during the read as an error of COPY; `error` keeps the original one.
    """

    def __init__(self, copy_format: str, pages: Iterator[bytes]) -> None:
        self.copy_format = copy_format
        self.error: UnstorableText | None = None
        self._pages = pages
        self._page = memoryview(b"")

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[object, ...]]) -> "CopySource":
        """Rows of fields as `text`, `tags`, `uuid_fields`, `count_fields` and `time_fields` write them."""
        return cls("text", _text_pages(rows))

    @classmethod
    def of_columns(cls, columns: dict[str, NDArray[Any]]) -> "CopySource":
        """Read columns (n,) of UUIDs (V16) and big-endian numbers, after a first column with the row number (int4)."""
        n = len(next(iter(columns.values())))
        return cls("binary", _binary_pages({"n": np.arange(n, dtype=">i4"), **columns}, n))

    def readable(self) -> bool:
        """Return True, as io.RawIOBase requires."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` and return the number of bytes; 0 at the end, as io.RawIOBase requires."""
        while not self._page:
            try:
                page = next(self._pages, None)
            except UnstorableText as error:
                self.error = error
                raise
            if page is None:
                return 0
            self._page = memoryview(page)
        n = min(len(buffer), len(self._page))
        buffer[:n] = self._page[:n]
        self._page = self._page[n:]
        return n


def text(value: str | None) -> str:
    """Return a field of type text."""
    return NULL if value is None else value.translate(_ESCAPED)


def count_fields(counts: NDArray[np.int64] | None, n: int) -> list[str]:
    """`n` fields of a type of whole numbers; a negative count is NULL."""
    return [NULL] * n if counts is None else [str(count) if count >= 0 else NULL for count in counts.tolist()]


def time_fields(time_us: NDArray[np.int64] | None, n: int) -> list[str]:
    """`n` fields of type timestamptz, from microseconds since the Unix epoch; NO_TIME is NULL."""
    if time_us is None:
        return [NULL] * n
    written = np.datetime_as_string(time_us.view("datetime64[us]")).tolist()
    return [NULL if time == "NaT" else f"{time}Z" for time in written]


def binary_times(time_us: NDArray[np.int64]) -> NDArray[np.signedinteger[Any]]:
    """Binary fields of type timestamptz, from microseconds since the Unix epoch; NO_TIME is -infinity."""
    return np.where(time_us == NO_TIME, NO_TIME, time_us - EPOCH_2000_US).astype(">i8")


def tags(values: tuple[str, ...]) -> str:
    """Return a field of type text[]."""
    quoted = ('"' + tag.replace("\\", r"\\").replace('"', r"\"") + '"' for tag in values)
    return text("{" + ",".join(quoted) + "}")


def uuid_fields(keys: NDArray[np.void]) -> list[str]:
    """Return n fields of type uuid for the keys (n,) of dtype V16."""
    digits = keys.tobytes().hex()
    return [digits[start : start + 32] for start in range(0, len(digits), 32)]


def _text_pages(rows: Iterable[tuple[object, ...]]) -> Iterator[bytes]:
    lines: list[str] = []
    for row in rows:
        lines.append("\t".join(map(str, row)))
        if len(lines) == ROWS_PER_PAGE:
            yield _encode(lines)
            lines.clear()
    yield _encode(lines)


def _encode(lines: list[str]) -> bytes:
    page = "".join(line + "\n" for line in lines)
    if "\0" in page:
        raise UnstorableText("a text has the character NUL, which cannot be stored")
    try:
        return page.encode()
    except UnicodeEncodeError as error:
        raise UnstorableText(
            f"a text has half a surrogate pair, which cannot be stored: {error.object[error.start]!r}"
        ) from error


def _binary_pages(columns: dict[str, NDArray[Any]], n: int) -> Iterator[bytes]:
    """Yield the binary format: for each row the number of fields, then each field after its length in bytes."""
    layout: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, values in columns.items():
        layout += [(f"{name} length", ">i4"), (name, values.dtype)]
    records = np.zeros(n, layout)
    records["fields"] = len(columns)
    for name, values in columns.items():
        records[f"{name} length"] = values.dtype.itemsize
        records[name] = values
    yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for start in range(0, n, ROWS_PER_PAGE):
        yield records[start : start + ROWS_PER_PAGE].tobytes()
    yield b"\xff\xff"
