"""The schema of feed files, and the error of a file that violates it.

A pydantic model defines one row; unknown columns are ignored. Files of millions of rows are checked column by column
with the same functions (`data.feed_files.columns`); a test compares the results of both.

The `parse_` functions raise ValueError with the problem only, such as "is not true or false". Error messages put the
column and the value before it.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from app.domain.entities import INTERACTION_TYPES, InteractionType
from app.domain.entities.control import ControlAction
from app.domain.entities.interaction import MAX_METADATA_BYTES
from app.domain.entities.post import Visibility
from app.domain.ids import MAX_ID_LENGTH, is_id
from app.shared.command_line import preview
from app.shared.exceptions import ConfigurationError
from data.times import parse_time

FileKind = Literal["interactions", "posts", "users", "follows", "controls", "memberships", "impressions"]
MAX_COUNT: Final = 2**31 - 1
"""Counts are PostgreSQL integers."""
NO_AUDIENCE: Final = "needs an audience_id, because only members of that audience see the post"
"""The problem of a post for members that has no audience: nobody could see it."""
NOT_ON_PAGE: Final = "holds a post that is not in the column posts of the same row"
"""The problem of a page with a seen post that it does not show."""
UUID_FORM: Final = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"


class FeedFileError(ConfigurationError):
    """A feed file that cannot be read. The message is one line: file, place, column, value and problem."""

    def __init__(
        self,
        file: Path,
        problem: str,
        *,
        place: str | None = None,
        column: str | None = None,
        value: object = None,
    ) -> None:
        parts = [str(file), place, f"column {column}" if column else None]
        sentence = f"{preview(value)} {problem}" if column and value is not None else problem
        super().__init__(": ".join([part for part in parts if part] + [sentence]))
        self.column = column


def parse_id(value: object) -> str:
    """An id: 1 to 128 printable characters, or a whole number. Raises ValueError for any other value."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not is_id(text):
        raise ValueError(f"is not an id: it needs 1 to {MAX_ID_LENGTH} printable characters")
    return text


def parse_interaction_type(value: object) -> InteractionType:
    """A type of interaction, in any case. Raises ValueError for any other value."""
    kind = value.lower() if isinstance(value, str) else value
    if kind not in INTERACTION_TYPES:
        allowed = ", ".join(INTERACTION_TYPES)
        raise ValueError(f"is not one of {allowed}; map other names with --event-map")
    return kind


def parse_flag(value: object) -> bool:
    """A boolean in one of the spellings that pydantic knows. Raises ValueError for any other value."""
    try:
        return TypeAdapter(bool).validate_python(value)
    except ValidationError:
        raise ValueError("is not true or false") from None


def parse_count(value: object) -> int:
    """A whole number from 0 to 2,147,483,647. Raises ValueError for any other value.

    `12.0` is one as well: programs write whole numbers like this in a column with missing values.
    """
    is_number = isinstance(value, str | int | float) and not isinstance(value, bool)
    if not is_number or not re.fullmatch(r"[0-9]{1,10}(\.0*)?", str(value)) or float(str(value)) > MAX_COUNT:
        raise ValueError(f"is not a whole number from 0 to {MAX_COUNT}")
    return int(float(str(value)))


def parse_tags(value: object) -> tuple[str, ...]:
    """Tags: a list of strings, a JSON array, or words separated by `|`, else by `;`, else by `,`."""
    return tuple(tag for tag in _parse_list(value, "tags") if tag)


def parse_ids(value: object) -> tuple[str, ...]:
    """Ids, written as tags are. Raises ValueError for any other value."""
    return tuple(map(parse_id, _parse_list(value, "ids")))


def _parse_list(value: object, what: str) -> list[str]:
    if isinstance(value, str) and value.startswith("["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError(f"is not a JSON array of {what}") from None
    elif isinstance(value, str):
        separator = next((one for one in "|;," if one in value), "|")
        value = [word.strip() for word in value.split(separator)]
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"is not a list of {what}")
    if any("\0" in one for one in value):
        raise ValueError("contains a NUL character")
    return list(value)


