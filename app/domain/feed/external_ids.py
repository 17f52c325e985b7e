"""Finds the row that a caller's id means, where the row's UUID is not derived from the id."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import sha1
from typing import Final, Literal
from uuid import NAMESPACE_URL, UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.array_tree import (
    ArrayTree,
    array_of,
    group_of,
    key_array,
    known_texts_from_arrays,
    text_arrays,
)
from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.slices import slices
from app.domain.feed.uuid_index import UuidIndex
from app.domain.ids import canonical_id, is_canonical_uuid, post_uuid, user_uuid

Kind = Literal["user", "post"]
_IDS_PER_STEP: Final = 50_000
_DERIVE: dict[Kind, Callable[[str], UUID]] = {"user": user_uuid, "post": post_uuid}


class ExternalIds:
    """The users, or the posts, whose UUID is not the one derived from their `external_id` (see `app.domain.ids`).

    Imported feeds have none. Keys are UUID bytes. Requests may call `resolve` while another thread writes.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind: Kind = kind
        self._keys: dict[str, tuple[bytes, ...]] = {}  # by external id, in ascending order
        self._external_ids: dict[bytes, str] = {}  # by key

    def __len__(self) -> int:
        return len(self._external_ids)

    def resolve(self, given: str) -> UUID:
        """The UUID of the row that `given` means, or would mean if it existed. Raises InvalidId.

        Of several rows with one external id, the one with the smallest UUID is meant.
        """
        derived = _DERIVE[self._kind](given)
        if not self._keys:
            return derived
        keys = self._keys.get(given) or self._keys.get(canonical_id(given))
        return UUID(bytes=keys[0]) if keys else derived

    def set(self, keys: Sequence[bytes], external_ids: Sequence[str]) -> None:
        """Make these the external ids of some rows."""
        is_derived = derived_keys(self._kind, external_ids) == np.frombuffer(b"".join(keys), KEY_DTYPE)
        for row, derived in enumerate(is_derived.tolist()):
            if derived:
                self.remove(keys[row])
            elif self._external_ids.get(keys[row]) != external_ids[row]:
                self.remove(keys[row])
                self._add(keys[row], external_ids[row])

    def remove(self, key: bytes) -> None:
        """Forget a row; an unknown one is no error."""
        external_id = self._external_ids.pop(key, None)
        if external_id is not None:
            others = tuple(other for other in self._keys[external_id] if other != key)
            if others:
                self._keys[external_id] = others
            else:
                del self._keys[external_id]

    def repeated(self, rows: UuidIndex) -> int:
        """How many external ids several of the rows with keys in `rows` have."""
        n_repeated = 0
        for some in slices(list(self._keys), _IDS_PER_STEP):
            derived = derived_keys(self._kind, some)
            for external_id, key, row in zip(
                some, derived.tolist(), rows.rows(derived).tolist(), strict=True
            ):
                is_another = row >= 0 and key not in self._external_ids
                n_repeated += len(self._keys[external_id]) + is_another > 1
        return n_repeated

    def items(self) -> list[tuple[bytes, str]]:
        """The key and the external id of each row, for a snapshot."""
        return list(self._external_ids.items())

    @classmethod
    def from_items(cls, kind: Kind, items: Iterable[tuple[bytes, str]]) -> "ExternalIds":
        """The inverse of `items`."""
        ids = cls(kind)
        ids._external_ids = dict(items)
        for key, external_id in ids._external_ids.items():
            known = ids._keys.get(external_id)
            ids._keys[external_id] = (key,) if known is None else tuple(sorted((*known, key)))
        return ids

    def array_tree(self) -> ArrayTree:
        """The keys of the rows, and their external ids (see `from_tree`)."""
        keys, texts = list(self._external_ids), list(self._external_ids.values())
        return {"key": partial(key_array, keys), "external_id": partial(text_arrays, texts)}

    @classmethod
    def from_tree(cls, kind: Kind, tree: ArrayTree) -> "ExternalIds":
        """The inverse of `array_tree`. Raises ValueError."""
        keys = array_of(tree, "key", KEY_DTYPE).tolist()
        texts = known_texts_from_arrays(group_of(tree, "external_id"))
        return cls.from_items(kind, zip(keys, texts, strict=True))

    def _add(self, key: bytes, external_id: str) -> None:
        self._external_ids[key] = external_id
        self._keys[external_id] = tuple(sorted((*self._keys.get(external_id, ()), key)))


def derived_keys(kind: Kind, external_ids: Sequence[str]) -> NDArray[np.void]:
    """(n,) ``V16`` UUIDs as `user_uuid` or `post_uuid` derive them, without an object for each UUID."""
    prefix = NAMESPACE_URL.bytes + f"{kind}:".encode()
    hashed = np.zeros(len(external_ids), np.bool_)
    parts = []
    for row, canonical in enumerate(map(canonical_id, external_ids)):
        if is_canonical_uuid(canonical):
            parts.append(bytes.fromhex(canonical.replace("-", "")))
        else:
            parts.append(sha1(prefix + canonical.encode(), usedforsecurity=False).digest()[:16])
            hashed[row] = True
    digests = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 16).copy()
    digests[hashed, 6] = digests[hashed, 6] & 0x0F | 0x50  # version 5
    digests[hashed, 8] = digests[hashed, 8] & 0x3F | 0x80  # variant of RFC 9562
    return digests.reshape(-1).view(KEY_DTYPE)
