"""Versions that hold weights alone: what completes them, and what a registry does without it."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.entities.model_record import CHANNELS, ModelRecord
from app.domain.errors import InvalidArtifact, NotActive, UnknownVersion
from app.domain.ranking.choice_model import ChoiceModel
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.model_source import FileModelSource, RegistryModelSource
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.weights import MAX_BYTES, MAX_VERSIONS, weights_artifact
from tests.support.registries import NOON, training_keys
from tests.support.small_service import SmallService, random_choice_model


@pytest.fixture
def registry(tmp_path: Path) -> FileModelRegistry:
    """With one complete version, which is active."""
    registry = FileModelRegistry(tmp_path / "models", training_keys())
    service = SmallService()
    service.add_users("reader", "ann")
    for number in range(8):
        service.add_post(f"p{number}", "ann")
    service.track("reader", "p1", "like")
    model = service.train(learned=True).model
    assert isinstance(model, ServedModel)
    registry.publish(model.to_artifact(), metrics={}, config={}, created_at=NOON)
    return registry


def active(registry: FileModelRegistry) -> ModelRecord:
    found = registry.active()
    assert found is not None
    return found


def publish_weights(registry: FileModelRegistry, factor: float, **changes: Any) -> ModelRecord:
    """Weights of another size, which complete the first version."""
    base, model = registry.record("v1"), random_choice_model()
    values: dict[str, Any] = {
        "metrics": {},
        "config": {"base": {"version": base.version, "sha256": base.sha256}},
        "created_at": NOON,
        "replaces": active(registry),
    }
    artifact = weights_artifact(replace(model, linear=model.linear * factor))
    return registry.publish(artifact, **values | changes)


def weights_of(model: object) -> ChoiceModel:
    assert isinstance(model, ServedModel)
    assert model.choice_model is not None
    return model.choice_model


def test_a_version_with_weights_is_small_and_completed_by_its_base(registry: FileModelRegistry) -> None:
    record = publish_weights(registry, 2.0)

    loaded = registry.load(record.version)
    assert record.size_bytes < MAX_BYTES
    assert loaded["text"].keys() == registry.load("v1")["text"].keys()
    np.testing.assert_array_equal(loaded["choice"]["linear"], 2 * random_choice_model().linear)
    assert record.text_space_sha256 == registry.record("v1").sha256


def test_the_largest_weights_are_within_the_limit_of_their_size(registry: FileModelRegistry) -> None:
    n, units = 39, 64
    large = replace(
        random_choice_model(), hidden=np.zeros((n, units)), bias=np.zeros(units), output=np.zeros(units)
    )

    assert publish_weights(registry, 1.0, status="inactive").size_bytes < MAX_BYTES / 10
    record = registry.publish(
        weights_artifact(large), metrics={}, config={}, created_at=NOON, status="inactive"
    )
    assert record.size_bytes < MAX_BYTES


def test_a_service_reads_the_base_once_for_all_its_weights(registry: FileModelRegistry) -> None:
    source = RegistryModelSource(registry)
    base = source.fetch(active(registry)).model
    publish_weights(registry, 2.0)

    model = source.fetch(active(registry)).model

    assert isinstance(base, ServedModel)
    assert isinstance(model, ServedModel)
    assert model.text_space is base.text_space
    np.testing.assert_array_equal(weights_of(model).linear, 2 * weights_of(base).linear)
    fresh = RegistryModelSource(registry).fetch(active(registry)).model
    np.testing.assert_array_equal(weights_of(fresh).linear, weights_of(model).linear)


def test_the_channels_are_the_served_full_training_and_its_newest_weights(
    registry: FileModelRegistry, tmp_path: Path
) -> None:
    source = RegistryModelSource(registry)

    def channels(served: ModelRecord) -> list[str]:
        return [source.channel_record(channel, served).version for channel in CHANNELS]

    base = active(registry)
    assert channels(base) == ["v1", "v1"]
    publish_weights(registry, 2.0)
    publish_weights(registry, 3.0)
    publish_weights(registry, 4.0, status="rejected")
    assert channels(active(registry)) == ["v1", "v3"]
    assert channels(base) == ["v1", "v3"]
    registry.rollback()
    assert channels(active(registry)) == ["v1", "v2"]
    complete = registry.load("v1")
    registry.publish({**complete, "sizes": {}}, metrics={}, config={}, created_at=NOON)
    assert channels(active(registry)) == ["v5", "v5"]

    alone = FileModelSource(registry, tmp_path / "models" / active(registry).filename)
    with pytest.raises(UnknownVersion, match="channel 'full': MODEL_PATH is set; unset it"):
        alone.channel_record("full", active(registry))


def test_a_channel_shares_all_but_the_weights_with_the_served_version(registry: FileModelRegistry) -> None:
    publish_weights(registry, 2.0)
    source = RegistryModelSource(registry)
    served = source.fetch(active(registry))

    full = source.fetch(source.channel_record("full", served.record))

    assert isinstance(full.model, ServedModel)
    assert isinstance(served.model, ServedModel)
    assert full.record.version == "v1"
    assert full.model.collaborative_filter is served.model.collaborative_filter
    np.testing.assert_array_equal(2 * weights_of(full.model).linear, weights_of(served.model).linear)


def test_weights_are_rejected_if_another_version_is_active_by_now(registry: FileModelRegistry) -> None:
    compared_with = active(registry)
    publish_weights(registry, 2.0)

    with pytest.raises(NotActive, match="v1 is not active any more"):
        publish_weights(registry, 3.0, replaces=compared_with)

    assert [one.version for one in registry.records()] == ["v1", "v2"]
    assert active(registry).version == "v2"


def test_a_service_of_an_earlier_version_serves_the_base(registry: FileModelRegistry) -> None:
    publish_weights(registry, 2.0)
    publish_weights(registry, 3.0)

    # An earlier version reads artefacts as they are stored, and the next candidate after one that it cannot read.
    served = []
    for candidate in registry.candidates():
        try:
            ServedModel.from_artifact(registry.load_stored(candidate.version))
            served.append(candidate.version)
        except InvalidArtifact:
            continue
    assert served == ["v1"]


def test_the_newest_weights_are_kept_and_so_is_their_base(registry: FileModelRegistry) -> None:
    for number in range(MAX_VERSIONS + 3):
        publish_weights(registry, 1.0 + number)
        registry.prune_weights()

    versions = [one.version for one in registry.records()]
    assert versions == ["v1", *(f"v{number}" for number in range(5, MAX_VERSIONS + 5))]
    registry.prune(0)
    assert [one.version for one in registry.records()] == ["v1", *versions[-2:]]
    assert registry.load(active(registry).version)["choice"]


def test_a_base_takes_its_weights_with_it(registry: FileModelRegistry) -> None:
    publish_weights(registry, 2.0)
    complete = registry.load("v1")
    registry.publish(complete, metrics={}, config={}, created_at="2026-02-01T12:00:00Z")

    registry.remove_made_before(datetime(2026, 2, 1, tzinfo=UTC))

    assert [one.version for one in registry.records()] == ["v3"]


def test_weights_of_other_inputs_are_rejected(registry: FileModelRegistry) -> None:
    model = random_choice_model()
    other = replace(model, names=tuple(name.upper() for name in model.names))
    record = publish_weights(registry, 1.0)
    stored = registry.load_stored(record.version)
    base = ServedModel.from_artifact(registry.load("v1"))

    with pytest.raises(InvalidArtifact, match="not of the inputs of their base"):
        base.with_weights({**stored, "choice": asdict(other)})
    with pytest.raises(InvalidArtifact, match="'choice' is missing or not as training writes it"):
        base.with_weights({**stored, "choice": asdict(replace(model, linear=model.linear * np.nan))})


def test_weights_are_not_exported_without_their_base(registry: FileModelRegistry, tmp_path: Path) -> None:
    publish_weights(registry, 2.0)

    with pytest.raises(InvalidArtifact, match="v2 holds weights alone; export its base, v1"):
        registry.export("v2", tmp_path / "model.bundle")
