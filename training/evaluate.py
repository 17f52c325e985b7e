"""Measure the ranking of a feed: `python -m training.evaluate [--interactions PATH] --help`.

`--protocol prequential` (the default) replays the feed request by request and ranks each request with every ranker.
`--protocol owner` measures precision@5, recall@5 and ndcg@5 at a split in time.
`--protocol continuous` compares continuous training with a daily full training and with weights that never change.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.entities import INTERACTION_TYPES
from app.infrastructure.config.ranking_settings import live_post_limits, ranking_options
from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.database.past_query import PastQuery
from app.shared.atomic_file import write_atomically
from app.shared.command_line import warn
from app.shared.exceptions import ConfigurationError
from app.shared.progress import Progress, progress_bars
from data.command_line import run_command
from training.command_line import (
    print_json,
    warn_of_missing_intervals,
)
from training.continuous.continuous_training import ContinuousOptions
from training.continuous.evaluation import evaluate_continuous
from training.engines import check_engine, open_engine
from training.evaluate_arguments import PROG, arguments
from training.evaluation.against import OURS, compare_orders
from training.evaluation.holdout import HOLDOUT_RANKERS, holdout_metrics
from training.evaluation.pipeline_diagnostics import PipelineDiagnostics, PipelineSummary
from training.evaluation.prequential import ReplayResult, replay_rankers
from training.evaluation.rankers import RANKERS
from training.evaluation.replay_job import Against
from training.evaluation.sql_order import read_orders
from training.evaluation.summary import RankerSummary, summarise
from training.feed_source import read_dataset
from training.learning.model_selection import LearningOptions
from training.memory_limit import workers_within
from training.off_policy.evaluation import evaluate_off_policy_of_database
from training.replay.replay import Replay, target_kinds
from training.reporting.console import (
    print_comparison,
    print_holdout_table,
    print_off_policy_table,
    print_sources_table,
    print_summary_table,
)
from training.reporting.continuous_table import print_continuous
from training.reporting.ranking_dump import write_dump


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = arguments(argv)
    evaluate = {
        "prequential": _evaluate_prequential,
        "owner": _evaluate_holdout,
        "continuous": _evaluate_continuous,
    }[args.protocol]
    if args.off_policy:
        evaluate = _evaluate_off_policy
    return run_command(PROG, lambda: evaluate(args, read_settings()))


def _evaluate_prequential(args: argparse.Namespace, settings: Settings) -> None:
    check_engine(settings)
    replay = _open_replay(args, settings)
    workers = workers_within(args.memory_limit, len(replay.events), settings)
    started = time.perf_counter()
    n_possible = len(replay.test_requests(len(replay.requests)))
    if not n_possible:
        raise ConfigurationError(
            f"no request to evaluate: no user chose another user's post at or after {_iso(replay.test_from)} "
            f"(types: {', '.join(_targets(replay))}); use an earlier --test-from or other --targets"
        )
    rankers = args.rankers or ([OURS] if args.against else list(RANKERS))
    if args.against and OURS not in rankers:
        rankers.append(OURS)
    diagnose = PipelineDiagnostics(replay.options) if OURS in rankers or args.html else None
    # One thread gives the same bits on every machine, and is no slower for matrices of this size.
    with threadpool_limits(limits=1), progress_bars() as progress:
        against = _read_against(args, settings, replay, progress)
        result = replay_rankers(
            replay,
            rankers,
            LearningOptions(seed=args.seed),
            max_requests=args.max_requests,
            engine=open_engine(settings, workers),
            progress=partial(progress, "replay"),
            diagnose=diagnose,
            against=against,
        )
    rows, pipeline = summarise(replay, result, args.seed), PipelineSummary(result.diagnoses)
    comparison = compare_orders(replay, result, str(args.against), args.seed) if args.against else None
    if args.dump is not None:
        write_dump(args.dump, replay, result)
    if args.html is not None:
        from training.reporting.html_report import report  # matplotlib takes a second

        write_atomically(args.html, [report(replay, result, rows, pipeline, comparison).encode()])
    seconds = time.perf_counter() - started
    warn_of_missing_intervals(PROG, replay.events.user[result.requests])
    if args.json:
        counts = {"seed": args.seed, "requests": len(result.requests), "possible": n_possible}
        results = _results(result, rows, pipeline)
        compared = {"against": comparison} if comparison else {}
        print_json({**_protocol(args, replay), **counts, **compared, **results, "seconds": round(seconds, 1)})
        return
    requests = f"{len(result.requests):,} of {n_possible:,} requests from {_iso(replay.test_from)} on"
    print(f"{requests}, {seconds:.0f} s; 95 % intervals over users")
    if args.rankers or not comparison:
        print_summary_table(rows)
    for served in result.served:
        print(f"served from {_iso(served.since)} on: {served.ranking}; {served.reason}")
    if comparison:
        print_comparison(comparison)
    elif pipeline.requests:
        print_sources_table(pipeline.sources())


def _read_against(
    args: argparse.Namespace, settings: Settings, replay: Replay, progress: Progress
) -> Against | None:
    """The order of --against, which `replay_rankers` ranks with. Prints warnings on standard error."""
    if not isinstance(args.against, PastQuery):
        ranker: str | None = args.against
        return ranker
    orders = read_orders(settings, args.against, replay, replay.test_requests(args.max_requests), progress)
    warnings = []
    if not args.against.has_order:
        warnings.append("has no ORDER BY, so PostgreSQL may return the posts in any order")
    if orders.n_short:
        short = f"{orders.n_short:,} of {len(orders.by_event):,} lists have fewer than 10 posts"
        warnings.append(f"{short}; the others rank after them in random order")
    for warning in warnings:
        warn(PROG, f"{args.against}: {warning}")
    return orders.by_event


def _results(
    result: ReplayResult, rows: dict[str, RankerSummary], pipeline: PipelineSummary
) -> dict[str, Any]:
    return {
        "rankers": {
            name: {**row.to_json(), "seconds": round(result.seconds[name], 3)} for name, row in rows.items()
        },
        "served": [
            {"from": _iso(one.since), "ranking": one.ranking, "reason": one.reason} for one in result.served
        ],
        "learned": [{**asdict(fit.variant), "log_likelihood": fit.tried} for fit in result.fits],
        "sources": {name: row.to_json() for name, row in pipeline.sources().items()},
        "reliability": pipeline.reliability(),
    }


def _evaluate_holdout(args: argparse.Namespace, settings: Settings) -> None:
    replay = _open_replay(args, settings)
    rows = holdout_metrics(replay, args.rankers or HOLDOUT_RANKERS, at_most=args.max_requests)
    if not next(iter(rows.values()))["ndcg@5"].n:
        raise ConfigurationError(
            f"nothing to evaluate: no user with earlier events chose an existing post at or after "
            f"{_iso(replay.test_from)}; use another --test-from"
        )
    if args.json:
        print_json({**_protocol(args, replay), "rankers": rows})
    else:
        print_holdout_table(rows, _iso(replay.test_from))


def _evaluate_continuous(args: argparse.Namespace, settings: Settings) -> None:
    check_engine(settings)
    replay = _open_replay(args, settings)
    workers = workers_within(args.memory_limit, len(replay.events), settings)
    with threadpool_limits(limits=1), progress_bars() as progress:
        result = evaluate_continuous(
            replay,
            LearningOptions(seed=args.seed),
            ContinuousOptions(seed=args.seed),
            max_requests=args.max_requests,
            engine=open_engine(settings, workers),
            changed_at=args.changed_at and args.changed_at.timestamp(),
            progress=partial(progress, "replay"),
        )
    if args.plot is not None:
        from training.reporting.continuous_plot import save_plot  # matplotlib takes a second

        save_plot(result, args.plot)
    warn_of_missing_intervals(PROG, result.users)
    if args.json:
        print_json({**_protocol(args, replay), **result.to_json()})
    else:
        print(f"{len(result.users):,} requests from {_iso(replay.test_from)} on; 95 % intervals over users")
        print_continuous(result)


def _evaluate_off_policy(args: argparse.Namespace, settings: Settings) -> None:
    with threadpool_limits(limits=1), progress_bars() as progress:
        found = evaluate_off_policy_of_database(args, settings, progress)
    if args.json:
        print_json(found)
    else:
        print_off_policy_table(found)


def _open_replay(args: argparse.Namespace, settings: Settings) -> Replay:
    dataset = read_dataset(args, settings, args.memory_limit)
    if not len(dataset.events):
        raise ConfigurationError(
            "the feed has no interactions; import a feed, or name a file with --interactions"
        )
    return Replay(
        dataset,
        ranking_options(settings),
        targets=target_kinds(dataset, args.targets),
        test_from=args.test_from,
        refit_every=args.refit_every,
        seed=args.seed,
        live_posts=live_post_limits(settings),
    )


def _protocol(args: argparse.Namespace, replay: Replay) -> dict[str, Any]:
    return {"protocol": args.protocol, "test_from": replay.test_from, "targets": _targets(replay)}


def _targets(replay: Replay) -> list[str]:
    return [INTERACTION_TYPES[kind] for kind in sorted(replay.targets)]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


if __name__ == "__main__":
    sys.exit(main())
