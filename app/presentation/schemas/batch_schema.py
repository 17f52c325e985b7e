"""What the responses of partial batches have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_BATCH = 500


class RejectedItem(BaseModel):
    """An item of a batch that was not stored."""

    model_config = ConfigDict(extra="forbid")

    index: int = Field(ge=0, description="Place in the request, from 0")
    code: str = Field(description="As `code` of a problem")


Rejected = Annotated[
    list[RejectedItem] | None,
    Field(
        exclude_if=lambda items: items is None, description="With `partial`: the items that were not stored"
    ),
]
