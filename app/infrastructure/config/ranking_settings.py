"""The ranking options of the environment, and the bounds of each option."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from app.domain.entities import InteractionType
from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.infrastructure.config.settings import (
    Candidates,
    CatalogueSize,
    ExplorationShare,
    Hours,
    Neighbours,
    Settings,
    Share,
    Weight,
)

FORMULA_BOUNDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "collaborative": TypeAdapter(Share),
    "content": TypeAdapter(Share),
    "recency": TypeAdapter(Share),
    "recency_tau_hours": TypeAdapter(Hours),
}
RANKING_BOUNDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "interaction_weights": TypeAdapter(Mapping[InteractionType, Weight]),
    "formula": TypeAdapter(FormulaWeights),
    "neighbours": TypeAdapter(Neighbours),
    "trending_half_life_hours": TypeAdapter(Hours),
    "author_repeat_factor": TypeAdapter(Share),
    "author_repeat_floor": TypeAdapter(Share),
    "exploration_share": TypeAdapter(ExplorationShare),
    "whole_catalogue": TypeAdapter(CatalogueSize),
    "candidates": TypeAdapter(Candidates),
    "trending_source_half_lives_hours": TypeAdapter(tuple[Hours, ...]),
    "exclude_sources": TypeAdapter(tuple[str, ...]),
}
"""The type of each option with its bounds, for options that are read from a file."""


def ranking_options(settings: Settings) -> RankingOptions:
    """The settings that rank; a trained model brings those it was evaluated with."""
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
