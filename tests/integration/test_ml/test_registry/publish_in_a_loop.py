"""Publishes models without an end, or so many, saying each version: a training that can be killed, or met."""

import sys
from pathlib import Path

from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import model_keys
from tests.support.registries import publish


def main(folder: Path, count: int) -> None:
    """`count` models into `folder`/models under the keys in `folder`/keys."""
    registry = FileModelRegistry(folder / "models", model_keys(None, [], folder / "keys", signs=True))
    for _ in range(count):
        print(publish(registry).version, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
