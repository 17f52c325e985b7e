"""What is known about an artefact before a byte of it is read, and the signature over that."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Self, get_args

import numpy as np

from app.domain.entities.model_record import ModelRecord, ModelStatus
from app.domain.errors import InvalidArtifact
from app.infrastructure.ml.registry import restricted_pickle
from app.infrastructure.ml.registry.signing import PublicKey, Signer

FILENAME = re.compile(r"model_\d{8}_\d{6}(_\d+)?\.pkl", re.ASCII)
_VERSION = re.compile(r"v[1-9]\d{0,8}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TEXTS = ("version", "filename", "created_at", "status", "sha256", "note", "key_id", "signature")
_OBJECTS = ("metrics", "config", "libraries")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One artefact: its line in the registry, the libraries that made it, who signed, and the signature.

    Everything but `status` is under the signature: an entry's parts cannot be changed or swapped with
    another's, while a service without the private key may still promote one signed version or another.
    """

    record: ModelRecord
    libraries: Mapping[str, str]
    key_id: str
    signature: str

    @classmethod
    def sign(cls, record: ModelRecord, libraries: Mapping[str, str], signer: Signer) -> Self:
        """The manifest of `record` under `signer`'s key."""
        unsigned = cls(record, libraries, signer.public.key_id, "")
        return replace(unsigned, signature=signer.sign(unsigned._message()))

    @classmethod
    def from_json(cls, given: object, place: str) -> Self:
        """Read what `to_json` wrote. Raises InvalidArtifact naming `place` and the field.

        Says nothing about the signature.
        """
        if not isinstance(given, dict):
            raise InvalidArtifact(f"{place}: not an object")
        values: dict[str, Any] = given
        for name in (*_TEXTS, *_OBJECTS, "size_bytes"):
            wanted: type = str if name in _TEXTS else dict if name in _OBJECTS else int
            if type(values.get(name)) is not wanted:
                raise InvalidArtifact(f"{place}: {name}: missing, or not of type {wanted.__name__}")
        for name, valid in (
            ("version", _VERSION.fullmatch(values["version"])),
            ("sha256", _SHA256.fullmatch(values["sha256"])),
            ("status", values["status"] in get_args(ModelStatus)),
            ("size_bytes", 0 <= values["size_bytes"] < 2**63),
            *((name, _is_text(values[name])) for name in _TEXTS),
        ):
            if not valid:
                raise InvalidArtifact(f"{place}: {name}: {ascii(values[name])[:80]}")
        return cls(
            ModelRecord(**{field.name: values[field.name] for field in fields(ModelRecord)}),
            {str(name): str(version) for name, version in values["libraries"].items()},
            values["key_id"],
            values["signature"],
        )

    def to_json(self) -> dict[str, Any]:
        """One flat object, the owner's fields first."""
        record = self.record
        return {
            "version": record.version,
            "filename": record.filename,
            "created_at": record.created_at,
            "metrics": dict(record.metrics),
            "config": dict(record.config),
            "status": record.status,
            "note": record.note,
            "sha256": record.sha256,
            "size_bytes": record.size_bytes,
            "libraries": dict(self.libraries),
            "key_id": self.key_id,
            "signature": self.signature,
        }

    def with_status(self, status: ModelStatus) -> Self:
        """The same artefact in another role; the signature holds."""
        return replace(self, record=replace(self.record, status=status))

    def check(self, trusted: Mapping[str, PublicKey]) -> None:
        """Raise InvalidArtifact unless a trusted key signed this and the libraries here can read it."""
        record = self.record
        if not FILENAME.fullmatch(record.filename):
            raise InvalidArtifact(f"{record.version}: not a plain file name: {record.filename[:80]!r}")
        key = trusted.get(self.key_id)
        if key is None:
            known = ", ".join(sorted(trusted)) or "none"
            raise InvalidArtifact(f"{record.version}: signed by key {self.key_id[:32]!r}; trusted: {known}")
        if not key.verifies(self._message(), self.signature):
            raise InvalidArtifact(f"{record.version}: the signature does not fit the manifest")
        restricted_pickle.check_versions(self.libraries)

    def check_content(self, content: bytes) -> None:
        """Raise InvalidArtifact unless `content` is what the manifest describes."""
        record = self.record
        if len(content) != record.size_bytes:
            raise InvalidArtifact(f"{record.filename}: {len(content)} bytes instead of {record.size_bytes}")
        if hashlib.sha256(content).hexdigest() != record.sha256:
            raise InvalidArtifact(f"{record.filename}: the SHA-256 is not the registered one")

    def unpack(self, content: bytes, trusted: Mapping[str, PublicKey]) -> dict[str, Any]:
        """The artefact in `content`, everything checked before it is unpickled. Raises InvalidArtifact."""
        self.check(trusted)
        self.check_content(content)
        return restricted_pickle.deserialise(content)

    def _message(self) -> bytes:
        signed = self.to_json()
        del signed["status"], signed["signature"]
        try:
            text = json.dumps(signed, sort_keys=True, allow_nan=False)
        except ValueError as error:  # a reader of JSON makes infinity of 1e999
            raise InvalidArtifact(f"{self.record.version}: a figure of the manifest is no number") from error
        return b"feed model manifest 1\n" + text.encode()


def _is_text(value: str) -> bool:
    """Whether it can be written: JSON may spell half of a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def plain_json(value: Any, place: str) -> Any:
    """`value` as JSON keeps it: numpy values as Python's, tuples as lists, a figure that is not finite as null.

    Raises ValueError naming the place of what JSON has no word for.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, list | tuple):
        return [plain_json(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"{place}: every key must be a string")
        return {key: plain_json(item, f"{place}.{key}") for key, item in value.items()}
    raise ValueError(f"{place}: {type(value).__name__} is not plain data")


def parse_created_at(text: str) -> datetime:
    """An aware time in UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"created_at: no zone: {text!r}")
    return moment.astimezone(UTC)
