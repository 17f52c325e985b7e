"""Everything that is stored about a user, as callers see it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.presentation.schemas.recommendation_schema import GivenId

_Rows = list[dict[str, Any]]


class ExportResponse(BaseModel):
    """The rows of all tables of the service about one user. Ids of other users and of posts are UUIDs."""

    model_config = ConfigDict(extra="forbid")

    user_id: str = Field(description="As it was given")
    exported_at: datetime = Field(description="All rows are of this moment")
    managed_elsewhere: list[str] = Field(
        description="Views and tables of another application, whose rows are not here"
    )
    users: _Rows
    keys: _Rows = Field(description="The id of a user of another application's table")
    posts: _Rows = Field(description="By the user")
    interactions: _Rows = Field(description="By the user")
    follows: _Rows = Field(description="By the user and of the user")
    controls: _Rows = Field(description="By the user, also those taken back")
    memberships: _Rows
    interests: _Rows = Field(description="Tags and authors that the user declared")
    impressions: _Rows = Field(description="Pages that were shown to the user; a deleted post is null")
    experiments: _Rows = Field(description="What the user was shown and did in experiments, by day")
    recommendations: _Rows = Field(description="The last saved list of the user")


class StoreRows(BaseModel):
    """A table, and how many of its rows were removed."""

    model_config = ConfigDict(extra="forbid")

    name: str
    rows: int = Field(ge=0)


class ResetResponse(BaseModel):
    """What the user did and was shown is removed."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["reset"] = "reset"
    stores: list[StoreRows]
    managed_elsewhere: list[str] = Field(
        description="Views and tables that show rows of another application, which stay"
    )


class MergeRequest(BaseModel):
    """The user who becomes a part of another."""

    model_config = ConfigDict(
        strict=True, extra="forbid", json_schema_extra={"examples": [{"from_user_id": "anonymous-7"}]}
    )

    from_user_id: GivenId


class MergeResponse(BaseModel):
    """The two users are one."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["merged"] = "merged"
    merged_at: datetime
    stores: list[StoreRows]


class ErasureResponse(BaseModel):
    """The receipt of an erasure, which does not name the user."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["erased"] = "erased"
    erased_at: datetime
    stores: list[StoreRows]
    managed_elsewhere: list[str] = Field(
        description="Views and tables that show rows of another application, which are not erased"
    )
    outbox_purged_from: datetime = Field(
        description="From then on, the outbox is purged of the id, which replicas need until then"
    )
