"""Converts the settings to ranking options, and holds the bounds of each option."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import TypeAdapter

from app.domain.entities import InteractionType
from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.infrastructure.config.settings import Hours, Settings, Weight


def _bounds_of(setting: str) -> TypeAdapter[Any]:
    """The type and the bounds of a setting."""
    field = Settings.model_fields[setting]
    bounded_type: Any = Annotated[field.annotation, *field.metadata]
    return TypeAdapter(bounded_type)


FORMULA_BOUNDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "collaborative": _bounds_of("weight_collaborative"),
    "content": _bounds_of("weight_content"),
    "recency": _bounds_of("weight_recency"),
    "recency_tau_hours": _bounds_of("recency_tau_hours"),
}
_SAME_NAME = (
    "neighbours", "trending_half_life_hours", "author_repeat_factor", "author_repeat_floor", "exploration_share",
)  # fmt: skip
RANKING_BOUNDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "interaction_weights": TypeAdapter(Mapping[InteractionType, Weight]),
    "formula": TypeAdapter(FormulaWeights),
    **{name: _bounds_of(name) for name in _SAME_NAME},
    "whole_catalogue": _bounds_of("ranked_limit"),
    "candidates": _bounds_of("candidates"),
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
        **{name: getattr(settings, name) for name in _SAME_NAME},
        whole_catalogue=settings.ranked_limit,
        candidates=settings.candidates,
    )
