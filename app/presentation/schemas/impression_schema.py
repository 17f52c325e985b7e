"""POST /impressions and GET /authors/{author_id}/reach, as callers see them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.application.use_cases.report_seen import PostReach, SeenPosts
from app.presentation.schemas.interaction_schema import InteractionName
from app.presentation.schemas.recommendation_schema import GivenId, RequestId


class ImpressionsRequest(BaseModel):
    """Which posts of one page were on screen, also for less than a second."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "user_id": "test-user",
                    "request_id": "5f0c4f6f2b4e4a55b2d2c5a7a3e1c9d0",
                    "seen": ["post-17", "post-4"],
                }
            ]
        },
    )

    user_id: GivenId
    request_id: RequestId
    seen: Annotated[list[GivenId], Field(min_length=1, max_length=200)]

    def to_dto(self) -> SeenPosts:
        """The argument of the use case, which has the same fields."""
        return SeenPosts(**dict(self))


class ImpressionsResponse(BaseModel):
    """The report is committed."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["recorded"] = "recorded"
    seen: int = Field(ge=0, description="Posts of the stored page that are marked as seen")


class ReachItem(BaseModel):
    """One post: how often it was on a page, how often on screen, and its events by type."""

    model_config = ConfigDict(extra="forbid")

    post_id: str = Field(description="The post's UUID")
    external_id: str
    created_at: datetime
    shown: int = Field(ge=0, description="Pages that contained the post")
    seen: int = Field(ge=0, description="Pages on which the post was reported as seen")
    interactions: dict[InteractionName, int] = Field(description="Events by type, at most 10,000 in all")

    @classmethod
    def from_dto(cls, reach: PostReach) -> "ReachItem":
        """The item of a post's reach."""
        return cls(
            post_id=str(reach.post_id),
            external_id=reach.external_id,
            created_at=reach.created_at,
            shown=reach.shown,
            seen=reach.seen,
            interactions=dict(reach.interactions),
        )


class ReachResponse(BaseModel):
    """The newest posts of an author, newest first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "author_id": "user_7",
                    "posts": [
                        {
                            "post_id": "0d5c6f0e-3f5c-5f0a-9a52-0d6f4d1d2b7e",
                            "external_id": "post-17",
                            "created_at": "2026-03-01T12:00:00Z",
                            "shown": 120,
                            "seen": 64,
                            "interactions": {"view": 12, "click": 3, "like": 2, "comment": 1, "share": 0},
                        }
                    ],
                }
            ]
        },
    )

    author_id: str = Field(description="As it was given")
    posts: list[ReachItem]
