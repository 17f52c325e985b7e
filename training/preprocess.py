"""Converts the events of a feed into the matrix that neighbour models are fitted on."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.domain.feed.dataset import EventColumns
from app.domain.feed.time_units import DAY


def build_interaction_matrix(
    events: EventColumns,
    kind_weights: NDArray[np.float64],
    shape: tuple[int, int],
    *,
    decayed_at: float | None = None,
) -> csr_array:
    """Sparse (n_users, n_posts) sums of interaction weights.

    `kind_weights` is (5,), by interaction type. With `decayed_at` (seconds) each weight is halved per day of age.
    """
    weights = kind_weights[events.kind]
    if decayed_at is not None:
        weights = weights * np.exp2((events.time - decayed_at) / DAY)
    return csr_array((weights, (events.user, events.post)), shape=shape)  # sums equal positions
