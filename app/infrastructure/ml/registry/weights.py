"""Versions that hold the weights of a choice model alone. All else is in the artefact of another version, the base.

A service of an earlier version cannot read them. It serves the version that was active before, at last the base.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from app.domain.entities.model_record import ModelRecord
from app.domain.errors import InvalidArtifact
from app.domain.ranking.choice_model import ChoiceModel
from app.infrastructure.ml.registry.manifest import Manifest

FORMAT: Final = "weights 1"
MAX_BYTES: Final = 100_000
MAX_VERSIONS: Final = 20
"""The newest ones; older ones are removed when another is published."""


def weights_artifact(model: ChoiceModel) -> dict[str, Any]:
    """The content of a version with these weights."""
    return {"format": FORMAT, "choice": asdict(model)}


def is_weights(artifact: Mapping[str, Any]) -> bool:
    """Whether an artefact holds weights alone."""
    return artifact.get("format") == FORMAT


def completed(weights: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The whole artefact: the base with other weights. Raises InvalidArtifact if the weights have none."""
    if "choice" not in weights or is_weights(base):
        raise InvalidArtifact("the weights and their base do not fit together; train again")
    return {**base, "choice": weights["choice"]}


def find_base(record: ModelRecord | Manifest, among: Sequence[Manifest]) -> Manifest:
    """The manifest of the base of a version. Raises InvalidArtifact if it was removed."""
    sha256 = base_sha256(record)
    found = next((one for one in among if one.sha256 == sha256), None)
    if found is None:
        raise InvalidArtifact(
            f"{record.version}: its base was removed; promote another version, or train again"
        )
    return found


def full_training(record: ModelRecord, among: Sequence[Manifest]) -> ModelRecord:
    """The full training over which a version has weights, or the version itself. Raises InvalidArtifact."""
    return record if base_sha256(record) is None else find_base(record, among).record


def config_over(base: ModelRecord) -> dict[str, Any]:
    """The configuration of a version with weights over a full training."""
    named = {"version": base.version, "sha256": base.sha256, "created_at": base.created_at}
    return {**base.config, "base": named}


def newest_over(base: ModelRecord, among: Sequence[Manifest]) -> Manifest | None:
    """The newest version with weights over a base that was not rejected; None if there is none."""
    found = (one for one in reversed(among) if base_sha256(one) == base.sha256)
    return next((one for one in found if one.status != "rejected"), None)


def base_sha256(record: ModelRecord | Manifest) -> str | None:
    """The SHA-256 of a version's base; None for a version that is complete."""
    base = record.config.get("base")
    return str(base.get("sha256")) if isinstance(base, Mapping) else None


def outnumbered(models: Sequence[Manifest], serving: Collection[Manifest | None]) -> list[Manifest]:
    """The versions with weights beyond the newest MAX_VERSIONS; none of those in `serving`."""
    weights = [one for one in models if base_sha256(one) is not None]
    return [one for one in weights[:-MAX_VERSIONS] if one not in serving]


def with_dependants(
    gone: Sequence[Manifest], models: Sequence[Manifest], serving: Collection[Manifest | None]
) -> list[Manifest]:
    """`gone` without the bases of `serving`, and with the versions whose base goes."""
    needed = {base_sha256(one) for one in serving if one is not None}
    removed = [one for one in gone if one.sha256 not in needed]
    lost = {one.sha256 for one in removed}
    dependants = [one for one in models if base_sha256(one) in lost and one not in serving]
    return list({one.version: one for one in (*removed, *dependants)}.values())
