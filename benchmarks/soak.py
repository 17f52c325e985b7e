"""Whether memory grows while the service works for long: `python -m benchmarks.soak`.

It generates a feed in which the users and posts have more events than memory holds of one, trains two models, and
starts the service on a core of its own; PostgreSQL and the callers have the others. It measures the capacity while the
bounded lists of what users were shown fill, then for some minutes sends 70 % of it and events, and activates the other
model every minute. All traffic is on the loopback interface.

The growth is the slope of a line through the resident memory of the last three quarters of the time (least squares).
Errors are responses other than 2xx and the 503 of shed requests, and broken connections.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.shared.command_line import OneLineParser, positive
from benchmarks.overload import accepted_events, load, pin, service_core
from benchmarks.run import Run, Server, add_feed_size, run_with_own_database
from benchmarks.serving import SERVICE, UNCACHED, sample_ids

_NAME: Final = "benchmarks.soak"
_LOAD: Final = 0.7
_FEED_CALLERS: Final = 8
_PAGE: Final = 20
_PATIENCE_SECONDS: Final = 10.0
_SAMPLE_SECONDS: Final = 2.0
_RELOAD_SECONDS: Final = 60.0
_SETTLED: Final = 0.25  # of the time, before the line begins
_SHED: Final = "503"


def measure(run: Run, args: argparse.Namespace) -> dict[str, Any]:
    """The figures of the soak; `samples` are pairs of seconds and bytes of resident memory."""
    feed, _ = run.load_generated_feed(args)
    for seed in ("0", "1"):
        run.command("training.train", "--json", "--learn-from", "500", "--seed", seed)
    users, posts = sample_ids(feed, "user_id"), sample_ids(feed, "post_id")
    with run.server(SERVICE, **UNCACHED, SHED_AFTER_MS="250", LOG_LEVEL="INFO") as server:
        pin(server.process, {args.core})
        run.first_response(server, users[0])
        job = {
            "feeds": [{"user_id": user, "limit": _PAGE} for user in users],
            "events": accepted_events(server, users, posts),
            "patience_seconds": _PATIENCE_SECONDS,
        }
        capacity = load(run, server, job | {"seconds": args.warm_up_minutes * 60}, feed_callers=_FEED_CALLERS)
        per_second = capacity["feeds"]["per_second"]
        with ThreadPoolExecutor(1) as executor:
            soak = executor.submit(
                load,
                run,
                server,
                job | {"seconds": args.minutes * 60},
                feeds_per_second=_LOAD * per_second,
                events_per_second=args.events_per_second,
            )
            samples, reloads = observe(run, server, args.minutes * 60)
            loads = soak.result()
    return {
        "capacity_feeds_per_second": per_second,
        **summary(np.array(samples), loads),
        "models_activated": reloads,
        "loads": loads,
        "samples": samples,
    }


def observe(run: Run, server: Server, seconds: float) -> tuple[list[tuple[float, float]], int]:
    """Sample the memory of the server, and activate the other model in turns. Returns the samples and the turns."""
    began = time.monotonic()
    samples: list[tuple[float, float]] = []
    reloads = 0
    while (now := time.monotonic() - began) < seconds:
        samples.append((now, server.memory_bytes()))
        if now >= (reloads + 1) * _RELOAD_SECONDS:
            run.command("training.registry", "promote", f"v{1 + reloads % 2}")  # the newest serves at first
            reloads += 1
        print(f"{_NAME}: {now:.0f} of {seconds:.0f} s", end="\r", file=sys.stderr, flush=True)
        time.sleep(_SAMPLE_SECONDS)
    print(file=sys.stderr)
    return samples, reloads


def summary(samples: NDArray[np.float64], loads: Mapping[str, Any]) -> dict[str, float]:
    """The growth of memory as a share of it in an hour, and the shares of requests that were shed or failed.

    samples: (n, 2) seconds and bytes.
    """
    settled = samples[samples[:, 0] >= _SETTLED * samples[-1, 0]]
    bytes_per_second, _ = np.polyfit(settled[:, 0], settled[:, 1], 1)
    outcomes: dict[str, int] = {}
    for kind in ("feeds", "events", "health"):
        for outcome, count in loads[kind]["outcomes"].items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
    total = sum(outcomes.values())
    answered = sum(count for outcome, count in outcomes.items() if outcome.startswith("2"))
    shed = outcomes.get(_SHED, 0)
    return {
        "requests": total,
        "memory_mb": float(np.mean(settled[:, 1])) / 1e6,
        "growth_per_hour": float(bytes_per_second * 3600 / np.mean(settled[:, 1])),
        "shed": shed / total,
        "errors": (total - answered - shed) / total,
        "p99_seconds": loads["feeds"]["p99_seconds"],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code."""
    args = _parser().parse_args(argv)
    args.core = service_core(_NAME)
    with run_with_own_database(_NAME, (args.warm_up_minutes + args.minutes) * 60 + args.time_limit) as run:
        results = measure(run, args)
    if args.json:
        print(json.dumps(results, indent=2))
    else:
        print(table(results))
    return 0


def table(results: Mapping[str, Any]) -> str:
    units = {"growth_per_hour": "{:.1%}", "shed": "{:.3%}", "errors": "{:.3%}"}
    return "\n".join(
        f"{name.replace('_', ' '):<28}{units.get(name, '{:,.2f}').format(value):>12}"
        for name, value in results.items()
        if isinstance(value, int | float)
    )


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=_NAME, description=__doc__)
    add_feed_size(parser, 2_000, 2_000, 800_000)
    parser.add_argument(
        "--minutes", type=positive, default=20.0, help="time of the load (default: %(default)s)"
    )
    parser.add_argument(
        "--warm-up-minutes", type=positive, default=5.0, help="time at capacity before (default: %(default)s)"
    )
    parser.add_argument(
        "--events-per-second", type=positive, default=20.0, help="events that arrive (default: %(default)s)"
    )
    parser.add_argument(
        "--time-limit", type=positive, default=900.0, help="seconds for all else, until the command gives up"
    )
    parser.add_argument("--json", action="store_true", help="print all figures and samples as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
