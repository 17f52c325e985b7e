"""SnapshotStore in a folder: the newest two snapshots, and the lock of the process that writes."""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import structlog
from filelock import FileLock, Timeout
from sqlalchemy import make_url

from app.domain.feed.event_counting import CountingRule
from app.domain.repositories.feed_log import LogPosition
from app.domain.repositories.snapshot_store import SnapshotDraft, SnapshotUnavailable, StateSnapshot
from app.infrastructure.snapshots.array_file import ArrayWriter, DamagedFile, read_arrays
from app.shared.atomic_file import DRAFT_PREFIX, remove_drafts, sync_directory

log = structlog.get_logger()

KEPT: Final = 2
LOCK_FILE: Final = ".writer.lock"
_NAME: Final = re.compile(r"state_(\d{10})\.snapshot")


@dataclass(eq=False)
class SnapshotFolder:
    """Snapshots in `folder`, which only their owner can read.

    secrets   of CURSOR_SECRET: the first authenticates what this process writes, all are accepted
    database  identity of the configured database: snapshots of another one are ignored
    """

    folder: Path
    secrets: Sequence[bytes]
    database: str
    _lock: FileLock | None = field(default=None, init=False)

    def newest(self) -> Iterator[tuple[str, StateSnapshot]]:
        """See SnapshotStore. A snapshot that is damaged, or not authentic, is logged and skipped."""
        for path in reversed(self.paths()):
            try:
                description, arrays = read_arrays(path, self.keys)
                if description.pop("database") != self.database:
                    log.info("snapshot.ignored", path=str(path), cause="it is of another DATABASE_URL")
                    continue
                yield path.name, _snapshot(description, arrays)
            except (DamagedFile, KeyError, TypeError) as error:
                log.warning("snapshot.rejected", path=str(path), cause=str(error))

    def begin(self) -> SnapshotDraft | None:
        """See SnapshotStore. The first process that gets the lock keeps it until `close`, or until it ends."""
        try:
            if self._lock is None:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = FileLock(self.folder / LOCK_FILE, timeout=0, thread_local=False)
                lock.acquire()
                self._lock = lock
                remove_drafts(self.folder)
            return _Draft(self)
        except Timeout:
            return None
        except OSError as error:
            raise SnapshotUnavailable(f"{self.folder}: {error.strerror or error}") from error

    def close(self) -> None:
        """See SnapshotStore."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def keys(self) -> list[bytes]:
        """Keys of the codes of snapshots, in the order of `secrets`."""
        return [hmac.digest(secret, b"feed snapshot", "sha256") for secret in self.secrets]

    def paths(self) -> list[Path]:
        """All snapshots, oldest first."""
        try:
            return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        except OSError:
            return []


class _Draft:
    """A file beside the snapshots. `publish` renames it."""

    def __init__(self, store: SnapshotFolder) -> None:
        self._store = store
        self._path = store.folder / f"{DRAFT_PREFIX}{secrets.token_hex(8)}"
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: IO[bytes] = os.fdopen(descriptor, "w+b")
        self._writer = ArrayWriter(self._file)
        self._description: dict[str, Any] = {}

    def copy(self, snapshot: StateSnapshot) -> None:
        """See SnapshotDraft."""
        self._description = {
            "database": self._store.database,
            "counting": None if snapshot.counting is None else asdict(snapshot.counting),
            "position": asdict(snapshot.position),
            "model_sha256": snapshot.model_sha256,
        }
        try:
            self._writer.add(snapshot.arrays)
        except OSError as error:
            raise self._unavailable(error) from error

    def publish(self) -> int:
        """See SnapshotDraft."""
        store = self._store
        try:
            size_bytes = self._writer.seal(self._description, store.keys[0])
            os.fsync(self._file.fileno())
            known = store.paths()
            number = 1 + max((int(path.name[6:16]) for path in known), default=0)
            self._path.replace(store.folder / f"state_{number:010}.snapshot")
            sync_directory(store.folder)
            for path in known[: 1 - KEPT]:
                path.unlink(missing_ok=True)
            return size_bytes
        except OSError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: OSError) -> SnapshotUnavailable:
        return SnapshotUnavailable(f"{self._store.folder}: {error.strerror or error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._path.unlink(missing_ok=True)
        try:
            self._file.close()
        except OSError:  # what it could not write is removed already
            log.warning("snapshot.not_closed", folder=str(self._store.folder))


def _snapshot(description: dict[str, Any], arrays: Any) -> StateSnapshot:
    counting = description["counting"]
    if counting is not None:
        counting = CountingRule(**counting | {"kind_weights": tuple(counting["kind_weights"])})
    position = LogPosition(**description["position"])
    return StateSnapshot(arrays, counting, position, description["model_sha256"])


def database_identity(url: str | None, schema: str | None) -> str:
    """A digest of address, database and schema, but not of user and password. None: the embedded PostgreSQL."""
    if url is None:
        return "embedded"
    parts = make_url(url)
    address = (parts.host, parts.port, parts.query.get("host"), parts.query.get("port"))
    return hashlib.sha256(repr((address, parts.database, schema)).encode()).hexdigest()
