"""Secrets that a deployment sets, and a developer's machine makes once for itself."""

import os
import secrets as entropy
from collections.abc import Sequence

import structlog

from app.infrastructure.config.settings import Settings

log = structlog.get_logger()


def cursor_secrets(settings: Settings) -> Sequence[bytes]:
    """CURSOR_SECRET; unset: the one under `.local/keys` (0600), made with a warning.

    Where that cannot be written, one for this process alone: cursors then end with it.
    """
    given = [one.get_secret_value().encode() for one in settings.cursor_secret]
    if given:
        return given
    path = settings.keys_dir / "cursor_secret"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(entropy.token_hex(32))
            log.warning("keys.made", path=str(path), hint="set CURSOR_SECRET, the same on all replicas")
        except FileExistsError:
            pass
        kept = path.read_text().strip().encode()
        if kept:
            return [kept]
    except OSError as error:
        log.warning("keys.not_kept", path=str(path), cause=error.strerror, hint="set CURSOR_SECRET")
    return [entropy.token_bytes(32)]
