"""A bundle: a model as one file that travels. Its manifest is one line of JSON; the bytes of the artefact follow."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.domain.errors import InvalidArtifact
from app.infrastructure.ml.registry.manifest import Manifest, parse_json
from app.infrastructure.ml.registry.regular_file import open_regular_file
from app.infrastructure.ml.registry.signing import PublicKey
from app.shared.atomic_file import write_atomically

_MAGIC: Final = b"feed-model-bundle 1 "
_MANIFEST_LIMIT_BYTES: Final = 16 * 1024**2


def write_bundle(path: Path, manifest: Manifest, content: bytes) -> None:
    """Write the file, whole or not at all; `read_bundle` reads it. Raises OSError."""
    line = json.dumps(manifest.model_dump(), allow_nan=False).encode()
    write_atomically(path, [_MAGIC, line, b"\n", content])


def read_bundle(
    path: Path, trusted: Mapping[str, PublicKey], size_limit_bytes: int, *, content: bool = True
) -> tuple[Manifest, bytes] | None:
    """The manifest, checked, and the bytes of the artefact, not yet; None if the file is no bundle.

    Without `content`, the bytes are not read. Never more than the signed size is read. Links are followed, because the
    caller names the file. Raises InvalidArtifact.
    """
    with open_regular_file(path.resolve()) as (file, size_bytes):
        if file.read(len(_MAGIC)) != _MAGIC:
            return None
        line = file.readline(_MANIFEST_LIMIT_BYTES)
        if not line.endswith(b"\n"):
            raise InvalidArtifact(f"{path.name}: the manifest has no end")
        manifest = parse_json(Manifest, line, f"{path.name}: the manifest")
        manifest.check(trusted)
        manifest.check_size(size_bytes - len(_MAGIC) - len(line), size_limit_bytes)
        return manifest, file.read(manifest.size_bytes) if content else b""
