"""How well the feed is ranked: `python -m training.evaluate [--interactions PATH] --help`.

`--protocol prequential` (the default) replays the feed request by request and asks every ranker what it would have
shown; `--protocol owner` gives precision@5, recall@5 and ndcg@5 over a split in time.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import FeedDataset
from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import Settings, read_settings
from app.shared.command_line import OneLineParser, duration, fail, whole_number
from data.feed_arguments import add_feed_arguments, check_feed_arguments, timestamp
from training.evaluation.holdout import HOLDOUT_RANKERS, holdout_metrics
from training.evaluation.pipeline_diagnostics import PipelineDiagnostics, PipelineSummary
from training.evaluation.prequential import run
from training.evaluation.rankers import LEARNED, RANKERS
from training.evaluation.summary import summarise
from training.feed_source import UNREADABLE, read_dataset
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds
from training.reporting.console import holdout_lines, progress_bar, sources_table, summary_table
from training.reporting.ranking_dump import write_dump

_PROG: Final = "training.evaluate"


class NothingToEvaluate(Exception):
    """The feed, or the part of it after --test-from, holds no request."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _arguments(argv)
    try:
        settings = read_settings()
        history = read_dataset(args, settings)
    except UNREADABLE as error:
        return fail(_PROG, error)
    evaluate = _prequential if args.protocol == "prequential" else _owner
    try:
        evaluate(args, history, settings)
    except (NothingToEvaluate, ChildProcessError) as error:
        return fail(_PROG, error)
    except OSError as error:
        return fail(
            _PROG, f"{error.filename or args.dump or args.html}: cannot be written: {error.strerror or error}"
        )
    return 0


def _prequential(args: argparse.Namespace, history: FeedDataset, settings: Settings) -> None:
    started = time.perf_counter()
    replay = _replay(args, history, settings)
    possible = len(replay.test_requests(len(replay.requests)))
    if not possible:
        raise NothingToEvaluate(
            f"no request to evaluate: nobody chose another's post at or after {_iso(replay.test_from)} "
            f"(types: {', '.join(_targets(replay))})"
        )
    rankers = args.rankers or list(RANKERS)
    # The service's own pipeline is examined if it is ranked with, and for a report.
    diagnose = PipelineDiagnostics(replay.options) if "served" in rankers or args.html else None
    # one thread: the same figures to the last bit whatever the machine, and no slower on matrices of this size
    with threadpool_limits(limits=1), progress_bar("replay") as progress:
        result = run(
            replay,
            rankers,
            LearningOptions(seed=args.seed),
            max_requests=args.max_requests,
            workers=settings.training_workers,
            progress=progress,
            diagnose=diagnose,
        )
    table = summarise(replay, result, args.seed)
    pipeline = PipelineSummary(result.diagnoses) if diagnose else None
    if args.dump is not None:
        write_dump(args.dump, replay, result)
    if args.html is not None:
        from training.reporting.html_report import write_report

        write_report(args.html, replay, result, table, pipeline)
    told: dict[str, Any] = {
        "protocol": "prequential",
        "test_from": replay.test_from,
        "targets": _targets(replay),
        "seed": args.seed,
        "requests": len(result.requests),
        "possible": possible,
        "rankers": {
            name: {**row.to_json(), "seconds": round(result.seconds[name], 3)} for name, row in table.items()
        },
        "learned": [{**asdict(one.variant), "log_likelihood": one.tried} for one in result.fits],
        "sources": {name: one.to_json() for name, one in pipeline.sources().items()} if pipeline else {},
        "reliability": [one.to_json() for one in pipeline.reliability()] if pipeline else [],
        "seconds": round(time.perf_counter() - started, 1),
    }
    if args.json:
        print(json.dumps(told, indent=2, allow_nan=False))
        return
    print(
        f"{len(result.requests):,} of {possible:,} requests from {_iso(replay.test_from)} on, "
        f"{told['seconds']:.0f} s; 95 % intervals over users"
    )
    summary_table(table)
    if pipeline is not None:
        sources_table(pipeline.sources())


