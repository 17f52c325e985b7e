"""One page of recommendations, as the use case returns it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from app.domain.entities import Reason

Source = Literal["personalized", "cold_start", "fallback"]


@dataclass(frozen=True, slots=True)
class RecommendationResponse:
    """One page. The four sequences run in parallel, best post first; `external_ids` holds None where the given id
    is the post's UUID itself; `explanations` is empty unless asked for."""

    user_id: str
    post_ids: Sequence[str]
    external_ids: Sequence[str | None]
    scores: Sequence[float]
    reasons: Sequence[Reason]
    source: Source
    degraded: bool
    exhausted: bool
    model_version: str | None
    generated_at: datetime
    next_cursor: str | None
    explanations: Sequence[Mapping[str, Any]] = ()
