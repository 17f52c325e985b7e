"""The secrets that sign cursors and hash ids: set by the deployment, or created once for one machine; and API keys."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from pydantic import SecretStr

from app.infrastructure.config.settings import Settings
from app.shared.api_key_file import ApiKeyFile
from app.shared.api_keys import FindKey, plain_keys
from app.shared.atomic_file import create_private_file
from app.shared.exceptions import ConfigurationError

log = structlog.get_logger()

MIN_SECRET_CHARACTERS: Final = 43  # 32 bytes in base64 without padding; a created secret has 64 hex digits


def cursor_secrets(settings: Settings) -> Sequence[bytes]:
    """Return the secrets of CURSOR_SECRET or, if it is unset, the one in `keys_dir`/cursor_secret.

    If the folder cannot be used, the secret is valid for this process only. Raises ConfigurationError (see `_secrets`).
    """
    known = _secrets(settings.cursor_secret, settings.keys_dir / "cursor_secret", "CURSOR_SECRET")
    return known or [secrets.token_bytes(32)]


def erasure_secrets(settings: Settings, *, creates: bool = True) -> Sequence[bytes]:
    """Return the secrets of ERASURE_SECRET or, if it is unset, the one in `keys_dir`/erasure_secret.

    A missing file is created if `creates`. Returns none if the folder cannot be used: a secret of one process would be
    useless, because hashes of ids outlive it. Raises ConfigurationError (see `_secrets`).
    """
    path = settings.keys_dir / "erasure_secret"
    if not creates and not settings.erasure_secret and not path.exists():
        return []
    return _secrets(settings.erasure_secret, path, "ERASURE_SECRET")


def api_key_lookup(settings: Settings) -> tuple[FindKey | None, ApiKeyFile | None]:
    """Return the look-up of all API keys, which is None if there are none, and the file of API_KEYS_FILE.

    Raises ConfigurationError if the file cannot be used.
    """
    keys = plain_keys([key.get_secret_value() for key in settings.api_keys])
    if settings.api_keys_file is None:
        return (keys.get if keys else None), None
    key_file = ApiKeyFile(settings.api_keys_file, keys)
    return key_file.find, key_file


def _secrets(configured: Sequence[SecretStr], path: Path, variable: str) -> Sequence[bytes]:
    """Return the configured secrets or, if there are none, the one in the file; none if it cannot be used.

    A missing file is created (0600) with a warning; processes that start at once agree on one secret. If that fails, a
    warning is logged.

    Raises ConfigurationError if the file holds less than a secret. The file is never replaced: another process may
    use it, or a person may have written it.
    """
    if configured:
        return [secret.get_secret_value().encode() for secret in configured]
    try:
        if create_private_file(path, secrets.token_hex(32).encode()):
            log.warning("keys.created", path=str(path), hint=f"set {variable}, the same on all replicas")
        secret = path.read_bytes().strip()
    except OSError as error:
        log.warning("keys.not_stored", path=str(path), cause=error.strerror, hint=f"set {variable}")
        return []
    if len(secret) < MIN_SECRET_CHARACTERS:
        raise ConfigurationError(
            f"{path}: the file is empty or cut off ({len(secret)} of at least {MIN_SECRET_CHARACTERS} characters); "
            f"delete it to create a new secret, or set {variable}"
        )
    return [secret]
