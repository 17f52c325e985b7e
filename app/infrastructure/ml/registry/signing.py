r"""Ed25519 keys of published models: training signs with the private half, services trust public halves.

A key is written as base64 of its 32 raw bytes, or as PEM (line breaks may be given as a literal `\n`).
"""

import base64
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from app.shared.atomic_file import create_private_file
from app.shared.exceptions import ConfigurationError

log = logging.getLogger(__name__)

PRIVATE_FILE = "model_signing.key"
PUBLIC_FILE = "model_trusted.pub"
_Key = TypeVar("_Key")


class PublicKey:
    """The half that verifies. `key_id` is the first 16 hex digits of the SHA-256 of its raw bytes."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        raw = key.public_bytes_raw()
        self.key_id = hashlib.sha256(raw).hexdigest()[:16]
        self.text = base64.b64encode(raw).decode()

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Read base64 or PEM. Raises ValueError, UnsupportedAlgorithm."""
        pem = _pem(text)
        key = load_pem_public_key(pem) if pem else Ed25519PublicKey.from_public_bytes(_raw(text))
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("not an Ed25519 public key")
        return cls(key)

    def verifies(self, message: bytes, signature: str) -> bool:
        """Whether `signature` (base64) is this key's over `message`."""
        try:
            self._key.verify(base64.b64decode(signature, validate=True), message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """The half that signs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """Read base64 or PEM. Raises ValueError, UnsupportedAlgorithm, TypeError (for an encrypted PEM)."""
        pem = _pem(text)
        key = load_pem_private_key(pem, None) if pem else Ed25519PrivateKey.from_private_bytes(_raw(text))
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 private key")
        return cls(key)

    @classmethod
    def generate(cls) -> "Signer":
        return cls(Ed25519PrivateKey.generate())

    def sign(self, message: bytes) -> str:
        """The signature over `message`, in base64."""
        return base64.b64encode(self._key.sign(message)).decode()

    def pem(self) -> bytes:
        """The private key as unencrypted PKCS #8."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class ModelKeys:
    """What a process holds: the private half only where it signs."""

    signer: Signer | None
    trusted: Mapping[str, PublicKey]
    """By key id."""


def model_keys(
    signing_key: str | None, trusted_keys: Sequence[str], keys_dir: Path, *, signs: bool
) -> ModelKeys:
    """The keys of this process; what is not given is made once under `keys_dir` (0600), with a warning.

    signing_key   MODEL_SIGNING_KEY; ignored unless `signs`, so that a service never holds it
    trusted_keys  MODEL_TRUSTED_KEYS; a signing process also trusts its own key

    Raises ConfigurationError naming the variable or the file that holds no key. Where `keys_dir` cannot be
    written, a service trusts nobody (each model is then refused with that reason) and a signer is an error.
    """
    signer: Signer | None = None
    if signs and signing_key:
        signer = _parse(Signer.parse, signing_key, "MODEL_SIGNING_KEY", "private")
    elif signs:
        try:
            signer = _load_or_create_signer(keys_dir)
        except OSError as error:
            reason = f"{keys_dir} is of no use: {error.strerror or error}"
            raise ConfigurationError(f"MODEL_SIGNING_KEY: unset, and {reason}") from None
    trusted = [_parse(PublicKey.parse, text, "MODEL_TRUSTED_KEYS", "public") for text in trusted_keys]
    if not trusted and not (signing_key and signs):
        trusted = _load_public(keys_dir)
    if signer is not None:
        trusted.append(signer.public)
    return ModelKeys(signer, {key.key_id: key for key in trusted})


def _parse(parse: Callable[[str], _Key], text: str, place: str, kind: str) -> _Key:
    """Read a key of one `kind`. Raises ConfigurationError with `place`, and without the text, which may be secret."""
    try:
        return parse(text)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        problem = f"not an Ed25519 {kind} key (base64 of 32 bytes, or PEM)"
        raise ConfigurationError(f"{place}: {problem}") from None


def _load_public(keys_dir: Path) -> list[PublicKey]:
    path = keys_dir / PUBLIC_FILE
    try:
        if not path.exists():
            _load_or_create_signer(keys_dir)
        return [_parse(PublicKey.parse, path.read_text("ascii", errors="replace"), str(path), "public")]
    except OSError as error:
        message = "MODEL_TRUSTED_KEYS is unset and %s cannot be used (%s): no model is trusted"
        log.warning(message, keys_dir, error.strerror)
        return []


def _load_or_create_signer(keys_dir: Path) -> Signer:
    """The key pair in `keys_dir`, made when there is none; of several makers at once the first one wins."""
    private = keys_dir / PRIVATE_FILE
    if not private.exists() and create_private_file(private, Signer.generate().pem()):
        log.warning("made a model signing key of this machine's own: %s", private)
    signer = _parse(Signer.parse, private.read_text("ascii", errors="replace"), str(private), "private")
    create_private_file(keys_dir / PUBLIC_FILE, signer.public.text.encode() + b"\n")
    return signer


def _raw(text: str) -> bytes:
    """The bytes of base64 in either alphabet, with or without padding. Raises ValueError."""
    text = text.strip().replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _pem(text: str) -> bytes:
    r"""The PEM in `text`, in which line breaks may be a literal `\n`; nothing for a key in base64."""
    return text.replace("\\n", "\n").encode() if "-----BEGIN" in text else b""
