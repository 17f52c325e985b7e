"""Why a post is on a page."""

from enum import StrEnum


class Reason(StrEnum):
    """The component that put a post on the page."""

    COLLABORATIVE_FILTERING = "collaborative_filtering"
    CONTENT_SIMILARITY = "content_similarity"
    TRENDING = "trending"
    RECENT = "recent"
    POPULAR_AUTHOR = "popular_author"
    FOLLOWING = "following"
    EXPLORATION = "exploration"

    @property
    def letter(self) -> str:
        """As stored for each place of a page: the first letter, and `s` for content similarity."""
        return "s" if self is Reason.CONTENT_SIMILARITY else self[0]
