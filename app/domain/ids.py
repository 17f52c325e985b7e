"""One identity for the many spellings callers use: any printable string becomes a UUID."""

import re
from functools import lru_cache
from uuid import NAMESPACE_URL, UUID, uuid5

from app.domain.errors import InvalidId

MAX_ID_LENGTH = 128
_UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


@lru_cache(maxsize=20_000)  # the UUID of a name is a hash, and the same users send many requests
def user_uuid(given: str) -> UUID:
    """The user's UUID: `given` itself when it is one, else uuid5(NAMESPACE_URL, "user:" + given).

    Raises InvalidId unless `given` is 1..128 printable characters.
    """
    return _canonical("user", given)


def post_uuid(given: str) -> UUID:
    """The post's UUID: `given` itself when it is one, else uuid5(NAMESPACE_URL, "post:" + given).

    Raises InvalidId unless `given` is 1..128 printable characters.
    """
    return _canonical("post", given)


def checked_id(kind: str, given: str) -> str:
    """`given`. Raises InvalidId, which names the `kind` of id, unless it is 1..128 printable characters."""
    # str.isprintable is false for control characters, NUL and lone surrogates, none of which PostgreSQL can store
    if not 0 < len(given) <= MAX_ID_LENGTH or not given.isprintable():
        raise InvalidId(f"{kind} id must be 1..{MAX_ID_LENGTH} printable characters, got {given[:40]!r}")
    return given


def _canonical(kind: str, given: str) -> UUID:
    checked_id(kind, given)
    if _UUID_TEXT.fullmatch(given):
        return UUID(given)
    return uuid5(NAMESPACE_URL, f"{kind}:{given}")
