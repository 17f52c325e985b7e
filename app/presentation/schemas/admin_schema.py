"""GET /admin/explain and GET /admin/users/{user_id}, as operators see them."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.application.dto import PageRule, Reason
from app.application.use_cases.explain_feed import Exclusion, PostExplanation, UserOverview, Verdict
from app.presentation.schemas.feedback_schema import ControlItem

_SCORE_PARTS = (
    "As `explain` of a feed request gives them: the inputs of the post and what each adds to its score"
)


class ExplainResponse(BaseModel):
    """Why a post is, or is not, on the first page of a user's ranked feed now."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "user_id": "0b7c8f6e-54a1-5b0e-9a3d-1f6c0d2e4a5b",
                    "post_id": "0d5c6f0e-3f5c-5f0a-9a52-0d6f4d1d2b7e",
                    "known_user": True,
                    "model_version": "v1",
                    "generated_at": "2026-03-01T12:00:00Z",
                    "verdict": "below_page",
                    "position": None,
                    "reason": None,
                    "sources": ["trending", "following"],
                    "removed_by": [],
                    "excluded_as": [],
                    "rank": 73,
                    "score": 0.21,
                    "page_rule": "author_spacing",
                    "score_parts": {"probability": 0.0041, "contributions": {"age": -1.2}},
                }
            ]
        },
    )

    user_id: UUID
    post_id: UUID
    known_user: bool = Field(description="False for a user without a row, who gets the feed of a new user")
    model_version: str | None
    generated_at: AwareDatetime
    verdict: Verdict = Field(
        description="`on_page`; `below_page`: ranked lower; `filtered`: a filter does not allow it; `not_candidate`: "
        "no source returned it, so it follows after the ranked posts; `not_live`: only the database has it, so it "
        "follows after the posts in memory"
    )
    position: int | None = Field(None, ge=1, description="On the page, the first is 1")
    reason: Reason | None = Field(None, description="As the page shows it")
    sources: list[str] = Field(default_factory=list, description="That returned the post")
    removed_by: list[str] = Field(default_factory=list, description="Filters that do not allow the post")
    excluded_as: list[Exclusion] = Field(
        default_factory=list, description="Why the filter `not_excluded` does not allow it"
    )
    rank: int | None = Field(None, ge=1, description="By score among all ranked posts, the best is 1")
    score: float | None = Field(None, ge=0, le=1)
    page_rule: PageRule | None = Field(
        None, description="A post of the same thread, or of the same author, ranks higher"
    )
    score_parts: dict[str, Any] = Field(default_factory=dict, description=_SCORE_PARTS)

    @classmethod
    def of(cls, explanation: PostExplanation) -> "ExplainResponse":
        """The response for an explanation."""
        fields = asdict(explanation)
        return cls(**fields | (fields.pop("trace") or {}))


class EventItem(BaseModel):
    """One event of the user."""

    model_config = ConfigDict(extra="forbid")

    post_id: str
    external_id: str | None
    interaction_type: str
    occurred_at: AwareDatetime


class ListedItem(BaseModel):
    """One post of the user's feed."""

    model_config = ConfigDict(extra="forbid")

    post_id: str
    external_id: str | None
    score: float = Field(ge=0, le=1)
    reason: Reason
    sources: list[str] = Field(
        description="That returned the post; empty for one that follows the ranked posts"
    )
    score_parts: dict[str, Any] = Field(description=_SCORE_PARTS)


class UserResponse(BaseModel):
    """What the feed knows about a user."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "user_id": "0b7c8f6e-54a1-5b0e-9a3d-1f6c0d2e4a5b",
                    "personalised": True,
                    "discoverable": True,
                    "show_sensitive": False,
                    "languages": ["en"],
                    "event_count": 0,
                    "events": [],
                    "follow_count": 0,
                    "follows": [],
                    "controls": [],
                    "model_version": "v1",
                    "generated_at": "2026-03-01T12:00:00Z",
                    "recommendations": [
                        {
                            "post_id": "0d5c6f0e-3f5c-5f0a-9a52-0d6f4d1d2b7e",
                            "external_id": "post-17",
                            "score": 1.0,
                            "reason": "trending",
                            "sources": ["trending"],
                            "score_parts": {"probability": 0.02, "contributions": {"age": 0.4}},
                        }
                    ],
                }
            ]
        },
    )

    user_id: UUID
    personalised: bool = Field(description="Whether the user wants their own events to rank")
    discoverable: bool = Field(description="Whether others than followers see the posts of the user")
    show_sensitive: bool
    languages: list[str] = Field(description="That the user reads, without regions; empty for all")
    event_count: int = Field(ge=0, description="Events that rank")
    events: list[EventItem] = Field(description="The newest 100, newest first")
    follow_count: int = Field(ge=0)
    follows: list[str] = Field(description="UUIDs of the first 1,000 followed users")
    controls: list[ControlItem]
    model_version: str | None
    generated_at: AwareDatetime
    recommendations: list[ListedItem] = Field(
        description="The first page of the ranked feed; nothing is recorded"
    )

    @classmethod
    def of(cls, overview: UserOverview) -> "UserResponse":
        """The response for an overview."""
        fields = asdict(overview)
        return cls(**fields | {"recommendations": fields.pop("posts")})
