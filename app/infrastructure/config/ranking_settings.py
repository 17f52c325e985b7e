"""Converts the settings to ranking options, and holds the bounds of each option."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import TypeAdapter

from app.domain.entities import INTERACTION_TYPES, InteractionType
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.list_limits import ListLimits
from app.domain.feed.live_posts import LivePostLimits
from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.infrastructure.config.setting_types import Hours, Weight
from app.infrastructure.config.settings import Settings


def _bounds_of(setting: str) -> TypeAdapter[Any]:
    """The type and the bounds of a setting."""
    field = Settings.model_fields[setting]
    bounded_type: Any = Annotated[field.annotation, *field.metadata]
    return TypeAdapter(bounded_type)


_FORMULA_SETTINGS: Final = {
    "collaborative": "weight_collaborative",
    "content": "weight_content",
    "recency": "weight_recency",
    "recency_tau_hours": "recency_tau_hours",
}
_RANKING_SETTINGS: Final = {
    "neighbours": "neighbours",
    "trending_half_life_hours": "trending_half_life_hours",
    "author_repeat_factor": "author_repeat_factor",
    "author_repeat_floor": "author_repeat_floor",
    "exploration_share": "exploration_share",
    "not_interested_factor": "not_interested_factor",
    "not_interested_days": "not_interested_days",
    "impression_sink_factor": "impression_sink_factor",
    "impression_sink_hours": "impression_sink_hours",
    "interest_factor": "interest_factor",
    "whole_catalogue": "ranked_limit",
    "candidates": "candidates",
}
"""Option -> setting."""
FORMULA_BOUNDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    option: _bounds_of(setting) for option, setting in _FORMULA_SETTINGS.items()
}
RANKING_BOUNDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "interaction_weights": TypeAdapter(Mapping[InteractionType, Weight]),
    "counting": TypeAdapter(CountingRule),
    "lists": TypeAdapter(ListLimits),
    "formula": TypeAdapter(FormulaWeights),
    **{option: _bounds_of(setting) for option, setting in _RANKING_SETTINGS.items()},
    "trending_source_half_lives_hours": TypeAdapter(tuple[Hours, ...]),
    "exclude_sources": TypeAdapter(tuple[str, ...]),
}
"""The type and the bounds of each option; they validate options that are read from a file."""


def ranking_options(settings: Settings) -> RankingOptions:
    """Return the ranking options of the settings. A trained model replaces them with those of its evaluation."""
    formula = {option: getattr(settings, setting) for option, setting in _FORMULA_SETTINGS.items()}
    return RankingOptions(
        interaction_weights={
            kind: getattr(settings, f"interaction_weight_{kind}") for kind in INTERACTION_TYPES
        },
        counting=CountingRule(
            settings.count_window_minutes,
            settings.count_limit,
            _relative_weights(settings),
            settings.new_account_weight,
            settings.new_account_hours,
        ),
        lists=ListLimits(settings.events_per_user, settings.users_per_post),
        formula=FormulaWeights(**formula),
        **{option: getattr(settings, setting) for option, setting in _RANKING_SETTINGS.items()},
    )


def _relative_weights(settings: Settings) -> tuple[float, ...]:
    """Return the interaction weights divided by that of a comment, or by the largest if a comment has none."""
    weights = [getattr(settings, f"interaction_weight_{kind}") for kind in INTERACTION_TYPES]
    unit = settings.interaction_weight_comment or max(weights) or 1.0
    return tuple(weight / unit for weight in weights)


def live_post_limits(settings: Settings) -> LivePostLimits:
    """Which posts memory holds."""
    return LivePostLimits(settings.live_posts, settings.live_hot_posts, settings.live_engaged_days)
