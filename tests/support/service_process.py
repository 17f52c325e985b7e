"""The service as an operator runs it: a process of its own, set up by its environment, on a free port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.infrastructure.config.settings import Settings
from app.infrastructure.database.embedded import CHECKOUT
from tests.support.forked_service import ForkedService

START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment(**settings: str) -> dict[str, str]:
    """This process's, with exactly these settings of the service and no others."""
    ours = {name.upper() for name in Settings.model_fields} | {"WEB_CONCURRENCY", "PROMETHEUS_MULTIPROC_DIR"}
    return {name: value for name, value in os.environ.items() if name not in ours} | settings


class Service:
    """One running process."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        *arguments: str,
        own_interpreter: bool = False,
        stdout: int | None = None,
    ) -> None:
        """`own_interpreter` is for settings that Python or a library reads when it starts, and another hash seed.

        `stdout` is a file descriptor in place of the log file, of a process with an interpreter of its own.
        """
        self.port = free_port()
        self.log_file = folder / f"service-{self.port}.log"
        words = ["app.main:app", "--port", str(self.port), *arguments]
        self.process: ForkedService | subprocess.Popen[bytes]
        if own_interpreter or stdout is not None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", *words],
                cwd=CHECKOUT,
                env=environment(**settings),
                stdout=self.log_file.open("wb") if stdout is None else stdout,
                stderr=subprocess.STDOUT,
            )
        else:
            self.process = ForkedService(words, environment(**settings), self.log_file)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=15, verify=False)

    def wait_until_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log_file.read_text()
            try:
                if self.client.get("/livez").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)  # nothing listens yet
        raise AssertionError(self.log_file.read_text())

    def stop(self, number: int = signal.SIGTERM, *, seconds: float = 20) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        finally:
            self.client.close()
            self.process.kill()

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_file.read_text().splitlines() if line.startswith("{")]

    # -- what callers do -----------------------------------------------------------------------------------------

    def generate(self, user_id: str, **body: Any) -> Any:
        answer = self.client.post("/recommendations/generate", json={"user_id": user_id, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def track(self, user_id: str, post_id: str, kind: str = "view", **more: Any) -> httpx.Response:
        event = {"user_id": user_id, "post_id": post_id, "interaction_type": kind, **more}
        return self.client.post("/interactions/track", json=event)

    def health(self) -> Any:
        return self.client.get("/health").json()

    def until(self, condition: Any, *, seconds: float = 15) -> None:
        """Ask again until `condition()` holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"did not come true within {seconds} s"
            time.sleep(0.05)


@contextmanager
def running(
    folder: Path, *arguments: str, own_interpreter: bool = False, **settings: str
) -> Iterator[Service]:
    """A ready service with these settings; keys, models and snapshots live in `folder` unless set otherwise."""
    own = {
        "MODELS_DIR": str(folder / "models"),
        "KEYS_DIR": str(folder / "keys"),
        "SNAPSHOT_DIR": str(folder / "snapshots"),
        "TAIL_POLL_MS": "50",
        "DRAIN_SECONDS": "0",
    }
    service = Service(folder, own | settings, *arguments, own_interpreter=own_interpreter)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.stop()


def ids(answer: Any) -> list[str]:
    return [post["post_id"] for post in answer["recommendations"]]
