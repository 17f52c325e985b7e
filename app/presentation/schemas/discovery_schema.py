"""What the service returns beside the feed, as callers see it."""

from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from app.application.dto import Reason
from app.application.use_cases.rank_posts import MAX_POSTS
from app.presentation.schemas.recommendation_schema import GivenId

_MAX_EXPLAINED_POSTS = 200


class RankRequest(BaseModel):
    """Posts to rank for a user."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"examples": [{"user_id": "ann", "post_ids": ["post-1", "post-2"]}]}
    )

    user_id: GivenId
    post_ids: Annotated[list[GivenId], Field(min_length=1, max_length=MAX_POSTS)]
    explain: bool = Field(False, description="Add the parts of the scores; for at most 200 posts")

    @model_validator(mode="after")
    def _explains_few_posts(self) -> Self:
        if self.explain and len(self.post_ids) > _MAX_EXPLAINED_POSTS:
            raise ValueError(f"explain: at most {_MAX_EXPLAINED_POSTS} post_ids can be explained")
        return self


class ScoredPost(BaseModel):
    """One post."""

    model_config = ConfigDict(extra="forbid")

    post_id: str = Field(description="The post's UUID")
    external_id: str | None = Field(
        None, description="The id that the post was given, where it is another one"
    )
    score: float = Field(ge=0, le=1, description="Comparable within this answer only")
    reason: Reason | None = Field(None, description="The component that contributes most to the score")


class RankedPost(ScoredPost):
    """One post. With `explain` it also carries what its score is made of."""

    model_config = ConfigDict(extra="allow")


class ListMetadata(BaseModel):
    """About the answer."""

    model_config = ConfigDict(extra="forbid")

    total: int = Field(ge=0, description="Number of posts in this answer")
    model_version: str | None
    generated_at: AwareDatetime
    degraded: bool = Field(description="A part (model, database) was missing")
    request_id: str


class RankMetadata(ListMetadata):
    """About a ranking."""

    omitted: int = Field(
        ge=0,
        description="Given posts that are not in this answer: unknown ones, and those the user may not see",
    )


class RankResponse(BaseModel):
    """The posts that the user may see, best first."""

    model_config = ConfigDict(extra="forbid")

    user_id: str = Field(description="As it was given")
    recommendations: list[RankedPost]
    metadata: RankMetadata


class SimilarResponse(BaseModel):
    """The posts with the most similar texts, most similar first. `score` is the cosine of the text vectors."""

    model_config = ConfigDict(extra="forbid")

    post_id: str = Field(description="As it was given")
    recommendations: list[ScoredPost]
    metadata: ListMetadata


class SuggestedUserItem(BaseModel):
    """One user."""

    model_config = ConfigDict(extra="forbid")

    user_id: str = Field(description="The user's UUID")
    external_id: str | None = Field(
        None, description="The id that the user was given, where it is another one"
    )
    score: float = Field(ge=0, le=1, description="Comparable within this answer only")
    reason: Reason = Field(description="What contributes most to the score")


class SuggestedFollowsResponse(BaseModel):
    """Users whom the user may want to follow, best first."""

    model_config = ConfigDict(extra="forbid")

    users: list[SuggestedUserItem]


_METADATA: dict[str, Any] = {
    "total": 2,
    "model_version": "v1",
    "generated_at": "2025-01-13T12:00:00Z",
    "degraded": False,
    "request_id": "5f0c4f6f2b4e4a55b2d2c5a7a3e1c9d0",
}
EXAMPLE_RANKING: dict[str, Any] = {
    "user_id": "ann",
    "recommendations": [
        {
            "post_id": "0d5c6f0e-3f5c-5f0a-9a52-0d6f4d1d2b7e",
            "external_id": "post-2",
            "score": 1.0,
            "reason": "trending",
        },
        {"post_id": "7f7d9a4e-9d0b-4f43-8a55-5c2f5b1a7c11", "score": 0.4},
    ],
    "metadata": {**_METADATA, "omitted": 1},
}
EXAMPLE_SIMILAR: dict[str, Any] = {
    "post_id": "post-1",
    "recommendations": [
        {"post_id": "7f7d9a4e-9d0b-4f43-8a55-5c2f5b1a7c11", "score": 0.71, "reason": "content_similarity"}
    ],
    "metadata": {**_METADATA, "total": 1},
}
EXAMPLE_SUGGESTIONS: dict[str, Any] = {
    "users": [
        {
            "user_id": "3a2f0a52-0d5c-5e0f-9a52-7f7d9a4e9d0b",
            "external_id": "ben",
            "score": 0.62,
            "reason": "following",
        }
    ]
}
