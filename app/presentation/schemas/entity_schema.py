"""PUT and DELETE of users and posts, and POST /posts/batch, as callers see them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from app.application.use_cases.write_entities import MAX_DIMENSIONS, MIN_DIMENSIONS
from app.presentation.schemas.batch_schema import MAX_BATCH, Rejected
from app.presentation.schemas.interaction_schema import parse_time
from app.presentation.schemas.recommendation_schema import GivenId

_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""The bounds of the tables."""


def _storable(moment: datetime | None) -> datetime | None:
    if moment is not None and not _EARLIEST <= moment <= _LATEST:
        raise ValueError("is out of range")
    return moment


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return text


Text = Annotated[str, AfterValidator(_without_nul)]
Language = Annotated[
    str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=100, description="A tag of BCP 47")
]
Number = Annotated[float, Field(allow_inf_nan=False)]
Embedding = Annotated[list[Number], Field(min_length=MIN_DIMENSIONS, max_length=MAX_DIMENSIONS)]
Tag = Annotated[Text, Field(min_length=1)]
CreatedAt = Annotated[
    datetime,
    BeforeValidator(parse_time),
    AfterValidator(_storable),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class _EntityBody(BaseModel):
    """Fields that are omitted stay as they are; null clears a field."""

    model_config = ConfigDict(strict=True, extra="forbid")

    def given(self) -> dict[str, Any]:
        """The fields that the body has, also those that are null; without `id`."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"id"}}


class UserBody(_EntityBody):
    """A user. Fields that are omitted stay as they are; a new user gets the defaults."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ann", "languages": ["de", "en"]}]}
    )

    username: Text | None = None
    created_at: CreatedAt = Field(default=None, description="Default: now")  # type: ignore[assignment]
    languages: list[Language] = Field([], description="Languages that the user reads; none: all")
    show_sensitive: bool = Field(False, description="Show sensitive posts to the user")
    discoverable: bool = Field(True, description="False: only followers get the user's posts")
    personalised: bool = Field(True, description="False: the user's own events do not rank the user's feed")
    tags: Annotated[list[Tag], Field(max_length=100)] = Field(
        [], description="Declared interests, for the feed while the user has few events"
    )
    authors: Annotated[list[GivenId], Field(max_length=100)] = Field(
        [], description="Declared interests: users who exist"
    )


class PostBody(_EntityBody):
    """A post. Fields that are omitted stay as they are; a new post gets the defaults."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"author_id": "ann", "content": "A walk along the river", "tags": ["nature"]}]
        }
    )

    author_id: GivenId | None = Field(None, description="A user; one that is new gets a row")
    content: Text | None = None
    created_at: CreatedAt = Field(  # type: ignore[assignment]
        default=None, description="Default: now. A post of the future is shown when its time comes"
    )
    tags: list[Tag] = Field([], description="The first one is the topic")
    visible: bool = Field(True, description="False: shown to nobody")
    visibility: Literal["public", "followers", "members"] = "public"
    audience_id: Annotated[Text, Field(min_length=1)] | None = Field(
        None, description="Whose members see a post with visibility `members`"
    )
    language: Language | None = None
    sensitive: bool = False
    reply_to: GivenId | None = None
    root_id: GivenId | None = Field(None, description="The first post of the thread")
    repost_of: GivenId | None = Field(None, description="The original of a repost")
    embedding: Embedding | None = Field(
        None, description="A vector of your own model, of EMBEDDING_DIMENSIONS numbers; stored with length 1"
    )


class BatchPost(PostBody):
    """A post of a batch."""

    id: GivenId


class PostBatchRequest(BaseModel):
    """Up to 500 posts, stored all or none."""

    model_config = ConfigDict(strict=True, extra="forbid")

    posts: Annotated[list[BatchPost], Field(min_length=1, max_length=MAX_BATCH)]


class StoredResponse(BaseModel):
    """The user or the post is committed."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["stored"] = "stored"


class DeletedResponse(BaseModel):
    """The post is deleted, or there was none."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["deleted"] = "deleted"


class PostBatchResponse(BaseModel):
    """The posts are committed."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["stored"] = "stored"
    accepted: int = Field(ge=0, description="Posts that are stored by this call")
    rejected: Rejected = None
