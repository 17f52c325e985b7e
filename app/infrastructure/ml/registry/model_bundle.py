"""A model as one file for another machine: its manifest as a line of JSON, then the artefact's bytes."""

import json
from pathlib import Path
from typing import Final

from app.domain.errors import InvalidArtifact
from app.infrastructure.ml.registry.manifest import Manifest, parse_json
from app.shared.atomic_file import write_atomically

MAGIC: Final = b"feed-model-bundle 1 "
MANIFEST_LIMIT_BYTES: Final = 16 * 1024**2


def write_bundle(path: Path, manifest: Manifest, content: bytes) -> None:
    """Write `path` whole or not at all. Raises OSError."""
    line = json.dumps(manifest.model_dump(), allow_nan=False).encode()
    write_atomically(path, [MAGIC, line, b"\n", content])


def split_bundle(bundle: bytes, place: str) -> tuple[Manifest, bytes]:
    """Manifest and artefact, neither of them verified. Raises InvalidArtifact naming `place`."""
    if not bundle.startswith(MAGIC):
        raise InvalidArtifact(f"{place}: not an exported model")
    end = bundle.find(b"\n", 0, MANIFEST_LIMIT_BYTES)
    if end < 0:
        raise InvalidArtifact(f"{place}: the manifest has no end")
    return parse_json(Manifest, bundle[len(MAGIC) : end], f"{place}: the manifest"), bundle[end + 1 :]
