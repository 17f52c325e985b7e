"""The ports of storage without a database: nothing can be stored or read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from app.domain.entities import Impression, Interaction, InteractionType
from app.domain.entities.control import Control
from app.domain.errors import StorageUnavailable
from app.domain.feed.shown_pages import ShownPage
from app.domain.repositories.control_repository import UserControls
from app.domain.repositories.entity_repository import EntityChange, Fields
from app.domain.repositories.follow_repository import FollowChange
from app.domain.repositories.impression_repository import PostReach
from app.domain.repositories.interaction_repository import (
    RecordResult,
    RemovedEvents,
    StoredInteraction,
    UserAndPost,
)
from app.domain.repositories.membership_repository import UserChange


class NoInteractions:
    """InteractionRepository without a database."""

    def record(self, interactions: Sequence[Interaction], *, partial: bool = False) -> RecordResult:
        """Raises StorageUnavailable."""
        del interactions, partial
        raise _no_database()

    def retract(self, user_id: UUID, post_id: UUID, interaction_type: InteractionType) -> RemovedEvents:
        """Raises StorageUnavailable."""
        del user_id, post_id, interaction_type
        raise _no_database()

    def retract_event(self, user_id: UUID, event_id: UUID) -> RemovedEvents | None:
        """Raises StorageUnavailable."""
        del user_id, event_id
        raise _no_database()

    def events_of(self, pairs: Sequence[UserAndPost]) -> Mapping[UserAndPost, Sequence[StoredInteraction]]:
        """No event."""
        return dict.fromkeys(pairs, ())


class NoControls:
    """ControlRepository without a database."""

    def record(self, control: Control, *, undo: bool, event_id: UUID | None) -> UserControls:
        """Raises StorageUnavailable."""
        del control, undo, event_id
        raise _no_database()

    def controls_of(self, user_id: UUID) -> UserControls:
        """Raises StorageUnavailable."""
        del user_id
        raise _no_database()


class NoFollows:
    """FollowRepository without a database."""

    def set_follow(self, follower_id: UUID, followee_id: UUID, *, follows: bool) -> FollowChange:
        """Raises StorageUnavailable."""
        del follower_id, followee_id, follows
        raise _no_database()


class NoMemberships:
    """MembershipRepository without a database."""

    def set_membership(self, user_id: UUID, audience_id: str, *, is_member: bool) -> UserChange:
        """Raises StorageUnavailable."""
        del user_id, audience_id, is_member
        raise _no_database()


class NoEntities:
    """EntityRepository without a database."""

    def put_user(self, user_id: str, fields: Fields, now: datetime) -> EntityChange:
        """Raises StorageUnavailable."""
        del user_id, fields, now
        raise _no_database()

    def put_posts(self, posts: Sequence[tuple[str, Fields]], now: datetime) -> EntityChange:
        """Raises StorageUnavailable."""
        del posts, now
        raise _no_database()

    def delete_post(self, post_id: str) -> EntityChange:
        """Raises StorageUnavailable."""
        del post_id
        raise _no_database()


class NoImpressions:
    """ImpressionRepository without a database."""

    def save(self, impressions: Sequence[Impression]) -> int:
        """Raises StorageUnavailable."""
        del impressions
        raise _no_database()

    def report_seen(self, user_id: UUID, request_id: str, post_ids: Sequence[UUID]) -> Sequence[ShownPage]:
        """Raises StorageUnavailable."""
        del user_id, request_id, post_ids
        raise _no_database()

    def maintain(self, keep_days: int) -> int:
        """Nothing is kept."""
        del keep_days
        return 0

    def reach(self, author_id: UUID) -> Sequence[PostReach]:
        """Raises StorageUnavailable."""
        del author_id
        raise _no_database()


def _no_database() -> StorageUnavailable:
    return StorageUnavailable("no database is configured: set DATABASE_URL")
