"""Check that a registered model may serve: `python -m training.validate_model [--version V] [--json]`.

Exit code 0: it may. 1: it may not; one line gives the reasons. 2: a bad argument, or an unreadable registry.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from app.domain.entities.model_record import ModelRecord
from app.domain.errors import InvalidArtifact, UnknownVersion
from app.domain.feed.state import FeedState
from app.domain.feed.state_snapshot import from_snapshot
from app.domain.ranking.assembly import NoObserver
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser, fail
from data.command_line import run_command
from training.command_line import print_json
from training.evaluation.acceptance import Comparison, rejection_reasons
from training.model_config import RANKER_BY_ALGORITHM

_PROG: Final = "training.validate_model"
_PAGE_SIZE: Final = 50


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = OneLineParser(
        prog=_PROG,
        description="Verify a registered model, rank with it, and check the metrics of its training.",
    )
    parser.add_argument(
        "--version", metavar="V", help="e.g. v3, or active (default: the newest version with any status)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    args = parser.parse_args(argv)
    return run_command(_PROG, lambda: _validate(args))


def _validate(args: argparse.Namespace) -> int:
    registry = open_registry(read_settings())
    record = _find_record(registry, args.version)
    sizes, reasons = _check_artefact(registry, record)
    reasons += recorded_rejection_reasons(record)
    if args.json:
        verdict = {"version": record.version, "status": record.status, "valid": not reasons}
        print_json({**verdict, "reasons": reasons, **sizes, "metrics": record.metrics})
    if reasons:
        fail(_PROG, f"{record.version}: {'; '.join(reasons)}")
        return 1
    if not args.json:
        own, random = _ndcg(record)
        metrics = "without a held-out request"
        if own["n"]:
            metrics = f"NDCG@10 {own['mean']:.4f}, random {random['mean']:.4f}, {own['n']} held-out requests"
        counts = ", ".join(f"{count} {name}" for name, count in sizes.items())
        print(f"{record.version}: valid ({record.status}); {counts}; {metrics}")
    return 0


def _find_record(registry: FileModelRegistry, version: str | None) -> ModelRecord:
    """The record of a version, or of the newest one. Raises UnknownVersion and InvalidArtifact."""
    if version not in (None, "active"):
        return registry.record(version)
    record = registry.active() if version else next(reversed(registry.records()), None)
    if record is None:
        raise UnknownVersion(
            "no version is active" if version else "no model has been published: run training.train"
        )
    return record


def _check_artefact(registry: FileModelRegistry, record: ModelRecord) -> tuple[dict[str, int], list[str]]:
    """Load the artefact as the service does, and rank with it.

    Returns the numbers of users, posts and interactions of its feed (empty if it cannot be read), and the reasons not
    to serve it.
    """
    reasons = []
    if record.status == "rejected":
        reasons.append(f"it was rejected: {record.note or 'no reason noted'}")
    try:
        model = ServedModel.from_artifact(registry.load(record.version))
        state = _rank_two_pages(model)
    except InvalidArtifact as error:
        return {}, [*reasons, f"it cannot be read: {error}"]
    events = int(state.engagements[: state.n_posts].sum())
    if not events or not model.collaborative_filter.matrix.nnz:
        reasons.append("it was trained on an empty feed: its matrix has no interaction")
    return {"users": state.n_users, "posts": state.n_posts, "interactions": events}, reasons


def recorded_rejection_reasons(record: ModelRecord) -> list[str]:
    """Reasons in the metrics of a model's training. Missing held-out metrics are a reason."""
    try:
        own, _ = _ndcg(record)
        names = ["against_random"] if own["n"] else []
        names += ["against_active"] if "against_active" in record.metrics else []
        return rejection_reasons({name: Comparison.from_json(record.metrics[name]) for name in names})
    except (KeyError, TypeError, ValueError):
        return ["its training recorded no held-out metrics"]


def _ndcg(record: ModelRecord) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """NDCG@10 of the model's ranker and of the random ranker, as the registry stores them."""
    estimates = record.metrics["prequential"]
    ranker = RANKER_BY_ALGORITHM[record.config["algorithm"]]
    return estimates[ranker]["ndcg@10"], estimates["random"]["ndcg@10"]


def _rank_two_pages(model: ServedModel) -> FeedState:
    """Rank a page for the most active user and one for an unknown user. Returns the state of the model's snapshot.

    Raises InvalidArtifact if the model cannot rank.
    """
    try:
        state = from_snapshot(model.snapshot)
        pipeline = model.pipeline(state, NoObserver())
        now = float(state.last_engaged[: state.n_posts].max(initial=0.0))
        lengths = state.events_by_user.lengths(np.arange(state.n_users))
        for user in (int(lengths.argmax()) if len(lengths) else -1, -1):
            context = RankingContext(state, user, now)
            ranked = pipeline.rank(context)
            if len(ranked.rows):
                pipeline.page(context, ranked, _PAGE_SIZE)
        return state
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InvalidArtifact(f"it cannot rank the feed of its snapshot: {error!r}") from error


if __name__ == "__main__":
    sys.exit(main())
