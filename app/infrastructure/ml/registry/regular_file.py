"""Reads files of folders that others can write to: no links, no pipes, and never more than is expected."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.domain.errors import InvalidArtifact


@contextmanager
def open_regular_file(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The open file and its size in bytes. Raises InvalidArtifact unless it is a file and no link."""

    def open_file_itself(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK)

    try:
        with open(path, "rb", opener=open_file_itself) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise InvalidArtifact(f"{path.name}: not a file")
            yield file, found.st_size
    except OSError as error:
        reason = "is a symbolic link" if path.is_symlink() else error.strerror or str(error)
        raise InvalidArtifact(f"{path.name}: {reason}") from error


def read_regular_file(path: Path, size_limit_bytes: int) -> bytes:
    """The bytes of `path`, read once. Raises InvalidArtifact unless it is a file, no link, within the limit."""
    with open_regular_file(path) as (file, size_bytes):
        if size_bytes > size_limit_bytes:
            raise InvalidArtifact(
                f"{path.name}: {size_bytes} bytes are more than the {size_limit_bytes} allowed"
            )
        return file.read(size_bytes)
