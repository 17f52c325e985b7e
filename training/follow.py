"""Follow the log with the weights of the active model: `python -m training.follow [--once] --help`.

Each step reads the feed, fits candidate weights, and publishes them when they rank the newest requests better.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.entities.model_record import ModelRecord
from app.domain.errors import NotActive
from app.domain.ranking.choice_model import ChoiceModel
from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.trainer_lock import trainer_lock
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from app.infrastructure.ml.registry.weights import weights_artifact
from app.shared.command_line import OneLineParser, duration, warn
from app.shared.exceptions import ConfigurationError
from app.shared.progress import progress_bars
from data.command_line import run_command
from training.command_line import add_seed, export_folder, print_json
from training.continuous.continuous_training import ContinuousOptions
from training.continuous.follow_step import FollowStep, follow
from training.engines import check_engine, open_engine
from training.evaluation.request_ranks import FIELD
from training.feed_source import read_database, read_exported
from training.memory_limit import add_memory_limit, workers_within
from training.model_config import TRAINED_UNTIL

_PROG: Final = "training.follow"
_DEFAULT_PAUSE_SECONDS: Final = 900.0


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
        try:
            _step(args, settings, registry)
        except (NothingToFollow, NotActive) as error:
            if args.once:
                raise
            warn(_PROG, str(error))
        if args.once:
            return
        time.sleep(args.every)


class NothingToFollow(ConfigurationError):
    """The active model has no weights, or there is none."""


def _step(args: argparse.Namespace, settings: Settings, registry: FileModelRegistry) -> None:
    active, model, weights = _active(registry)
    with _trainer(args, settings) as check:
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
                float(active.config[TRAINED_UNTIL]),
                ContinuousOptions(seed=args.seed),
                open_engine(settings, workers),
                lambda done, total: progress("follow", done, total),
            )
        check()
        published = None if found.promoted is None else _publish(registry, active, found.promoted, found)
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


@contextmanager
def _trainer(args: argparse.Namespace, settings: Settings) -> Iterator[Any]:
    """Hold the lock of the feed, if it is that of the database. Gives a function that raises if the lock was lost."""
    if args.interactions:
        yield lambda: None
        return
    with (
        cli_engine(settings) as engine,
        trainer_lock(engine, feed_schema(engine, settings.db_schema).plain) as lock,
    ):
        yield lock.check


def _publish(
    registry: FileModelRegistry, active: ModelRecord, weights: ChoiceModel, found: FollowStep
) -> ModelRecord:
    """Publish the weights in place of the active version. Raises NotActive if it was replaced meanwhile."""
    base = registry.base(active.version) if "base" in active.config else active
    metrics = {name: value for name, value in base.metrics.items() if name not in (FIELD, "differences")}
    comparison = found.comparison
    assert comparison is not None
    record = registry.publish(
        weights_artifact(weights),
        metrics={**metrics, "continuous": {"against": active.version, **asdict(comparison)}},
        config={
            **base.config,
            "base": {"version": base.version, "sha256": base.sha256, "created_at": base.created_at},
            TRAINED_UNTIL: found.trained_until,
        },
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        note=f"continuous training: {comparison} against {active.version}",
        replaces=active,
    )
    registry.prune_weights()
    return record


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
