"""The schema of feed files, and the error of a file that violates it.

A pydantic model defines one row; unknown columns are ignored. Files of millions of rows are checked column by column
with the same functions (`data.feed_files.columns`, `data.values`); a test compares the results of both.
"""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.domain.entities import InteractionType
from app.domain.entities.control import ControlAction
from app.domain.entities.post import Visibility
from app.shared.command_line import preview
from app.shared.exceptions import ConfigurationError
from data.placeholders import MISSING_VALUE, PLACEHOLDERS
from data.times import MAX_DAYS_UNTIL_POST, parse_past_time
from data.values import (
    UUID_FORM,
    parse_count,
    parse_embedding,
    parse_flag,
    parse_hidden,
    parse_id,
    parse_ids,
    parse_interaction_type,
    parse_language,
    parse_languages,
    parse_metadata,
    parse_tags,
    parse_visible,
)

FileKind = Literal["interactions", "posts", "users", "follows", "controls", "memberships", "impressions"]
NO_AUDIENCE: Final = "needs an audience_id, because only members of that audience see the post"
"""The problem of a post for members that has no audience: nobody could see it."""
NOT_ON_PAGE: Final = "holds a post that is not in the column posts of the same row"
"""The problem of a page with a seen post that it does not show."""


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


GivenId = Annotated[str, BeforeValidator(parse_id)]
FeedTime = Annotated[datetime, BeforeValidator(parse_past_time)]
PostTime = Annotated[datetime, BeforeValidator(partial(parse_past_time, max_days_ahead=MAX_DAYS_UNTIL_POST))]
EndTime = Annotated[datetime, BeforeValidator(partial(parse_past_time, max_days_ahead=None))]
Flag = Annotated[bool, BeforeValidator(parse_flag)]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]  # PostgreSQL cannot store a NUL character
Count = Annotated[int, BeforeValidator(parse_count)]


class FeedRow(BaseModel):
    """A row of a feed file. In nullable columns, words that stand for a missing value are read as None."""

    @model_validator(mode="before")
    @classmethod
    def _without_placeholders(cls, row: dict[str, Any]) -> dict[str, Any]:
        nullable = cls.nullable_columns()
        return {
            name: None if name in nullable and isinstance(value, str) and value in PLACEHOLDERS else value
            for name, value in row.items()
        }

    @classmethod
    def nullable_columns(cls) -> list[str]:
        """The columns whose value may be missing, except words that a user muted."""
        fields = cls.model_fields.items()
        return [name for name, field in fields if not field.is_required() and name not in ("tag", "word")]


class UserInteraction(FeedRow):
    """One row of `interactions`."""

    user_id: GivenId
    post_id: GivenId
    interaction_type: Annotated[InteractionType, BeforeValidator(parse_interaction_type)]
    created_at: FeedTime
    event_id: Annotated[str, Field(pattern=f"^{UUID_FORM}$")] | None = None
    metadata: Annotated[dict[str, Any], BeforeValidator(parse_metadata)] | None = None


class FeedPost(FeedRow):
    """One row of `posts`. Without `created_at`, the time of the first interaction is used."""

    id: GivenId
    author_id: GivenId | None = None
    content: Text | None = None
    created_at: PostTime | None = None
    visible: Annotated[bool, BeforeValidator(parse_visible)] | None = None
    hidden: Annotated[bool, BeforeValidator(parse_hidden)] | None = None
    like_count: Count | None = None
    comment_count: Count | None = None
    tags: Annotated[tuple[str, ...], BeforeValidator(parse_tags)] | None = None
    audience_id: Text | None = None
    visibility: Visibility | None = None
    language: Annotated[str, BeforeValidator(parse_language)] | None = None
    sensitive: Flag | None = None
    reply_to: GivenId | None = None
    root_id: GivenId | None = None
    repost_of: GivenId | None = None
    embedding: Annotated[Any, BeforeValidator(parse_embedding)] = None

    @field_validator("visibility")
    @classmethod
    def _has_audience(cls, visibility: Visibility | None, info: ValidationInfo) -> Visibility | None:
        if visibility == "members" and not info.data.get("audience_id"):
            raise ValueError(NO_AUDIENCE)
        return visibility


class FeedUser(FeedRow):
    """One row of `users`."""

    id: GivenId
    username: Text | None = None
    follower_count: Count | None = None
    created_at: FeedTime | None = None
    discoverable: Flag | None = None
    personalised: Flag | None = None
    languages: Annotated[tuple[str, ...], BeforeValidator(parse_languages)] | None = None
    show_sensitive: Flag | None = None


class FeedFollow(FeedRow):
    """One row of `follows`: user `follower_id` follows user `followee_id`."""

    follower_id: GivenId
    followee_id: GivenId
    created_at: FeedTime | None = None


class FeedControl(FeedRow):
    """One row of `controls`. Each action has one target (`TARGET_FIELDS`)."""

    user_id: GivenId
    action: ControlAction
    post_id: GivenId | None = None
    author_id: GivenId | None = None
    tag: Text | None = None
    word: Text | None = None
    created_at: FeedTime | None = None
    until: EndTime | None = None


class FeedMembership(FeedRow):
    """One row of `memberships`: the user may see posts of the audience."""

    user_id: GivenId
    audience_id: Annotated[Text, Field(min_length=1)]

    @field_validator("audience_id")
    @classmethod
    def _is_given(cls, audience_id: str) -> str:
        if audience_id in PLACEHOLDERS:
            raise ValueError(MISSING_VALUE)
        return audience_id


class FeedImpression(FeedRow):
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


ROWS: Final[dict[FileKind, type[FeedRow]]] = {
    "interactions": UserInteraction,
    "posts": FeedPost,
    "users": FeedUser,
    "follows": FeedFollow,
    "controls": FeedControl,
    "memberships": FeedMembership,
    "impressions": FeedImpression,
}
