"""What decides who may see a post, and which posts it belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.post import Post
from app.domain.feed.dataset import PostColumns

_FIELDS: Final = ("visibility", "audience_id", "language", "sensitive", "root_id", "repost_of")


@dataclass(frozen=True, slots=True, eq=False)
class PostSettings:
    """What decides who may see each of n posts, and what each belongs to. Fields as in Post, one value per post."""

    visibility: Sequence[str]
    audience_id: Sequence[str | None]
    language: Sequence[str | None]
    sensitive: Sequence[bool]
    root_id: Sequence[UUID | None]
    repost_of: Sequence[UUID | None]

    @classmethod
    def of_posts(cls, posts: Sequence[Post]) -> "PostSettings":
        """The settings of some posts."""
        return cls(*([getattr(post, name) for post in posts] for name in _FIELDS))

    @classmethod
    def of_columns(cls, posts: PostColumns, those: NDArray[np.intp]) -> "PostSettings | None":
        """The settings of the rows `those` of a dataset; None if it has no settings."""
        given = {name: column for name in _FIELDS if (column := getattr(posts, name)) is not None}
        if not given:
            return None
        rows = those.tolist()
        none: list[Any] = [None] * len(rows)
        defaults = {**dict.fromkeys(_FIELDS, none), "visibility": ["public"] * len(rows)}
        defaults["sensitive"] = [False] * len(rows)
        return cls(**defaults | {name: [column[row] for row in rows] for name, column in given.items()})

    def public(self) -> "PostSettings":
        """The threads and reposts alone, as if everybody might see every post."""
        none = [None] * len(self.visibility)
        everybody = ["public"] * len(none)
        return PostSettings(everybody, none, none, [False] * len(none), self.root_id, self.repost_of)
