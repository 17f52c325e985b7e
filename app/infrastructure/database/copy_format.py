"""What PostgreSQL's COPY reads: rows as text, or columns of fixed width in its binary form."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS_PER_PAGE = 10_000
NULL = r"\N"
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


class UnstorableText(ValueError):
    """Text that PostgreSQL cannot hold."""


class CopySource(io.RawIOBase):
    """What `copy_expert` reads from: pages as they are made, so that the whole never lies in memory as text.

    psycopg2 reports an error of the reading as one of COPY; `refused` keeps what it was.
    """

    def __init__(self, form: str, pages: Iterator[bytes]) -> None:
        self.form = form
        self.refused: UnstorableText | None = None
        self._pages = pages
        self._page = memoryview(b"")

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[object, ...]]) -> "CopySource":
        """Rows of fields as `text`, `number`, `tags`, `uuid_fields` write them."""
        return cls("text", _text_pages(rows))

    @classmethod
    def of_columns(cls, columns: dict[str, NDArray[Any]]) -> "CopySource":
        """Columns (n,) of UUIDs (V16) and big-endian numbers, after a first one that counts the rows (int4)."""
        n = len(next(iter(columns.values())))
        return cls("binary", _binary_pages({"n": np.arange(n, dtype=">i4"), **columns}, n))

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As `io.RawIOBase` has it."""
        while not self._page:
            try:
                page = next(self._pages, None)
            except UnstorableText as refused:
                self.refused = refused
                raise
            if page is None:
                return 0
            self._page = memoryview(page)
        n = min(len(buffer), len(self._page))
        buffer[:n] = self._page[:n]
        self._page = self._page[n:]
        return n


def text(value: str | None) -> str:
    """A text field."""
    return NULL if value is None else value.translate(_ESCAPES)


def number(value: float | None) -> str:
    """A field of a number; a float as Python writes it is exact."""
    return NULL if value is None else str(value)


def tags(values: tuple[str, ...]) -> str:
    """A field of type text[]."""
    quoted = ('"' + tag.replace("\\", r"\\").replace('"', r"\"") + '"' for tag in values)
    return text("{" + ",".join(quoted) + "}")


def uuid_fields(keys: NDArray[np.void]) -> list[str]:
    """Fields of type uuid, from (n,) keys of dtype V16."""
    digits = keys.tobytes().hex()
    return [digits[start : start + 32] for start in range(0, len(digits), 32)]


def _text_pages(rows: Iterable[tuple[object, ...]]) -> Iterator[bytes]:
    lines: list[str] = []
    for row in rows:
        lines.append("\t".join(map(str, row)))
        if len(lines) == ROWS_PER_PAGE:
            yield _encoded(lines)
            lines.clear()
    yield _encoded(lines)


def _encoded(lines: list[str]) -> bytes:
    page = "".join(line + "\n" for line in lines)
    if "\0" in page:
        raise UnstorableText("the character NUL cannot be stored")
    try:
        return page.encode()
    except UnicodeEncodeError as error:
        raise UnstorableText(
            f"half a surrogate pair cannot be stored: {error.object[error.start]!r}"
        ) from error


def _binary_pages(columns: dict[str, NDArray[Any]], n: int) -> Iterator[bytes]:
    """One record array: the number of fields, then each field after its length in bytes."""
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
