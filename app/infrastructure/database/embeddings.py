"""Reads the embeddings of posts as PostgreSQL sends arrays: no Python object is created per number."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.embeddings import unit_embedding

SENT_EMBEDDING: Final = "array_send(embedding)"
"""SQL expression of the bytes of an embedding, NULL without one."""
EMBEDDING_HASH: Final = "coalesce(hash_array(embedding), 0)::bigint"
"""SQL expression of the checksum of an embedding, which is a part of the checksum of its post; 0 without one."""
_HEADER: Final = np.dtype(
    [("dimensions", ">i4"), ("has_null", ">i4"), ("type", ">u4"), ("length", ">i4"), ("first", ">i4")]
)
_NUMBER: Final = np.dtype([("bytes", ">i4"), ("value", ">f4")])


def embedding_of(sent: Any) -> NDArray[np.float16] | None:
    """(d,) the unit vector of an embedding as it was sent; None without one.

    A team may write anything into its table. An array that is no embedding (`unit_embedding`) counts as none.
    """
    if sent is None or len(sent) < _HEADER.itemsize:  # an empty array has a shorter header
        return None
    header = np.frombuffer(sent, _HEADER, 1)
    if header["dimensions"] != 1 or header["has_null"]:
        return None
    try:
        return unit_embedding(np.frombuffer(sent, _NUMBER, offset=_HEADER.itemsize)["value"])
    except ValueError:
        return None


def embedding_content(sent: Any) -> bytes | None:
    """The same as bytes, the form in a Post."""
    vector = embedding_of(sent)
    return None if vector is None else vector.tobytes()
