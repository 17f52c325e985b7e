"""Cursors: where a list stands, sealed so that any replica can go on with it.

A cursor has the posts that its list has shown. Once they take too many bytes, the list goes on in order of time, and
the cursor has a position in it instead of the posts before the position. It also has the variants of experiments that
rank the list.

The set of shown posts travels as the gaps between its sorted numbers. A long set is deflated: 1.4 bytes for each of
2,000 posts of a million, and next to nothing for a list that was shown without gaps. A short set is stored in the same
format without compression, which takes a tenth of the time.

The signature is BLAKE2's keyed hash, which needs no HMAC around it (RFC 7693, section 2.9).
"""

import binascii
import hmac
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from typing import get_args
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.dto.recommendation_request import Mode
from app.domain.errors import ExpiredCursor, InvalidCursor
from app.domain.feed.time_position import TimePosition

_VERSION = 3
_VERSION_WITH_POSITION = 4
_VERSION_WITH_VARIANTS = 5  # and no position
_VERSION_WITH_BOTH = 6
_MAC_BYTES = 16
_MAX_STORED_POSTS = 256  # of a set that is not compressed
_TIMES = Struct(">Bqq")  # version, issued and started in microseconds since the epoch
_POSITION = Struct(">qq")  # microseconds since the epoch, number of a post
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, eq=False)
class CursorState:
    """Where a list stands.

    issued_at   when this cursor was made; its life counts from here
    started_at  when the first page of the list was made
    shown       (n,) int64 `seq` of the posts shown so far, rising, without repeats, none negative
    position    what follows in order of time is after it; None while the list may show any post that is not in `shown`
    variant_ids  the variants that rank the list, at most 255 bytes (see RunningExperiments)
    """

    user: UUID
    mode: str
    issued_at: datetime
    started_at: datetime
    shown: NDArray[np.int64]
    position: TimePosition | None = None
    variant_ids: bytes = b""


class CursorCodec:
    """Seals and opens cursors. The first secret signs, all verify, so that secrets can be rotated."""

    def __init__(self, secrets: Sequence[bytes], ttl: timedelta) -> None:
        if not secrets or not all(secrets):
            raise ValueError("a cursor codec needs at least one secret, none of them empty")
        self._keys = [hmac.digest(secret, b"feed cursor", "sha256") for secret in secrets]
        self._ttl = ttl

    def seal(self, state: CursorState) -> str:
        """An opaque token of URL-safe characters; equal states and secrets give equal tokens."""
        version = _VERSION if state.position is None else _VERSION_WITH_POSITION
        if state.variant_ids:
            version += _VERSION_WITH_VARIANTS - _VERSION
        payload = _TIMES.pack(version, _microseconds(state.issued_at), _microseconds(state.started_at))
        if state.position is not None:
            payload += _POSITION.pack(*state.position)
        if state.variant_ids:
            payload += bytes([len(state.variant_ids)]) + state.variant_ids
        payload += pack_set(state.shown)
        mac = _mac(self._keys[0], state.user, state.mode, payload)
        return urlsafe_b64encode(mac + payload).rstrip(b"=").decode("ascii")

    def open(self, token: str, user: UUID, mode: str, now: datetime) -> CursorState:
        """The state that `seal` was given.

        Raises InvalidCursor unless one of the secrets sealed exactly this token for this user and mode, and
        ExpiredCursor when that was longer ago than the codec's life.
        """
        return self._open(token, user, [mode], now)

    def open_any_mode(self, token: str, user: UUID, now: datetime) -> CursorState:
        """As `open`, for a cursor of any mode."""
        return self._open(token, user, get_args(Mode), now)

    def _open(self, token: str, user: UUID, modes: Sequence[str], now: datetime) -> CursorState:
        sealed = _decode(token)
        mac, payload = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        # the user and the mode are not in the token: they are bound to it by the signature
        sealed_for = (
            mode
            for mode in modes
            for key in self._keys
            if hmac.compare_digest(mac, _mac(key, user, mode, payload))
        )
        mode = next(sealed_for, None)
        if mode is None:
            raise InvalidCursor("the cursor was altered, or belongs to another user or mode")
        version, issued, started = _TIMES.unpack_from(payload)
        if not _VERSION <= version <= _VERSION_WITH_BOTH:
            raise ExpiredCursor(
                f"the cursor is of version {version}, this service reads {_VERSION} to {_VERSION_WITH_BOTH}"
            )
        issued_at = _EPOCH + issued * _MICROSECOND
        if now - issued_at > self._ttl:
            raise ExpiredCursor(f"the cursor was issued at {issued_at.isoformat()}")
        position, rest = None, payload[_TIMES.size :]
        if version in (_VERSION_WITH_POSITION, _VERSION_WITH_BOTH):
            position, rest = TimePosition(*_POSITION.unpack_from(rest)), rest[_POSITION.size :]
        variant_ids = b""
        if version >= _VERSION_WITH_VARIANTS:
            variant_ids, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        started_at = _EPOCH + started * _MICROSECOND
        return CursorState(user, mode, issued_at, started_at, _unpack_set(rest), position, variant_ids)


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _mac(key: bytes, user: UUID, mode: str, payload: bytes) -> bytes:
    name = mode.encode()
    bound = user.bytes + len(name).to_bytes(1, "big") + name
    return blake2b(bound + payload, key=key, digest_size=_MAC_BYTES).digest()


def _decode(token: str) -> bytes:
    try:
        given = token.encode("ascii")
        sealed = urlsafe_b64decode(given + b"=" * (-len(given) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidCursor("the cursor is not one that this service made") from None
    # base64 skips foreign characters and ignores the last one's spare bits: only one spelling counts
    if len(sealed) < _MAC_BYTES + _TIMES.size or urlsafe_b64encode(sealed).rstrip(b"=") != given:
        raise InvalidCursor("the cursor is not one that this service made")
    return sealed


def pack_set(numbers: NDArray[np.int64]) -> bytes:
    """The number of bytes of the largest gap, then the lowest byte of each gap, the next byte of each, ... in zlib."""
    gaps = numbers.astype("<i8")
    gaps[1:] -= numbers[:-1]
    gap_bytes = max(1, (int(gaps.max(initial=0)).bit_length() + 7) // 8)
    columns = gaps.view(np.uint8).reshape(-1, 8).T[:gap_bytes]
    code = bytes([gap_bytes])
    if len(gaps) <= _MAX_STORED_POSTS:
        return code + zlib.compress(columns.tobytes(), level=0)
    deflate = zlib.compressobj()
    for column in columns:
        code += deflate.compress(column.tobytes())
        code += deflate.flush(zlib.Z_BLOCK)  # a block has its own Huffman code
    return code + deflate.flush()


def _unpack_set(code: bytes) -> NDArray[np.int64]:
    columns = np.frombuffer(zlib.decompress(code[1:]), np.uint8).reshape(code[0], -1)
    gaps = (np.int64(1) << 8 * np.arange(code[0])) @ columns.astype(np.int64)
    return gaps.cumsum()
