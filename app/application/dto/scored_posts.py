"""Some posts with scores, as the use cases beside the feed return them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.entities import Reason


@dataclass(frozen=True, slots=True)
class ScoredPosts:
    """Posts, best first. `post_ids`, `external_ids`, `scores` and `reasons` have one entry a post.

    external_ids  None for a post whose given id is its UUID
    scores        in [0, 1], never rising
    reasons       None for a post whose score no component explains
    omitted      how many of the given posts are not among them: unknown ones, and those that the user may not see
    degraded      the model or the database was missing
    explanations  the parts of each score; empty if they were not requested
    """

    post_ids: Sequence[str]
    external_ids: Sequence[str | None]
    scores: Sequence[float]
    reasons: Sequence[Reason | None]
    omitted: int
    model_version: str | None
    generated_at: datetime
    degraded: bool
    explanations: Sequence[Mapping[str, Any]] = ()
