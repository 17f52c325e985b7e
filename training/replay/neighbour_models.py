"""The neighbour models of one refit of the replay."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from app.domain.feed.dataset import EventColumns
from app.domain.feed.time_units import DAY
from app.domain.ranking.options import RankingOptions
from app.infrastructure.ml.collaborative_filter import (
    MAX_COMPARED_EVENTS,
    CollaborativeFilter,
    NeighbourRecommender,
)
from training.preprocess import build_interaction_matrix, newest_compared

_FIXED = RankingOptions()  # reference points must not depend on the settings


class NeighbourModels:
    """The neighbour models of one refit: two with fixed options, as reference points, and one with given options.

    Each is fitted at its first use, because a replay that only samples training examples uses none.
    """

    def __init__(
        self,
        past: EventColumns,
        counted: EventColumns,
        at: float,
        options: RankingOptions,
        shape: tuple[int, int],
    ) -> None:
        """`past` holds the events before `at`, the time of the refit in seconds, with rows of the state.

        `counted` holds those of them that count (see `CountingRule`); the served model reads only these. `shape` is
        that of the matrices of users and posts: a model does not know rows beyond it.
        """
        self.past, self.at = past, at
        self._counted, self._options, self._shape = counted, options, shape

    @cached_property
    def owner(self) -> NeighbourRecommender:
        """The owner's method: 10 neighbours, undecayed weights."""
        return self._fitted(self.past, _FIXED)

    @cached_property
    def decayed(self) -> NeighbourRecommender:
        """200 neighbours; each event's weight is halved per day of age."""
        return self._fitted(self.past, replace(_FIXED, neighbours=200), half_life=DAY)

    @cached_property
    def served(self) -> NeighbourRecommender:
        """The served model, with the options of the replay."""
        return self._fitted(newest_compared(self._counted), self._options, max_events=MAX_COMPARED_EVENTS)

    def _fitted(
        self,
        past: EventColumns,
        options: RankingOptions,
        half_life: float | None = None,
        max_events: int | None = None,
    ) -> NeighbourRecommender:
        weights, shape = options.kind_weights(), self._shape
        at = None if half_life is None else self.at
        matrix = build_interaction_matrix(past, weights, shape, decayed_at=at)
        model = CollaborativeFilter.fit(matrix, options.neighbours)
        return NeighbourRecommender(
            model, np.arange(shape[0]), np.arange(shape[1]), weights, half_life, max_events
        )
