"""Measures the speed of the service, as ratios that compare between machines: `python -m benchmarks.serving`.

It generates a feed, loads it into its own PostgreSQL, trains, and starts the service with one process. It measures:

- requests per second, divided by those of a constant FastAPI endpoint that returns the same bytes. Both are measured in
  turns, by a client in a process of its own;
- the time of one ranking inside the process;
- the time of training, and the time from a start to the first response.

The loads are: uncached requests with the learned scorer, uncached requests with the formula, and the default
configuration with its response cache, for 1,000 users in turns and for 100 of them. Events and posts arrive during
further uncached loads, also after an archive of old posts was added to the database. A round lasts as long as a cached
response (ANSWER_STANDS_SECONDS), so that each user is ranked once per round. All traffic is on the loopback interface.
The command ends within --time-limit.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from app.domain.feed.live_posts import LivePostLimits
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import model_keys
from app.shared.command_line import OneLineParser, positive, whole_number
from benchmarks.archive import add_archive
from benchmarks.arrivals import NOTHING, Arrivals
from benchmarks.run import Run, Server, add_feed_size, run_with_own_database
from training.learning.model_selection import MIN_REQUESTS

MAX_USERS = 1000  # who send requests in turns
REPEATING_USERS = 100  # of them, who repeat a request while its response is cached
SERVICE: Final = "app.main:app"
CEILING: Final = "benchmarks.constant:app"
UNCACHED: Final = {"ANSWER_STANDS_SECONDS": "0", "SNAPSHOT_INTERVAL_SECONDS": "0"}
"""No response is cached, and each server reads the database: an archive is added between two servers."""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of users to a server, while events or posts arrive at it."""

    server: Server
    users: Sequence[str]
    arrivals: Arrivals = NOTHING


def measure(run: Run, args: argparse.Namespace) -> dict[str, Any]:
    feed, loading = run.load_generated_feed(args)
    report_progress(f"loaded in {loading:.1f} s; training")
    learn_from = ["--learn-from", str(args.learn_from)] if args.learn_from else []
    printed, training = run.command("training.train", "--json", *learn_from)
    record = json.loads(printed)
    report_progress(f"trained in {training:.1f} s; serving")
    results: dict[str, Any] = {
        "feed": {"users": args.users, "posts": args.posts, "interactions": args.interactions},
        "load_seconds": loading,
        "training_seconds": training,
        "training_stages": record["stages"],
        "algorithm": record["config"]["algorithm"],
    }
    users, posts = sample_ids(feed, "user_id"), sample_ids(feed, "post_id")
    arrivals = [Arrivals(events, 0, users, posts) for events in args.events_per_second if events]
    arrivals += [Arrivals(0, rate, users, posts) for rate in args.posts_per_second if rate]
    body_file = run.folder / "body.json"
    began = time.perf_counter()
    with run.server(SERVICE) as service:
        body = run.first_response(service, users[0])
        results["start_to_first_answer_seconds"] = time.perf_counter() - began
        body_file.write_bytes(body)
        results["body_bytes"] = len(body)
        results["source"] = json.loads(body)["metadata"]["source"]
        with (
            run.server(SERVICE, **UNCACHED) as uncached,
            run.server(SERVICE, **UNCACHED, MODELS_DIR=str(formula_models(run.folder))) as formula,
            run.server(CEILING, BENCHMARK_BODY=str(body_file)) as constant,
        ):
            loads = {
                "uncached": Load(uncached, users),
                "uncached, formula": Load(formula, users),
                f"as shipped, {len(users):,} users": Load(service, users),
                f"as shipped, {REPEATING_USERS} users": Load(service, users[:REPEATING_USERS]),
                "constant": Load(constant, users),
            } | {f"uncached, {one}": Load(uncached, users, one) for one in arrivals}
            rounds = run_rounds(run, args, loads)
            results["lock_held_at_most_seconds"] = uncached.lock_held()
            results["memory_bytes"] = uncached.memory_bytes()
    report_progress("ranking in process")
    results["ranking"] = json.loads(
        run.command("benchmarks.ranking", "--json", "--rankings", str(args.rankings))[0]
    )
    results["archive_memory_bytes"] = {}
    for n_posts in sorted(args.archive_posts):
        report_progress(f"adding old posts up to {n_posts:,}")
        add_archive(run.url, n_posts)
        name = f"uncached, {n_posts:,} old posts"
        with (
            run.server(SERVICE, **UNCACHED) as uncached,
            run.server(CEILING, BENCHMARK_BODY=str(body_file)) as constant,
        ):
            run.first_response(uncached, users[0])
            run.wait_for_posts(uncached, min(args.posts + n_posts, LivePostLimits().newest))
            loads = {name: Load(uncached, users), "constant": Load(constant, users)}
            loads |= {f"{name}, {one}": Load(uncached, users, one) for one in arrivals}
            for measured, more in zip(rounds, run_rounds(run, args, loads), strict=True):
                measured |= {name: figures for name, figures in more.items() if name != "constant"}
            results["archive_memory_bytes"][n_posts] = uncached.memory_bytes()
    results["rounds"] = rounds
    for key in ("ratio", "cpu_ratio"):
        results[f"{key}s"] = {
            name: median(one[name][key] for one in rounds) for name in rounds[0] if name != "constant"
        }
    return results


