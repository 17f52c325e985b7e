"""What is known about an artefact before a byte of it is read, and the signature over that."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Never, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.domain.entities.model_record import ModelRecord, ModelStatus
from app.domain.errors import InvalidArtifact
from app.infrastructure.ml.registry import restricted_pickle
from app.infrastructure.ml.registry.regular_file import open_regular_file
from app.infrastructure.ml.registry.signing import PublicKey, Signer

FILENAME: Final = re.compile(r"model_\d{8}_\d{6}(_\d+)?\.pkl", re.ASCII)
Trial = Callable[[bytes], str | None]
"""Returns why an artefact with these bytes must not be read; None if it may be."""
_Model = TypeVar("_Model", bound=BaseModel)
_Text = Annotated[str, Field(pattern="")]  # with a pattern, pydantic rejects half of a surrogate pair


class Manifest(BaseModel):
    """One artefact: its `ModelRecord`, the libraries that made it, the id of the key that signed, and the signature.

    Everything but `status` is under the signature: an entry's parts cannot be changed or swapped with
    another's, while a service without the private key may still promote one signed version or another.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    version: Annotated[str, Field(pattern="^v[1-9][0-9]{0,8}$")]
    filename: _Text
    created_at: _Text
    metrics: dict[str, Any]
    config: dict[str, Any]
    status: ModelStatus
    note: _Text
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=0, lt=2**63)]
    libraries: dict[str, str]
    key_id: _Text
    signature: _Text

    @classmethod
    def sign(cls, record: ModelRecord, libraries: Mapping[str, str], signer: Signer) -> Self:
        """The manifest of `record` under `signer`'s key."""
        unsigned = cls(**asdict(record), libraries=dict(libraries), key_id=signer.public.key_id, signature="")
        return unsigned.model_copy(update={"signature": signer.sign(unsigned._message())})

    @property
    def record(self) -> ModelRecord:
        """The artefact's line in the registry."""
        return ModelRecord(**{field.name: getattr(self, field.name) for field in fields(ModelRecord)})

    @property
    def made_at(self) -> datetime:
        """The time in `created_at`; one that is no time counts as before all others."""
        try:
            return parse_created_at(self.created_at)
        except ValueError:
            return datetime.min.replace(tzinfo=UTC)

    def with_status(self, status: ModelStatus) -> Self:
        """The same artefact in another role; the signature holds."""
        return self.model_copy(update={"status": status})

    def check(self, trusted: Mapping[str, PublicKey]) -> None:
        """Raise InvalidArtifact unless a trusted key signed this and the libraries here can read it."""
        if not FILENAME.fullmatch(self.filename):
            raise InvalidArtifact(f"{self.version}: not a plain file name: {self.filename[:80]!r}")
        key = trusted.get(self.key_id)
        if key is None:
            known = ", ".join(sorted(trusted)) or "none"
            raise InvalidArtifact(f"{self.version}: signed by key {self.key_id[:32]!r}; trusted: {known}")
        if not key.verifies(self._message(), self.signature):
            raise InvalidArtifact(f"{self.version}: the signature does not fit the manifest")
        try:
            parse_created_at(self.created_at)
        except ValueError:
            raise InvalidArtifact(f"{self.version}: created_at is no time with a time zone") from None
        restricted_pickle.check_versions(self.libraries)

    def check_not_rejected(self) -> None:
        """Raise InvalidArtifact if training rejected the version."""
        if self.status == "rejected":
            raise InvalidArtifact(f"{self.version} was rejected: {self.note or 'no reason noted'}")

    def check_size(self, size_bytes: int, size_limit_bytes: int) -> None:
        """Raise InvalidArtifact unless a file of `size_bytes` can be the artefact, and is within the limit."""
        if self.size_bytes > size_limit_bytes:
            raise InvalidArtifact(
                f"{self.filename}: {self.size_bytes} bytes are more than the {size_limit_bytes} allowed"
            )
        if size_bytes != self.size_bytes:
            raise InvalidArtifact(f"{self.filename}: {size_bytes} bytes instead of {self.size_bytes}")

    def read(self, path: Path, size_limit_bytes: int) -> bytes:
        """The bytes of the file; a file of another size is not read. Raises InvalidArtifact."""
        with open_regular_file(path) as (file, size_bytes):
            self.check_size(size_bytes, size_limit_bytes)
            return file.read(size_bytes)

    def unpack(
        self, content: bytes, trusted: Mapping[str, PublicKey], trial: Trial | None = None
    ) -> dict[str, Any]:
        """The artefact in `content`, everything checked before it is unpickled, at last by `trial`.

        Raises InvalidArtifact.
        """
        self.check(trusted)
        if len(content) != self.size_bytes:
            raise InvalidArtifact(f"{self.filename}: {len(content)} bytes instead of {self.size_bytes}")
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise InvalidArtifact(f"{self.filename}: the SHA-256 is not the registered one")
        if trial is not None and (reason := trial(content)) is not None:
            raise InvalidArtifact(f"{self.filename}: {reason}")
        return restricted_pickle.deserialise(content)

    def _message(self) -> bytes:
        try:
            signed = self.model_dump(exclude={"status", "signature"})
            text = json.dumps(signed, sort_keys=True, allow_nan=False)
        except (ValueError, RecursionError) as error:  # a reader of JSON makes infinity of 1e999
            raise InvalidArtifact(f"{self.version}: a figure of the manifest is no number") from error
        return b"feed model manifest 1\n" + text.encode()


def parse_json(model: type[_Model], content: bytes, place: str) -> _Model:
    """Read `model` from JSON. Raises InvalidArtifact with `place`, the field and the problem."""
    try:
        return model.model_validate(json.loads(content, parse_constant=_reject_constant))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "content"
        raise InvalidArtifact(f"{place}: {field}: {first['msg']}; restore it or move it away") from error
    except (ValueError, RecursionError) as error:
        raise InvalidArtifact(f"{place} is not readable: {error}; restore it or move it away") from error


def parse_created_at(text: str) -> datetime:
    """An aware time in UTC. Raises ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"created_at: no zone: {text!r}")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"created_at: out of range: {text!r}") from error


def _reject_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def plain_json(value: Any, place: str) -> Any:
    """`value` as JSON keeps it: numpy values as Python's, tuples as lists, a figure that is not finite as null.

    Raises ValueError naming `place` and the type of what JSON has no word for.
    """

    def plain(part: object) -> object:
        if isinstance(part, np.generic | np.ndarray):
            return part.tolist()
        if isinstance(part, Mapping):
            return dict(part)
        raise ValueError(f"{place}: {type(part).__name__} is not plain data")

    return json.loads(json.dumps(value, default=plain), parse_constant=lambda _: None)
