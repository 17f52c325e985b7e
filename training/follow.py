"""Follow the log with the weights of the active model: `python -m training.follow [--once] --help`.

Each step reads the feed, fits candidate weights, and publishes them when they rank the newest requests better. During
the probation that follows, it compares what users choose, and rolls the weights back if they choose less.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.entities.model_record import ModelRecord
from app.domain.errors import NotActive
from app.domain.experiments.probation import CONFIG_KEY as PROBATION
from app.domain.experiments.probation import probation_config
from app.domain.ranking.choice_model import ChoiceModel
from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.experiment_counts import SqlExperimentCounts
from app.infrastructure.database.experiment_results import SqlExperimentResults
from app.infrastructure.database.trainer_lock import TrainerLock, trainer_lock
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from app.infrastructure.ml.registry.weights import config_over, weights_artifact
from app.shared.command_line import OneLineParser, duration, warn
from app.shared.exceptions import ConfigurationError
from app.shared.progress import progress_bars
from data.command_line import run_command
from training.command_line import add_seed, export_folder, print_json
from training.continuous.continuous_training import ContinuousOptions
from training.continuous.follow_step import FollowStep, follow
from training.continuous.probation_review import counted_from, review
from training.engines import check_engine, open_engine
from training.evaluation.request_ranks import FIELD
from training.feed_source import read_database, read_exported
from training.memory_limit import add_memory_limit, workers_within
from training.model_config import TRAINED_UNTIL

_PROG: Final = "training.follow"
_DEFAULT_PAUSE_SECONDS: Final = 900.0
_PROBATION_PAUSE_SECONDS: Final = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = OneLineParser(
        prog=_PROG,
        description="Train the weights of the active model on the newest requests; publish them when they rank better.",
    )
    parser.add_argument(
        "--once", action="store_true", help="one step (default: a step after each pause, for ever)"
    )
    parser.add_argument(
        "--every",
        type=duration,
        default=_DEFAULT_PAUSE_SECONDS,
        metavar="15m",
        help="pause between two steps (default: 15m)",
    )
    parser.add_argument(
        "--interactions",
        type=export_folder,
        metavar="DIR",
        help="a folder of data.export_log (default: the database)",
    )
    parser.add_argument("--json", action="store_true", help="print the result of each step as JSON")
    add_seed(parser)
    add_memory_limit(parser)
    args = parser.parse_args(argv)
    return run_command(_PROG, lambda: _follow(args, read_settings()))


def _follow(args: argparse.Namespace, settings: Settings) -> None:
    check_engine(settings)
    registry = open_registry(settings, publishes=True)
    while True:
        pause_seconds = args.every
        try:
            with _trainer(args, settings) as trainer:
                if _is_on_probation(args, settings, registry, trainer):
                    pause_seconds = min(args.every, _PROBATION_PAUSE_SECONDS)
                else:
                    _step(args, settings, registry, trainer)
        except (NothingToFollow, NotActive) as error:
            if args.once:
                raise
            warn(_PROG, str(error))
        if args.once:
            return
        time.sleep(pause_seconds)


class NothingToFollow(ConfigurationError):
    """The active model has no weights, or there is none."""


@dataclass(frozen=True, slots=True)
class _Trainer:
    """The trainer of the feed in the database: the lock that it holds, and what probations are read from."""

    lock: TrainerLock
    counts: SqlExperimentCounts
    results: SqlExperimentResults


@contextmanager
def _trainer(args: argparse.Namespace, settings: Settings) -> Iterator[_Trainer | None]:
    """Hold the lock of the feed; None for the feed of an export. Raises the errors of `trainer_lock`."""
    if args.interactions:
        yield None
        return
    with cli_engine(settings) as engine:
        schema = feed_schema(engine, settings.db_schema)
        with trainer_lock(engine, schema.plain) as lock:
            database = engine, schema, settings.load_budget_seconds
            yield _Trainer(lock, SqlExperimentCounts(*database), SqlExperimentResults(*database))


def _is_on_probation(
    args: argparse.Namespace, settings: Settings, registry: FileModelRegistry, trainer: _Trainer | None
) -> bool:
    """Whether the active version stays without a step: its probation goes on, or it was rolled back just now."""
    active = registry.active()
    if active is None or trainer is None:
        return False
    found = review(registry, active, trainer.counts, trainer.results, _now(settings))
    if found is None:
        return False
    if found.is_running or found.rolled_back is not None:
        if args.json:
            print_json({"active": found.rolled_back or active.version, "probation": found})
        else:
            print(found, flush=True)
    return found.is_running or found.rolled_back is not None


def _step(
    args: argparse.Namespace, settings: Settings, registry: FileModelRegistry, trainer: _Trainer | None
) -> None:
    active, model, weights = _active(registry)
    since = max(float(active.config[TRAINED_UNTIL]), counted_from(registry, active))
    if args.interactions:
        feed = read_exported(args.interactions, settings, args.memory_limit)
    else:
        feed = read_database(settings)
    workers = workers_within(args.memory_limit, len(feed.dataset.events), settings)
    with threadpool_limits(limits=1), progress_bars() as progress:
        found = follow(
            feed.dataset,
            model.options,
            weights,
            since,
            ContinuousOptions(seed=args.seed),
            open_engine(settings, workers),
            lambda done, total: progress("follow", done, total),
        )
    published, probation = None, timedelta(0)
    if found.promoted is not None:
        if trainer is not None:  # its counts are in the database
            trainer.lock.check()
            probation = timedelta(minutes=settings.probation_minutes)
        published = _publish(registry, active, found.promoted, found, _now(settings), probation)
    _report(args, active, found, published)


def _active(registry: FileModelRegistry) -> tuple[ModelRecord, ServedModel, ChoiceModel]:
    """The active version, its model and its weights. Raises NothingToFollow, InvalidArtifact."""
    active = registry.active()
    if active is None:
        raise NothingToFollow("no model is active; run training.train first")
    model = ServedModel.from_artifact(registry.load(active.version))
    if model.choice_model is None:
        raise NothingToFollow(
            f"{active.version} ranks by {model.ranking}, which has no weights to follow; "
            "training.train publishes learned weights when they rank better"
        )
    if TRAINED_UNTIL not in active.config:
        raise NothingToFollow(
            f"{active.version} was trained by an earlier version of this service; run training.train"
        )
    return active, model, model.choice_model


def _publish(
    registry: FileModelRegistry,
    active: ModelRecord,
    weights: ChoiceModel,
    found: FollowStep,
    now: datetime,
    probation: timedelta,
) -> ModelRecord:
    """Publish the weights in place of the active version. Raises NotActive if it was replaced meanwhile."""
    base = registry.base(active.version)
    metrics = {name: value for name, value in base.metrics.items() if name not in (FIELD, "differences")}
    comparison = found.comparison
    assert comparison is not None
    on_probation: dict[str, Any] = {}
    if probation:
        on_probation = {PROBATION: probation_config(active.version, now + probation, found.targets)}
    record = registry.publish(
        weights_artifact(weights),
        metrics={**metrics, "continuous": {"against": active.version, **asdict(comparison)}},
        config={
            **config_over(base),
            TRAINED_UNTIL: found.trained_until,
            **on_probation,
        },
        created_at=now.isoformat(timespec="seconds"),
        note=f"continuous training: {comparison} against {active.version}",
        replaces=active,
    )
    registry.prune_weights()
    return record


def _now(settings: Settings) -> datetime:
    return (settings.feed_now or datetime.now(UTC)).astimezone(UTC)


def _report(
    args: argparse.Namespace, active: ModelRecord, found: FollowStep, published: ModelRecord | None
) -> None:
    if args.json:
        print_json(
            {
                "active": active.version,
                "requests": found.requests,
                "counted": found.counted,
                "comparison": found.comparison,
                "published": None if published is None else published.version,
            }
        )
        return
    verdict = "keeps collecting" if published is None else f"published {published.version}"
    difference = "" if found.comparison is None else f"; candidate {found.comparison}"
    print(
        f"{active.version}: {found.requests:,} requests since its training{difference}; {verdict}", flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
