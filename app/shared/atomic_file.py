"""Files that are written whole: after a kill at any point, a reader sees the old content or the new content."""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

DRAFT_PREFIX: Final = ".draft-"
_PUBLIC, _PRIVATE = 0o666, 0o600  # the process's umask still applies


def write_atomically(path: Path, chunks: Iterable[bytes], *, private: bool = False) -> None:
    """Replace `path` by `chunks`; they are on disk when this returns.

    With `private`, only the owner can read the file (0600). Raises OSError and leaves `path` as it was.
    """
    with open_atomically(path, private=private) as file:
        file.writelines(chunks)


@contextmanager
def open_atomically(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file that replaces `path` at the end, as in `write_atomically`; after an error, `path` is as it was."""
    with _draft(path, private=private) as (draft, file):
        yield file
        _sync(file)
        draft.replace(path)
    sync_directory(path.parent)


def create_private_file(path: Path, content: bytes) -> bool:
    """Create `path` with `content` for its owner alone (0600); return False if it exists already.

    If several processes create the same file at once, one of them succeeds and the others see its whole content.
    Creates missing parent folders (0700). Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        return False
    try:
        with _draft(path, private=True) as (draft, file):
            file.write(content)
            _sync(file)
            os.link(draft, path)  # unlike a rename, a link fails if the file exists
    except FileExistsError:
        return False
    sync_directory(path.parent)
    return True


@contextmanager
def _draft(path: Path, *, private: bool) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file beside `path`; it is removed at the end unless it was renamed."""
    draft = path.parent / f"{DRAFT_PREFIX}{path.name}-{secrets.token_hex(8)}"
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE if private else _PUBLIC)
        with os.fdopen(descriptor, "wb") as file:
            yield draft, file
    finally:
        draft.unlink(missing_ok=True)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def sync_directory(folder: Path) -> None:
    """Write the names in `folder` to disk; without it a power cut may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_drafts(folder: Path) -> None:
    """Remove the drafts of killed writers from `folder`. The caller excludes other writers."""
    for draft in folder.glob(f"{DRAFT_PREFIX}*"):
        draft.unlink(missing_ok=True)
