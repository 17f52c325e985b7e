"""The neighbour models of one refit of the replay."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from app.domain.feed.dataset import EventColumns
from app.domain.feed.state import DAY
from app.domain.ranking.options import RankingOptions
from app.infrastructure.ml.collaborative_filter import CollaborativeFilter, NeighbourRecommender
from training.preprocess import build_interaction_matrix

_FROZEN = RankingOptions()  # yardsticks do not move with the settings


class NeighbourModels:
    """Neighbour models of one refit: the two frozen yardsticks, and the one that serves with the options given.

    Each is fitted when it is first asked for: what merely samples offers asks for none.
    """

    def __init__(self, past: EventColumns, at: float, options: RankingOptions) -> None:
        """`past` are the events before `at`, the time of the refit in seconds, with rows of the state."""
        self._past, self._at, self._options = past, at, options

    @cached_property
    def owner(self) -> NeighbourRecommender:
        """The owner's method."""
        return self._fitted(_FROZEN)

    @cached_property
    def decayed(self) -> NeighbourRecommender:
        """200 neighbours, every event halved per day of age."""
        return self._fitted(replace(_FROZEN, neighbours=200), half_life=DAY)

    @cached_property
    def served(self) -> NeighbourRecommender:
        """With the options of the replay."""
        same = (self._options.interaction_weights, self._options.neighbours) == (
            _FROZEN.interaction_weights,
            _FROZEN.neighbours,
        )
        return self.owner if same else self._fitted(self._options)

    def _fitted(self, options: RankingOptions, half_life: float | None = None) -> NeighbourRecommender:
        past, weights = self._past, options.kind_weights()
        shape = int(past.user.max(initial=0)) + 1, int(past.post.max(initial=0)) + 1
        at = None if half_life is None else self._at
        matrix = build_interaction_matrix(past, weights, shape, decayed_at=at)
        model = CollaborativeFilter.fit(matrix, options.neighbours)
        return NeighbourRecommender(model, np.arange(shape[0]), np.arange(shape[1]), weights, half_life)
