"""Registries in a folder of the test's own, for the tests beside this file."""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from app.domain.entities.model_record import ModelRecord
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.manifest import Manifest
from app.infrastructure.ml.registry.registry_index import read_versions, write_versions
from app.infrastructure.ml.registry.restricted_pickle import library_versions
from app.infrastructure.ml.registry.signing import ModelKeys, Signer

NOON = "2026-01-13T12:00:00Z"


def training_keys(signer: Signer | None = None) -> ModelKeys:
    """Keys of a machine that signs and trusts itself."""
    signer = signer or Signer.generate()
    return ModelKeys(signer, {signer.public.key_id: signer.public})


def service_keys(keys: ModelKeys) -> ModelKeys:
    """Keys of a machine that trusts `keys` and cannot sign."""
    return ModelKeys(None, keys.trusted)


def publish(registry: FileModelRegistry, name: str = "a model", **changes: Any) -> ModelRecord:
    """A small model whose content differs from that of others."""
    values: dict[str, Any] = {"metrics": {"ndcg@10": 0.3}, "config": {"neighbours": 10}, "created_at": NOON}
    return registry.publish({"name": name, "numbers": np.arange(5.0)}, **values | changes)


def plant(folder: Path, content: bytes, signer: Signer, **changes: Any) -> str:
    """Bytes of any kind as a rightly signed, active v1: what the reader makes of them is then its own doing."""
    libraries: Mapping[str, str] = changes.pop("libraries", library_versions())
    record = ModelRecord(
        version="v1",
        filename="model_20260113_120000.pkl",
        created_at=NOON,
        status="active",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        metrics={},
        config={},
    )
    record = replace(record, **changes)
    folder.mkdir(exist_ok=True)
    (folder / "model_20260113_120000.pkl").write_bytes(content)
    versions = read_versions(folder / "registry.json").add(Manifest.sign(record, libraries, signer))
    write_versions(folder / "registry.json", versions)
    return record.version


def plant_object(folder: Path, value: object, signer: Signer) -> str:
    """The pickle of `value`, planted."""
    return plant(folder, pickle.dumps(value, protocol=5), signer)
