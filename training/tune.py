"""Search for better ranking and learning options: `python -m training.tune --output FILE --help`.

`training.train --settings FILE` reads the result. With `--ablate` the command measures instead what each source,
half-life and group of inputs contributes.

The command uses only the part of the feed before the test part. So results of `training.evaluate` on the same feed
stay honest.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Final

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import read_settings
from app.shared.atomic_file import write_atomically
from app.shared.command_line import OneLineParser, duration, whole_number
from app.shared.exceptions import ConfigurationError
from app.shared.progress import progress_bars
from data.command_line import run_command
from data.feed_arguments import DEFAULT_FEED, add_feed_arguments, check_feed_arguments
from training.command_line import add_seed, add_test_from, output_file, print_json
from training.engines import check_engine, open_engine
from training.evaluation.option_search import TimedReplays, ablate, best_of, parts, search, warm_up
from training.feed_source import read_dataset
from training.learning.model_selection import LearningOptions
from training.learning.training_options import TrainingOptions
from training.memory_limit import add_memory_limit, workers_within
from training.replay.replay import Replay
from training.reporting.console import interval, print_ablation_table

_PROG: Final = "training.tune"
_MIN_REQUESTS: Final = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _arguments(argv)
    return run_command(_PROG, lambda: _tune(args))


def _tune(args: argparse.Namespace) -> None:
    settings = read_settings()
    check_engine(settings)
    dataset = warm_up(read_dataset(args, settings, args.memory_limit), args.test_from)
    options = TrainingOptions(ranking_options(settings), LearningOptions(seed=args.seed))
    n_requests = len(Replay(dataset, options.ranking).test_requests(args.requests))
    if n_requests < _MIN_REQUESTS:
        raise ConfigurationError(
            f"too little to tune on: {n_requests} requests in the last fifth of the warm-up; "
            f"use a feed with at least {_MIN_REQUESTS}"
        )
    with threadpool_limits(limits=1), progress_bars() as progress:
        started = perf_counter()

        def show_seconds() -> None:
            progress("tune (s)", int(min(perf_counter() - started, args.time)), int(args.time))

        workers = workers_within(args.memory_limit, len(dataset.events), settings)
        replays = TimedReplays(
            dataset, args.requests, args.time, open_engine(settings, workers), on_replay=show_seconds
        )
        (_ablate if args.ablate else _search)(args, replays, options)


def _ablate(args: argparse.Namespace, replays: TimedReplays, options: TrainingOptions) -> None:
    whole, results = ablate(replays, options)
    skipped = len(list(parts(options))) - len(results)
    if args.json:
        print_json({"served": whole, "parts": results, "skipped": skipped})
        return
    print_ablation_table(whole, results)
    if skipped:
        print(f"{skipped} parts were not measured in {args.time:.0f} s; use a longer --time")


def _search(args: argparse.Namespace, replays: TimedReplays, options: TrainingOptions) -> None:
    trials = search(replays, options)
    best = best_of(trials)
    write_atomically(args.output, [json.dumps(best.options.to_json(), indent=2).encode(), b"\n"])
    if args.json:
        rows = [{"changed": one.changed, "served": one.served, "formula": one.formula} for one in trials]
        print_json({"best": best.changed, "trials": rows, **best.options.to_json()})
        return
    for trial in trials:
        print(f"{trial.changed:<40} served {interval(trial.served)}  formula {interval(trial.formula)}")
    print(f"{args.output}: NDCG@10 {trials[0].ndcg:.4f} -> {best.ndcg:.4f} on the last fifth of the warm-up")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(
        prog=_PROG, description="Search for better ranking and learning options on the warm-up of a feed."
    )
    add_feed_arguments(parser, default=DEFAULT_FEED)
    parser.add_argument("--output", type=output_file, metavar="FILE", help="settings file to write (JSON)")
    parser.add_argument(
        "--ablate",
        action="store_true",
        help="measure the ranking without each source, half-life and group of inputs; write no file",
    )
    parser.add_argument(
        "--time", type=duration, default=600.0, metavar="10m", help="maximum duration (default: 10m)"
    )
    add_test_from(parser)
    parser.add_argument(
        "--requests", type=whole_number(1), default=1000, metavar="N", help="maximum number (default: 1000)"
    )
    add_memory_limit(parser)
    add_seed(parser)
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    args = parser.parse_args(argv)
    check_feed_arguments(parser, args)
    if args.ablate and args.output is not None:
        parser.error("argument --output: not allowed with --ablate, which writes no settings")
    if not args.ablate and args.output is None:
        parser.error("the following arguments are required: --output")
    return args


if __name__ == "__main__":
    sys.exit(main())
