"""ModelRegistry in a folder: the artefacts beside registry.json.

Writers exclude each other by a file lock that dies with its process. Readers take none: each file is replaced
whole, the artefact before the registry that names it, so a kill at any point leaves the old state or the new one.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from app.domain.entities.model_record import ModelRecord, ModelStatus
from app.domain.errors import InvalidArtifact, ModelUnavailable, UnknownVersion
from app.infrastructure.ml.registry import restricted_pickle as plain
from app.infrastructure.ml.registry.manifest import FILENAME, Manifest, plain_json, read_bundle
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
    """

    models_dir: Path
    keys: ModelKeys
    size_limit_bytes: int = SIZE_LIMIT_BYTES
    lock_wait_seconds: float = 60

    @property
    def _file(self) -> Path:
        return self.models_dir / REGISTRY_FILE

    def records(self) -> tuple[ModelRecord, ...]:
        """All versions, oldest first. Raises InvalidArtifact when registry.json is unreadable."""
        return tuple(one.record for one in read_versions(self._file).models)

    def record(self, version: str) -> ModelRecord:
        """One version. Raises UnknownVersion, InvalidArtifact."""
        return read_versions(self._file).get(version).record

    def active(self) -> ModelRecord | None:
        """The version that serves. Raises InvalidArtifact when registry.json is unreadable."""
        manifest = read_versions(self._file).active
        return manifest.record if manifest else None

    def previous(self) -> ModelRecord | None:
        """The version that `rollback` would make active. Raises InvalidArtifact as `records` does."""
        manifest = read_versions(self._file).previous
        return manifest.record if manifest else None

    def fingerprint(self) -> tuple[int, int, int] | None:
        """Changes whenever registry.json is replaced; None without one. Costs one stat call."""
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def load(self, version: str) -> dict[str, Any]:
        """The verified artefact. Raises UnknownVersion, InvalidArtifact."""
        return self._load(read_versions(self._file).get(version))

    def load_file(self, path: Path) -> tuple[ModelRecord, dict[str, Any]]:
        """One verified artefact outside the registry: an exported file, or a .pkl beside its registry.json.

        Raises InvalidArtifact, also when nothing beside `path` vouches for it.
        """
        manifest, content = read_bundle(path, self.size_limit_bytes)
        if manifest is None:
            registered = read_versions(path.resolve().parent / REGISTRY_FILE).models
            manifest = next((one for one in registered if one.filename == path.resolve().name), None)
        if manifest is None:
            raise InvalidArtifact(f"{path}: no manifest beside it; use the file of training.export_model")
        self._check_size(manifest.filename, len(content))
        return manifest.record, manifest.unpack(content, self.keys.trusted)

    def publish(
        self,
        artifact: Mapping[str, Any],
        *,
        metrics: Mapping[str, Any],
        config: Mapping[str, Any],
        created_at: str,
        status: ModelStatus = "active",
        note: str = "",
    ) -> ModelRecord:
        """Write, sign and register an artefact, whole or not at all; `active` replaces the present one.

        created_at: ISO 8601 with zone; names the file. Figures that are not finite become null.

        Raises ValueError for values that are not plain data, InvalidArtifact for an artefact that could not be
        loaded again, ModelUnavailable when the folder cannot be written or another writer does not end.
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
            versions, added = self._add(versions, draft, plain.library_versions(), content)
            if status == "active":
                versions = versions.with_active(added)
            write_versions(self._file, versions)
            return versions.get(added).record

    def promote(self, version: str) -> ModelRecord | None:
        """Make `version` active after verifying its artefact; returns the record that was active before.

        Raises UnknownVersion, InvalidArtifact (also for a `rejected` one), ModelUnavailable.
        """
        with self._locked() as versions:
            manifest = versions.get(version)
            _check_not_rejected(manifest)
            self._load(manifest)
            before = versions.active
            if manifest.status != "active":
                write_versions(self._file, versions.with_active(version))
            return before.record if before else None

    def rollback(self) -> ModelRecord:
        """Make the version that was active before the present one active again; returns it.

        Raises UnknownVersion when there is none, InvalidArtifact, ModelUnavailable.
        """
        with self._locked() as versions:
            manifest = versions.previous
            if manifest is None:
                raise UnknownVersion("no version was active before this one")
            self._load(manifest)
            write_versions(self._file, versions.with_active(manifest.version, back=True))
            return manifest.with_status("active").record

    def prune(self, keep: int) -> tuple[ModelRecord, ...]:
        """Remove all but the `keep` newest of the versions that neither serve nor are next in rollback.

        Also removes artefacts that no version names (a kill can leave one). Returns the versions removed.
        Raises ValueError for a negative `keep`, InvalidArtifact, ModelUnavailable.
        """
        if keep < 0:
            raise ValueError(f"keep: {keep} is negative")
        with self._locked() as versions:
            held = (versions.active, versions.previous)
            spare = [one for one in versions.models if one not in held]
            gone = spare[: max(len(spare) - keep, 0)]
            if gone:
                versions = versions.remove([one.version for one in gone])
                write_versions(self._file, versions)
            named = {one.filename for one in versions.models}
            for path in self.models_dir.iterdir():
                if FILENAME.fullmatch(path.name) and path.name not in named:
                    path.unlink()
            return tuple(one.record for one in gone)

    def export(self, version: str, output: Path) -> ModelRecord:
        """Write the verified artefact with its manifest and signature to `output`.

        Raises UnknownVersion, InvalidArtifact, OSError.
        """
        manifest = read_versions(self._file).get(version)
        content = self._content(manifest)
        manifest.unpack(content, self.keys.trusted)
        manifest.write_bundle(output, content)
        return manifest.record

    def import_file(self, path: Path, *, promote: bool = False) -> ModelRecord:
        """Register an exported model, verified; inactive unless `promote`. A second import adds nothing.

        It keeps its version and file name where they are free; otherwise it is signed again under the next free
        ones, which takes a signing key. Raises InvalidArtifact, ModelUnavailable.
        """
        manifest, content = read_bundle(path, self.size_limit_bytes)
        if manifest is None:
            raise InvalidArtifact(f"{path.name}: not an exported model")
        self._check_size(path.name, len(content))
        manifest.unpack(content, self.keys.trusted)
        if promote:
            _check_not_rejected(manifest)
        with self._locked() as versions:
            identity = (manifest.sha256, manifest.created_at)
            present = next((one for one in versions.models if (one.sha256, one.created_at) == identity), None)
            if present is None:
                versions, added = self._import(versions, manifest, content)
            else:
                self._load(present)
                added = present.version
            if promote:
                versions = versions.with_active(added)
            if promote or present is None:
                write_versions(self._file, versions)
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
        stem = f"model_{_parse_created_at(draft.created_at):%Y%m%d_%H%M%S}"
        names = (f"{stem}.pkl" if number == 1 else f"{stem}_{number}.pkl" for number in count(1))
        filename = next(name for name in names if self._is_unused(versions, name))
        self._check_size(filename, len(content))
        version = f"v{versions.last_number + 1}"
        manifest = Manifest.sign(
            replace(draft, version=version, filename=filename), libraries, self.keys.signer
        )
        manifest.check(self.keys.trusted)
        write_atomically(self.models_dir / filename, [content])
        return versions.add(manifest), version

    def _is_unused(self, versions: Versions, filename: str) -> bool:
        named = any(one.filename == filename for one in versions.models)
        return not named and not os.path.lexists(self.models_dir / filename)

    def _load(self, manifest: Manifest) -> dict[str, Any]:
        return manifest.unpack(self._content(manifest), self.keys.trusted)

    def _content(self, manifest: Manifest) -> bytes:
        """The bytes of a manifest that is trusted; the manifest is checked first, it names the file."""
        manifest.check(self.keys.trusted)
        return plain.read_regular_file(self.models_dir / manifest.filename, self.size_limit_bytes)

    def _check_size(self, name: str, size_bytes: int) -> None:
        if size_bytes > self.size_limit_bytes:
            raise InvalidArtifact(
                f"{name}: {size_bytes} bytes are more than the {self.size_limit_bytes} allowed"
            )

    @contextmanager
    def _locked(self) -> Iterator[Versions]:
        """The versions as they are, under the lock; what killed writers left is cleared away."""
        try:
            self.models_dir.mkdir(parents=True, exist_ok=True)
            with FileLock(self.models_dir / LOCK_FILE, timeout=self.lock_wait_seconds):
                remove_drafts(self.models_dir)
                yield read_versions(self._file)
        except Timeout:
            raise ModelUnavailable(
                f"{self.models_dir}: another process has been writing for {self.lock_wait_seconds:g} s"
            ) from None
        except OSError as error:
            raise ModelUnavailable(
                f"{error.filename or self.models_dir}: {error.strerror or error}"
            ) from error


def _check_not_rejected(manifest: Manifest) -> None:
    if manifest.status == "rejected":
        raise InvalidArtifact(f"{manifest.version} was rejected: {manifest.note or 'no reason noted'}")


def _parse_created_at(text: str) -> datetime:
    """An aware time in UTC. Raises ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"created_at: no zone: {text!r}")
    return time.astimezone(UTC)
