"""Check that a registered model may serve: `python -m training.validate_model [--version V] [--json]`.

Exit code 0: it may. 1: it may not; one line gives the reasons. 2: a bad argument, or an unreadable registry.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from app.domain.entities.model_record import ModelRecord
from app.domain.errors import InvalidArtifact, UnknownVersion
from app.domain.feed.state import FeedState
from app.domain.ranking.assembly import NoObserver
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser
from training.command_line import print_json, run_command
from training.evaluation.acceptance import Comparison, rejection_reasons
from training.model_config import RANKER_BY_ALGORITHM

_PROG: Final = "training.validate_model"
_PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """The reasons not to serve a model. Without reasons it may serve."""

    record: ModelRecord
    sizes: Mapping[str, int]  # users, posts and interactions of its feed; empty if it cannot be read
    reasons: Sequence[str]


def validate(registry: FileModelRegistry, record: ModelRecord) -> Verdict:
    """Load the artefact as the service does, rank with it, and check the metrics of its training."""
    reasons = []
    if record.status == "rejected":
        reasons.append(f"it was rejected: {record.note or 'no reason noted'}")
    sizes: dict[str, int] = {}
    try:
        model = ServedModel.from_artifact(registry.load(record.version))
        state = _rank_two_pages(model)
    except InvalidArtifact as error:
        reasons.append(f"it cannot be read: {error}")
    else:
        events = int(state.engagements[: state.n_posts].sum())
        sizes = {"users": len(state.user_rows), "posts": len(state.post_rows), "interactions": events}
        if not events or not model.collaborative_filter.matrix.nnz:
            reasons.append("it was trained on an empty feed: its matrix has no interaction")
    return Verdict(record, sizes, [*reasons, *recorded_rejection_reasons(record)])


def recorded_rejection_reasons(record: ModelRecord) -> Sequence[str]:
    """Reasons in the metrics of a model's training. Missing held-out metrics are a reason."""
    try:
        own, random = _ndcg(record)
        comparisons = {
            name: Comparison(**record.metrics[name])
            for name in ("against_random", "against_active")
            if name in record.metrics
        }
        if (
            own["n"] and "against_random" not in comparisons
        ):  # another version did not compare request by request
            base = max(random["mean"], 1e-9)
            gain, low, high = ((own[key] - random["mean"]) / base for key in ("mean", "low", "high"))
            comparisons["against_random"] = Comparison(gain, low, high, own["n"])
        return rejection_reasons(comparisons.get("against_random"), comparisons.get("against_active"))
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
        state = FeedState.from_snapshot(model.snapshot)
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _parser().parse_args(argv)
    return run_command(_PROG, lambda: _validate(args))


def _validate(args: argparse.Namespace) -> int:
    registry = open_registry(read_settings())
    verdict = validate(registry, _find_record(registry, args.version))
    record = verdict.record
    if args.json:
        print_json(
            {
                "version": record.version,
                "status": record.status,
                "valid": not verdict.reasons,
                "reasons": list(verdict.reasons),
                **verdict.sizes,
                "metrics": dict(record.metrics),
            }
        )
    if verdict.reasons:
        print(f"{_PROG}: {record.version}: {' '.join('; '.join(verdict.reasons).split())}", file=sys.stderr)
        return 1
    if not args.json:
        print(_summary(verdict))
    return 0


def _find_record(registry: FileModelRegistry, version: str | None) -> ModelRecord:
    """The record of a version, or of the newest one. Raises UnknownVersion and InvalidArtifact."""
    if version == "active":
        record = registry.active()
        if record is None:
            raise UnknownVersion("no version is active")
        return record
    if version is not None:
        return registry.record(version)
    records = registry.records()
    if not records:
        raise UnknownVersion("no model has been published: run training.train")
    return records[-1]


def _summary(verdict: Verdict) -> str:
    record = verdict.record
    own, random = _ndcg(record)
    held_out = (
        f"NDCG@10 {own['mean']:.4f}, random {random['mean']:.4f}, {own['n']} held-out requests"
        if own["n"]
        else "without a held-out request"
    )
    sizes = ", ".join(f"{count} {name}" for name, count in verdict.sizes.items())
    return f"{record.version}: valid ({record.status}); {sizes}; {held_out}"


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=_PROG,
        description="Verify a registered model, rank with it, and check the metrics of its training.",
    )
    parser.add_argument(
        "--version", metavar="V", help="e.g. v3, or active (default: the newest version with any status)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
