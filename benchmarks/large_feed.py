"""Memory, starts and returning users of a service with a long log: `python -m benchmarks.large_feed --folder DIR`.

The database is made once in the folder, and kept: 4,000,000 users, 5,000,000 posts and 50,000,000 events take half an
hour and 20 GB. Memory holds a part of the posts, and the events of the users who were active in the last days. The
model is one of a small generated feed. Steps:

1. a start that reads the database, unless there is a snapshot already, and one from the snapshot;
2. first pages of users whose events are not in memory, and of users whose events are;
3. a turnover: so many posts with events arrive that no post of before is one of the newest.

Memory is anonymous memory that is resident: the peak of a start, and what is left some minutes later.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final, Self

import httpx
import numpy as np
import psycopg2

from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.embedded import EmbeddedPostgres, EmbeddedUnavailable
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from app.shared.atomic_file import write_atomically
from app.shared.command_line import OneLineParser, fail, positive, whole_number
from benchmarks.archive_database import RANDOM_TEXT, RANDOM_USER, build_archive, user_id
from benchmarks.archive_export import ArchiveSize
from benchmarks.capacity import anonymous_bytes
from benchmarks.run import PATH, Run, run_with_own_database
from benchmarks.serving import SERVICE

_PROG: Final = "benchmarks.large_feed"
_PAGE: Final = 20
_SAMPLE_SECONDS: Final = 0.1
_ACTIVE_USERS: Final = 1_000  # with the most events: each has some in memory
_POSTS_PER_TRANSACTION: Final = 1_000
_EVENTS_PER_NEW_POST: Final = 3
_MODEL_FEED: Final = argparse.Namespace(users=10_000, posts=5_000, interactions=336_000)
_NEW_POSTS: Final = f"""
    INSERT INTO posts (external_id, author_id, content, tags)
    SELECT 'new_' || k, md5('user_' || {RANDOM_USER})::uuid, {RANDOM_TEXT}, ARRAY['tag_' || k %% 500]
    FROM generate_series(%(first)s, %(last)s) k;
    INSERT INTO user_interaction (user_id, post_id, interaction_type)
    SELECT md5('user_' || {RANDOM_USER})::uuid, id, 'view'
    FROM posts, generate_series(1, {_EVENTS_PER_NEW_POST})
    WHERE external_id IN (SELECT 'new_' || k FROM generate_series(%(first)s, %(last)s) k)
"""


@dataclass(eq=False)
class MemoryWatch:
    """Samples the resident anonymous memory of a process while the block runs."""

    process: int
    peak_mib: float = 0.0
    _left: Event = field(default_factory=Event)

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._left.set()
        self._thread.join()

    def now_mib(self) -> float:
        """The memory now; 0 of a process that ended."""
        try:
            return anonymous_bytes(self.process) / 2**20
        except OSError:
            return 0.0

    def _sample(self) -> None:
        while not self._left.wait(_SAMPLE_SECONDS):
            self.peak_mib = max(self.peak_mib, self.now_mib())


def measure(run: Run, args: argparse.Namespace) -> dict[str, Any]:
    settings = {
        "ANSWER_STANDS_SECONDS": "0",
        "USER_LIVE_DAYS": f"{days_since_newest_event(run.url) + args.active_days:.3f}",
        "LIVE_POSTS": str(args.live_posts),
        "LIVE_ENGAGED_DAYS": str(args.engaged_days),
        "LOAD_BUDGET_SECONDS": "3600",
    }
    random = np.random.default_rng(1)
    active = random.integers(0, min(_ACTIVE_USERS, args.users), args.requests)
    away = random.permutation(np.arange(args.users // 10, args.users))[: args.requests]
    figures: dict[str, Any] = {}
    if not any((run.folder / "snapshots").glob("*")):
        with started(run, settings, args.settle_seconds) as service:
            figures["start from the database"] = service.figures()
    with started(run, settings, args.settle_seconds) as service:
        figures["start from the snapshot"] = service.figures()
        figures["pages of active users"] = page_times(service.client, active)
        figures["pages of returning users"] = page_times(service.client, away)
        say("a turnover of the live posts")
        events = service.figures()["interactions"] + _EVENTS_PER_NEW_POST * args.live_posts
        add_posts(run.url, args.users, args.live_posts)
        while service.figures()["interactions"] < events:
            if run.left() <= 1.0:
                raise SystemExit(f"{_PROG}: the service did not follow the log")
            time.sleep(1.0)
        time.sleep(args.settle_seconds)
        figures["after a turnover"] = service.figures()
    return figures


@dataclass(frozen=True, slots=True)
class Service:
    """A running service. `start_seconds` is the time until the first personalised response."""

    client: httpx.Client
    memory: MemoryWatch
    start_seconds: float

    def figures(self) -> dict[str, float]:
        health = self.client.get("/health").raise_for_status().json()
        return {
            "start_seconds": self.start_seconds,
            "peak_mib": self.memory.peak_mib,
            "steady_mib": self.memory.now_mib(),
            **{name: health[name] for name in ("users", "posts", "interactions")},
        }


@contextmanager
def started(run: Run, settings: Mapping[str, str], settle_seconds: float) -> Iterator[Service]:
    """A service that gave a personalised response, and had some time afterwards. Raises SystemExit."""
    began = time.monotonic()
    with (
        run.server(SERVICE, **settings) as server,
        MemoryWatch(server.process) as memory,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client,
    ):
        while not is_personalised(client):
            if run.left() <= 1.0 or not memory.now_mib():
                raise SystemExit(f"{_PROG}: no personalised response; the log is in {run.folder}")
            time.sleep(0.05)
        seconds = time.monotonic() - began
        say(f"started within {seconds:.1f} s, at most {memory.peak_mib:,.0f} MiB")
        time.sleep(settle_seconds)
        yield Service(client, memory, seconds)


def is_personalised(client: httpx.Client) -> bool:
    """Whether the user with the most events gets a personalised page."""
    try:
        response = client.post(PATH, json={"user_id": user_id(0), "limit": _PAGE})
    except httpx.TransportError:
        return False
    return response.is_success and response.json()["metadata"]["source"] == "personalized"


def page_times(client: httpx.Client, users: Iterable[int]) -> dict[str, float]:
    """Milliseconds of the first pages of these users, one after the other, and how many pages of each source."""
    took: list[float] = []
    sources: Counter[str] = Counter()
    for user in users:
        began = time.perf_counter()
        response = client.post(PATH, json={"user_id": user_id(int(user)), "limit": _PAGE}).raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
        sources[response.json()["metadata"]["source"]] += 1
    p50, p95, p99 = np.quantile(took, [0.5, 0.95, 0.99]).tolist()
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, **sources}


def add_posts(url: str, users: int, count: int) -> None:
    """Add posts and events of now, as another program does."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM posts WHERE external_id LIKE 'new_%'")
        [[before]] = cursor.fetchall()
        for first in range(before, before + count, _POSTS_PER_TRANSACTION):
            last = min(first + _POSTS_PER_TRANSACTION, before + count) - 1
            cursor.execute(_NEW_POSTS, {"users": users, "first": first, "last": last})
            connection.commit()


