"""What a row of a feed file may hold, and the one error that a file which breaks it gives.

The models are the definition: one row, checked by pydantic. Files of millions of rows are checked a column at a
time (`data.columns`), by the same rules; a test holds the two to the same verdict.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from app.domain.entities import InteractionType
from app.domain.entities.interaction import MAX_METADATA_BYTES
from app.domain.ids import MAX_ID_LENGTH
from data.times import parse_time

FileKind = Literal["interactions", "posts", "users", "follows"]
MAX_COUNT: Final = 2**31 - 1
"""Counts are PostgreSQL integers."""


class FeedFileError(Exception):
    """A feed file that cannot be read: one line naming the file, the place in it, the column and the value."""

    def __init__(
        self,
        file: Path,
        why: str,
        *,
        place: str | None = None,
        column: str | None = None,
        value: object = None,
    ) -> None:
        parts = [str(file), place, f"column {column}" if column else None]
        told = f"{shown(value)} {why}" if column and value is not None else why
        super().__init__(": ".join([part for part in parts if part] + [told]))
        self.file, self.place, self.column, self.value, self.why = file, place, column, value, why


def shown(value: object) -> str:
    """A value as one short printable line, for messages."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable")
    return value


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL character")
    return value


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(value)) > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES} bytes of JSON")
    return value


GivenId = Annotated[
    str, BeforeValidator(_as_text), Field(min_length=1, max_length=MAX_ID_LENGTH), AfterValidator(_printable)
]
FeedTime = Annotated[datetime, BeforeValidator(parse_time)]
Text = Annotated[str, AfterValidator(_storable)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class UserInteraction(_Row):
    """One row of `interactions`."""

    user_id: GivenId
    post_id: GivenId
    interaction_type: InteractionType
    created_at: FeedTime
    event_id: UUID | None = None
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] | None = None


class FeedPost(_Row):
    """One row of `posts`. Without `created_at` the post dates from its first interaction."""

    id: GivenId
    author_id: GivenId | None = None
    content: Text | None = None
    created_at: FeedTime | None = None
    visible: bool | None = None
    like_count: Count | None = None
    comment_count: Count | None = None
    tags: list[Text] | None = None


class FeedUser(_Row):
    """One row of `users`."""

    id: GivenId
    username: Text | None = None
    follower_count: Count | None = None
    created_at: FeedTime | None = None


class FeedFollow(_Row):
    """One row of `follows`: `follower_id` reads what `followee_id` posts; undated where `created_at` is missing."""

    follower_id: GivenId
    followee_id: GivenId
    created_at: FeedTime | None = None


ROWS: Final[dict[FileKind, type[_Row]]] = {
    "interactions": UserInteraction,
    "posts": FeedPost,
    "users": FeedUser,
    "follows": FeedFollow,
}


def validate_row(kind: FileKind, row: object, file: Path, place: str) -> BaseModel:
    """The row as its model; raises FeedFileError naming the place, the column and the value."""
    try:
        return TypeAdapter(ROWS[kind]).validate_python(row)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        column = str(first["loc"][0]) if first["loc"] else None
        why = "is not right: " + first["msg"].removeprefix("Value error, ")
        raise FeedFileError(file, why, place=place, column=column, value=first["input"]) from None
