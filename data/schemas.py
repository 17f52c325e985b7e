"""What a row of a feed file may hold, and the one error that a file which breaks it gives.

The models are the definition: one row, checked by pydantic. Files of millions of rows are checked a column at
a time (`data.feed_files.columns`) by the same rules; a test holds the two to the same verdict.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.domain.entities import InteractionType
from app.domain.entities.interaction import MAX_METADATA_BYTES
from app.domain.ids import MAX_ID_LENGTH
from app.shared.command_line import preview
from data.times import parse_time

FileKind = Literal["interactions", "posts", "users", "follows"]
MAX_COUNT: Final = 2**31 - 1
"""Counts are PostgreSQL integers."""
COUNT_FORM: Final = r"[0-9]{1,10}(\.0*)?"
"""`12`, and `12.0` as programs write a column of whole numbers that has gaps."""
FLAGS: Final = {"true": True, "t": True, "1": True, "yes": True, "y": True, "on": True} | {
    "false": False,
    "f": False,
    "0": False,
    "no": False,
    "n": False,
    "off": False,
}
UUID_FORM: Final = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"


class FeedFileError(Exception):
    """A feed file that cannot be read: one line naming the file, the place in it, column and value."""

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
        told = f"{preview(value)} {why}" if column and value is not None else why
        super().__init__(": ".join([part for part in parts if part] + [told]))
        self.file, self.place, self.column, self.value, self.why = file, place, column, value, why


def parse_flag(value: object) -> bool:
    """True or false in the usual spellings; ValueError for what is neither."""
    if isinstance(value, bool):
        return value
    flag = FLAGS.get(str(value).lower()) if isinstance(value, str | int) else None
    if flag is None:
        raise ValueError("is neither true nor false")
    return flag


def parse_count(value: object) -> int:
    """A whole number from 0 to 2,147,483,647; ValueError for anything else."""
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    if not plain or not re.fullmatch(COUNT_FORM, str(value)) or float(str(value)) > MAX_COUNT:
        raise ValueError(f"is not a whole number from 0 to {MAX_COUNT}")
    return int(float(str(value)))


def parse_uuid(value: object) -> UUID:
    """A UUID of 32 hexadecimal digits, with or without hyphens; ValueError for anything else."""
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str) or not re.fullmatch(UUID_FORM, value):
        raise ValueError("is not a UUID")
    return UUID(value)


def parse_tags(value: object) -> tuple[str, ...]:
    """Tags: a list of strings, a JSON array, or words parted by `|`, else by `;`, else by `,`."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("is no JSON array of tags") from None
    elif isinstance(value, str):
        mark = next((one for one in "|;," if one in value), "|")
        value = [word.strip() for word in value.split(mark)]
    if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
        raise ValueError("is no list of tags")
    if any("\0" in tag for tag in value):
        raise ValueError("holds a NUL character")
    return tuple(tag for tag in value if tag)


def parse_metadata(value: object) -> dict[str, Any]:
    """An object of at most 4 KiB, given as such or as JSON text; ValueError for anything else."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")
    text = orjson.dumps(value)
    if len(text) > MAX_METADATA_BYTES:
        raise ValueError(f"is larger than {MAX_METADATA_BYTES} bytes")
    if b"\\u0000" in text:
        raise ValueError("holds a NUL character")
    return value


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("is not printable")
    return value


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL character")
    return value


GivenId = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(min_length=1, max_length=MAX_ID_LENGTH),
    AfterValidator(_printable),
]
FeedTime = Annotated[datetime, BeforeValidator(parse_time)]
Text = Annotated[str, AfterValidator(_storable)]
Count = Annotated[int, BeforeValidator(parse_count)]
Flag = Annotated[bool, BeforeValidator(parse_flag)]
Tags = Annotated[tuple[str, ...], BeforeValidator(parse_tags)]
Metadata = Annotated[dict[str, Any], BeforeValidator(parse_metadata)]
EventId = Annotated[UUID, BeforeValidator(parse_uuid)]


class FeedRow(BaseModel):
    """A row of a feed file; columns that are not known are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class UserInteraction(FeedRow):
    """One row of `interactions`."""

    user_id: GivenId
    post_id: GivenId
    interaction_type: InteractionType
    created_at: FeedTime
    event_id: EventId | None = None
    metadata: Metadata | None = None


class FeedPost(FeedRow):
    """One row of `posts`. Without `created_at` the post dates from its first interaction."""

    id: GivenId
    author_id: GivenId | None = None
    content: Text | None = None
    created_at: FeedTime | None = None
    visible: Flag | None = None
    like_count: Count | None = None
    comment_count: Count | None = None
    tags: Tags | None = None


class FeedUser(FeedRow):
    """One row of `users`."""

    id: GivenId
    username: Text | None = None
    follower_count: Count | None = None
    created_at: FeedTime | None = None


class FeedFollow(FeedRow):
    """One row of `follows`: `follower_id` reads what `followee_id` posts; undated without `created_at`."""

    follower_id: GivenId
    followee_id: GivenId
    created_at: FeedTime | None = None


ROWS: Final[dict[FileKind, type[FeedRow]]] = {
    "interactions": UserInteraction,
    "posts": FeedPost,
    "users": FeedUser,
    "follows": FeedFollow,
}


def validate_row(kind: FileKind, row: object, file: Path, place: str) -> FeedRow:
    """The row as its model; raises FeedFileError naming the place, the column and the value."""
    try:
        return ROWS[kind].model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        column = str(first["loc"][0]) if first["loc"] else None
        if first["type"] == "missing":
            raise FeedFileError(file, "is missing", place=place, column=column) from None
        why = first["msg"].removeprefix("Value error, ")
        told = why if first["type"] == "value_error" else f"is not right: {why}"
        raise FeedFileError(file, told, place=place, column=column, value=first["input"]) from None
