"""How many events a second the service follows when another program stores them: `python -m benchmarks.ingest`.

A feed is generated and loaded into PostgreSQL, and the service starts with it. Then this program stores events with
COPY in batches of 500, at one rate after the other, and asks `/health` how many events are in memory. The lag of a
batch is the time from its commit to the first answer that counts it, so it includes up to POLL_SECONDS.

A rate is held if the batches were stored in time, and the largest lag in the last minute is at most a second.
"""

import argparse
import io
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx
import numpy as np
import psycopg2

from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.default_schema import feed_schema
from app.shared.command_line import OneLineParser, positive, whole_number
from benchmarks.run import Run, Server, add_feed_size, run_with_own_database

BATCH: Final = 500
POLL_SECONDS: Final = 0.05
MAX_LAG_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 60.0
_WAIT_SECONDS: Final = 60.0  # for the last batches
_KINDS: Final = ("view", "click", "like", "comment", "share")
_KIND_SHARES: Final = (0.6, 0.2, 0.15, 0.03, 0.02)


@dataclass(frozen=True, slots=True)
class Ingest:
    """What happened at one rate. The lags are in seconds, of the batches of the last minute.

    stored_per_second  events that PostgreSQL stored each second
    cpu_share          processor time of the service in each second
    """

    per_second: float
    stored_per_second: float
    lag_p50: float
    lag_max: float
    cpu_share: float

    @property
    def is_held(self) -> bool:
        """Whether the events were stored in time, and the service followed."""
        return self.stored_per_second >= 0.98 * self.per_second and self.lag_max <= MAX_LAG_SECONDS


class EventWriter:
    """Stores random events of stored users and posts, which are committed when `store` returns."""

    def __init__(self, url: str) -> None:
        engine = create_feed_engine(url, connect_seconds=5)
        schema = feed_schema(engine, None)
        with engine.begin() as connection:
            self._users, self._posts = (
                connection.exec_driver_sql(f"SELECT id::text FROM {schema[table]}").scalars().all()
                for table in ("users", "posts")
            )
        engine.dispose()
        self._table = schema["user_interaction"]
        self._connection = psycopg2.connect(url)
        self._random = np.random.default_rng(1)

    def store(self) -> None:
        """Store BATCH events that happen now."""
        random = self._random
        users = random.integers(0, len(self._users), BATCH).tolist()
        posts = (len(self._posts) * random.random(BATCH) ** 3).astype(int).tolist()  # some are popular
        kinds = random.choice(_KINDS, BATCH, p=_KIND_SHARES).tolist()
        rows = zip(users, posts, kinds, strict=True)
        text = "".join(f"{self._users[user]}\t{self._posts[post]}\t{kind}\n" for user, post, kind in rows)
        with self._connection.cursor() as cursor:
            cursor.copy_expert(
                f"COPY {self._table} (user_id, post_id, interaction_type) FROM STDIN", io.StringIO(text)
            )
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


def follow_events(server: Server, writer: EventWriter, per_second: float, seconds: float) -> Ingest:
    """Store events at a rate, and see when they are in memory."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
        n_before = events_in_memory(client)
        cpu_before = server.cpu_seconds()
        committed: list[float] = []
        lags: list[float] = []  # of the first batches
        began = polled = time.monotonic()
        n_batches = max(round(seconds * per_second / BATCH), 1)
        while len(lags) < n_batches and time.monotonic() < began + seconds + _WAIT_SECONDS:
            due = began + len(committed) * BATCH / per_second
            now = time.monotonic()
            if len(committed) < n_batches and now >= due:
                writer.store()
                committed.append(time.monotonic())
            elif now < polled + POLL_SECONDS:
                time.sleep(max(min(due, polled + POLL_SECONDS) - now, 0.001))
            if time.monotonic() >= polled + POLL_SECONDS:
                n_complete = (events_in_memory(client) - n_before) // BATCH
                polled = time.monotonic()
                lags += [polled - at for at in committed[len(lags) : n_complete]]
        took = time.monotonic() - began
    lags += [took + began - at for at in committed[len(lags) :]]  # at least so long
    last = np.array(lags)[np.array(committed) >= committed[-1] - _LAST_SECONDS]
    return Ingest(
        per_second=per_second,
        stored_per_second=n_batches * BATCH / (committed[-1] - began + BATCH / per_second),
        lag_p50=float(np.median(last)),
        lag_max=float(last.max()),
        cpu_share=(server.cpu_seconds() - cpu_before) / took,
    )


def events_in_memory(client: httpx.Client) -> int:
    return int(client.get("/health").raise_for_status().json()["interactions"])


def measure(run: Run, args: argparse.Namespace) -> list[Ingest]:
    run.load_generated_feed(args)
    if args.train:
        run.command("training.train")
    results: list[Ingest] = []
    with run.server("app.main:app") as server, closing(EventWriter(run.url)) as writer:
        run.first_response(server, "user_0")
        run.wait_for_posts(server, args.posts)
        for rate in args.rates:
            print(f"benchmarks.ingest: {rate:,.0f} events/s", file=sys.stderr, flush=True)
            results.append(follow_events(server, writer, rate, 60 * args.minutes))
            if not results[-1].is_held:
                break
    return results


def table(results: Sequence[Ingest]) -> str:
    lines = [f"{'events/s':>9}{'stored/s':>10}{'lag p50 s':>11}{'lag max s':>11}{'CPU':>7}  held"]
    lines += [
        f"{one.per_second:>9,.0f}{one.stored_per_second:>10,.0f}{one.lag_p50:>11.2f}{one.lag_max:>11.2f}"
        f"{one.cpu_share:>7.0%}  {'yes' if one.is_held else 'no'}"
        for one in results
    ]
    return "\n".join(lines)


def for_program(results: Sequence[Ingest]) -> list[Mapping[str, Any]]:
    """The figures as JSON values."""
    return [asdict(one) | {"is_held": one.is_held} for one in results]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code."""
    args = _parser().parse_args(argv)
    with run_with_own_database("benchmarks.ingest", args.time_limit) as run:
        results = measure(run, args)
    print(json.dumps(for_program(results), indent=2) if args.json else table(results))
    return 0


def _rates(text: str) -> list[float]:
    """An argument type: rates from 1, separated by commas."""
    return [float(whole_number(1)(part)) for part in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="benchmarks.ingest", description=__doc__)
    add_feed_size(parser, 10_000, 5_000, 100_000)
    parser.add_argument(
        "--rates",
        type=_rates,
        default=[2000.0, 4000.0, 8000.0, 16000.0],
        metavar="N,N,…",
        help="events per second, in turn until one is not held (default: 2000,4000,8000,16000)",
    )
    parser.add_argument(
        "--minutes", type=positive, default=10.0, help="length of each rate (default: %(default)s)"
    )
    parser.add_argument("--train", action="store_true", help="train and serve a model")
    parser.add_argument(
        "--time-limit", type=positive, default=3600.0, help="seconds for everything (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures for a program")
    return parser


if __name__ == "__main__":
    sys.exit(main())
