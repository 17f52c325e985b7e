"""What a user may read about why a post is shown: one fact that is true of the post and the user."""

from dataclasses import dataclass
from enum import StrEnum


class EvidenceKind(StrEnum):
    """What the fact is.

    FOLLOWED_AUTHOR       the user follows the author
    SIMILAR_USERS         users with similar recent events liked the post
    TRENDING              people liked, commented on or shared the post in the last week
    READ_AUTHOR           the user's recent events are with posts of the author
    TAG                   the user's recent events are with posts of the same topic
    NEW                   the post is new
    NEW_FROM_READ_AUTHOR  both READ_AUTHOR and NEW
    """

    FOLLOWED_AUTHOR = "followed_author"
    SIMILAR_USERS = "similar_users"
    TRENDING = "trending"
    READ_AUTHOR = "read_author"
    TAG = "tag"
    NEW = "new"
    NEW_FROM_READ_AUTHOR = "new_from_read_author"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact. A field is None where it does not belong to the kind.

    user_id  UUID of the followed author; None as well if they are not discoverable
    count    of people, at least this many
    tag      the topic
    """

    kind: EvidenceKind
    user_id: str | None = None
    count: int | None = None
    tag: str | None = None
