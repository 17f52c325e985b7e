"""Files that are replaced whole: a reader, or a kill at any point, meets the old content or the new one."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

DRAFT_PREFIX = ".draft-"


def write_atomically(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace `path` by `chunks`, on disk when this returns. Raises OSError, leaving `path` as it was."""
    draft = path.parent / f"{DRAFT_PREFIX}{path.name}-{secrets.token_hex(8)}"
    try:
        with draft.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(folder: Path) -> None:
    """Bring the names in `folder` to disk; without it a power cut may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_drafts(folder: Path) -> None:
    """Remove what killed writers left in `folder`. The caller excludes other writers."""
    for draft in folder.glob(f"{DRAFT_PREFIX}*"):
        draft.unlink(missing_ok=True)
