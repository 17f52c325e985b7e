"""Converts the settings to ranking options, and holds the bounds of each option."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from app.domain.entities import InteractionType
from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.infrastructure.config.settings import (
    CandidateCount,
    CatalogueSize,
    ExplorationShare,
    Fraction,
    Hours,
    NeighbourCount,
    Settings,
    Weight,
)

FORMULA_BOUNDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "collaborative": TypeAdapter(Fraction),
    "content": TypeAdapter(Fraction),
    "recency": TypeAdapter(Fraction),
    "recency_tau_hours": TypeAdapter(Hours),
}
RANKING_BOUNDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "interaction_weights": TypeAdapter(Mapping[InteractionType, Weight]),
    "formula": TypeAdapter(FormulaWeights),
    "neighbours": TypeAdapter(NeighbourCount),
    "trending_half_life_hours": TypeAdapter(Hours),
    "author_repeat_factor": TypeAdapter(Fraction),
    "author_repeat_floor": TypeAdapter(Fraction),
    "exploration_share": TypeAdapter(ExplorationShare),
    "whole_catalogue": TypeAdapter(CatalogueSize),
    "candidates": TypeAdapter(CandidateCount),
    "trending_source_half_lives_hours": TypeAdapter(tuple[Hours, ...]),
    "exclude_sources": TypeAdapter(tuple[str, ...]),
}
"""The type and the bounds of each option; they validate options that are read from a file."""


def ranking_options(settings: Settings) -> RankingOptions:
    """Return the ranking options of the settings. A trained model replaces them with those of its evaluation."""
    return RankingOptions(
        interaction_weights=dict(settings.interaction_weights),
        formula=FormulaWeights(
            settings.weight_collaborative,
            settings.weight_content,
            settings.weight_recency,
            settings.recency_tau_hours,
        ),
        neighbours=settings.neighbours,
        trending_half_life_hours=settings.trending_half_life_hours,
        author_repeat_factor=settings.author_repeat_factor,
        author_repeat_floor=settings.author_repeat_floor,
        exploration_share=settings.exploration_share,
        whole_catalogue=settings.ranked_limit,
        candidates=settings.candidates,
    )