def run_rounds(run: Run, args: argparse.Namespace, loads: Mapping[str, Load]) -> list[dict[str, Any]]:
    """Run the loads in turns. The figures of each include its ratios to those of the load `constant` in its round."""
    for load in loads.values():
        if load.arrivals is NOTHING:  # each server has such a load
            run.first_response(load.server, load.users[0])
            run.run_load(load.server, load.users, args.connections, min(1.0, args.seconds))  # warms up
    rounds = []
    for number in range(args.rounds):
        report_progress(f"round {number + 1} of {args.rounds}")
        measured = {
            name: run.run_load(load.server, load.users, args.connections, args.seconds, load.arrivals)
            for name, load in loads.items()
        }
        constant = measured["constant"]
        for figures in measured.values():
            figures["ratio"] = figures["per_second"] / constant["per_second"]
            figures["cpu_ratio"] = figures["cpu_ms_per_request"] / constant["cpu_ms_per_request"]
        rounds.append(measured)
    return rounds


def formula_models(folder: Path) -> Path:
    """Publish the trained model without its choice model in a second registry, so that the formula ranks."""
    keys = model_keys(None, [], folder / "keys", signs=True)
    trained = FileModelRegistry(folder / "models", keys)
    record = trained.active()
    assert record is not None
    model = replace(ServedModel.from_artifact(trained.load(record.version)), choice_model=None)
    models = folder / "formula"
    FileModelRegistry(models, keys).publish(
        model.to_artifact(), metrics={}, config={}, created_at=record.created_at, note="the formula"
    )
    return models


def sample_ids(feed: str, column: str) -> list[str]:
    """At most about MAX_USERS external ids in a column of the interactions, spread evenly."""
    import pyarrow.parquet as pq

    found = sorted(set(pq.read_table(feed, columns=[column]).column(column).to_pylist()))
    return [str(one) for one in found[:: max(len(found) // MAX_USERS, 1)]]


def table(results: Mapping[str, Any]) -> str:
    feed = results["feed"]
    size = f"{feed['users']:,} users x {feed['posts']:,} posts x {feed['interactions']:,} interactions"
    lines = [f"{size}, {results['algorithm']}, {results['body_bytes']:,} bytes per response", ""]
    lines.append(f"{'requests':<44}{'1/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms':>9}")
    columns = ("per_second", "p50_ms", "p99_ms", "cpu_ms_per_request")
    for name in results["rounds"][0]:
        middle = [median(one[name][key] for one in results["rounds"]) for key in columns]
        lines.append(f"  {name:<42}{middle[0]:>9,.0f}" + "".join(f"{value:>9.2f}" for value in middle[1:]))
    lines += ["", f"{'divided by constant (median of the rounds)':<44}{'1/s':>9}{'CPU':>9}"]
    for name, ratio in results["ratios"].items():
        lines.append(f"  {name:<42}{ratio:>9.3f}{results['cpu_ratios'][name]:>9.1f}")
    lines += [
        "",
        f"{'one ranking, in process, ms':<36}{'wall p50':>9}{'p99':>9}{'cpu p50':>9}{'p99':>9}{'ratio':>9}",
    ]
    keys = ("wall_p50_ms", "wall_p99_ms", "cpu_p50_ms", "cpu_p99_ms", "cpu_ratio")
    for name, figures in results["ranking"].items():
        lines.append(f"  {name:<34}" + "".join(f"{figures[key]:>9.3f}" for key in keys))
    lines += [
        "",
        f"{'loading the feed':<44}{results['load_seconds']:>9.1f} s",
        f"{'training, from the database to published':<44}{results['training_seconds']:>9.1f} s",
        *(f"  {stage:<42}{seconds:>9.1f} s" for stage, seconds in results["training_stages"].items()),
        f"{'start to first response':<44}{results['start_to_first_answer_seconds']:>9.1f} s",
    ]
    return "\n".join(lines)


def report_progress(message: str) -> None:
    print(f"benchmarks.serving: {message}", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code."""
    args = _parser().parse_args(argv)
    with run_with_own_database("benchmarks.serving", args.time_limit) as run:
        results = measure(run, args)
    print(json.dumps(results, indent=2) if args.json else table(results))
    return 0


def counts(text: str) -> list[int]:
    """An argument type: counts from 1, separated by commas."""
    return [whole_number(1)(part) for part in text.split(",")]


def rates(text: str) -> list[float]:
    """An argument type: rates from 0, separated by commas."""
    return [float(whole_number(0)(part)) for part in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="benchmarks.serving", description=__doc__)
    add_feed_size(parser, 10_000, 5_000, 336_000)
    for name, default, meaning in (
        ("connections", 16, "connections of the client"),
        ("rounds", 3, "times that either endpoint is measured"),
        ("rankings", 500, "rankings measured in process"),
    ):
        parser.add_argument(
            f"--{name}",
            type=whole_number(min(default, 1)),
            default=default,
            help=f"{meaning} (default: %(default)s)",
        )
    parser.add_argument(
        "--learn-from",
        type=whole_number(MIN_REQUESTS),
        metavar="N",
        help="see training.train (default: its own)",
    )
    for what in ("events", "posts"):
        parser.add_argument(
            f"--{what}-per-second",
            type=rates,
            default=[1.0, 10.0, 100.0],
            metavar="N,N,…",
            help=f"{what} that arrive during an uncached load, one load for each rate; 0: none (default: 1,10,100)",
        )
    parser.add_argument(
        "--archive-posts",
        type=counts,
        default=[],
        metavar="N,N,…",
        help="old posts without events in the database, for further uncached loads (default: none)",
    )
    parser.add_argument(
        "--seconds", type=positive, default=10.0, help="length of one measurement (default: %(default)s)"
    )
    parser.add_argument(
        "--time-limit", type=positive, default=1200.0, help="seconds for everything (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures for a program")
    return parser


if __name__ == "__main__":
    sys.exit(main())
