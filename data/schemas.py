"""The schema of feed files, and the error of a file that violates it.

A pydantic model defines one row. Files of millions of rows are checked column by column with the same rules
(`data.feed_files.columns`); a test compares the results of both.
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
"""`12`, or `12.0`: programs write whole numbers like this in a column with missing values."""
FLAGS: Final = dict.fromkeys(("true", "t", "1", "yes", "y", "on"), True) | dict.fromkeys(
    ("false", "f", "0", "no", "n", "off"), False
)
UUID_FORM: Final = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"


class FeedFileError(Exception):
    """A feed file that cannot be read. The message is one line: file, place, column, value and problem."""

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
        problem = f"{preview(value)} {why}" if column and value is not None else why
        super().__init__(": ".join([part for part in parts if part] + [problem]))
        self.file, self.place, self.column, self.value, self.why = file, place, column, value, why


def parse_flag(value: object) -> bool:
    """A boolean in one of the usual spellings. Raises ValueError for any other value."""
    if isinstance(value, bool):
        return value
    flag = FLAGS.get(str(value).lower()) if isinstance(value, str | int) else None
    if flag is None:
        raise ValueError("is not true or false")
    return flag


def parse_count(value: object) -> int:
    """A whole number from 0 to 2,147,483,647. Raises ValueError for any other value."""
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    if not plain or not re.fullmatch(COUNT_FORM, str(value)) or float(str(value)) > MAX_COUNT:
        raise ValueError(f"is not a whole number from 0 to {MAX_COUNT}")
    return int(float(str(value)))


def parse_uuid(value: object) -> UUID:
    """A UUID of 32 hexadecimal digits, with or without hyphens. Raises ValueError for any other value."""
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str) or not re.fullmatch(UUID_FORM, value):
        raise ValueError("is not a UUID")
    return UUID(value)


def parse_tags(value: object) -> tuple[str, ...]:
    """Tags: a list of strings, a JSON array, or words separated by `|`, else by `;`, else by `,`."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("is not a JSON array of tags") from None
    elif isinstance(value, str):
        separator = next((one for one in "|;," if one in value), "|")
        value = [word.strip() for word in value.split(separator)]
    if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
        raise ValueError("is not a list of tags")
    if any("\0" in tag for tag in value):
        raise ValueError("contains a NUL character")
    return tuple(tag for tag in value if tag)


def parse_metadata(value: object) -> dict[str, Any]:
    """An object of at most 4 KiB, as a dict or as JSON text. Raises ValueError for any other value."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    text = orjson.dumps(value)
    if len(text) > MAX_METADATA_BYTES:
        raise ValueError(f"is larger than {MAX_METADATA_BYTES} bytes")
    if b"\\u0000" in text:
        raise ValueError("contains a NUL character")
    return value


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("is not printable")
    return value


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("contains a NUL character")
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
    """A row of a feed file; unknown columns are ignored."""

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
    """One row of `posts`. Without `created_at`, the time of the first interaction is used."""

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
    """One row of `follows`: user `follower_id` follows user `followee_id`."""

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
    """The row as its model. Raises FeedFileError with place, column and value."""
    try:
        return ROWS[kind].model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        column = str(first["loc"][0]) if first["loc"] else None
        if first["type"] == "missing":
            raise FeedFileError(file, "is missing", place=place, column=column) from None
        why = first["msg"].removeprefix("Value error, ")
        problem = why if first["type"] == "value_error" else f"is invalid: {why}"
        raise FeedFileError(file, problem, place=place, column=column, value=first["input"]) from None
