"""registry.json: which versions there are and which were active, read without a lock and replaced whole."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, FailFast, NonNegativeInt

from app.domain.errors import InvalidArtifact, UnknownVersion
from app.infrastructure.ml.registry.manifest import Manifest, parse_json
from app.infrastructure.ml.registry.regular_file import read_regular_file
from app.shared.atomic_file import write_atomically

_SIZE_LIMIT_BYTES: Final = 64 * 1024**2
_ACTIVATIONS_KEPT: Final = 100


class Versions(BaseModel):
    """The content of registry.json.

    models       the manifests, oldest first
    activations  versions in the order they became active, the active one last; what rollback goes back through
    last_number  of the newest version ever made: numbers are not used again after a prune
    rolled_back  versions that a rollback replaced, and that were not active since
    """

    model_config = ConfigDict(frozen=True, strict=True)

    models: Annotated[list[Manifest], FailFast()]
    activations: Annotated[list[str], FailFast()] = []
    last_number: NonNegativeInt = 0
    rolled_back: Annotated[list[str], FailFast()] = []

    @property
    def active(self) -> Manifest | None:
        """The one that serves."""
        return next((one for one in self.models if one.status == "active"), None)

    @property
    def previously_active(self) -> list[Manifest]:
        """Those that were active before the active one, the last one first."""
        ready = {one.version: one for one in self.models if one.status == "inactive"}
        return [ready.pop(version) for version in reversed(self.activations[:-1]) if version in ready]

    @property
    def previous(self) -> Manifest | None:
        """The one that rollback would make active."""
        return next(iter(self.previously_active), None)

    def get(self, version: str) -> Manifest:
        """Raises UnknownVersion."""
        for manifest in self.models:
            if manifest.version == version:
                return manifest
        known = ", ".join(one.version for one in self.models[-10:]) or "none"
        raise UnknownVersion(f"no version {version[:40]!r}; there are: {known}")

    def add(self, manifest: Manifest) -> Self:
        """With an inactive or rejected `manifest` at the end."""
        last_number = max(self.last_number, int(manifest.version[1:]))
        return self.model_copy(update={"models": [*self.models, manifest], "last_number": last_number})

    def with_active(self, version: str, *, back: bool = False) -> Self:
        """With `version` active; `back` forgets the activations after its last one. Raises UnknownVersion."""
        models = [one.with_status("inactive") if one.status == "active" else one for one in self.models]
        manifest = self.get(version)
        models[self.models.index(manifest)] = manifest.with_status("active")
        activations, rolled_back = self.activations, self.rolled_back
        if back:
            end = len(activations) - activations[::-1].index(version)
            rolled_back = [*rolled_back, *activations[end:]]
            activations = activations[:end]
        elif activations[-1:] != [version]:
            activations = [*activations, version][-_ACTIVATIONS_KEPT:]
        rolled_back = [one for one in dict.fromkeys(rolled_back) if one != version]
        return self.model_copy(
            update={"models": models, "activations": activations, "rolled_back": rolled_back}
        )

    def remove(self, versions: Collection[str]) -> Self:
        """Without `versions`."""
        models = [one for one in self.models if one.version not in versions]
        activations, rolled_back = (
            [version for version in kept if version not in versions]
            for kept in (self.activations, self.rolled_back)
        )
        return self.model_copy(
            update={"models": models, "activations": activations, "rolled_back": rolled_back}
        )


def read_versions(path: Path) -> Versions:
    """The content of `path`, nothing when there is no such file. Raises InvalidArtifact naming the place."""
    try:
        content = read_regular_file(path, _SIZE_LIMIT_BYTES)
    except InvalidArtifact as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return Versions(models=[])
        raise
    versions = parse_json(Versions, content, path.name)
    if len({one.version for one in versions.models}) < len(versions.models):
        raise InvalidArtifact(f"{path.name}: a version is listed twice")
    if sum(one.status == "active" for one in versions.models) > 1:
        raise InvalidArtifact(f"{path.name}: more than one version is active")
    last_number = max([versions.last_number, *(int(one.version[1:]) for one in versions.models)])
    versions = versions.model_copy(update={"last_number": last_number})
    # A status that was edited by hand counts as an activation.
    return versions.with_active(versions.active.version) if versions.active else versions


def write_versions(path: Path, versions: Versions) -> None:
    """Replace `path`; on disk when this returns. The caller holds the lock. Raises OSError."""
    content = json.dumps(versions.model_dump(), indent=2, allow_nan=False)
    write_atomically(path, [content.encode(), b"\n"])
