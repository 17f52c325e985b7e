"""Whether a registered model may serve: `python -m training.validate_model [--version V] [--json]`.

Exit 0: it may. Exit 1: one line says why not. Exit 2: a bad argument, or no registry that can be read.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from app.domain.errors import InvalidArtifact, UnknownVersion
from app.domain.feed.state import FeedState
from app.domain.ranking.assembly import NoObserver
from app.domain.repositories.model_registry import ModelRecord
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser, fail
from training.evaluation.acceptance import TOLERATED, Comparison
from training.registry import REFUSALS

_PROG: Final = "training.validate_model"
_PAGE: Final = 50
_RANKER: Final[Mapping[str, str]] = {"collaborative_filtering": "formula", "learned_choice": "learned"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was looked at, and every reason against serving it; no reason: it may serve."""

    record: ModelRecord
    holds: Mapping[str, int]  # users, posts and interactions of its feed; empty where it could not be read
    reasons: Sequence[str]


def validate(registry: FileModelRegistry, record: ModelRecord) -> Verdict:
    """Read the artefact as a service does, rank with it, and weigh the figures it was registered with."""
    reasons = []
    if record.status == "rejected":
        reasons.append(f"it was rejected: {record.note or 'no reason noted'}")
    holds: dict[str, int] = {}
    try:
        model = ServedModel.from_artifact(registry.load(record.version))
        state = _ranked_with(model)
    except InvalidArtifact as error:
        reasons.append(f"it cannot be read: {error}")
    else:
        events = int(state.engagements[: state.n_posts].sum())
        holds = {"users": len(state.user_rows), "posts": len(state.post_rows), "interactions": events}
        if not events or not model.collaborative_filter.matrix.nnz:
            reasons.append("it was trained on nothing: its matrix holds no interaction")
    return Verdict(record, holds, [*reasons, *recorded_rejection_reasons(record)])


def recorded_rejection_reasons(record: ModelRecord) -> list[str]:
    """What the figures of its training say against a model; held-out figures that are missing do as well."""
    try:
        ranker = _RANKER[record.config["algorithm"]]
        rankers = record.metrics["prequential"]
        own, random = (rankers[name]["ndcg@10"] for name in (ranker, "random"))
        found = []
        paired = record.metrics.get("against_random")  # as training compared them, request by request
        holds = not own["n"] or (Comparison(**paired).high >= 0 if paired else own["high"] >= random["mean"])
        if not holds:
            found.append(
                f"it ranks worse than random: NDCG@10 {own['mean']:.4f} against {random['mean']:.4f} "
                f"({own['n']} held-out requests)"
            )
        if "against_active" in record.metrics:
            gain = Comparison(**record.metrics["against_active"])
            if gain.low < TOLERATED:
                found.append(
                    f"against the configuration of the model that was active it gains {gain.gain:+.1%} "
                    f"({gain.n} held-out requests)"
                )
        return found
    except (KeyError, TypeError, ValueError):
        return ["no held-out figures of it are recorded"]


def _ranked_with(model: ServedModel) -> FeedState:
    """The feed that the model remembers, after a page for the most active user and one for a stranger.

    Raises InvalidArtifact where that does not work.
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
                pipeline.page(context, ranked, _PAGE)
        return state
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InvalidArtifact(f"it cannot rank the feed that it remembers: {error!r}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _parser().parse_args(argv)
    try:
        registry = open_registry(read_settings())
        verdict = validate(registry, _wanted(registry, args.version))
    except REFUSALS as error:
        return fail(_PROG, error)
    record = verdict.record
    if args.json:
        answer = {
            "version": record.version,
            "status": record.status,
            "valid": not verdict.reasons,
            "reasons": list(verdict.reasons),
            **verdict.holds,
            "metrics": dict(record.metrics),
        }
        print(json.dumps(answer, indent=2))
    if verdict.reasons:
        print(f"{_PROG}: {record.version}: {' '.join('; '.join(verdict.reasons).split())}", file=sys.stderr)
        return 1
    if not args.json:
        print(_said(verdict))
    return 0


def _wanted(registry: FileModelRegistry, version: str | None) -> ModelRecord:
    """The version that was asked for, else the newest. Raises UnknownVersion, InvalidArtifact."""
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


def _said(verdict: Verdict) -> str:
    record = verdict.record
    figures: Mapping[str, Any] = record.metrics["prequential"]
    own, random = (figures[name]["ndcg@10"] for name in (_RANKER[record.config["algorithm"]], "random"))
    held_out = (
        f"NDCG@10 {own['mean']:.4f}, random {random['mean']:.4f}, {own['n']} held-out requests"
        if own["n"]
        else "no held-out request to judge it by"
    )
    holds = ", ".join(f"{count} {name}" for name, count in verdict.holds.items())
    return f"{record.version}: valid ({record.status}); {holds}; {held_out}"


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=_PROG,
        description="Verify a registered model, rank with it, and weigh the figures of its training.",
    )
    parser.add_argument(
        "--version", metavar="V", help="e.g. v3, or active (default: the newest version, whatever its status)"
    )
    parser.add_argument("--json", action="store_true", help="print the verdict for a program")
    return parser


if __name__ == "__main__":
    sys.exit(main())
