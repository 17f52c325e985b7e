"""One feed request and its answer, as the use case sees them; the API parses into and renders from these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from app.domain.entities import Reason

Mode = Literal["ranked", "following", "newest"]
Source = Literal["personalized", "cold_start", "fallback"]


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """Ids are as the caller gave them (see app.domain.ids)."""

    user_id: str
    limit: int = 50
    offset: int = 0
    cursor: str | None = None
    exclude_ids: Sequence[str] = ()
    exclude_seen: bool = True
    mode: Mode = "ranked"
    explain: bool = False


@dataclass(frozen=True, slots=True)
class FeedAnswer:
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
