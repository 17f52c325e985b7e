"""One recommended post and the reason for it."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Reason(StrEnum):
    """The component that put a post on the page."""

    COLLABORATIVE_FILTERING = "collaborative_filtering"
    CONTENT_SIMILARITY = "content_similarity"
    TRENDING = "trending"
    RECENT = "recent"
    POPULAR_AUTHOR = "popular_author"
    FOLLOWING = "following"
    EXPLORATION = "exploration"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One post that is recommended to one user, and the reason."""

    post_id: UUID
    score: float  # 0..1, comparable within one response only
    reason: Reason

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:  # NaN fails too
            raise ValueError(f"score must lie in [0, 1], got {self.score!r}")
