"""PUT and DELETE /audiences/{audience_id}/members/{user_id}, as callers see them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class MembershipResponse(BaseModel):
    """The membership, or its end, is committed."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["joined", "left"]
