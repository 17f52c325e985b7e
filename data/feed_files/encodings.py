"""Opens text files in the encodings of other programs: UTF-8, UTF-16 and Windows-1252, also compressed with gzip."""

import gzip
import io
import re
import zlib
from pathlib import Path
from typing import BinaryIO, Final, cast

from data.schemas import FeedFileError

UTF_8: Final = "utf-8-sig"  # with or without a byte order mark
WINDOWS_1252: Final = "cp1252"
DAMAGED_GZIP: Final = (gzip.BadGzipFile, EOFError, zlib.error)
_OTHER_FORMATS: Final = {
    b"PK\x03\x04": "is a zip archive or a workbook: unpack it, or save the table as CSV",
    b"\x1f\x8b": "is compressed with gzip: its name needs the suffix .gz",
    b"PAR1": "is a Parquet file: its name needs the suffix .parquet",
    b"\xd0\xcf\x11\xe0": "is a workbook: save the table as CSV",
}
_NOT_WESTERN: Final = re.compile(
    rb"[\x80-\xff]{4}"
)  # Cyrillic, Chinese …; Western words mix in ASCII letters


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a file, decompressed if its name ends in `.gz`."""
    return cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def encoding_of(path: Path) -> str:
    """The encoding that the start of a file shows: UTF-16, else UTF-8. Raises FeedFileError for an archive."""
    with open_bytes(path) as file:
        try:
            start = file.read(1024)
        except DAMAGED_GZIP as error:
            raise FeedFileError(path, f"is damaged: {error}") from None
    for magic, problem in _OTHER_FORMATS.items():
        if start.startswith(magic):
            raise FeedFileError(path, problem)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    nul = [byte == 0 for byte in start[:4]]  # the first two characters are ASCII, as a rule
    if nul == [False, True, False, True]:
        return "utf-16-le"
    if nul == [True, False, True, False]:
        return "utf-16-be"
    return UTF_8


def encoding_of_invalid_utf8(path: Path) -> str:
    """The encoding of a text that is not UTF-8: Windows-1252, which contains Latin-1.

    Raises FeedFileError with the first line that is not UTF-8 if other lines are UTF-8 (the file is damaged), or if the
    text does not look Western European.
    """
    with open_bytes(path) as file:
        data = file.read()
    has_valid_utf8 = any(character > "\x7f" for character in data.decode(errors="ignore"))
    if not has_valid_utf8 and not _NOT_WESTERN.search(data) and _is_decodable(data, WINDOWS_1252):
        return WINDOWS_1252
    line = next(number for number, raw in enumerate(data.split(b"\n"), 1) if not _is_decodable(raw, UTF_8))
    raise FeedFileError(path, "is not UTF-8; save the file as UTF-8", place=f"line {line}")


def open_utf8(path: Path) -> BinaryIO:
    """The bytes of a text file in UTF-8, without a byte order mark."""
    encoding = encoding_of(path)
    if encoding != UTF_8:
        with open_bytes(path) as file:
            return io.BytesIO(_decoded(path, file.read(), encoding).encode())
    file = open_bytes(path)
    if file.read(3) != b"\xef\xbb\xbf":
        file.seek(0)
    return file


def _decoded(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise FeedFileError(path, f"is not {encoding}: {error.reason}") from None


def _is_decodable(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