def parse_language(value: object) -> str:
    """A language tag of BCP 47, such as "de" or "de-AT". Raises ValueError for any other value."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError('is not a language tag such as "de" or "de-AT"')
    return value


def parse_languages(value: object) -> tuple[str, ...]:
    """Language tags, written as tags are. Raises ValueError for any other value."""
    return tuple(map(parse_language, parse_tags(value)))


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


GivenId = Annotated[str, BeforeValidator(parse_id)]
FeedTime = Annotated[datetime, BeforeValidator(parse_time)]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]  # PostgreSQL cannot store a NUL character
Count = Annotated[int, BeforeValidator(parse_count)]


class UserInteraction(BaseModel):
    """One row of `interactions`."""

    user_id: GivenId
    post_id: GivenId
    interaction_type: Annotated[InteractionType, BeforeValidator(parse_interaction_type)]
    created_at: FeedTime
    event_id: Annotated[str, Field(pattern=f"^{UUID_FORM}$")] | None = None
    metadata: Annotated[dict[str, Any], BeforeValidator(parse_metadata)] | None = None


class FeedPost(BaseModel):
    """One row of `posts`. Without `created_at`, the time of the first interaction is used."""

    id: GivenId
    author_id: GivenId | None = None
    content: Text | None = None
    created_at: FeedTime | None = None
    visible: bool | None = None
    like_count: Count | None = None
    comment_count: Count | None = None
    tags: Annotated[tuple[str, ...], BeforeValidator(parse_tags)] | None = None
    audience_id: Text | None = None
    visibility: Visibility | None = None
    language: Annotated[str, BeforeValidator(parse_language)] | None = None
    sensitive: bool | None = None
    reply_to: GivenId | None = None
    root_id: GivenId | None = None
    repost_of: GivenId | None = None

    @field_validator("visibility")
    @classmethod
    def _has_audience(cls, visibility: Visibility | None, info: ValidationInfo) -> Visibility | None:
        if visibility == "members" and not info.data.get("audience_id"):
            raise ValueError(NO_AUDIENCE)
        return visibility


class FeedUser(BaseModel):
    """One row of `users`."""

    id: GivenId
    username: Text | None = None
    follower_count: Count | None = None
    created_at: FeedTime | None = None
    discoverable: bool | None = None
    personalised: bool | None = None
    languages: Annotated[tuple[str, ...], BeforeValidator(parse_languages)] | None = None
    show_sensitive: bool | None = None


class FeedFollow(BaseModel):
    """One row of `follows`: user `follower_id` follows user `followee_id`."""

    follower_id: GivenId
    followee_id: GivenId
    created_at: FeedTime | None = None


class FeedControl(BaseModel):
    """One row of `controls`. Each action has one target (`TARGET_FIELDS`)."""

    user_id: GivenId
    action: ControlAction
    post_id: GivenId | None = None
    author_id: GivenId | None = None
    tag: Text | None = None
    word: Text | None = None
    created_at: FeedTime | None = None
    until: FeedTime | None = None


class FeedMembership(BaseModel):
    """One row of `memberships`: the user may see posts of the audience."""

    user_id: GivenId
    audience_id: Annotated[Text, Field(min_length=1)]


class FeedImpression(BaseModel):
    """One row of `impressions`: a page that the user was shown, and those of its posts that were on screen."""

    user_id: GivenId
    request_id: GivenId
    created_at: FeedTime
    posts: Annotated[tuple[str, ...], BeforeValidator(parse_ids), Field(min_length=1)]
    seen: Annotated[tuple[str, ...], BeforeValidator(parse_ids)] | None = None

    @field_validator("seen")
    @classmethod
    def _is_on_page(cls, seen: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if not set(seen or ()) <= set(info.data.get("posts", ())):
            raise ValueError(NOT_ON_PAGE)
        return seen


ROWS: Final[dict[FileKind, type[BaseModel]]] = {
    "interactions": UserInteraction,
    "posts": FeedPost,
    "users": FeedUser,
    "follows": FeedFollow,
    "controls": FeedControl,
    "memberships": FeedMembership,
    "impressions": FeedImpression,
}
