"""The embedded PostgreSQL of a checkout, shared by all its processes; needs neither root nor Docker.

    with EmbeddedPostgres(checkout) as url: ...

Its files are in `.local/postgres` of the checkout. `server.py` describes those of the server; two more are locks:

    starting  held by the process that starts or stops the server (exclusive)
    users     held by each process that uses the server (shared). A process that can hold it exclusively is the last
              user, and stops the server

The locks are `flock`s. The kernel releases them when their process ends, so a killed process leaves none behind.
"""

import atexit
import fcntl
import os
from pathlib import Path
from typing import Final

from filelock import FileLock

from app.infrastructure.database.embedded.launcher import EmbeddedUnavailable, Launcher, find_programs
from app.infrastructure.database.embedded.locks import is_free, open_lock
from app.infrastructure.database.embedded.server import EmbeddedServer

CHECKOUT: Final = Path(__file__).resolve().parents[4]


class EmbeddedPostgres:
    """This process's use of the server in `root`/.local/postgres.

    root      the checkout, or any other folder that needs a database of its own
    durable   False trades safety after a crash for speed, for tests
    launcher  how to start PostgreSQL's programs; None chooses the first way that works
    """

    def __init__(
        self, root: Path = CHECKOUT, *, durable: bool = True, launcher: Launcher | None = None
    ) -> None:
        self._home = root.absolute() / ".local" / "postgres"
        self._server = EmbeddedServer(self._home, durable=durable, launcher=launcher)
        self._users_lock: int | None = None  # a file descriptor while this process uses the server

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.release()

    def start(self) -> str:
        """Return the DSN of the running server; start and create it if needed.

        This process uses the server until `release`, or until it ends. Raises EmbeddedUnavailable.
        """
        find_programs()  # raises before a file is written
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            with FileLock(self._home / "starting"):
                if self._users_lock is None:
                    self._users_lock = open_lock(self._home / "users")
                    fcntl.flock(self._users_lock, fcntl.LOCK_SH)
                    atexit.register(self.release)
                return self._server.url() or self._server.start()
        except OSError as error:
            raise EmbeddedUnavailable(f"{error.filename or self._home}: {error.strerror}") from error

    def release(self) -> None:
        """End this process's use of the server; the last user stops it."""
        if self._users_lock is None:
            return
        with FileLock(self._home / "starting"):
            self.abandon()
            if self._has_no_user():
                self._server.stop()

    def abandon(self) -> None:
        """End this process's use of the server without stopping it."""
        if self._users_lock is not None:
            os.close(self._users_lock)
            self._users_lock = None
            atexit.unregister(self.release)

    def stop(self, *, force: bool = False) -> bool:
        """Stop the server; return False if a process uses it. `force` stops it in any case."""
        if not self._home.is_dir():
            return True
        with FileLock(self._home / "starting"):
            if force or self._has_no_user():
                self._server.stop()
                return True
            return False

    def url(self) -> str | None:
        """Return the DSN while the server runs, else None."""
        return self._server.url() if self._home.is_dir() else None

    def _has_no_user(self) -> bool:
        return is_free(self._home / "users", by_sharers=True)
