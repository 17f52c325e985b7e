"""A model as one file for another machine: its manifest as a line of JSON, then the artefact's bytes."""

import json
from pathlib import Path

from app.domain.errors import InvalidArtifact
from app.infrastructure.ml.registry.manifest import Manifest
from app.infrastructure.ml.registry.restricted_pickle import read_regular_file
from app.shared.atomic_file import write_atomically

MAGIC = b"feed-model-bundle 1 "
_MANIFEST_LIMIT_BYTES = 16 * 1024**2


def write_bundle(path: Path, manifest: Manifest, content: bytes) -> None:
    """Write `path` whole or not at all. Raises OSError."""
    line = json.dumps(manifest.to_json(), allow_nan=False).encode()
    write_atomically(path, [MAGIC, line, b"\n", content])


def is_bundle(content: bytes) -> bool:
    """Whether `content` starts as a bundle does."""
    return content.startswith(MAGIC)


def read_bundle_file(path: Path, size_limit_bytes: int) -> bytes:
    """The bytes of the file (links are followed: the caller names it). Raises InvalidArtifact."""
    return read_regular_file(path.resolve(), size_limit_bytes + _MANIFEST_LIMIT_BYTES)


def split_bundle(content: bytes, place: str) -> tuple[Manifest, bytes]:
    """Manifest and artefact, neither of them verified. Raises InvalidArtifact naming `place`."""
    if not is_bundle(content):
        raise InvalidArtifact(f"{place}: not an exported model")
    end = content.find(b"\n", 0, _MANIFEST_LIMIT_BYTES)
    if end < 0:
        raise InvalidArtifact(f"{place}: the manifest has no end")
    try:
        given = json.loads(content[len(MAGIC) : end])
    except (ValueError, RecursionError) as error:
        raise InvalidArtifact(f"{place}: the manifest is not readable: {error}") from error
    return Manifest.from_json(given, place), content[end + 1 :]
