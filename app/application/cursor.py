"""Cursors: which posts a list has shown, sealed so that any replica can go on with it.

The set of shown posts travels as Elias-Fano code: n numbers below u take about 2 + log2(u / n) bits each,
1.4 bytes for 2,000 posts of a million. Once more than half of a range was shown, the others are coded.

The signature is BLAKE2's keyed hash, which needs no HMAC around it (RFC 7693, section 2.9).

Source: P. Elias, "Efficient storage and retrieval by content and address of static files", J. ACM 21 (1974);
S. Vigna, "Quasi-succinct indices", WSDM 2013.
"""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.errors import ExpiredCursor, InvalidCursor

_VERSION = 2
_MAC_BYTES = 16
_TIMES = Struct(">Bqq")  # version, issued and started in microseconds since the epoch
_SET = Struct(">?Bqqq")  # complement or not, low bits of a number, smallest, span, numbers coded
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, eq=False)
class CursorState:
    """Where a list stands.

    issued_at   when this cursor was made; its life counts from here
    started_at  when the first page of the list was made
    shown       (n,) int64 `seq` of the posts shown so far, rising, without repeats, none negative
    """

    user: UUID
    mode: str
    issued_at: datetime
    started_at: datetime
    shown: NDArray[np.int64]


class CursorCodec:
    """Seals and opens cursors. The first secret signs, all verify, so that secrets can be rotated."""

    def __init__(self, secrets: Sequence[bytes], ttl: timedelta) -> None:
        if not secrets or not all(secrets):
            raise ValueError("a cursor codec needs at least one secret, none of them empty")
        self._keys = [hmac.digest(secret, b"feed cursor", "sha256") for secret in secrets]
        self._ttl = ttl

    def seal(self, state: CursorState) -> str:
        """An opaque token of URL-safe characters; equal states and secrets give equal tokens."""
        payload = _TIMES.pack(_VERSION, _microseconds(state.issued_at), _microseconds(state.started_at))
        payload += _pack_set(state.shown)
        mac = _mac(self._keys[0], state.user, state.mode, payload)
        return urlsafe_b64encode(mac + payload).rstrip(b"=").decode("ascii")

    def open(self, token: str, user: UUID, mode: str, now: datetime) -> CursorState:
        """The state that `seal` was given.

        Raises InvalidCursor unless one of the secrets sealed exactly this token for this user and mode, and
        ExpiredCursor when that was longer ago than the codec's life.
        """
        sealed = _decode(token)
        mac, payload = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        # the user and the mode are not in the token: they are bound to it by the signature
        if not any(hmac.compare_digest(mac, _mac(key, user, mode, payload)) for key in self._keys):
            raise InvalidCursor("the cursor was altered, or belongs to another user or mode")
        version, issued, started = _TIMES.unpack_from(payload)
        if version != _VERSION:
            raise ExpiredCursor(f"the cursor is of version {version}, this service reads {_VERSION}")
        issued_at = _EPOCH + issued * _MICROSECOND
        if now - issued_at > self._ttl:
            raise ExpiredCursor(f"the cursor was issued at {issued_at.isoformat()}")
        shown = _unpack_set(payload[_TIMES.size :])
        return CursorState(user, mode, issued_at, _EPOCH + started * _MICROSECOND, shown)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


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


def _pack_set(numbers: NDArray[np.int64]) -> bytes:
    if not len(numbers):
        return b""
    smallest = int(numbers[0])
    offsets = numbers - smallest
    span = int(offsets[-1]) + 1
    inverted = 2 * len(offsets) > span
    coded = _complement(offsets, span) if inverted else offsets
    if not len(coded):  # everything between was shown
        return _SET.pack(inverted, 0, smallest, span, 0)
    # floor(log2(span / n)) low bits as they are, the rest as gaps in unary
    low_bits = (span // len(coded)).bit_length() - 1
    head = _SET.pack(inverted, low_bits, smallest, span, len(coded))
    unary_from = -(-len(coded) * low_bits // 8) * 8  # a whole byte
    ones = (coded >> low_bits) + np.arange(unary_from, unary_from + len(coded))
    bits = np.zeros(ones[-1] + 1, dtype=np.uint8)
    bits[ones] = 1
    bits[: len(coded) * low_bits] = ((coded[:, None] >> np.arange(low_bits)) & 1).ravel()
    return head + np.packbits(bits).tobytes()


def _unpack_set(code: bytes) -> NDArray[np.int64]:
    if not code:
        return np.empty(0, dtype=np.int64)
    inverted, low_bits, smallest, span, count = _SET.unpack_from(code)
    bits = np.frombuffer(code, dtype=np.uint8, offset=_SET.size)
    low_bytes = (count * low_bits + 7) // 8
    low = np.unpackbits(bits[:low_bytes], count=count * low_bits).reshape(count, low_bits)
    high = np.flatnonzero(np.unpackbits(bits[low_bytes:])) - np.arange(count)
    coded = (high << low_bits) + low.astype(np.int64) @ (np.int64(1) << np.arange(low_bits, dtype=np.int64))
    offsets = _complement(coded, span) if inverted else coded
    return np.asarray(offsets + smallest, dtype=np.int64)


def _complement(numbers: NDArray[np.int64], span: int) -> NDArray[np.int64]:
    absent = np.ones(span, dtype=np.bool_)
    absent[numbers] = False
    return np.flatnonzero(absent).astype(np.int64)
