"""The embedded PostgreSQL of a checkout, shared by all its processes; needs neither root nor Docker.

    with EmbeddedPostgres(checkout) as url: ...

Files in `.local/postgres` of the checkout:

    data/     the cluster; created as data.new and renamed, so that it is complete or absent
    url       the DSN with the generated password, 0600
    log       the output of the server
    starting  a lock held by the process that starts or stops the server (exclusive)
    users     a lock held by each process that uses the server (shared). A process that can hold it exclusively is
              the last user, and stops the server
    server    a lock that the postmaster and all its children inherit: if it is free, none of them runs. A
              `postmaster.pid` that says otherwise is stale (kill -9, a reused process id) and safe to remove

The locks are `flock`s. The kernel releases them when their process ends, so a killed process leaves none behind.
"""

import atexit
import contextlib
import fcntl
import os
import re
import secrets
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Final

import psycopg2
import psycopg2.errors
from filelock import FileLock

from app.infrastructure.database.embedded.launcher import (
    EmbeddedUnavailable,
    Launcher,
    choose_launcher,
    find_programs,
)
from app.infrastructure.database.embedded.locks import free_port, is_free, open_lock, try_lock, wait_until
from app.shared.atomic_file import write_atomically

CHECKOUT: Final = Path(__file__).resolve().parents[4]
DATABASE: Final = "feed"
USER: Final = "feed"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 60.0
PORT_ATTEMPTS: Final = 5