def days_since_newest_event(url: str) -> float:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM now() - max(created_at)) / 86400 FROM user_interaction")
        [[days]] = cursor.fetchall()
    return float(days)


def prepare(run: Run, args: argparse.Namespace) -> None:
    """Build the archive and train a model, unless an earlier run did."""
    complete = run.folder / "complete.json"
    size = {name: getattr(args, name) for name in ("users", "posts", "events")}
    if not complete.exists():
        say("building the database")
        engine = create_feed_engine(run.url, connect_seconds=5)
        migrate(engine, SchemaName())
        engine.dispose()
        build_archive(
            run.url, ArchiveSize(**size, events_per_day=max(args.events // args.days, 1)), datetime.now(UTC)
        )
        write_atomically(complete, [json.dumps(size).encode()])
    elif (built := json.loads(complete.read_bytes())) != size:
        raise SystemExit(
            fail(_PROG, f"{run.folder} has an archive of {built}: name these sizes, or another folder")
        )
    if not (run.folder / "models").exists():
        say("training")
        with run_with_own_database(_PROG, run.left()) as small:
            small.load_generated_feed(_MODEL_FEED)
            small.command("training.train", "--learn-from", "500")
            for name in ("keys", "models"):
                shutil.copytree(small.folder / name, run.folder / name)


def say(text: str) -> None:
    print(f"{_PROG}: {text}", file=sys.stderr, flush=True)


def table(figures: Mapping[str, Mapping[str, float]]) -> str:
    lines = []
    for name, values in figures.items():
        lines.append(name)
        lines += [f"    {key:<14}{value:>14,.1f}" for key, value in values.items()]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code."""
    args = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    args.folder.mkdir(parents=True, exist_ok=True)
    try:
        with EmbeddedPostgres(args.folder) as url:
            run = Run(args.folder.resolve(), url, args.time_limit)
            prepare(run, args)
            figures = measure(run, args)
    except EmbeddedUnavailable as error:
        return fail(_PROG, error)
    print(json.dumps(figures, indent=2) if args.json else table(figures))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=_PROG, description=__doc__)
    add, default = parser.add_argument, "(default: %(default)s)"
    add("--folder", type=Path, required=True, metavar="DIR", help="where the database is made and kept")
    add("--users", type=whole_number(10), default=4_000_000, help=f"users in the database {default}")
    add("--posts", type=whole_number(1), default=5_000_000, help=f"posts in the log {default}")
    add("--events", type=whole_number(1), default=50_000_000, help=f"events in the log {default}")
    add("--days", type=whole_number(1), default=1000, help=f"length of the log {default}")
    add("--active-days", type=positive, default=5.0, help=f"USER_LIVE_DAYS before the newest event {default}")
    add("--live-posts", type=whole_number(1), default=110_000, help=f"LIVE_POSTS {default}")
    add("--engaged-days", type=positive, default=5.0, help=f"LIVE_ENGAGED_DAYS {default}")
    add(
        "--requests",
        type=whole_number(1),
        default=500,
        help=f"pages of active and of returning users {default}",
    )
    add("--settle-seconds", type=positive, default=700.0, help=f"from a start to its figures {default}")
    add("--time-limit", type=positive, default=14_400.0, help=f"seconds for everything {default}")
    add("--json", action="store_true", help="print the figures as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