def _owner(args: argparse.Namespace, history: FeedDataset, settings: Settings) -> None:
    replay = _replay(args, history, settings)
    table = holdout_metrics(replay, args.rankers or HOLDOUT_RANKERS, at_most=args.max_requests)
    if not next(iter(table.values()))["ndcg@5"].n:
        raise NothingToEvaluate(
            f"nothing to evaluate: nobody with a history chose, at or after {_iso(replay.test_from)}, "
            "a post that was there before"
        )
    if args.json:
        from training.evaluation.summary import estimate_json

        rows = {name: {k: estimate_json(v) for k, v in row.items()} for name, row in table.items()}
        told = {
            "protocol": "owner",
            "test_from": replay.test_from,
            "targets": _targets(replay),
            "rankers": rows,
        }
        print(json.dumps(told, indent=2, allow_nan=False))
        return
    holdout_lines(table, _iso(replay.test_from))


def _replay(args: argparse.Namespace, history: FeedDataset, settings: Settings) -> Replay:
    if not len(history.events):
        raise NothingToEvaluate("the feed has no interactions")
    return Replay(
        history,
        ranking_options(settings),
        targets=target_kinds(history, args.targets),
        test_from=args.test_from.timestamp() if args.test_from else None,
        refit_every=args.refit_every,
        seed=args.seed,
    )


def _targets(replay: Replay) -> list[str]:
    return [INTERACTION_TYPES[kind] for kind in sorted(replay.targets)]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _names(allowed: Sequence[str], what: str) -> Any:
    def parse(text: str) -> list[str]:
        named = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        if wrong := [name for name in named if name not in allowed]:
            raise argparse.ArgumentTypeError(f"{wrong[0]!r} is no {what} (there are {', '.join(allowed)})")
        if not named:
            raise argparse.ArgumentTypeError(f"names no {what}")
        return named

    return parse


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(prog=_PROG, description="Measure how well rankers would have served the feed.")
    parser.add_argument(
        "--protocol",
        choices=("prequential", "owner"),
        default="prequential",
        help="prequential: replay the feed request by request (default); owner: a split in time, first five places",
    )
    add_feed_arguments(parser)
    parser.add_argument(
        "--rankers",
        type=_names(RANKERS, "ranker"),
        metavar="A,B,…",
        help=f"of {', '.join(RANKERS)} (default: all)",
    )
    parser.add_argument(
        "--targets",
        type=_names(INTERACTION_TYPES, "interaction type"),
        metavar="A,B,…",
        help="types that count as a choice (default: all but view and click where there are others)",
    )
    parser.add_argument(
        "--test-from",
        type=timestamp,
        metavar="TIME",
        help="start of the test part (default: after 80 %% of the rows)",
    )
    parser.add_argument(
        "--max-requests", type=whole_number(1), default=20_000, metavar="N", help="default: 20000"
    )
    parser.add_argument(
        "--refit-every",
        type=duration,
        default=86_400.0,
        metavar="24h",
        help="of neighbours, in feed time",
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of ties, samples and intervals")
    parser.add_argument(
        "--dump", type=Path, metavar="PATH", help="write every ranking, one line of JSON each"
    )
    parser.add_argument("--html", type=Path, metavar="PATH", help="write a report with plots, one page")
    parser.add_argument("--json", action="store_true", help="print the figures for a program")
    args = parser.parse_args(argv)
    check_feed_arguments(parser, args)
    if args.protocol == "owner" and (args.dump or args.html):
        parser.error(f"argument {'--dump' if args.dump else '--html'}: goes with --protocol prequential")
    if args.protocol == "owner" and LEARNED & set(args.rankers or ()):
        parser.error(
            "argument --rankers: with --protocol owner nothing is learned; ask `training.train`, or the replay"
        )
    for name, path in (("--dump", args.dump), ("--html", args.html)):
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            parser.error(
                f"argument {name}: {path}: {'is a folder' if path.is_dir() else 'its folder is not there'}"
            )
    return args


if __name__ == "__main__":
    sys.exit(main())
