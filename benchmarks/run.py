"""A run of a benchmark in a folder of its own: its commands, its servers, and the load on them."""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from app.infrastructure.config.settings import Settings
from app.infrastructure.database.embedded import CHECKOUT, EmbeddedPostgres, EmbeddedUnavailable
from app.shared.command_line import fail, whole_number
from benchmarks.arrivals import NOTHING, Arrivals

FEED_SIZE: Final = ("users", "posts", "interactions")
PATH: Final = "/recommendations/generate"
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Server:
    """A server with one process, on the loopback interface."""

    port: int
    process: int

    def cpu_seconds(self) -> float:
        """The processor time of the process so far; NaN where there is no /proc."""
        try:
            fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return float("nan")
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> float:
        """The resident memory of the process; NaN where there is no /proc."""
        try:
            pages = int(Path(f"/proc/{self.process}/statm").read_text().split()[1])
        except OSError:
            return float("nan")
        return pages * float(os.sysconf("SC_PAGE_SIZE"))

    def lock_held(self) -> dict[str, str]:
        """writer -> the bucket of ml_feed_lock_held_seconds with its longest hold, as text in seconds."""
        metrics = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=30).text
        buckets: dict[str, list[tuple[str, float]]] = {}
        for line in re.findall(r"^ml_feed_lock_held_seconds_bucket\{(.*)\} (\S+)$", metrics, re.MULTILINE):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line[0]))
            buckets.setdefault(labels["writer"], []).append((labels["le"], float(line[1])))
        return {
            writer: next(bound for bound, count in counts if count == counts[-1][1])
            for writer, counts in buckets.items()
        }


def add_feed_size(parser: argparse.ArgumentParser, *defaults: int) -> None:
    """Add options for the users, posts and interactions of a generated feed, with these defaults."""
    for name, default in zip(FEED_SIZE, defaults, strict=True):
        help_ = f"{name} of the feed (default: %(default)s)"
        parser.add_argument(f"--{name}", type=whole_number(1), default=default, help=help_)


class Run:
    """One run of the benchmark: its folder, its environment and its time limit."""

    def __init__(self, folder: Path, url: str, seconds: float) -> None:
        self.folder = folder
        self.url = url
        self._until = time.monotonic() + seconds
        ours = {name.upper() for name in Settings.model_fields} | {
            "WEB_CONCURRENCY",
            "PROMETHEUS_MULTIPROC_DIR",
        }
        self._environment = {name: value for name, value in os.environ.items() if name not in ours} | {
            "DATABASE_URL": url,
            "MODELS_DIR": str(folder / "models"),
            "KEYS_DIR": str(folder / "keys"),
            "SNAPSHOT_DIR": str(folder / "snapshots"),
            "LOG_LEVEL": "WARNING",
            "SHED_AFTER_MS": "600000",  # a load measures every answer
        }

    def left(self) -> float:
        return max(self._until - time.monotonic(), 1.0)

    def command(self, *words: str, given: str | None = None) -> tuple[str, float]:
        """Run a command; returns its output and its time in seconds. Raises SystemExit if it fails."""
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=CHECKOUT,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=self.left(),
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{words[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout, time.perf_counter() - began

    def load_generated_feed(self, size: argparse.Namespace) -> tuple[str, float]:
        """Generate a feed of this size (`add_feed_size`), and load it into the database.

        Returns the file of its interactions, and the seconds that loading took. Raises SystemExit.
        """
        feed = str(self.folder / "feed.parquet")
        numbers = ("--users", size.users, "--posts", size.posts, "--interactions", size.interactions)
        self.command("data.generate_fake_data", *map(str, numbers), "--output", feed)
        return feed, self.command("data.seed_database", "--input", feed)[1]

    @contextmanager
    def server(self, application: str, **settings: str) -> Iterator[Server]:
        """Start a server with one process, and stop it at the end."""
        port = free_port()
        with (self.folder / f"{application.partition(':')[0]}-{port}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--no-access-log"],
                cwd=CHECKOUT,
                env=self._environment | settings,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                yield Server(port, process.pid)
            finally:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()

    def first_response(self, server: Server, user: str) -> bytes:
        """Send a request until there is a response; returns its body. Raises SystemExit after the time limit."""
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
            while True:
                try:
                    return client.post(PATH, json={"user_id": user, "limit": PAGE}).raise_for_status().content
                except httpx.TransportError:
                    if self.left() <= 1.0:
                        raise SystemExit("the server did not start in time") from None
                    time.sleep(0.01)

    def wait_for_posts(self, server: Server, n_posts: int) -> None:
        """Wait until the service holds so many posts, and at most a fifth more: it read all and evicted old ones.

        Raises SystemExit after the time limit.
        """
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
            while not n_posts <= client.get("/health").json()["posts"] <= 1.2 * n_posts:
                if self.left() <= 1.0:
                    raise SystemExit(f"the service did not hold {n_posts:,} posts in time")
                time.sleep(0.2)

    def run_load(
        self,
        server: Server,
        users: Sequence[str],
        connections: int,
        seconds: float,
        arrivals: Arrivals = NOTHING,
    ) -> dict[str, Any]:
        """Send requests of the users, while events and posts arrive; returns the figures of `benchmarks.load`.

        `cpu_ms_per_request` is the server's, with the time to store and apply what arrives.
        """
        job = {
            "port": server.port,
            "path": PATH,
            "bodies": [{"user_id": user, "limit": PAGE} for user in users],
            "connections": connections,
            "seconds": seconds,
            "arrivals": arrivals.jobs(seconds),
        }
        before = server.cpu_seconds()
        figures: dict[str, Any] = json.loads(self.command("benchmarks.load", given=json.dumps(job))[0])
        figures["cpu_ms_per_request"] = (server.cpu_seconds() - before) * 1000 / figures["requests"]
        return figures


@contextmanager
def run_with_own_database(name: str, time_limit_seconds: float) -> Iterator[Run]:
    """A run of the benchmark `name` in a temporary folder, with a PostgreSQL of its own. Stops all that it started.

    Raises SystemExit: with 2 if there is no PostgreSQL, with 1 after the time limit, and with 143 at SIGTERM.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="feed-benchmark-")))
        try:
            url = stack.enter_context(EmbeddedPostgres(folder))
        except EmbeddedUnavailable as error:
            raise SystemExit(fail(name, error)) from None
        try:
            yield Run(folder, url, time_limit_seconds)
        except subprocess.TimeoutExpired:
            print(f"{name}: not done within {time_limit_seconds:g} s", file=sys.stderr)
            raise SystemExit(1) from None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
