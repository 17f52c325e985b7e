"""API keys: their names and scopes. The service compares the SHA-256 of keys."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

Scope = Literal["feed", "track", "manage", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
PLAIN_SCOPES: Final[frozenset[Scope]] = frozenset(SCOPES) - {"admin"}
"""The scopes of a key of API_KEYS."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The name of a key, which logs may contain, and its scopes."""

    name: str
    scopes: frozenset[Scope]


FindKey = Callable[[bytes], ApiKey | None]
"""Returns the key with this SHA-256."""


def sha256(key: bytes) -> bytes:
    """The 32 bytes by which a key is found."""
    return hashlib.sha256(key).digest()


def plain_keys(keys: Sequence[str]) -> Mapping[bytes, ApiKey]:
    """The keys of API_KEYS by SHA-256; their names are their places in the list, from 1 on."""
    return {
        sha256(key.encode()): ApiKey(f"API_KEYS[{place}]", PLAIN_SCOPES) for place, key in enumerate(keys, 1)
    }
