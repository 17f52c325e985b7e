"""registry.json: which versions there are and which were active, read without a lock and replaced whole."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Never, Self

from app.domain.errors import InvalidArtifact, UnknownVersion
from app.infrastructure.ml.registry.manifest import Manifest
from app.infrastructure.ml.registry.restricted_pickle import read_regular_file
from app.shared.atomic_file import write_atomically

_SIZE_LIMIT_BYTES = 64 * 1024**2
_ACTIVATIONS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Versions:
    """The content of registry.json.

    manifests    oldest first
    activations  versions in the order they became active, the active one last; what rollback goes back through
    last_number  of the newest version ever made: numbers are not used again after a prune
    """

    manifests: tuple[Manifest, ...] = ()
    activations: tuple[str, ...] = ()
    last_number: int = 0

    @property
    def active(self) -> Manifest | None:
        """The one that serves."""
        return next((one for one in self.manifests if one.record.status == "active"), None)

    @property
    def previous(self) -> Manifest | None:
        """The one that rollback would make active."""
        ready = {one.record.version: one for one in self.manifests if one.record.status == "inactive"}
        return next((ready[version] for version in reversed(self.activations[:-1]) if version in ready), None)

    def get(self, version: str) -> Manifest:
        """Raises UnknownVersion."""
        for manifest in self.manifests:
            if manifest.record.version == version:
                return manifest
        known = ", ".join(one.record.version for one in self.manifests[-10:]) or "none"
        raise UnknownVersion(f"no version {version[:40]!r}; there are: {known}")

    def add(self, manifest: Manifest) -> Self:
        """With an inactive or rejected `manifest` at the end."""
        number = int(manifest.record.version[1:])
        return replace(self, manifests=(*self.manifests, manifest), last_number=max(self.last_number, number))

    def with_active(self, version: str, *, back: bool = False) -> Self:
        """With `version` active; `back` forgets the activations after its last one. Raises UnknownVersion."""
        manifests = tuple(
            one.with_status("active")
            if one.record.version == version
            else one.with_status("inactive")
            if one.record.status == "active"
            else one
            for one in self.manifests
        )
        activations = self.activations
        if back:
            activations = activations[: len(activations) - activations[::-1].index(version)]
        elif activations[-1:] != (version,):
            activations = (*activations, version)[-_ACTIVATIONS_KEPT:]
        return replace(self, manifests=manifests, activations=activations)

    def remove(self, versions: Iterable[str]) -> Self:
        """Without `versions`."""
        gone = frozenset(versions)
        return replace(
            self,
            manifests=tuple(one for one in self.manifests if one.record.version not in gone),
            activations=tuple(version for version in self.activations if version not in gone),
        )


def read_versions(path: Path) -> Versions:
    """The content of `path`, nothing when there is no such file. Raises InvalidArtifact naming the place."""
    try:
        path.lstat()
    except FileNotFoundError:
        return Versions()
    except OSError as error:  # the folder is a file, or closed to us
        raise InvalidArtifact(f"{path}: {error.strerror or error}") from error
    content = read_regular_file(path, _SIZE_LIMIT_BYTES)
    try:
        given = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidArtifact(f"{path.name} is not readable: {error}; restore it or move it away") from error
    if not isinstance(given, dict) or not isinstance(given.get("models"), list):
        raise InvalidArtifact(f"{path.name} has no list of models; restore it or move it away")
    manifests = tuple(
        Manifest.from_json(one, f"{path.name}: models[{index}]") for index, one in enumerate(given["models"])
    )
    _check_unique(path.name, manifests)
    return _versions(path.name, given, manifests)


def _check_unique(place: str, manifests: tuple[Manifest, ...]) -> None:
    if len({one.record.version for one in manifests}) < len(manifests):
        raise InvalidArtifact(f"{place}: a version stands there twice")
    if sum(one.record.status == "active" for one in manifests) > 1:
        raise InvalidArtifact(f"{place}: more than one version is active")


def _versions(place: str, given: dict[str, Any], manifests: tuple[Manifest, ...]) -> Versions:
    activations = given.get("activations", [])
    if not isinstance(activations, list) or not all(isinstance(version, str) for version in activations):
        raise InvalidArtifact(f"{place}: activations: not a list of versions")
    last_number = given.get("last_number", 0)
    if type(last_number) is not int or last_number < 0:
        raise InvalidArtifact(f"{place}: last_number: not a number of a version")
    newest = max((int(one.record.version[1:]) for one in manifests), default=0)
    versions = Versions(manifests, tuple(activations), max(newest, last_number))
    active = versions.active
    # A status that was edited by hand counts as an activation.
    return versions.with_active(active.record.version) if active else versions


def write_versions(path: Path, versions: Versions) -> None:
    """Replace `path`; on disk when this returns. The caller holds the lock. Raises OSError."""
    content = {
        "models": [one.to_json() for one in versions.manifests],
        "activations": list(versions.activations),
        "last_number": versions.last_number,
    }
    write_atomically(path, [json.dumps(content, indent=2, allow_nan=False).encode(), b"\n"])


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
