"""One page of recommendations, as the use case returns it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from app.domain.entities import Evidence, Reason

Source = Literal["personalized", "cold_start", "fallback"]
"""How the page was ranked: for a user with events, for a user without events, or without a model (by trending)."""


@dataclass(frozen=True, slots=True)
class RecommendationResponse:
    """One page, best post first.

    `post_ids`, `external_ids`, `scores`, `reasons`, `evidence` and `post_seqs` have one entry a post.

    post_seqs     numbers of the posts (`Post.seq`)
    external_ids  None for a post whose given id is its UUID
    evidence      one true fact about each post and the user, None if there is none
    explanations  one for each post if the request has `explain`, else empty
    time_ordered  the page is newest first, and no later page of its list has a post newer than its last one
    variants      the variants of experiments that ranked the page, by experiment
    teams         the team of each place of an interleaved page (see `team_draft`), else empty
    failed_variants  those that should have ranked it, and failed
    probabilities  of each place given those above, if the page was drawn at random, else empty
    """

    user_id: str
    post_ids: Sequence[str]
    external_ids: Sequence[str | None]
    scores: Sequence[float]
    reasons: Sequence[Reason]
    evidence: Sequence[Evidence | None]
    source: Source
    degraded: bool
    exhausted: bool
    model_version: str | None
    generated_at: datetime
    next_cursor: str | None
    explanations: Sequence[Mapping[str, Any]] = ()
    post_seqs: Sequence[int] = ()
    time_ordered: bool = False
    variants: Mapping[str, str] = field(default_factory=dict)
    teams: Sequence[int] = ()
    failed_variants: Mapping[str, str] = field(default_factory=dict)
    probabilities: Sequence[float] = ()
