"""What a batch of pages costs, and what it does to other requests: `python -m benchmarks.batch`.

The service runs with one process on a generated feed, and caches no response. The figures are the processor time of a
batch of 100 users as a multiple of 100 single requests, measured in turns, the p99 of single requests while 20 batches
run one after the other as a multiple of that without, and the longest response of /health meanwhile.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, Final

import httpx

from app.shared.command_line import OneLineParser, positive, whole_number
from benchmarks.run import PAGE, PATH, Run, Server, add_feed_size, run_with_own_database
from benchmarks.serving import SERVICE, UNCACHED, sample_ids

BATCH_PATH: Final = "/recommendations/batch"
USERS: Final = 100
BATCHES: Final = 20
_CALLS_PER_ROUND: Final = (
    3  # of each kind: the processor time of a process is counted in hundredths of a second
)
_HEALTH_SECONDS: Final = 0.05  # between two looks


def measure(run: Run, args: argparse.Namespace) -> dict[str, Any]:
    """The figures (see the module)."""
    feed, _ = run.load_generated_feed(args)
    run.command("training.train", "--json")
    users = sample_ids(feed, "user_id")[:USERS]
    with run.server(SERVICE, **UNCACHED) as server:
        run.first_response(server, users[0])
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
            ratios = [cpu_ratio(client, server, users) for _ in range(1 + args.rounds)][
                1:
            ]  # the first warms up
        run.run_load(server, users, args.connections, 1.0)
        rounds = [disturbance(run, server, users, args) for _ in range(args.rounds)]
    return {
        "cpu_ratio": median(ratios),
        "cpu_ratios": ratios,
        "p99_ratio": median(one["p99_ratio"] for one in rounds),
        "health_ms": max(one["health_ms"] for one in rounds),
        "rounds": rounds,
    }


def cpu_ratio(client: httpx.Client, server: Server, users: Sequence[str]) -> float:
    """The processor time of batches divided by that of single requests for the same users."""
    before = server.cpu_seconds()
    for user in [*users] * _CALLS_PER_ROUND:
        client.post(PATH, json={"user_id": user, "limit": PAGE}).raise_for_status()
    single = server.cpu_seconds()
    for _ in range(_CALLS_PER_ROUND):
        send_batch(client, users)
    return (server.cpu_seconds() - single) / (single - before)


def send_batch(client: httpx.Client, users: Sequence[str]) -> float:
    """Send one batch; returns its time in seconds."""
    began = time.perf_counter()
    client.post(BATCH_PATH, json={"user_ids": users, "limit": PAGE}).raise_for_status()
    return time.perf_counter() - began


def disturbance(run: Run, server: Server, users: Sequence[str], args: argparse.Namespace) -> dict[str, Any]:
    """The p99 of single requests without batches and with, and the longest response of /health meanwhile."""
    base = f"http://127.0.0.1:{server.port}"

    def batches() -> list[float]:
        with httpx.Client(base_url=base, timeout=60) as client:
            return [send_batch(client, users) for _ in range(BATCHES)]

    def health_until_done(done: Any) -> float:
        longest = 0.0
        with httpx.Client(base_url=base, timeout=60) as client:
            while not done():
                began = time.perf_counter()
                client.get("/health").raise_for_status()
                longest = max(longest, time.perf_counter() - began)
                time.sleep(_HEALTH_SECONDS)
        return longest

    alone = run.run_load(server, users, args.connections, args.seconds)
    with ThreadPoolExecutor(2) as others:
        running = others.submit(batches)
        health = others.submit(health_until_done, running.done)
        loads = [run.run_load(server, users, args.connections, args.seconds)]
        while not running.done():
            loads.append(run.run_load(server, users, args.connections, args.seconds))
    during = max(one["p99_ms"] for one in loads[: max(len(loads) - 1, 1)])
    return {
        "p99_ms_alone": alone["p99_ms"],
        "p99_ms_during_batches": during,
        "p99_ratio": during / alone["p99_ms"],
        "health_ms": health.result() * 1000,
        "batch_seconds": median(running.result()),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code."""
    parser = OneLineParser(prog="benchmarks.batch", description=__doc__)
    add_feed_size(parser, 2_000, 2_000, 60_000)
    for name, default, meaning in (
        ("connections", 2, "connections that send single requests"),
        ("rounds", 3, "number of measurements"),
    ):
        parser.add_argument(f"--{name}", type=whole_number(1), default=default, help=meaning)
    parser.add_argument("--seconds", type=positive, default=5.0, help="time of a load of single requests")
    parser.add_argument(
        "--time-limit", type=positive, default=450.0, help="seconds until the command gives up"
    )
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    args = parser.parse_args(argv)
    with run_with_own_database("benchmarks.batch", args.time_limit) as run:
        results = measure(run, args)
    if args.json:
        print(json.dumps(results, indent=2))
        return 0
    print(f"processor time of a batch of {USERS} / of {USERS} single requests: {results['cpu_ratio']:.2f}")
    print(f"p99 of single requests during {BATCHES} batches / without: {results['p99_ratio']:.2f}")
    print(f"longest response of /health during the batches: {results['health_ms']:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
