"""What a user does not want to see."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

ControlAction = Literal["hide_post", "not_interested", "mute_author", "block_author", "report_post"]
CONTROL_ACTIONS: tuple[ControlAction, ...] = get_args(ControlAction)
AUTHOR_ACTIONS: frozenset[ControlAction] = frozenset({"mute_author", "block_author"})
"""The actions whose target is an author; the target of the others is a post."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control of a user. Exactly one of `post_id` and `author_id` is its target.

    created_at  aware time at which the user set it; None: the time of storing
    until       aware time at which it ends; None: it holds until the user takes it back
    """

    user_id: UUID
    action: ControlAction
    post_id: UUID | None = None
    author_id: UUID | None = None
    created_at: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.action not in CONTROL_ACTIONS:
            raise ValueError(f"action must be one of {CONTROL_ACTIONS}, got {self.action!r}")
        given = (self.post_id is not None, self.author_id is not None)
        if given != (self.action not in AUTHOR_ACTIONS, self.action in AUTHOR_ACTIONS):
            target = "author_id" if self.action in AUTHOR_ACTIONS else "post_id"
            raise ValueError(f"{self.action} needs {target} and no other target")
