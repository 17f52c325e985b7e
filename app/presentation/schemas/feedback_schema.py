"""POST /feedback and GET /users/{user_id}/controls, as callers see them."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from app.application.use_cases.give_feedback import ActiveControl, Feedback
from app.presentation.schemas.interaction_schema import EventId, parse_time
from app.presentation.schemas.recommendation_schema import GivenId

ActionName = Literal[
    "hide_post", "not_interested", "mute_author", "block_author", "mute_tag", "mute_word", "report_post"
]
Term = Annotated[str, Field(min_length=1, max_length=100)]
_TARGETS = {"mute_author": "author_id", "block_author": "author_id", "mute_tag": "tag", "mute_word": "word"}


class FeedbackRequest(BaseModel):
    """What one user does not want to see, or does not mind any more."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [{"user_id": "test-user", "action": "mute_author", "author_id": "user_7"}]
        },
    )

    user_id: GivenId
    action: ActionName
    post_id: Annotated[
        GivenId | None, Field(description="Target of hide_post, not_interested and report_post")
    ] = None
    author_id: Annotated[GivenId | None, Field(description="Target of mute_author and block_author")] = None
    tag: Annotated[Term | None, Field(description="Target of mute_tag; # and case do not matter")] = None
    word: Annotated[
        Term | None,
        Field(
            description="Target of mute_word: a whole word, or several in this order; case does not matter"
        ),
    ] = None
    undo: Annotated[bool, Field(description="Takes the action back")] = False
    until: Annotated[
        datetime | None,
        BeforeValidator(parse_time),
        WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
        Field(description="When the action ends by itself; default: never"),
    ] = None
    event_id: Annotated[EventId, Field(description="The same id is stored once")] = None

    @model_validator(mode="after")
    def _has_its_target(self) -> Self:
        target = _TARGETS.get(self.action, "post_id")
        given = [
            field for field in ("post_id", "author_id", "tag", "word") if getattr(self, field) is not None
        ]
        if given != [target]:
            raise ValueError(f"{self.action} needs {target} and no other target")
        return self

    def to_dto(self) -> Feedback:
        """The argument of the use case, which has the same fields."""
        return Feedback(**dict(self))


class FeedbackResponse(BaseModel):
    """The action is committed."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["recorded"] = "recorded"


class ControlItem(BaseModel):
    """One control that holds. Exactly one of `post_id`, `author_id`, `tag` and `word` is its target."""

    model_config = ConfigDict(extra="forbid")

    action: ActionName
    post_id: str | None
    author_id: str | None
    tag: str | None
    word: str | None
    created_at: datetime | None
    until: datetime | None

    @classmethod
    def from_dto(cls, control: ActiveControl) -> "ControlItem":
        """The item of a control."""
        return cls(
            action=control.action,
            post_id=control.post_id,
            author_id=control.author_id,
            tag=control.tag,
            word=control.word,
            created_at=control.created_at,
            until=control.until,
        )


class ControlsResponse(BaseModel):
    """The controls of a user that hold now, oldest first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "user_id": "test-user",
                    "controls": [
                        {
                            "action": "mute_author",
                            "post_id": None,
                            "author_id": "0b7c8f6e-54a1-5b0e-9a3d-1f6c0d2e4a5b",
                            "tag": None,
                            "word": None,
                            "created_at": "2026-03-01T12:00:00Z",
                            "until": None,
                        }
                    ],
                }
            ]
        },
    )

    user_id: str
    controls: list[ControlItem]
