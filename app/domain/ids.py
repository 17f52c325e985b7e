"""Ids as callers give them: any printable string identifies a user or a post.

An id means the row whose `external_id` equals it, or equals its canonical form. If there is no such row, it means the
row with the derived UUID. This module derives UUIDs; `app.domain.feed.external_ids` knows the rows.
"""

import re
from functools import lru_cache
from unicodedata import normalize
from uuid import NAMESPACE_URL, UUID, uuid5

from app.domain.errors import InvalidId

MAX_ID_LENGTH = 128  # code points: at most 512 bytes of UTF-8
_UUID_DIGITS = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}"
_UUID_TEXT = re.compile(
    rf"(?:{_UUID_DIGITS})|\{{(?:{_UUID_DIGITS})\}}|urn:uuid:(?:{_UUID_DIGITS})", re.ASCII | re.IGNORECASE
)
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_UUID_LENGTH, _SHORTEST_UUID = 36, 32  # with and without hyphens
# zero-width non-joiner and joiner inside a word: Persian, Indic scripts and emoji need them
_JOINER = re.compile("(?<=[^\u200c\u200d])[\u200c\u200d](?=[^\u200c\u200d])")


@lru_cache(maxsize=20_000)  # the UUID of a name is a hash, and the same users send many requests
def user_uuid(given: str) -> UUID:
    """The UUID of a user whom no other row has as `external_id`.

    `given` itself if it is a UUID in any usual spelling, else uuid5(NAMESPACE_URL, "user:" + canonical_id(given)).
    Raises InvalidId unless `given` is 1..128 printable characters.
    """
    return _derived("user", given)


@lru_cache(maxsize=20_000)
def post_uuid(given: str) -> UUID:
    """As `user_uuid`, for a post: uuid5(NAMESPACE_URL, "post:" + canonical_id(given))."""
    return _derived("post", given)


def canonical_id(given: str) -> str:
    """The form that all spellings of an id share.

    A UUID in lower case with hyphens; any other text in Unicode's form NFC, without spaces at its ends.
    """
    trimmed = given.strip(" ")
    if is_canonical_uuid(trimmed):
        return trimmed
    if len(trimmed) >= _SHORTEST_UUID and _UUID_TEXT.fullmatch(trimmed):
        return str(UUID(trimmed.lower()))
    return normalize("NFC", trimmed)


def is_canonical_uuid(text: str) -> bool:
    """True for a UUID in lower case with hyphens."""
    return len(text) == _UUID_LENGTH and _CANONICAL_UUID.fullmatch(text) is not None


def checked_id(kind: str, given: str) -> str:
    """`given`. Raises InvalidId, which names the `kind` of id, unless it is 1..128 printable characters."""
    if not is_id(given):
        raise InvalidId(f"{kind} id must be 1..{MAX_ID_LENGTH} printable characters, got {given[:40]!r}")
    return given


def is_id(text: str) -> bool:
    """True for 1..128 printable characters. A zero-width joiner between two other characters is allowed."""
    # str.isprintable is false for control characters, NUL and lone surrogates, none of which PostgreSQL can store
    return 0 < len(text) <= MAX_ID_LENGTH and _JOINER.sub("", text).isprintable()


def _derived(kind: str, given: str) -> UUID:
    canonical = canonical_id(checked_id(kind, given))
    return UUID(canonical) if is_canonical_uuid(canonical) else uuid5(NAMESPACE_URL, f"{kind}:{canonical}")
