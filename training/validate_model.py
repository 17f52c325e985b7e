"""Check that a registered model may serve: `python -m training.validate_model [--version V] [--json]`.

Exit code 0: it may. 1: it may not; one line gives the reasons. 2: a bad argument, or an unreadable registry.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from app.domain.entities import INTERACTION_TYPES
from app.domain.entities.model_record import ModelRecord
from app.domain.errors import InvalidArtifact, UnknownVersion
from app.domain.feed.dataset import EventColumns
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
_LIKES: Final = 5


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
        _rank_two_pages(model)
    except InvalidArtifact as error:
        return {}, [*reasons, f"it cannot be read: {error}"]
    if not model.sizes["interactions"] or not model.collaborative_filter.matrix.nnz:
        reasons.append("it was trained on an empty feed: its matrix has no interaction")
    return dict(model.sizes), reasons


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


def _rank_two_pages(model: ServedModel) -> None:
    """Rank the model's trending posts for a user who liked some of them, and for an unknown user.

    Raises InvalidArtifact if the model cannot rank.
    """
    try:
        state = model.trending_state()
        pipeline = model.pipeline(state, NoObserver())
        now = float(state.last_engaged[: state.n_posts].max(initial=0.0))
        state.add_users(model.user_keys[:1])
        user = state.n_users - 1
        liked = np.arange(min(_LIKES, state.n_posts), dtype=np.int32)
        like = INTERACTION_TYPES.index("like")
        users, kinds = np.full(len(liked), user, np.int32), np.full(len(liked), like, np.uint8)
        time_us = np.full(len(liked), int(now * 1e6))
        state.record(EventColumns(users, liked, kinds, time_us, np.arange(len(liked))))
        for row in (user, -1):
            context = RankingContext(state, row, now)
            ranked = pipeline.rank(context)
            if len(ranked.rows):
                pipeline.page(context, ranked, _PAGE_SIZE)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InvalidArtifact(f"it cannot rank its trending posts: {error!r}") from error


if __name__ == "__main__":
    sys.exit(main())