CONFIGURATION: Final = """
# Loopback TCP only: the path of a socket has at most 107 bytes, and the path of a checkout may be longer.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
timezone = 'UTC'
log_timezone = 'UTC'
shared_buffers = '64MB'
"""
_FAST_CONNECTIONS: Final = ("-c", "scram_iterations=1")
"""For initdb: a password is derived in one step, which halves the time of a connection."""
TEST_CONFIGURATION: Final = """
# For clusters that exist only during a test run.
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_connections = 200
"""


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
        self._cluster = self._home / "data"
        self._url_file = self._home / "url"
        self._durable = durable
        self._launcher = launcher
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
                return self.url() or self._start_server()
        except OSError as error:
            raise EmbeddedUnavailable(f"{error.filename or self._home}: {error.strerror}") from error

    def release(self) -> None:
        """End this process's use of the server; the last user stops it."""
        if self._users_lock is None:
            return
        with FileLock(self._home / "starting"):
            self.abandon()
            if self._has_no_user():
                self._stop_server()

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
                self._stop_server()
                return True
            return False

    def url(self) -> str | None:
        """Return the DSN once the running server accepts connections; None if no server runs."""
        if not self._url_file.exists() or not self._is_running():
            return None
        url = self._url_file.read_text().strip()
        if not wait_until(lambda: _answers(url) or not self._is_running(), START_SECONDS):
            raise self._unavailable("the running server does not answer")
        return url if self._is_running() else None

    def _start_server(self) -> str:
        """Start the server, which does not run, and return its DSN; create the cluster if there is none.

        The caller holds the lock `starting`. Raises EmbeddedUnavailable, OSError.
        """
        programs = find_programs()
        launcher = self._launcher or choose_launcher(programs, self._cluster)
        if not self._cluster.exists():
            self._create_cluster(programs, launcher)
        if not self._url_file.exists():
            raise EmbeddedUnavailable(
                f"{self._url_file} is gone, and with it the password: delete {self._home}"
            )
        url = self._url_file.read_text().strip()
        port = int(url.rpartition(":")[2].partition("/")[0])
        for _ in range(PORT_ATTEMPTS):
            port = free_port(port)
            url = re.sub(r":\d+/", f":{port}/", url)
            _write_private(self._url_file, url)
            if self._start_postmaster(programs, launcher, port):
                _ensure_database(url)
                return url
            port = 0  # another process may have taken the port in the meantime: choose a free one
        raise self._unavailable("the server does not start")

    def _stop_server(self) -> None:
        """Stop the server if it runs. The caller holds the lock `starting`. Raises EmbeddedUnavailable."""
        deadline = time.monotonic() + STOP_SECONDS
        # First "fast shutdown"; then "immediate shutdown", for a server that cannot end its sessions.
        for number, until in ((signal.SIGINT, deadline - STOP_SECONDS / 2), (signal.SIGQUIT, deadline)):
            if (postmaster := self._postmaster_pid()) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(postmaster, number)
            if wait_until(lambda: not self._is_running(), until - time.monotonic()):
                return
        raise self._unavailable("the server does not stop")

    def _has_no_user(self) -> bool:
        return is_free(self._home / "users", by_sharers=True)

    def _is_running(self) -> bool:
        return not is_free(self._home / "server")

    def _create_cluster(self, programs: Path, launcher: Launcher) -> None:
        """Initialise the cluster in a draft folder and rename it: an interrupted call leaves no cluster."""
        draft = self._home / "data.new"
        password_file = self._home / "password.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password = secrets.token_urlsafe(24)
        _write_private(password_file, password)
        if launcher.owner is not None:
            os.chown(draft, launcher.owner, -1)
            os.chown(password_file, launcher.owner, -1)
        is_created = self._run_logged(
            launcher,
            *(programs / "initdb", "-D", draft, "-U", USER, "--pwfile", password_file),
            *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(() if self._durable else ("--no-sync", *_FAST_CONNECTIONS)),
        )
        password_file.unlink()
        if not is_created:
            raise self._unavailable("initdb failed")
        with (draft / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION + ("" if self._durable else TEST_CONFIGURATION))
        _write_private(self._url_file, f"postgresql://{USER}:{password}@127.0.0.1:{free_port()}/{DATABASE}")
        draft.rename(self._cluster)

    def _start_postmaster(self, programs: Path, launcher: Launcher, port: int) -> bool:
        lock = open_lock(self._home / "server")
        try:
            # The children of a killed postmaster hold the lock for a moment longer.
            wait_until(lambda: try_lock(lock), START_SECONDS)
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)
            return self._run_logged(
                launcher,
                *(programs / "pg_ctl", "start", "-D", self._cluster, "-o", f"-p {port}"),
                *("-w", "-t", str(int(START_SECONDS))),
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C in the terminal must not stop the database
            )
        finally:
            os.close(lock)  # the server keeps the descriptor that it inherited

    def _run_logged(self, launcher: Launcher, *command: str | Path, **options: Any) -> bool:
        """Run a program with its output in the log; return whether it succeeded."""
        with (self._home / "log").open("ab") as log:
            return launcher.run(command, stdout=log, stderr=log, **options).returncode == 0

    def _postmaster_pid(self) -> int | None:
        """Return the postmaster's process id, or None if the server does not run.

        None as well if the id in `postmaster.pid` belongs to another program.
        """
        if not self._is_running():
            return None
        try:
            pid = int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline")
            if Path("/proc/self").exists() and str(self._cluster).encode() not in command.read_bytes():
                return None
        except (OSError, ValueError):
            return None
        return pid

    def _unavailable(self, problem: str) -> EmbeddedUnavailable:
        """An error with the last error line of the log."""
        log = self._home / "log"
        lines = log.read_text(errors="replace").split("\n") if log.exists() else []
        errors = [line for line in lines if re.search(r"FATAL|ERROR|error:", line)]
        detail = f" ({errors[-1]})" if errors else ""
        return EmbeddedUnavailable(f"embedded PostgreSQL: {problem}; see {log}{detail}")


def _write_private(path: Path, text: str) -> None:
    write_atomically(path, [text.encode() + b"\n"], private=True)


def _answers(url: str) -> bool:
    """Return whether the server of `url` accepts connections."""
    try:
        psycopg2.connect(url, connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def _ensure_database(url: str) -> None:
    """Create the database of `url` if the server does not have it."""
    connection = psycopg2.connect(f"{url.rpartition('/')[0]}/postgres", connect_timeout=10)
    connection.autocommit = True
    existing = contextlib.suppress(psycopg2.errors.DuplicateDatabase)
    with contextlib.closing(connection), existing, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE}")
