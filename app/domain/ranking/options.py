"""The options of ranking. A trained model carries those it was evaluated with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES, InteractionType


@dataclass(frozen=True, slots=True)
class FormulaWeights:
    """Shares of the three parts (any scale) and the age in hours at which recency has fallen to 1/e."""

    collaborative: float = 0.7
    content: float = 0.2
    recency: float = 0.1
    recency_tau_hours: float = 24


_WEIGHTS: Mapping[InteractionType, float] = {"view": 1, "click": 2, "like": 5, "comment": 7, "share": 10}


@dataclass(frozen=True, slots=True)
class RankingOptions:
    """What can be set about ranking; travels in the artefact, so that a model serves as it was evaluated."""

    interaction_weights: Mapping[InteractionType, float] = field(default_factory=lambda: dict(_WEIGHTS))
    formula: FormulaWeights = field(default_factory=FormulaWeights)
    neighbours: int = 10
    trending_half_life_hours: float = 24
    author_repeat_factor: float = 0.5
    author_repeat_floor: float = 0.25
    exploration_share: float = 0.04
    whole_catalogue: int = 1000  # with no more posts than this, each is a candidate
    candidates: int = 100  # of the larger sources; the smaller ones name a part of it
    trending_source_half_lives_hours: tuple[float, ...] = (1.0, 24.0, 720.0)
    exclude_sources: tuple[str, ...] = ()  # names of candidate sources that are not asked

    def kind_weights(self) -> NDArray[np.float64]:
        """(5,) weights in the order of INTERACTION_TYPES."""
        return np.array([self.interaction_weights[kind] for kind in INTERACTION_TYPES], np.float64)
