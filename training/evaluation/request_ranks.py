"""The rank of the chosen post at each held-out request, kept so that later versions compare on the same requests."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.model_record import ModelRecord
from training.evaluation.acceptance import paired_difference

FIELD: Final = "request_ranks"
"""The field of a version's metrics that holds its ranks."""
_MAX_RANK: Final = 255


@dataclass(frozen=True, slots=True, eq=False)
class RequestRanks:
    """The ranks by one ranking, with short hashes of the requests instead of users and posts.

    keys   (n,) uint32, the upper halves of the hashes of (seed, user, post, time)
    ranks  (n,) uint8, from 1; a later rank than 255 is stored as 255, which is NDCG@10 0 as well
    """

    keys: NDArray[np.uint32]
    ranks: NDArray[np.uint8]

    @classmethod
    def of(cls, hashes: NDArray[np.uint64], ranks: NDArray[np.int64]) -> Self:
        """The ranks (n,) at requests with these hashes (n,)."""
        return cls((hashes >> np.uint64(32)).astype(np.uint32), ranks.clip(max=_MAX_RANK).astype(np.uint8))

    def to_json(self) -> dict[str, str]:
        """Both columns in base64, keys with the lowest byte first: 7 bytes of text a request."""
        columns = {"keys": self.keys.astype("<u4"), "ranks": self.ranks}
        return {name: b64encode(column.tobytes()).decode() for name, column in columns.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, str]) -> Self:
        """Raises KeyError, TypeError and ValueError for what `to_json` did not return."""
        keys = np.frombuffer(b64decode(values["keys"]), "<u4")
        ranks = np.frombuffer(b64decode(values["ranks"]), np.uint8)
        if len(keys) != len(ranks) or not (ranks > 0).all():
            raise ValueError(f"{len(keys)} requests and {len(ranks)} ranks from 1")
        return cls(keys.astype(np.uint32), ranks)

    def differences(
        self, users: NDArray[np.integer[Any]], records: Iterable[ModelRecord]
    ) -> dict[str, dict[str, Any]]:
        """SHA-256 of an artefact -> `paired_difference` of these ranks to its ranks, on the requests of both.

        A version has another number on another machine, so the artefact names it. Versions without ranks, or without
        a common request, are omitted. `users` (n,) are those of the requests.
        """
        found = {}
        for record in records:
            try:
                other = type(self).from_json(record.metrics[FIELD])
            except (KeyError, TypeError, ValueError, binascii.Error):
                continue  # an earlier version of the service made it, or training had no held-out request
            _, own, others = np.intersect1d(self.keys, other.keys, return_indices=True)
            if len(own):
                ranks, others_ranks = self.ranks[own].astype(np.int64), other.ranks[others].astype(np.int64)
                difference = paired_difference(ranks, others_ranks, users[own])
                found[record.sha256] = asdict(difference) | {"users": len(np.unique(users[own]))}
        return found
