"""ModelRegistry in a folder: the artefacts beside registry.json.

Writers exclude each other by a file lock that dies with its process. Readers take none: each file is replaced
whole, the artefact before the registry that names it, so a kill at any point leaves the old state or the new one.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from app.domain.entities.model_record import Channel, ModelRecord, ModelStatus
from app.domain.errors import InvalidArtifact, ModelUnavailable, NotActive, UnknownVersion
from app.infrastructure.ml.registry import restricted_pickle as plain
from app.infrastructure.ml.registry import weights
from app.infrastructure.ml.registry.bundle import read_bundle, write_bundle
from app.infrastructure.ml.registry.manifest import FILENAME, Manifest, Trial, parse_created_at, plain_json
from app.infrastructure.ml.registry.registry_index import Versions, read_versions, write_versions
from app.infrastructure.ml.registry.signing import ModelKeys
from app.shared.atomic_file import remove_drafts, write_atomically

REGISTRY_FILE = "registry.json"
LOCK_FILE = ".registry.lock"
SIZE_LIMIT_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class FileModelRegistry:
    """Versions, artefacts and the active one, in `models_dir`.

    Args:
        models_dir: made by the first writer; readers need no write access.
        keys: whose signatures are trusted, and for writers of artefacts the key that signs.
        size_limit_bytes: a larger artefact is neither written nor read.
        lock_wait_seconds: how long a writer waits for another one.
        trial: called with the bytes of an artefact before it is read; services use `artefact_trial`.
    """

    models_dir: Path
    keys: ModelKeys
    size_limit_bytes: int = SIZE_LIMIT_BYTES
    lock_wait_seconds: float = 60
    trial: Trial | None = None

    def records(self) -> tuple[ModelRecord, ...]:
        """All versions, oldest first. Raises InvalidArtifact when registry.json is unreadable."""
        return tuple(one.record for one in self._read().models)

    def record(self, version: str) -> ModelRecord:
        """One version. Raises UnknownVersion, InvalidArtifact."""
        return self._read().get(version).record

    def active(self) -> ModelRecord | None:
        """The version that serves. Raises InvalidArtifact when registry.json is unreadable."""
        manifest = self._read().active
        return manifest.record if manifest else None

    def previous(self) -> ModelRecord | None:
        """The version that `rollback` would make active. Raises InvalidArtifact as `records` does."""
        manifest = self._read().previous
        return manifest.record if manifest else None

    def candidates(self) -> tuple[ModelRecord, ...]:
        """The active version, then those that were active before, the last one first; none without an active one.

        Raises InvalidArtifact as `records` does.
        """
        versions = self._read()
        manifests = (versions.active, *versions.previously_active) if versions.active else ()
        return tuple(one.record for one in manifests)

    def rolled_back(self) -> tuple[ModelRecord, ...]:
        """The versions that a rollback replaced, and that were not active since. Raises as `records` does."""
        versions = self._read()
        return tuple(one.record for one in versions.models if one.version in versions.rolled_back)

    def fingerprint(self) -> tuple[int, int, int] | None:
        """Changes whenever registry.json is replaced; None without one. Costs one stat call."""
        try:
            found = (self.models_dir / REGISTRY_FILE).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def load(self, version: str) -> dict[str, Any]:
        """The verified artefact; that of a version with weights alone is completed by its base.

        Raises UnknownVersion, InvalidArtifact.
        """
        versions = self._read()
        return self._load(versions.get(version), versions)

    def load_stored(self, version: str) -> dict[str, Any]:
        """The verified artefact as it is stored: of some versions the weights alone. Raises as `load`."""
        return self._load_stored(self._read().get(version))

    def base(self, version: str) -> ModelRecord:
        """The full training over which a version has weights; itself for a full training.

        Raises UnknownVersion, InvalidArtifact.
        """
        versions = self._read()
        return weights.full_training(versions.get(version).record, versions.models)

    def channel_record(self, channel: Channel, served: ModelRecord) -> ModelRecord:
        """As in ModelSource."""
        versions = self._read()
        base = weights.full_training(served, versions.models)
        if channel == "full":
            return base
        ready = [one for one in versions.models if one.version not in versions.rolled_back]
        newest = weights.newest_over(base, ready)
        return base if newest is None else newest.record

    def check(self, version: str) -> None:
        """Raise InvalidArtifact unless a trusted key signed the version; UnknownVersion if there is none."""
        self._read().get(version).check(self.keys.trusted)

    def load_file(self, path: Path) -> tuple[ModelRecord, dict[str, Any]]:
        """One verified artefact outside the registry: an exported file, or a .pkl beside its registry.json.

        Raises InvalidArtifact, also when nothing beside `path` vouches for it.
        """
        bundle = read_bundle(path, self.keys.trusted, self.size_limit_bytes)
        manifest, content = bundle or self._registered_file(path)
        return manifest.record, manifest.unpack(content, self.keys.trusted, self.trial)

    def file_record(self, path: Path) -> ModelRecord:
        """The record of `load_file`, without reading the artefact. Raises InvalidArtifact."""
        bundle = read_bundle(path, self.keys.trusted, self.size_limit_bytes, content=False)
        return (bundle or self._registered_file(path, content=False))[0].record

    def publish(
        self,
        artifact: Mapping[str, Any],
        *,
        metrics: Mapping[str, Any],
        config: Mapping[str, Any],
        created_at: str,
        status: ModelStatus = "active",
        note: str = "",
        replaces: ModelRecord | None = None,
    ) -> ModelRecord:
        """Write, sign and register an artefact, whole or not at all; `active` replaces the present one.

        created_at: ISO 8601 with zone; names the file. Figures that are not finite become null.
        replaces: the version that must be active still, for one that was compared with it.

        Raises ValueError for values that are not plain data, InvalidArtifact for an artefact that could not be
        loaded again, ModelUnavailable when the folder cannot be written or another writer does not end, NotActive if
        `replaces` is not active any more.
        """
        content = plain.serialise(artifact)
        draft = ModelRecord(
            version="",
            filename="",
            created_at=created_at,
            status="rejected" if status == "rejected" else "inactive",
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            metrics=plain_json(metrics, "metrics"),
            config=plain_json(config, "config"),
            note=note,
        )
        with self._locked() as versions:
            if replaces is not None:
                _check_active(versions, replaces)
            versions, added = self._add(versions, draft, plain.library_versions(), content)
            if status == "active":
                versions = versions.with_active(added)
            write_versions(self.models_dir / REGISTRY_FILE, versions)
            return versions.get(added).record

    def promote(self, version: str) -> ModelRecord | None:
        """Make `version` active after verifying its artefact; returns the record that was active before.

        Raises UnknownVersion, InvalidArtifact (also for a `rejected` one), ModelUnavailable.
        """
        with self._locked() as versions:
            manifest = versions.get(version)
            manifest.check_not_rejected()
            self._load(manifest, versions)
            before = versions.active
            if manifest.status != "active":
                write_versions(self.models_dir / REGISTRY_FILE, versions.with_active(version))
            return before.record if before else None

    def rollback(self, replaces: ModelRecord | None = None) -> ModelRecord:
        """Make the version that was active before the present one active again; returns it.

        replaces: the version that must be active still.

        Raises UnknownVersion when there is none, InvalidArtifact, ModelUnavailable, NotActive if `replaces` is not
        active any more.
        """
        with self._locked() as versions:
            if replaces is not None:
                _check_active(versions, replaces)
            manifest = versions.previous
            if manifest is None:
                raise UnknownVersion("no version was active before this one")
            self._load(manifest, versions)
            write_versions(self.models_dir / REGISTRY_FILE, versions.with_active(manifest.version, back=True))
            return manifest.with_status("active").record

    def prune(self, keep: int) -> tuple[ModelRecord, ...]:
        """Remove all but the `keep` newest of the versions that neither serve nor are next in rollback.

        Returns the versions removed. Raises ValueError for a negative `keep`, InvalidArtifact, ModelUnavailable.
        """
        if keep < 0:
            raise ValueError(f"keep: {keep} is negative")

        def choose(versions: Versions) -> Sequence[Manifest]:
            serving = versions.active, versions.previous
            spare = [one for one in versions.models if one not in serving]
            return weights.with_dependants(spare[: max(len(spare) - keep, 0)], versions.models, serving)

        return self._remove(choose)

    def remove_made_before(self, time: datetime) -> tuple[ModelRecord, ...]:
        """Remove the versions that were made before, except the active one and its base.

        Returns and raises as `prune`.
        """

        def choose(versions: Versions) -> Sequence[Manifest]:
            old = [one for one in versions.models if one != versions.active and one.made_at < time]
            return weights.with_dependants(old, versions.models, (versions.active,))

        return self._remove(choose)

    def prune_weights(self) -> tuple[ModelRecord, ...]:
        """Remove all but the newest versions with weights alone. Returns and raises as `prune`."""
        return self._remove(lambda found: weights.outnumbered(found.models, (found.active, found.previous)))

    def _remove(self, choose: Callable[[Versions], Sequence[Manifest]]) -> tuple[ModelRecord, ...]:
        """Remove some versions, and artefacts that no version names (a kill can leave one)."""
        with self._locked() as versions:
            gone = choose(versions)
            if gone:
                versions = versions.remove([one.version for one in gone])
                write_versions(self.models_dir / REGISTRY_FILE, versions)
            named = {one.filename for one in versions.models}
            for path in self.models_dir.iterdir():
                if FILENAME.fullmatch(path.name) and path.name not in named:
                    path.unlink()
            return tuple(one.record for one in gone)

    def export(self, version: str, output: Path) -> ModelRecord:
        """Write the verified artefact with its manifest and signature to `output`.

        Raises UnknownVersion, InvalidArtifact, OSError.
        """
        manifest = self._read().get(version)
        if weights.base_sha256(manifest) is not None:
            raise InvalidArtifact(
                f"{version} holds weights alone; export its base, {self.base(version).version}"
            )
        content = self._content(manifest)
        manifest.unpack(content, self.keys.trusted)
        write_bundle(output, manifest, content)
        return manifest.record

    def import_file(self, path: Path, *, promote: bool = False) -> ModelRecord:
        """Register an exported model, verified; inactive unless `promote`. A second import adds nothing.

        It keeps its version and file name where they are free; otherwise it is signed again under the next free
        ones, which takes a signing key. Raises InvalidArtifact, ModelUnavailable.
        """
        bundle = read_bundle(path, self.keys.trusted, self.size_limit_bytes)
        if bundle is None:
            raise InvalidArtifact(f"{path.name}: not an exported model")
        manifest, content = bundle
        manifest.unpack(content, self.keys.trusted)
        if promote:
            manifest.check_not_rejected()
        with self._locked() as versions:
            identity = (manifest.sha256, manifest.created_at)
            present = next((one for one in versions.models if (one.sha256, one.created_at) == identity), None)
            if present is None:
                versions, added = self._import(versions, manifest, content)
            else:
                self._load(present, versions)
                added = present.version
            if promote:
                versions = versions.with_active(added)
            if promote or present is None:
                write_versions(self.models_dir / REGISTRY_FILE, versions)
            return versions.get(added).record

    def _import(self, versions: Versions, manifest: Manifest, content: bytes) -> tuple[Versions, str]:
        """Another machine's artefact written here, and the versions with it."""
        if manifest.status == "active":
            manifest = manifest.with_status("inactive")
        is_new = all(one.version != manifest.version for one in versions.models)
        if is_new and self._is_unused(versions, manifest.filename):
            write_atomically(self.models_dir / manifest.filename, [content])
            return versions.add(manifest), manifest.version
        if self.keys.signer is None:
            raise InvalidArtifact(
                f"{manifest.version} ({manifest.filename}) is another model here: MODEL_SIGNING_KEY is needed to "
                "register this one under a number of its own"
            )
        note = f"{manifest.note}; " if manifest.note else ""
        draft = replace(manifest.record, note=f"{note}imported, {manifest.version} where it was made")
        return self._add(versions, draft, manifest.libraries, content)

    def _add(
        self, versions: Versions, draft: ModelRecord, libraries: Mapping[str, str], content: bytes
    ) -> tuple[Versions, str]:
        """`content` written and signed under the next version, and the versions with it."""
        if self.keys.signer is None:
            raise ModelUnavailable("nothing can be published without a signing key: MODEL_SIGNING_KEY")
        stem = f"model_{parse_created_at(draft.created_at):%Y%m%d_%H%M%S}"
        names = (f"{stem}.pkl" if number == 1 else f"{stem}_{number}.pkl" for number in count(1))
        filename = next(name for name in names if self._is_unused(versions, name))
        version = f"v{versions.last_number + 1}"
        manifest = Manifest.sign(
            replace(draft, version=version, filename=filename), libraries, self.keys.signer
        )
        manifest.check(self.keys.trusted)
        manifest.check_size(len(content), self.size_limit_bytes)
        write_atomically(self.models_dir / filename, [content])
        return versions.add(manifest), version

    def _is_unused(self, versions: Versions, filename: str) -> bool:
        named = any(one.filename == filename for one in versions.models)
        return not named and not os.path.lexists(self.models_dir / filename)

    def _read(self) -> Versions:
        return read_versions(self.models_dir / REGISTRY_FILE)

    def _load(self, manifest: Manifest, versions: Versions) -> dict[str, Any]:
        artifact = self._load_stored(manifest)
        if not weights.is_weights(artifact):
            return artifact
        return weights.completed(artifact, self._load_stored(weights.find_base(manifest, versions.models)))

    def _load_stored(self, manifest: Manifest) -> dict[str, Any]:
        return manifest.unpack(self._content(manifest), self.keys.trusted, self.trial)

    def _content(self, manifest: Manifest) -> bytes:
        """The bytes of a manifest that is trusted; the manifest is checked first, it names the file and its size."""
        manifest.check(self.keys.trusted)
        return manifest.read(self.models_dir / manifest.filename, self.size_limit_bytes)

    def _registered_file(self, path: Path, *, content: bool = True) -> tuple[Manifest, bytes]:
        """A .pkl beside its registry.json. Raises InvalidArtifact."""
        path = path.resolve()
        registered = read_versions(path.parent / REGISTRY_FILE).models
        manifest = next((one for one in registered if one.filename == path.name), None)
        if manifest is None:
            raise InvalidArtifact(f"{path}: no manifest beside it; use the file of training.export_model")
        manifest.check(self.keys.trusted)
        return manifest, manifest.read(path, self.size_limit_bytes) if content else b""

    @contextmanager
    def _locked(self) -> Iterator[Versions]:
        """The versions as they are, under the lock; what killed writers left is cleared away."""
        try:
            self.models_dir.mkdir(parents=True, exist_ok=True)
            with FileLock(self.models_dir / LOCK_FILE, timeout=self.lock_wait_seconds):
                remove_drafts(self.models_dir)
                yield self._read()
        except Timeout:
            raise ModelUnavailable(
                f"{self.models_dir}: another process has been writing for {self.lock_wait_seconds:g} s"
            ) from None
        except OSError as error:
            raise ModelUnavailable(
                f"{error.filename or self.models_dir}: {error.strerror or error}"
            ) from error


def _check_active(versions: Versions, record: ModelRecord) -> None:
    """Raise NotActive unless the version is active."""
    active = versions.active
    if active is None or active.record.identity != record.identity:
        now = "none" if active is None else active.version
        raise NotActive(f"{record.version} is not active any more (now: {now}); nothing was changed")
