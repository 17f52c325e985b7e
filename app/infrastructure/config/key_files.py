"""The secret that signs cursors: set by the deployment, or created once for one machine."""

import secrets
from collections.abc import Sequence
from typing import Final

import structlog

from app.infrastructure.config.settings import Settings
from app.shared.atomic_file import create_private_file
from app.shared.exceptions import ConfigurationError

log = structlog.get_logger()

MIN_SECRET_CHARACTERS: Final = 43  # 32 bytes in base64 without padding; a created secret has 64 hex digits


def cursor_secrets(settings: Settings) -> Sequence[bytes]:
    """Return the secrets of CURSOR_SECRET or, if it is unset, the one in `keys_dir`/cursor_secret.

    A missing file is created (0600) with a warning; processes that start at once agree on one secret. If the folder
    cannot be used, a warning is logged and the secret is valid for this process only.

    Raises ConfigurationError if the file holds less than a secret. The file is never replaced: another process may
    use it, or a person may have written it.
    """
    configured = [secret.get_secret_value().encode() for secret in settings.cursor_secret]
    if configured:
        return configured
    path = settings.keys_dir / "cursor_secret"
    try:
        if create_private_file(path, secrets.token_hex(32).encode()):
            log.warning("keys.created", path=str(path), hint="set CURSOR_SECRET, the same on all replicas")
        secret = path.read_bytes().strip()
    except OSError as error:
        log.warning("keys.not_stored", path=str(path), cause=error.strerror, hint="set CURSOR_SECRET")
        return [secrets.token_bytes(32)]
    if len(secret) < MIN_SECRET_CHARACTERS:
        raise ConfigurationError(
            f"{path}: the file is empty or cut off ({len(secret)} of at least {MIN_SECRET_CHARACTERS} characters); "
            "delete it to create a new secret, or set CURSOR_SECRET"
        )
    return [secret]
