"""Train on the feed in the database or an export of it, and publish the model: `python -m training.train --help`."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Final

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.entities.model_record import ModelRecord
from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser, existing_file, fail, warn, whole_number
from app.shared.exceptions import ConfigurationError
from app.shared.progress import progress_bars
from data.command_line import run_command
from training.command_line import add_seed, export_folder, warn_of_missing_intervals
from training.engines import check_engine, open_engine
from training.erased_versions import delete_erased_versions
from training.evaluation.metrics import Estimate
from training.feed_source import read_database, read_exported
from training.learning.model_selection import MIN_REQUESTS, LearningOptions
from training.learning.training_options import TrainingOptions
from training.memory_limit import add_memory_limit, workers_within
from training.replay.post_spaces import PostSpaces
from training.reporting.console import interval
from training.training_run import Stopwatch, TrainedModel, train

_PROG: Final = "training.train"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = OneLineParser(
        prog=_PROG,
        description="Train on the feed in the database or an export of it, evaluate the model, and publish it.",
    )
    parser.add_argument("--json", action="store_true", help="print the registry's record as JSON")
    add_seed(parser)
    parser.add_argument(
        "--learn-from",
        type=whole_number(MIN_REQUESTS),
        metavar="N",
        help=f"number of past requests to learn from (default: {LearningOptions().requests}, or that of --settings)",
    )
    parser.add_argument(
        "--interactions",
        type=export_folder,
        metavar="DIR",
        help="a folder of data.export_log (default: the database)",
    )
    add_memory_limit(parser)
    parser.add_argument(
        "--settings",
        type=existing_file,
        metavar="FILE",
        help="options from training.tune, instead of the environment's",
    )
    parser.add_argument(
        "--for-experiment",
        action="store_true",
        help="do not make the version active, and give it the text space of the active one, so that a variant of an "
        "experiment can name it",
    )
    args = parser.parse_args(argv)
    return run_command(_PROG, lambda: _train_and_publish(args))


def _train_and_publish(args: argparse.Namespace) -> int:
    stopwatch = Stopwatch()
    settings = read_settings()
    check_engine(settings)
    options = _options(args, settings)
    registry = open_registry(settings, publishes=True)
    spaces = _active_spaces(registry) if args.for_experiment else None
    if args.interactions:
        feed = read_exported(args.interactions, settings, args.memory_limit)
    else:
        feed = read_database(settings)
    workers = workers_within(args.memory_limit, len(feed.dataset.events), settings)
    if not len(feed.dataset.events):
        raise ConfigurationError(
            "the feed has no interaction yet; import a feed, seed the demo feed, or wait for users"
        )
    stopwatch.lap("read")
    with threadpool_limits(limits=1), progress_bars() as progress:
        trained = train(
            feed, options, registry.active(), progress, stopwatch, open_engine(settings, workers), spaces
        )
    record = registry.publish(
        trained.model.to_artifact(),
        metrics=trained.metrics_beside(registry.records()),
        config=trained.config,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        status="rejected" if trained.rejection_reasons else "inactive" if args.for_experiment else "active",
        note="; ".join([*trained.rejection_reasons, trained.selection_reason]),
    )
    stopwatch.lap("publish")
    _report(args, record, trained, stopwatch.seconds)
    if not args.interactions:
        _delete_erased(registry, settings)
    warn_of_missing_intervals(_PROG, trained.users)
    return 1 if trained.rejection_reasons else 0


def _active_spaces(registry: FileModelRegistry) -> PostSpaces:
    active = registry.active()
    if active is None:
        raise ConfigurationError("--for-experiment: no version is active; train without it first")
    model = ServedModel.from_artifact(registry.load(active.version))
    return PostSpaces(model.text_space, model.embedding_projection)


def _delete_erased(registry: FileModelRegistry, settings: Settings) -> None:
    found = delete_erased_versions(registry, settings)
    if found.deleted:
        names = ", ".join(record.version for record in found.deleted)
        warn(_PROG, f"{names} may hold erased users and were deleted")
    if found.warning:
        warn(_PROG, found.warning)


def _options(args: argparse.Namespace, settings: Settings) -> TrainingOptions:
    if args.settings:
        options = TrainingOptions.read(args.settings)
    else:
        options = TrainingOptions(ranking_options(settings), LearningOptions())
    requests = args.learn_from or options.learning.requests
    return replace(options, learning=replace(options.learning, requests=requests, seed=args.seed))


def _report(
    args: argparse.Namespace, record: ModelRecord, trained: TrainedModel, seconds: Mapping[str, float]
) -> None:
    stages = {stage: round(duration, 1) for stage, duration in seconds.items()}
    total = round(sum(seconds.values()), 1)
    if args.json:
        print(json.dumps({**asdict(record), "seconds": total, "stages": stages}, default=str))
    else:
        for name, estimates in trained.metrics["prequential"].items():
            ndcg = Estimate(**estimates["ndcg@10"])
            print(f"{name:<14} NDCG@10 {interval(ndcg, '.4f')}  n={ndcg.n}")
        times = ", ".join(f"{stage} {duration}" for stage, duration in stages.items())
        print(
            f"{record.version}: {record.status}, {record.config['algorithm']}, {record.filename}, {total} s ({times})"
        )
        print(record.note)
    if trained.rejection_reasons:
        fail(_PROG, f"{record.version} is not published: {'; '.join(trained.rejection_reasons)}")


if __name__ == "__main__":
    sys.exit(main())
