"""Measures pages while continuous training publishes weights: `python -m benchmarks.publishing`.

It generates a feed, trains, and starts the service on a core of its own; PostgreSQL and the callers have the other
ones. Callers of feeds send half of the capacity. In every second run, a version with other weights is published in the
middle, on probation against the one before, so that the service loads it and a tenth of the users keep the other one.
No trainer runs. The figures are those of pairs of runs, and of the median pair. All traffic is on the loopback
interface.
"""

import argparse
import json
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

import httpx
import numpy as np

from app.domain.experiments.probation import CONFIG_KEY, probation_config
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import model_keys
from app.infrastructure.ml.registry.weights import config_over, weights_artifact
from app.shared.command_line import OneLineParser, positive, whole_number
from benchmarks.overload import load, pin, service_core
from benchmarks.run import Run, Server, add_feed_size, run_with_own_database
from benchmarks.serving import SERVICE, UNCACHED, sample_ids

_NAME: Final = "benchmarks.publishing"
_LOAD: Final = 0.5
_FEED_CALLERS: Final = 8
_PAGE: Final = 20


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes the weights of a learned model again and again, each time with small changes."""

    registry: FileModelRegistry

    def publish(self) -> str:
        """Publish weights in place of the active version; returns the new version."""
        active = self.registry.active()
        assert active is not None
        base = self.registry.base(active.version)
        choice = ServedModel.from_artifact(self.registry.load(base.version)).choice_model
        if choice is None:
            raise SystemExit(f"{_NAME}: the model has no weights; use more --interactions")
        now, scale = datetime.now(UTC), 1 + 1e-3 * np.random.default_rng().random()
        return self.registry.publish(
            weights_artifact(replace(choice, linear=choice.linear * scale)),
            metrics={},
            config={
                **config_over(base),
                CONFIG_KEY: probation_config(active.version, now + timedelta(hours=4), ["like"]),
            },
            created_at=now.isoformat(timespec="seconds"),
            replaces=active,
        ).version


def measure(run: Run, args: argparse.Namespace) -> dict[str, Any]:
    """The p99 of pages in pairs of runs: without and with a version that is published."""
    feed, _ = run.load_generated_feed(args)
    run.command("training.train", "--json", "--learn-from", "500")
    keys = model_keys(None, [], run.folder / "keys", signs=True)
    publisher = Publisher(FileModelRegistry(run.folder / "models", keys))
    publisher.publish()  # each run has a probation
    users = sample_ids(feed, "user_id")
    with run.server(SERVICE, **UNCACHED, LOG_LEVEL="INFO") as server:
        pin(server.process, {args.core})
        run.first_response(server, users[0])
        job = {
            "feeds": [{"user_id": user, "limit": _PAGE} for user in users],
            "events": [],
            "patience_seconds": 10.0,
            "seconds": args.seconds,
        }
        warm_up = job | {"seconds": min(10.0, args.seconds)}
        load(run, server, warm_up, feed_callers=_FEED_CALLERS)
        rate = _LOAD * load(run, server, warm_up, feed_callers=_FEED_CALLERS)["feeds"]["per_second"]
        pairs = []
        for number in range(args.runs):
            print(f"{_NAME}: pair {number + 1} of {args.runs}", file=sys.stderr, flush=True)
            without = load(run, server, job, feeds_per_second=rate)
            version, with_it = _while_publishing(run, server, job, publisher, rate)
            if version not in _served_version(server):
                raise SystemExit(f"{_NAME}: the service did not load {version} in time")
            pairs.append(
                {name: one["feeds"]["p99_seconds"] for name, one in (("without", without), ("with", with_it))}
            )
    ratios = [pair["with"] / pair["without"] for pair in pairs]
    return {"feeds_per_second": rate, "p99_seconds": pairs, "ratios": ratios, "median_ratio": median(ratios)}


def _while_publishing(
    run: Run, server: Server, job: Mapping[str, Any], publisher: Publisher, rate: float
) -> tuple[str, dict[str, Any]]:
    """Publish in the middle of a load; returns the version, and the figures of the load."""
    published: list[str] = []
    timer = threading.Timer(job["seconds"] / 2, lambda: published.append(publisher.publish()))
    timer.start()
    figures = load(run, server, job, feeds_per_second=rate)
    timer.join()
    if not published:
        raise SystemExit(f"{_NAME}: nothing was published")
    return published[0], figures


def _served_version(server: Server) -> str:
    version: str = httpx.get(f"http://127.0.0.1:{server.port}/health", timeout=30).json()["model_version"]
    return version


def table(results: Mapping[str, Any]) -> str:
    lines = [
        f"{results['feeds_per_second']:.0f} pages/s",
        f"{'p99, ms':<12}{'without':>10}{'with':>10}{'ratio':>10}",
    ]
    for number, (pair, ratio) in enumerate(zip(results["p99_seconds"], results["ratios"], strict=True), 1):
        lines.append(
            f"{f'pair {number}':<12}{pair['without'] * 1000:>10.2f}{pair['with'] * 1000:>10.2f}{ratio:>10.2f}"
        )
    return "\n".join([*lines, f"{'median':<32}{results['median_ratio']:>10.2f}"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code."""
    args = _parser().parse_args(argv)
    args.core = service_core(_NAME)
    with run_with_own_database(_NAME, args.time_limit) as run:
        results = measure(run, args)
    print(json.dumps(results, indent=2) if args.json else table(results))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=_NAME, description=__doc__)
    add_feed_size(parser, 2_000, 2_000, 60_000)
    parser.add_argument(
        "--runs", type=whole_number(1), default=5, help="pairs of runs (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=positive, default=60.0, help="time of one run (default: %(default)s)"
    )
    parser.add_argument(
        "--time-limit", type=positive, default=1200.0, help="seconds until the command gives up"
    )
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
