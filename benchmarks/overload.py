"""Measures the service under more load than it can answer: `python -m benchmarks.overload`.

It generates a feed, trains, and starts the service on a core of its own; PostgreSQL and the callers have the others.
Each run measures three loads of the same service:

- patient callers of feeds alone: the capacity;
- callers who send events, alone;
- the same callers of events, while 4 times the capacity arrives from callers of feeds who give up after a second.

"CPU of both goals" is what 70 % of the capacity and half of the events would take, without the rejections: above 1, the
two cannot be reached together. The figures are medians of the runs. All traffic is on the loopback interface.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx

from app.shared.command_line import OneLineParser, fail, positive, whole_number
from benchmarks.run import Run, Server, add_feed_size, run_with_own_database
from benchmarks.serving import SERVICE, UNCACHED, sample_ids

OVERLOAD: Final = 4.0
PATIENCE_SECONDS: Final = 1.0
_FEED_CALLERS: Final = 8
_PAGE: Final = 20
_FEEDS_GOAL, _EVENTS_GOAL = 0.7, 0.5  # of the capacity, and of the events alone


def measure(run: Run, args: argparse.Namespace) -> dict[str, Any]:
    feed, _ = run.load_generated_feed(args)
    run.command("training.train", "--json", "--learn-from", "500")
    users, posts = sample_ids(feed, "user_id"), sample_ids(feed, "post_id")
    with run.server(SERVICE, **UNCACHED, SHED_AFTER_MS=str(args.shed_after_ms), LOG_LEVEL="INFO") as server:
        pin(server.process, {args.core})
        run.first_response(server, users[0])
        job = {
            "feeds": [{"user_id": user, "limit": _PAGE} for user in users],
            "events": accepted_events(server, users, posts),
            "patience_seconds": PATIENCE_SECONDS,
            "seconds": args.seconds,
        }
        load(run, server, job, feed_callers=_FEED_CALLERS)  # warms up
        runs = []
        for number in range(args.runs):
            print(f"benchmarks.overload: run {number + 1} of {args.runs}", file=sys.stderr, flush=True)
            runs.append(measure_once(run, args, server, job))
    names = runs[0]["figures"]
    return {"runs": runs, "medians": {name: median(one["figures"][name] for one in runs) for name in names}}


def accepted_events(server: Server, users: Sequence[str], posts: Sequence[str]) -> list[dict[str, str]]:
    """A view of each user, without those of posts that the user may not see."""
    views = [
        {"user_id": user, "post_id": posts[place % len(posts)], "interaction_type": "view"}
        for place, user in enumerate(users)
    ]
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
        return [view for view in views if client.post("/interactions/track", json=view).is_success]


def measure_once(
    run: Run, args: argparse.Namespace, server: Server, job: Mapping[str, Any]
) -> dict[str, Any]:
    capacity = load(run, server, job, feed_callers=_FEED_CALLERS)
    alone = load(run, server, job, event_callers=args.event_callers)
    arriving = OVERLOAD * capacity["feeds"]["per_second"]
    before = durations(server)
    both = load(run, server, job, feeds_per_second=arriving, event_callers=args.event_callers)
    feeds, events, health = both["feeds"], both["events"], both["health"]
    figures = {
        "capacity, feeds/s": capacity["feeds"]["per_second"],
        "arriving, feeds/s": arriving,
        "goodput / capacity": feeds["per_second"] / capacity["feeds"]["per_second"],
        "answered feeds, p99 s": feeds["p99_seconds"],
        "p99 in metrics / p99 of callers": bucket_p99(before, durations(server)) / feeds["p99_seconds"],
        "shed / arriving": feeds["outcomes"].get("503", 0) / sum(feeds["outcomes"].values()),
        "events alone, 1/s": alone["events"]["per_second"],
        "events / events alone": events["per_second"] / alone["events"]["per_second"],
        "CPU of both goals / of capacity": _FEEDS_GOAL + _EVENTS_GOAL * alone["cpu"] / capacity["cpu"],
        "events, p99 s": events["p99_seconds"],
        "health, longest s": health["longest_seconds"],
    }
    return {"figures": figures, "loads": {"capacity": capacity, "alone": alone, "overload": both}}


def load(run: Run, server: Server, job: Mapping[str, Any], **callers: float) -> dict[str, Any]:
    """The figures of `benchmarks.overload_callers`, and `cpu`: the cores that the service used."""
    nobody = {"feeds_per_second": 0, "feed_callers": 0, "event_callers": 0, "events_per_second": 0}
    given = json.dumps({**job, **nobody, **callers, "port": server.port})
    before = server.cpu_seconds()
    found: dict[str, Any] = json.loads(run.command("benchmarks.overload_callers", given=given)[0])
    return found | {"cpu": (server.cpu_seconds() - before) / job["seconds"]}


def service_core(prog: str) -> int:
    """The core of the service; this process, PostgreSQL and the callers have the others.

    Raises SystemExit if there is only one core.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit(fail(prog, "it needs two cores: one for the service, one for its callers"))
    os.sched_setaffinity(0, cores[1:])
    return cores[0]


def pin(process: int, cores: set[int]) -> None:
    """Let all threads of a process run on these cores only."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def durations(server: Server) -> dict[float, float]:
    """Upper bound of a bucket -> requests for feeds in it and in those below, as /metrics has them."""
    text = httpx.get(f"http://127.0.0.1:{server.port}/metrics", timeout=30).text
    pattern = (
        r'^ml_http_request_duration_seconds_bucket\{le="(\S+)",route="/recommendations/generate"\} (\S+)$'
    )
    return {float(bound): float(count) for bound, count in re.findall(pattern, text, re.MULTILINE)}


def bucket_p99(before: Mapping[float, float], after: Mapping[float, float]) -> float:
    """The upper bound of the bucket with the 99th percentile of what was counted in between."""
    counts = {bound: count - before.get(bound, 0) for bound, count in after.items()}
    return min(bound for bound, count in counts.items() if count >= 0.99 * max(counts.values()))


def table(results: Mapping[str, Any]) -> str:
    runs = [one["figures"] for one in results["runs"]]
    lines = [f"{'':<34}{'median':>10}" + "".join(f"{f'run {n + 1}':>10}" for n in range(len(runs)))]
    for name, value in results["medians"].items():
        lines.append(f"{name:<34}{value:>10.3f}" + "".join(f"{one[name]:>10.3f}" for one in runs))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code."""
    args = _parser().parse_args(argv)
    args.core = service_core("benchmarks.overload")
    with run_with_own_database("benchmarks.overload", args.time_limit) as run:
        results = measure(run, args)
    print(json.dumps(results, indent=2) if args.json else table(results))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="benchmarks.overload", description=__doc__)
    add_feed_size(parser, 2_000, 2_000, 60_000)
    for name, default, meaning in (
        ("event-callers", 8, "callers who send events"),
        ("shed-after-ms", 250, "as the setting"),
        ("runs", 3, "number of runs"),
    ):
        parser.add_argument(f"--{name}", type=whole_number(1), default=default, help=meaning)
    parser.add_argument("--seconds", type=positive, default=10.0, help="time of a load")
    parser.add_argument(
        "--time-limit", type=positive, default=900.0, help="seconds until the command gives up"
    )
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
