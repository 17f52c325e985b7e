"""PUT and DELETE /users/{user_id}/follows/{followee_id}, as callers see them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class FollowResponse(BaseModel):
    """The follow, or its end, is committed."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["followed", "unfollowed"]
