"""POST /recommendations/generate, as callers see it.

Requests are validated with these models; answers are rendered straight from `RecommendationResponse` for speed, and the
tests hold them against these models.
"""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.application.dto import EvidenceKind, Mode, Reason, RecommendationRequest, Shown, Source
from app.application.use_cases.count_updates import MAX_COUNT

GivenId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        description="The id that your application uses: the row with this `external_id`; else a UUID means itself, "
        "and any other string of printable characters the UUID that is derived from it",
    ),
]
RequestId = Annotated[
    str,
    Field(
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="`metadata.request_id` of the answer that showed the post",
    ),
]
LARGEST_OFFSET = 2**53 - 1  # what every JSON parser keeps exact


VariantName = Annotated[str, Field(max_length=32)]


class RequestContext(BaseModel):
    """How the list is made. Unknown keys are ignored."""

    model_config = ConfigDict(strict=True)

    exclude_seen: bool = Field(True, description="Leave out every post that the user has any event with")
    mode: Mode = Field(
        "ranked", description="The ranked feed, every post newest first, or followed authors only"
    )
    explain: bool = Field(False, description="Say of each post what put it there")
    shown: Shown = Field(
        "sink",
        description="Posts that were shown before without any engagement rank lower (`sink`), are excluded "
        "(`exclude`), or are ranked as all others (`ignore`); in mode `ranked`",
    )
    variants: dict[VariantName, VariantName] | None = Field(
        None,
        max_length=16,
        description="Variants of experiments, by experiment, in place of those of the user; the page does not count in "
        "the experiments. Send them with each page. Needs the scope `admin`",
    )
    record: bool = Field(
        True,
        description="Whether the page counts as shown; false for a page that no user sees, as in shadow mode",
    )


class GenerateRequest(BaseModel):
    """One page of a user's feed."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {"user_id": "test-user", "limit": 50, "context": {"exclude_seen": True, "mode": "ranked"}}
            ]
        },
    )

    user_id: GivenId
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    offset: Annotated[int, Field(ge=0, le=LARGEST_OFFSET, description="Pages through the last list made")] = 0
    cursor: str | None = Field(None, description="`metadata.next_cursor` of the page before")
    # created for each request, because a deep copy of a default costs more than the rest of the check
    exclude_ids: list[GivenId] = Field(
        default_factory=list, max_length=500, json_schema_extra={"default": []}
    )
    context: RequestContext = Field(
        default_factory=RequestContext, json_schema_extra={"default": RequestContext().model_dump()}
    )

    def to_dto(self, request_id: str) -> RecommendationRequest:
        """The argument of the use case: `context` without its nesting, and the id of the response."""
        fields = vars(self) | vars(self.context)
        del fields["context"]
        return RecommendationRequest(**fields, request_id=request_id)


class PostEvidence(BaseModel):
    """One true fact about a post and the user, to show to the user. Its JSON has at most 80 bytes.

    No other field is present than those of the kind. A user is named only if the user of the request follows them.
    """

    model_config = ConfigDict(extra="forbid")

    kind: EvidenceKind = Field(
        description="`followed_author`: the user follows the author, `user_id`; without it, the author is not "
        "discoverable. `similar_users`: `count` users with similar recent events liked the post. `read_author`, "
        "`new_from_read_author`: the user's recent events are with posts of the author. `trending`: `count` people "
        "liked, commented on or shared the post in the last 7 days. `tag`: the user's recent events are with posts of "
        "`tag`. `new`, `new_from_read_author`: the post is at most 24 hours old"
    )
    user_id: str | None = Field(None, description="UUID of a user")
    count: int | None = Field(None, ge=3, description="At least so many people")
    tag: str | None = Field(None, description="The first tag of the post")


class RecommendedPost(BaseModel):
    """One post. With `context.explain` it also carries what its score is made of."""

    model_config = ConfigDict(extra="allow")

    post_id: str = Field(description="The post's UUID")
    external_id: str | None = Field(
        None, description="The id that the post was given, where it is another one"
    )
    score: float = Field(ge=0, le=1, description="Comparable within this answer only")
    reason: Reason = Field(description="The component that put the post there")
    evidence: PostEvidence | None = Field(
        None,
        description="Of the facts that raised the score, the strongest one that is true; absent without one",
    )


class AnswerMetadata(BaseModel):
    """About the answer."""

    model_config = ConfigDict(extra="forbid")

    total: int = Field(ge=0, description="Number of recommendations in this answer")
    model_version: str | None
    generated_at: AwareDatetime
    source: Source
    degraded: bool = Field(description="A part (model, database) was missing")
    exhausted: bool = Field(description="Nothing is left after this page")
    request_id: str = Field(description="Name it in the events that this answer leads to")
    next_cursor: str | None = Field(description="Opaque; null when the list has ended")
    time_ordered: bool = Field(
        description="After a long scroll: this page is newest first, and later pages have older posts only"
    )
    variants: dict[str, str] = Field(
        description="The variants of experiments that ranked this page, by experiment"
    )


class GenerateResponse(BaseModel):
    """One page, best post first."""

    model_config = ConfigDict(extra="forbid")

    user_id: str = Field(description="As it was given")
    recommendations: list[RecommendedPost]
    metadata: AnswerMetadata


class PagesRequest(BaseModel):
    """The first pages of several users, such as for a digest by mail."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"examples": [{"user_ids": ["ann", "ben"], "limit": 10}]}
    )

    user_ids: Annotated[list[GivenId], Field(min_length=1, max_length=100)]
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class PagesResponse(BaseModel):
    """One page for each user, in the order of the request. No page has a `next_cursor`."""

    model_config = ConfigDict(extra="forbid")

    pages: list[GenerateResponse]


class UpdatesRequest(BaseModel):
    """A list that the user has on screen."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"examples": [{"user_id": "test-user", "cursor": "q83vEjRWeJq83vAB"}]}
    )

    user_id: GivenId
    cursor: str = Field(description="`metadata.next_cursor` of any page of the list")


class UpdatesResponse(BaseModel):
    """How many posts are new for a list."""

    model_config = ConfigDict(extra="forbid")

    new: int = Field(ge=0, le=MAX_COUNT, description="Eligible posts published since the list began")
    capped: bool = Field(description="There are more")


EXAMPLE_ANSWER: dict[str, Any] = {
    "user_id": "test-user",
    "recommendations": [
        {
            "post_id": "0d5c6f0e-3f5c-5f0a-9a52-0d6f4d1d2b7e",
            "external_id": "post-17",
            "score": 0.87,
            "reason": "collaborative_filtering",
            "evidence": {"kind": "similar_users", "count": 4},
        },
        {"post_id": "7f7d9a4e-9d0b-4f43-8a55-5c2f5b1a7c11", "score": 0.64, "reason": "trending"},
    ],
    "metadata": {
        "total": 2,
        "model_version": "v1",
        "generated_at": "2025-01-13T12:00:00Z",
        "source": "personalized",
        "degraded": False,
        "exhausted": False,
        "request_id": "5f0c4f6f2b4e4a55b2d2c5a7a3e1c9d0",
        "next_cursor": "q83vEjRWeJq83vAB",
        "time_ordered": False,
        "variants": {"more_exploration": "control"},
    },
}
