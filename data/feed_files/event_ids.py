"""Ids for events without an id: every read of the same file gives the same ids.

uuid5(NAMESPACE_URL, "event:USER|POST|TYPE|MICROSECONDS|NUMBER"): the UUIDs of user and post, the interaction
type, the original time as whole microseconds since the Unix epoch, and the event's number (from 0) among rows
that are equal in all of these, in the order of the file.
"""

from hashlib import sha1
from uuid import NAMESPACE_URL, UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import KEY_DTYPE

_KINDS = [kind.encode() for kind in INTERACTION_TYPES]


def numbers_among_equals(*columns: NDArray[np.integer]) -> NDArray[np.int64]:
    """How many earlier rows are equal to each row in all columns; all arrays are (n,)."""
    n = len(columns[0])
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(columns)
    starts = np.zeros(n, dtype=np.bool_)
    starts[0] = True
    for column in columns:
        starts[1:] |= column[order[1:]] != column[order[:-1]]
    place = np.arange(n)
    numbers = np.empty(n, dtype=np.int64)
    numbers[order] = place - np.maximum.accumulate(np.where(starts, place, 0))
    return numbers


def event_ids(
    users: list[UUID],
    posts: list[UUID],
    user: NDArray[np.int32],
    post: NDArray[np.int32],
    kind: NDArray[np.uint8],
    time: NDArray[np.int64],
) -> NDArray[np.void]:
    """(n,) ``V16`` ids of events given by rows of `users` and `posts`, type codes and microseconds."""
    number = numbers_among_equals(time, kind, post, user)
    user_text = [str(one).encode() for one in users]
    post_text = [str(one).encode() for one in posts]
    root = NAMESPACE_URL.bytes + b"event:"
    # uuid5 in two steps, 5 x as fast: SHA-1 of each row here, version and variant of all rows below.
    rows = zip(user.tolist(), post.tolist(), kind.tolist(), time.tolist(), number.tolist(), strict=True)
    digests = b"".join(
        sha1(  # noqa: S324 -- uuid5 is defined by SHA-1, and this is not a secret
            b"%b%b|%b|%b|%d|%d" % (root, user_text[u], post_text[p], _KINDS[k], t, equal)
        ).digest()[:16]
        for u, p, k, t, equal in rows
    )
    octets = np.frombuffer(bytearray(digests), dtype=np.uint8).reshape(-1, 16)
    octets[:, 6] = (octets[:, 6] & 0x0F) | 0x50
    octets[:, 8] = (octets[:, 8] & 0x3F) | 0x80
    ids: NDArray[np.void] = octets.reshape(-1).view(KEY_DTYPE)
    return ids
