"""Processes of the service as forks of one that has imported it: the import is most of the time of a start.

`python -m tests.support.forked_service FOLDER` imports the service, and then reads requests, a line of JSON each. It
answers with the id of the process that it made, and writes the exit status of an ended process to FOLDER/ID.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.embedded.locks import wait_until


class ForkedService:
    """A process of uvicorn with these arguments and environment; what the tests use of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log_file: Path) -> None:
        server, folder = _fork_server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps([arguments, dict(environment), str(log_file)]) + "\n")
        server.stdin.flush()
        self.pid = int(server.stdout.readline())
        self._status = folder / str(self.pid)

    def poll(self) -> int | None:
        """Return the exit status, negative after a signal, or None while the process runs."""
        return int(self._status.read_text()) if self._status.exists() else None

    def wait(self, seconds: float) -> int:
        if not wait_until(self._status.exists, seconds):
            raise subprocess.TimeoutExpired("uvicorn", seconds)
        return int(self._status.read_text())

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def _fork_server() -> tuple[subprocess.Popen[str], Path]:
    """The process that forks, until this one ends, and its folder."""
    folder = tempfile.mkdtemp(prefix="forked-services-")
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, folder],
        cwd=CHECKOUT,
        env={name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return server, Path(folder)


def main(folder: Path) -> None:
    """Fork for each request until the input ends."""
    import uvicorn.protocols.http.httptools_impl  # noqa: F401
    import uvloop  # noqa: F401

    import app.main  # noqa: F401

    signal.signal(signal.SIGCHLD, lambda *_: _write_statuses(folder))
    for line in sys.stdin:
        arguments, environment, log_file = json.loads(line)
        process = os.fork()
        if process == 0:
            _serve(arguments, environment, log_file)
            return
        print(process, flush=True)
    shutil.rmtree(folder)


def _write_statuses(folder: Path) -> None:
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if process == 0:
            return
        draft = folder / f"{process}.draft"
        draft.write_text(str(os.waitstatus_to_exitcode(status)))
        draft.rename(folder / str(process))


def _serve(arguments: Sequence[str], environment: Mapping[str, str], log_file: str) -> None:
    import uvicorn

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log, nothing = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), os.open(os.devnull, os.O_RDONLY)
    for inherited, own in ((0, nothing), (1, log), (2, log)):
        os.dup2(own, inherited)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["uvicorn", *arguments]
    uvicorn.main()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
