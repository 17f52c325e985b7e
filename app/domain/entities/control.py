"""What a user does not want to see."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

ControlAction = Literal[
    "hide_post", "not_interested", "mute_author", "block_author", "mute_tag", "mute_word", "report_post"
]
CONTROL_ACTIONS: tuple[ControlAction, ...] = get_args(ControlAction)
TARGET_FIELDS: dict[ControlAction, str] = {
    "hide_post": "post_id",
    "not_interested": "post_id",
    "report_post": "post_id",
    "mute_author": "author_id",
    "block_author": "author_id",
    "mute_tag": "tag",
    "mute_word": "word",
}
"""The field of `Control` that holds the target of each action."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control of a user. Exactly one of `post_id`, `author_id`, `tag` and `word` is its target.

    tag         in the form of `normal_tag`
    word        one or several words in the form of `normal_phrase`
    created_at  aware time at which the user set it; None: the time of storing
    until       aware time at which it ends; None: it holds until the user takes it back
    """

    user_id: UUID
    action: ControlAction
    post_id: UUID | None = None
    author_id: UUID | None = None
    tag: str | None = None
    word: str | None = None
    created_at: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.action not in CONTROL_ACTIONS:
            raise ValueError(f"action must be one of {CONTROL_ACTIONS}, got {self.action!r}")
        target = TARGET_FIELDS[self.action]
        given = [field for field in set(TARGET_FIELDS.values()) if getattr(self, field) is not None]
        if given != [target]:
            raise ValueError(f"{self.action} needs {target} and no other target")
        if "" in (self.tag, self.word):
            raise ValueError(f"{target} has no letters or digits")
