"""The options of ranking. The artefact stores them, so a model serves with the options of its evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES, InteractionType
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.list_limits import DEFAULT_LIST_LIMITS, ListLimits


@dataclass(frozen=True, slots=True)
class FormulaWeights:
    """Weights of the three parts (their sum is normalised), and the age at which recency is 1/e."""

    collaborative: float = 0.7
    content: float = 0.2
    recency: float = 0.1
    recency_tau_hours: float = 24


_INTERACTION_WEIGHTS: Mapping[InteractionType, float] = {
    "view": 1,
    "click": 2,
    "like": 5,
    "comment": 7,
    "share": 10,
}


@dataclass(frozen=True, slots=True)
class RankingOptions:
    """The options of sources, formula and page selector. Settings and `training.tune` set them."""

    interaction_weights: Mapping[InteractionType, float] = field(
        default_factory=lambda: dict(_INTERACTION_WEIGHTS)
    )
    counting: CountingRule = field(default_factory=CountingRule)
    lists: ListLimits = DEFAULT_LIST_LIMITS
    formula: FormulaWeights = field(default_factory=FormulaWeights)
    neighbours: int = 10
    trending_half_life_hours: float = 24
    author_repeat_factor: float = 0.5
    author_repeat_floor: float = 0.25
    exploration_share: float = 0.04
    not_interested_factor: float = 0.2
    not_interested_days: float = 140.0
    impression_sink_factor: float = 0.1
    impression_sink_hours: float = 24.0
    interest_factor: float = 0.4
    whole_catalogue: int = 1000  # a feed with at most this number of posts has no other candidates
    candidates: int = 100  # limit of the larger sources; the others return a half or a quarter
    trending_source_half_lives_hours: tuple[float, ...] = (1.0, 24.0, 720.0)
    exclude_sources: tuple[str, ...] = ()  # names of sources to leave out

    def kind_weights(self) -> NDArray[np.float64]:
        """(5,) weights in the order of INTERACTION_TYPES."""
        return np.array([self.interaction_weights[kind] for kind in INTERACTION_TYPES], np.float64)
