"""Converts the events of a feed into the matrix that neighbour models are fitted on."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.domain.feed.dataset import EventColumns
from app.domain.feed.time_units import DAY

MAX_COMPARED_INTERACTIONS: Final = 750_000
"""Newest events in the matrix of a published model: its artefact must not grow with the log."""


def newest_compared(events: EventColumns) -> EventColumns:
    """Those of `events`, given in order of time, that a published model compares users by."""
    return events[-MAX_COMPARED_INTERACTIONS:]


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
