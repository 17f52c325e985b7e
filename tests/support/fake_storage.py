"""Storage in memory: the same promises as PostgreSQL's adapters, one transaction at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES, Impression, Interaction, InteractionType, Post, User
from app.domain.entities.control import Control
from app.domain.errors import (
    DomainError,
    ManagedElsewhere,
    PositionExpired,
    StorageUnavailable,
    UnknownAuthor,
    UnknownPost,
    UnknownUser,
)
from app.domain.feed.dataset import (
    NO_TIME,
    NO_USERS,
    EventColumns,
    EventParts,
    FeedDataset,
    FollowColumns,
    InterestColumns,
    KeyedEvents,
    MembershipColumns,
    PostColumns,
    UserColumns,
    microseconds,
    uuid_keys,
)
from app.domain.feed.embeddings import same_length
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.row_checksums import (
    EVENTS_PER_BLOCK,
    UUID_KINDS,
    Checksums,
    ChecksumSums,
    EventChecksums,
    FeedChecksums,
    UnchangedRows,
    follow_checksums,
)
from app.domain.feed.shown_pages import ShownPage
from app.domain.feed.state import FeedState
from app.domain.feed.state_filling import add_users
from app.domain.repositories.control_repository import UserControls
from app.domain.repositories.feed_log import (
    FeedChanges,
    FeedSnapshot,
    LogPosition,
    RowKeys,
    StoredRows,
)
from app.domain.repositories.follow_repository import FollowChange
from app.domain.repositories.impression_repository import MAX_REACH_POSTS, PostReach
from app.domain.repositories.interaction_repository import (
    RecordResult,
    RemovedEvents,
    StoredInteraction,
    UserAndPost,
)
from app.domain.repositories.membership_repository import UserChange
from app.domain.repositories.recommendation_repository import SavedRecommendations

Key = UUID | tuple[UUID, UUID]


@dataclass(frozen=True)
class StoredControl:
    """A row of the log of controls."""

    seq: int
    control: Control
    undo: bool
    event_id: UUID | None


@dataclass(frozen=True)
class StoredPage:
    """A page that was shown, and the transaction that wrote it last."""

    xid: int
    request_id: str
    page: ShownPage


@dataclass
class InMemoryTables:
    """What the adapters below share. Every method is one committed transaction; `away` makes all of them fail."""

    users: dict[UUID, User] = field(default_factory=dict)
    posts: dict[UUID, Post] = field(default_factory=dict)
    follows: dict[tuple[UUID, UUID], datetime | None] = field(default_factory=dict)
    events: list[StoredInteraction] = field(default_factory=list)
    changes: list[tuple[int, str, Key]] = field(default_factory=list)
    removed_events: list[tuple[int, tuple[UUID, UUID], list[int]]] = field(default_factory=list)
    feedback: list[StoredControl] = field(default_factory=list)
    pages: list[StoredPage] = field(default_factory=list)
    removed_feedback: dict[UUID, int] = field(default_factory=dict)  # user -> number of the removal
    next_feedback: int = 1
    next_xid: int = 1
    next_event: int = 1
    received_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)  # of the last event; it never goes back
    next_post: int = 1
    erased: dict[UUID, datetime] = field(default_factory=dict)
    away: bool = False
    source: str = "memory"
    purged: int = 0  # no change of a later transaction was removed

    def begin(self) -> int:
        """The number of a new transaction. Raises StorageUnavailable while the store is away."""
        if self.away:
            raise StorageUnavailable("the store is away")
        self.next_xid += 1
        return self.next_xid - 1

    def add_users(self, *users: User) -> None:
        xid = self.begin()
        for user in users:
            self.users[user.id] = user
            self.changes.append((xid, "user", user.id))

    def add_posts(self, *posts: Post) -> None:
        """Each gets its `seq`, or keeps the one it has when it is there already."""
        xid = self.begin()
        for post in posts:
            known = self.posts.get(post.id)
            self.posts[post.id] = replace(post, seq=known.seq if known else self.next_post)
            self.next_post += known is None
            self.changes.append((xid, "post", post.id))

    def is_readable(self, user_id: UUID, post_id: UUID) -> bool:
        """Whether the post exists and the user may see it."""
        post = self.posts.get(post_id)
        if post is None:
            return False
        return (
            post.visibility == "public"
            or post.author_id == user_id
            or (post.visibility == "followers" and (user_id, post.author_id) in self.follows)
            or (post.visibility == "members" and post.audience_id in self.users[user_id].audiences)
        )

    def add_follow(self, follower: UUID, followee: UUID, since: datetime | None = None) -> None:
        self.changes.append((self.begin(), "follow", (follower, followee)))
        self.follows[follower, followee] = since

    def remove_follow(self, follower: UUID, followee: UUID) -> None:
        self.changes.append((self.begin(), "follow", (follower, followee)))
        del self.follows[follower, followee]

    def remove_post(self, id_: UUID) -> None:
        self._remove_post(self.begin(), id_)

    def remove_user(self, id_: UUID) -> None:
        """With the posts, follows, events and controls of the user, as the foreign keys do."""
        xid = self.begin()
        del self.users[id_]
        self.changes.append((xid, "user", id_))
        for post in [post.id for post in self.posts.values() if post.author_id == id_]:
            self._remove_post(xid, post)
        for pair in [pair for pair in self.follows if id_ in pair]:
            del self.follows[pair]
            self.changes.append((xid, "follow", pair))
        self._remove_all(xid, [one for one in self.events if one.interaction.user_id == id_])
        self._remove_controls(xid, id_)
        self.pages = [row for row in self.pages if row.page.user_id != id_]

    def add_control(self, control: Control, *, undo: bool, event_id: UUID | None) -> None:
        xid = self.begin()
        self.feedback.append(StoredControl(self.next_feedback, control, undo, event_id))
        self.next_feedback += 1
        self.changes.append((xid, "control", control.user_id))

    def controls_of(self, user_id: UUID) -> UserControls:
        """The last row of each action and target counts."""
        rows = [row for row in self.feedback if row.control.user_id == user_id]
        last = {replace(row.control, created_at=None, until=None): row for row in rows}
        present = sorted((row for row in last.values() if not row.undo), key=lambda row: row.seq)
        seq = max((row.seq for row in rows), default=0)
        return UserControls(user_id, tuple(row.control for row in present), seq)

    def events_of(self, pairs: Sequence[tuple[UUID, UUID]]) -> list[StoredInteraction]:
        return [one for one in self.events if (one.interaction.user_id, one.interaction.post_id) in pairs]

    def remove_events(self, chosen: Sequence[StoredInteraction]) -> RemovedEvents | None:
        """Remove events of one user with one post, as one transaction."""
        xid = self.begin()
        if not chosen:
            return None
        self._remove_all(xid, chosen)
        _, pair, seqs = self.removed_events[-1]
        return RemovedEvents(*pair, seqs, self.events_of([pair]))

    def _remove_all(self, xid: int, chosen: Sequence[StoredInteraction]) -> None:
        """As the trigger on deleted events does: one row of the outbox for each user and post."""
        removed: dict[tuple[UUID, UUID], list[int]] = {}
        for one in chosen:
            removed.setdefault((one.interaction.user_id, one.interaction.post_id), []).append(one.seq)
        self.events = [one for one in self.events if one not in chosen]
        self.removed_events += [(xid, pair, seqs) for pair, seqs in removed.items()]

    def _remove_controls(self, xid: int, user_id: UUID) -> None:
        """As the trigger on deleted controls does: the removal gets a number of the log."""
        kept = [row for row in self.feedback if row.control.user_id != user_id]
        if len(kept) < len(self.feedback):
            self.feedback = kept
            self.removed_feedback[user_id] = self.next_feedback
            self.next_feedback += 1
            self.changes.append((xid, "control", user_id))

    def reset(self, user_id: UUID) -> int:
        """Remove what a user did and was shown; returns the number of the events."""
        xid = self.begin()
        events = [one for one in self.events if one.interaction.user_id == user_id]
        self._remove_all(xid, events)
        self._remove_controls(xid, user_id)
        for pair in [pair for pair in self.follows if pair[0] == user_id]:
            del self.follows[pair]
            self.changes.append((xid, "follow", pair))
        self.pages = [row for row in self.pages if row.page.user_id != user_id]
        self.changes.append((xid, "impression", user_id))
        return len(events)

    def merge(self, gone: UUID, kept: UUID) -> int:
        """Move the events, posts and follows of one user to another; returns the number of the events."""
        xid = self.begin()
        first_likes: dict[UUID, int] = {}
        for one in self.events_of_likes(gone, kept):
            first_likes.setdefault(one.interaction.post_id, one.seq)
        liked_by_both = {one.interaction.post_id for one in self.events_of_likes(gone)} & {
            one.interaction.post_id for one in self.events_of_likes(kept)
        }
        self._remove_all(
            xid,
            [
                one
                for one in self.events_of_likes(gone, kept)
                if one.interaction.post_id in liked_by_both
                and one.seq != first_likes[one.interaction.post_id]
            ],
        )
        moved = [one for one in self.events if one.interaction.user_id == gone]
        self._remove_all(xid, moved)
        changed: dict[UUID, list[int]] = {}
        for one in moved:
            self.events.append(replace(one, interaction=replace(one.interaction, user_id=kept)))
            changed.setdefault(one.interaction.post_id, []).append(one.seq)
        self.removed_events += [(xid, (kept, post), seqs) for post, seqs in changed.items()]
        for post in [post for post in self.posts.values() if post.author_id == gone]:
            self.posts[post.id] = replace(post, author_id=kept)
            self.changes.append((xid, "post", post.id))
        for follower, followee in list(self.follows):
            pair = (kept if follower == gone else follower, kept if followee == gone else followee)
            if gone in (follower, followee) and pair[0] != pair[1]:
                self.follows.setdefault(pair, None)
                self.changes.append((xid, "follow", pair))
        self.remove_user(gone)
        return len(moved)

    def events_of_likes(self, *users: UUID) -> list[StoredInteraction]:
        likes = [one for one in self.events if one.interaction.interaction_type == "like"]
        return sorted((one for one in likes if one.interaction.user_id in users), key=lambda one: one.seq)

    def _remove_post(self, xid: int, id_: UUID) -> None:
        del self.posts[id_]
        self.changes.append((xid, "post", id_))
        self._remove_all(xid, [one for one in self.events if one.interaction.post_id == id_])


class InMemoryInteractions:
    """InteractionRepository."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables

    def record(self, interactions: Sequence[Interaction], *, partial: bool = False) -> RecordResult:
        tables = self._tables
        xid = tables.begin()
        rejected: dict[int, DomainError] = {}
        for place, one in enumerate(interactions):
            if one.user_id not in tables.users:
                rejected[place] = UnknownUser(str(one.user_id))
            elif not tables.is_readable(one.user_id, one.post_id):
                rejected[place] = UnknownPost(str(one.post_id))
        if rejected and not partial:
            raise rejected[min(rejected)]
        seen = {one.interaction.event_id for one in tables.events} - {None}
        stored = []
        for place, one in enumerate(interactions):
            if place in rejected:
                continue
            if one.event_id is not None:
                if one.event_id in seen:
                    continue
                seen.add(one.event_id)
            tables.received_at = max(tables.received_at, one.occurred_at)
            stored.append(StoredInteraction(tables.next_event, xid, tables.received_at, one))
            tables.next_event += 1
        tables.events += stored
        duplicates = len(interactions) - len(stored) - len(rejected)
        return RecordResult(tuple(stored), duplicates, rejected)

    def retract(self, user_id: UUID, post_id: UUID, interaction_type: InteractionType) -> RemovedEvents:
        tables = self._tables
        if user_id not in tables.users:
            raise UnknownUser(str(user_id))
        if not tables.is_readable(user_id, post_id):
            raise UnknownPost(str(post_id))
        chosen = [
            one
            for one in tables.events
            if (one.interaction.user_id, one.interaction.post_id, one.interaction.interaction_type)
            == (user_id, post_id, interaction_type)
        ]
        return tables.remove_events(chosen) or RemovedEvents(user_id, post_id, (), ())

    def retract_event(self, user_id: UUID, event_id: UUID) -> RemovedEvents | None:
        tables = self._tables
        if user_id not in tables.users:
            raise UnknownUser(str(user_id))
        ids = (user_id, event_id)
        return tables.remove_events(
            [one for one in tables.events if (one.interaction.user_id, one.interaction.event_id) == ids]
        )

    def events_of(self, pairs: Sequence[UserAndPost]) -> Mapping[UserAndPost, Sequence[StoredInteraction]]:
        self._tables.begin()
        return {pair: self._tables.events_of([pair]) for pair in pairs}

    def events_with(
        self, users: Sequence[UUID], posts: Sequence[UUID], *, in_request: bool = False
    ) -> KeyedEvents:
        self._tables.begin()
        chosen = [
            one
            for one in self._tables.events
            if one.interaction.user_id in users or one.interaction.post_id in posts
        ]
        kinds = [INTERACTION_TYPES.index(one.interaction.interaction_type) for one in chosen]
        return KeyedEvents(
            uuid_keys(one.interaction.user_id for one in chosen),
            uuid_keys(one.interaction.post_id for one in chosen),
            np.array(kinds, np.uint8),
            np.array([microseconds(one.interaction.occurred_at) for one in chosen], np.int64),
            np.array([microseconds(one.received_at) for one in chosen], np.int64),
            np.array([one.seq for one in chosen], np.int64),
        )

    def events_of_posts(self, posts: Sequence[UUID]) -> Mapping[UserAndPost, Sequence[StoredInteraction]]:
        self._tables.begin()
        events: dict[UserAndPost, list[StoredInteraction]] = {}
        for one in self._tables.events:
            if one.interaction.post_id in posts:
                events.setdefault((one.interaction.user_id, one.interaction.post_id), []).append(one)
        return events


class InMemoryControls:
    """ControlRepository."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables

    def record(self, control: Control, *, undo: bool, event_id: UUID | None) -> UserControls:
        tables = self._tables
        tables.begin()
        if control.user_id not in tables.users:
            raise UnknownUser(str(control.user_id))
        if control.post_id is not None and not tables.is_readable(control.user_id, control.post_id):
            raise UnknownPost(str(control.post_id))
        if control.author_id is not None and control.author_id not in tables.users:
            raise UnknownAuthor(str(control.author_id))
        if event_id is None or all(row.event_id != event_id for row in tables.feedback):
            created_at = control.created_at or datetime.now(UTC)
            tables.add_control(replace(control, created_at=created_at), undo=undo, event_id=event_id)
        return tables.controls_of(control.user_id)

    def controls_of(self, user_id: UUID) -> UserControls:
        self._tables.begin()
        if user_id not in self._tables.users:
            raise UnknownUser(str(user_id))
        return self._tables.controls_of(user_id)


class InMemoryFollows:
    """FollowRepository; `managed_elsewhere` as if another application stored the follows."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables
        self.managed_elsewhere = False

    def followed_by(self, user_id: UUID, limit: int) -> Sequence[UUID]:
        self._tables.begin()
        return sorted(followee for follower, followee in self._tables.follows if follower == user_id)[:limit]

    def external_ids(self, user_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        self._tables.begin()
        return {one: self._tables.users[one].external_id for one in user_ids if one in self._tables.users}

    def set_follow(self, follower_id: UUID, followee_id: UUID, *, follows: bool) -> FollowChange:
        tables, pair = self._tables, (follower_id, followee_id)
        tables.begin()
        if self.managed_elsewhere:
            raise ManagedElsewhere("feed_follows: another application stores the follows")
        for user_id in pair:
            if user_id not in tables.users:
                raise UnknownUser(str(user_id))
        if (pair in tables.follows) == follows:
            return FollowChange(*pair, follows, None)
        if follows:
            tables.add_follow(*pair, datetime.now(UTC))
        else:
            tables.remove_follow(*pair)
        return FollowChange(*pair, follows, tables.changes[-1][0])


class InMemoryMemberships:
    """MembershipRepository; `managed_elsewhere` as if another application stored the memberships."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables
        self.managed_elsewhere = False

    def set_membership(self, user_id: UUID, audience_id: str, *, is_member: bool) -> UserChange:
        tables = self._tables
        tables.begin()
        if self.managed_elsewhere:
            raise ManagedElsewhere("feed_memberships: another application stores the memberships")
        if user_id not in tables.users:
            raise UnknownUser(str(user_id))
        user = tables.users[user_id]
        if (audience_id in user.audiences) == is_member:
            return UserChange(user, None)
        others = tuple(one for one in user.audiences if one != audience_id)
        tables.add_users(replace(user, audiences=(*others, audience_id) if is_member else others))
        return UserChange(tables.users[user_id], tables.changes[-1][0])


class InMemoryImpressions:
    """ImpressionRepository; the pages are in `tables.pages`."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables

    def save(self, impressions: Sequence[Impression]) -> int:
        tables = self._tables
        xid = tables.begin()
        for one in impressions:
            if one.user_id in tables.users or not one.known_user:
                posts = np.array(one.posts, np.int64)
                page = ShownPage(one.user_id, one.shown_at, posts, np.zeros(len(posts), np.bool_))
                tables.pages.append(StoredPage(xid, one.request_id, page))
        return 0

    def report_seen(self, user_id: UUID, request_id: str, post_ids: Sequence[UUID]) -> Sequence[ShownPage]:
        tables = self._tables
        xid = tables.begin()
        numbers = [tables.posts[post_id].seq for post_id in post_ids if post_id in tables.posts]
        found = []
        for place, row in enumerate(tables.pages):
            if (row.page.user_id, row.request_id) == (user_id, request_id):
                page = replace(row.page, seen=row.page.seen | np.isin(row.page.posts, numbers))
                tables.pages[place] = StoredPage(xid, request_id, page)
                found.append(page)
        if user_id not in tables.users and not found:
            raise UnknownUser(str(user_id))
        return found

    def maintain(self, keep_days: int) -> int:
        oldest = datetime.now(UTC).date() - timedelta(days=keep_days)
        days = {row.page.shown_at.date() for row in self._tables.pages}
        self._tables.pages = [row for row in self._tables.pages if row.page.shown_at.date() >= oldest]
        return sum(day < oldest for day in days)

    def chosen_places(self, since: datetime | None) -> tuple[Mapping[str, Mapping[int, int]], datetime]:
        return {}, datetime.now(UTC)  # events in memory have no request

    def reach(self, author_id: UUID) -> Sequence[PostReach]:
        tables = self._tables
        tables.begin()
        if author_id not in tables.users:
            raise UnknownUser(str(author_id))
        posts = [post for post in tables.posts.values() if post.author_id == author_id and post.visible]
        newest = sorted(posts, key=lambda post: (post.created_at, post.seq), reverse=True)
        return [self._reach_of(post) for post in newest[:MAX_REACH_POSTS]]

    def _reach_of(self, post: Post) -> PostReach:
        flags = [row.page.seen[row.page.posts == post.seq] for row in self._tables.pages]
        kinds = [
            one.interaction.interaction_type
            for one in self._tables.events
            if one.interaction.post_id == post.id
        ]
        return PostReach(
            post.id,
            post.external_id,
            post.created_at,
            shown=sum(map(len, flags)),
            seen=int(sum(flag.sum() for flag in flags)),
            interactions={kind: kinds.count(kind) for kind in INTERACTION_TYPES},
        )


class InMemoryPosts:
    """PostRepository."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables

    def posts(self, ids: Sequence[UUID]) -> tuple[Sequence[Post], Checksums]:
        self._tables.begin()
        posts = [self._tables.posts[one] for one in dict.fromkeys(ids) if one in self._tables.posts]
        return posts, _checksums_by_uuid({post.id: post for post in posts})


class InMemoryRecommendations:
    """RecommendationRepository; `rows` is (user, post) -> (score, generated_at, expires_at)."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables
        self.rows: dict[tuple[UUID, UUID], tuple[float, datetime, datetime]] = {}

    def save(self, recommendations: Sequence[SavedRecommendations]) -> None:
        self._tables.begin()
        for answer in recommendations:
            for post_id, score in zip(map(UUID, answer.post_ids), answer.scores, strict=True):
                key = (answer.user_id, post_id)
                newer = key in self.rows and self.rows[key][1] > answer.generated_at
                known = answer.user_id in self._tables.users and post_id in self._tables.posts
                if known and not newer:
                    self.rows[key] = (score, answer.generated_at, answer.expires_at)

    def remove_expired(self, now: datetime) -> int:
        self._tables.begin()
        kept = {key: row for key, row in self.rows.items() if row[2] >= now}
        removed, self.rows = len(self.rows) - len(kept), kept
        return removed


_NO_KEYS = RowKeys()
_USERS_PER_PART = 2


def _two_parts(events: EventColumns, group: NDArray[np.int32]) -> list[EventColumns]:
    return [events[np.flatnonzero(group % 2 == part)] for part in range(2)]


class InMemoryFeedLog:
    """FeedLog. No two transactions overlap here, so nothing ever comes twice."""

    def __init__(self, tables: InMemoryTables) -> None:
        self._tables = tables

    def source(self) -> str:
        self._tables.begin()
        return self._tables.source

    def read_all(self, *, embeddings: bool = True) -> FeedSnapshot:
        """Reads all embeddings."""
        position = LogPosition(self._tables.source, self._tables.begin() + 1)
        controlling = {row.control.user_id: None for row in self._tables.feedback}
        controls = [self._tables.controls_of(user_id) for user_id in controlling]
        pages = sorted((row.page for row in self._tables.pages), key=lambda page: page.shown_at)
        checksums, events = self._checksums(), EventChecksums()
        events.add(checksums.events.keys, checksums.events.values)
        return FeedSnapshot(self._history(), position, frozenset(), controls, pages, checksums, events)

    def read_into(
        self, state: FeedState, live_posts: LivePostLimits | None = None, *, embeddings: bool = True
    ) -> FeedSnapshot:
        """Reads every post."""
        snapshot = self.read_all(embeddings=embeddings)
        dataset = snapshot.dataset
        for first in range(0, len(dataset.users), _USERS_PER_PART):
            end = min(first + _USERS_PER_PART, len(dataset.users))
            add_users(state, dataset.users[np.arange(first, end)])
        groups = dataset.events.user, dataset.events.author_groups(dataset.posts.author)
        parts = EventParts(*(_two_parts(dataset.events, group) for group in groups))
        rest = replace(dataset, users=NO_USERS, events=dataset.events[:0])
        return replace(snapshot, dataset=rest, event_parts=parts)

    def read_changes(self, since: LogPosition) -> FeedChanges:
        tables = self._tables
        position = LogPosition(tables.source, tables.begin() + 1)
        if tables.purged >= since.xid:
            raise PositionExpired("purged")
        kinds = ("user", "post", "follow", "control", "impression")
        changed: dict[str, dict[Key, int]] = {kind: {} for kind in kinds}
        for xid, entity, key in tables.changes:
            if xid >= since.xid:
                changed[entity][key] = xid
        removed: dict[tuple[UUID, UUID], list[int]] = {}
        for xid, pair, seqs in tables.removed_events:
            if xid >= since.xid:
                removed.setdefault(pair, []).extend(seqs)
        changes = FeedChanges(
            users=_present(changed["user"], tables.users),
            removed_users=_absent(changed["user"], tables.users),
            posts=_present(changed["post"], tables.posts),
            removed_posts=_absent(changed["post"], tables.posts),
            follows=[pair for pair in changed["follow"] if pair in tables.follows],
            removed_follows=_absent(changed["follow"], tables.follows),
            follow_seqs=changed["follow"],
            user_seqs=changed["user"],
            post_seqs=changed["post"],
            events=[one for one in tables.events if one.xid >= since.xid],
            removed_events=[
                RemovedEvents(*pair, seqs, tables.events_of([pair])) for pair, seqs in removed.items()
            ],
            controls=[self._controls_after_removal(user_id) for user_id in changed["control"]],
            position=position,
            pages=[
                row.page
                for row in tables.pages
                if row.xid >= since.xid or row.page.user_id in changed["impression"]
            ],
            removed_pages=_absent(changed["impression"], {}),
        )
        return replace(changes, checksums=self._checksums_of(changes))

    def _controls_after_removal(self, user_id: UUID) -> UserControls:
        controls = self._tables.controls_of(user_id)
        return replace(controls, seq=max(controls.seq, self._tables.removed_feedback.get(user_id, 0)))

    def can_resume_from(self, since: LogPosition) -> bool:
        tables = self._tables
        tables.begin()
        kept = tables.purged < since.xid
        return self.has_complete_change_capture() and tables.source == since.source and kept

    def has_complete_change_capture(self) -> bool:
        self._tables.begin()
        return True

    def different_rows(
        self, known: ChecksumSums, unchanged: Callable[[], Mapping[str, UnchangedRows]]
    ) -> StoredRows:
        """The rows of kinds that differ, and all events if some do, so that the reader compares each of them."""
        self._tables.begin()
        blocks = {one.seq // EVENTS_PER_BLOCK for one in self._tables.events} | known.event_blocks.keys()
        stored = self._checksums()
        if known.posts is not None:
            since, older = known.posts.since, set(known.posts.older.tolist())
            compared = {
                key: post
                for key, post in self._tables.posts.items()
                if (post.created_at.timestamp(), post.seq) >= since or key.bytes in older
            }
            stored = replace(stored, posts=_checksums_by_uuid(compared))
        shown = {one.seq: one.interaction for one in self._tables.events}
        events = stored.events
        up_to = events.keys <= known.last_event
        rows = {kind: getattr(stored, kind) for kind in UUID_KINDS}
        rows["interactions"] = Checksums(events.keys[up_to], events.values[up_to])
        rest = unchanged()
        different = {kind for kind in rows if _total_without(rows[kind], rest[kind]) != rest[kind].total}
        return StoredRows(
            by_kind={kind: rows[kind] for kind in UUID_KINDS if kind in different},
            event_blocks=sorted(blocks) if different else [],
            events=stored.events,
            event_users=uuid_keys(shown[seq].user_id for seq in stored.events.keys.tolist()),
            event_posts=uuid_keys(shown[seq].post_id for seq in stored.events.keys.tolist()),
        )

    def read_rows(self, keys: RowKeys, position: LogPosition) -> FeedChanges:
        tables = self._tables
        tables.begin()
        follows = {pair: 0 for pair in tables.follows if pair[0] in keys.followers} | keys.follows
        pairs = dict(keys.events)
        for one in tables.events:
            pair = one.interaction.user_id, one.interaction.post_id
            if (pair[0] in keys.users and pair[0] not in tables.users) or (
                pair[1] in keys.posts and pair[1] not in tables.posts
            ):
                pairs[pair] = [*pairs.get(pair, ()), one.seq]
        removed = [
            RemovedEvents(
                *pair,
                seqs,
                tables.events_of([pair]) if pair[0] in tables.users and pair[1] in tables.posts else (),
            )
            for pair, seqs in pairs.items()
        ]
        controls = [tables.controls_of(user_id) for user_id in keys.controls]
        changes = FeedChanges(
            users=_present(keys.users, tables.users),
            removed_users=_absent(keys.users, tables.users),
            posts=_present(keys.posts, tables.posts),
            removed_posts=_absent(keys.posts, tables.posts),
            follows=[pair for pair in follows if pair in tables.follows],
            removed_follows=_absent(follows, tables.follows),
            post_seqs=keys.posts,
            follow_seqs=keys.follows,
            user_seqs=keys.users,
            events=[],
            removed_events=removed,
            controls=[replace(one, seq=max(one.seq, keys.controls[one.user_id])) for one in controls],
            position=position,
        )
        return replace(changes, checksums=self._checksums_of(changes, keys))

    def _checksums(self) -> FeedChecksums:
        """Of all rows."""
        tables = self._tables
        shown = [
            one
            for one in tables.events
            if one.interaction.user_id in tables.users and one.interaction.post_id in tables.posts
        ]
        pairs = [pair for pair in tables.follows if pair[0] in tables.users and pair[1] in tables.users]
        of_pairs = follow_checksums(*(uuid_keys(pair[side] for pair in pairs) for side in (0, 1)))
        followed: dict[UUID, int] = {}
        for (follower, _), value in zip(pairs, of_pairs.tolist(), strict=True):
            followed[follower] = followed.get(follower, 0) + value
        controls = {user_id: tables.controls_of(user_id).controls for user_id in tables.users}
        return FeedChecksums(
            users=_checksums_by_uuid(tables.users),
            follows=Checksums(uuid_keys(followed), np.array(list(followed.values()), np.int64)),
            controls=_checksums_by_uuid({user_id: given for user_id, given in controls.items() if given}),
            posts=_checksums_by_uuid(tables.posts),
            events=Checksums(np.array([one.seq for one in shown], np.int64), _checksums_of(shown)),
        )

    def _checksums_of(self, changes: FeedChanges, keys: RowKeys = _NO_KEYS) -> FeedChecksums:
        """Of the rows in `changes`, and of further ones of `keys`."""
        events = {one.seq for one in changes.events}.union(keys.numbers)
        for one in changes.removed_events:
            events.update(one.seqs, (event.seq for event in one.remaining))
        every = self._checksums()
        ids: dict[str, set[UUID]] = {
            "users": {user.id for user in changes.users} | set(changes.removed_users),
            "controls": {one.user_id for one in changes.controls},
            "posts": {post.id for post in changes.posts} | set(changes.removed_posts),
        }
        by_uuid = {kind: _part_of(getattr(every, kind), uuid_keys(keys)) for kind, keys in ids.items()}
        return FeedChecksums(**by_uuid, events=_part_of(every.events, np.array(sorted(events), np.int64)))

    def warnings(self) -> Sequence[str]:
        return ()

    def purge(self, older_than: timedelta) -> int:
        """Every change is old enough."""
        tables = self._tables
        tables.begin()
        removed = len(tables.changes)
        tables.purged = max([tables.purged, *(xid for xid, _, _ in tables.changes)])
        tables.changes.clear()
        return removed

    def posts_created_since(self, created: float) -> Sequence[Post]:
        self._tables.begin()
        found = [post for post in self._tables.posts.values() if post.created_at.timestamp() >= created]
        return sorted(found, key=lambda post: (post.created_at, post.seq))

    def _history(self) -> FeedDataset:
        users, posts = list(self._tables.users.values()), list(self._tables.posts.values())
        user_row = {user.id: row for row, user in enumerate(users)}
        post_row = {post.id: row for row, post in enumerate(posts)}
        follows = self._tables.follows
        events = sorted(self._tables.events, key=lambda one: (one.interaction.occurred_at, one.seq))
        did = [one.interaction for one in events]
        return FeedDataset(
            UserColumns(
                uuid_keys(user.id for user in users),
                [user.external_id for user in users],
                created_us=np.array(
                    [NO_TIME if user.created_at is None else microseconds(user.created_at) for user in users],
                    np.int64,
                ),
                discoverable=np.array([user.discoverable for user in users], np.bool_),
                personalised=np.array([user.personalised for user in users], np.bool_),
                show_sensitive=np.array([user.show_sensitive for user in users], np.bool_),
                languages=[user.languages for user in users],
            ),
            PostColumns(
                key=uuid_keys(post.id for post in posts),
                external_id=[post.external_id for post in posts],
                author=np.array(
                    [-1 if post.author_id is None else user_row[post.author_id] for post in posts], np.int32
                ),
                created_us=np.array([microseconds(post.created_at) for post in posts], np.int64),
                visible=np.array([post.visible for post in posts], np.bool_),
                seq=np.array([post.seq for post in posts], np.int64),
                text=[post.content for post in posts],
                tags=[post.tags for post in posts],
                visibility=[post.visibility for post in posts],
                audience_id=[post.audience_id for post in posts],
                language=[post.language for post in posts],
                sensitive=np.array([post.sensitive for post in posts], np.bool_),
                root_id=[post.root_id for post in posts],
                repost_of=[post.repost_of for post in posts],
                embedding=same_length(
                    [post.embedding and np.frombuffer(post.embedding, np.float16) for post in posts]
                ),
            ),
            FollowColumns(
                np.array([user_row[follower] for follower, _ in follows], np.int32),
                np.array([user_row[followee] for _, followee in follows], np.int32),
                np.array([microseconds(since) if since else NO_TIME for since in follows.values()], np.int64),
            ),
            EventColumns(
                np.array([user_row[one.user_id] for one in did], np.int32),
                np.array([post_row[one.post_id] for one in did], np.int32),
                np.array([INTERACTION_TYPES.index(one.interaction_type) for one in did], np.uint8),
                np.array([microseconds(one.occurred_at) for one in did], np.int64),
                np.array([one.seq for one in events], np.int64),
                received_us=np.array([microseconds(one.received_at) for one in events], np.int64),
            ),
            memberships=MembershipColumns(
                np.array([user_row[user.id] for user in users for _ in user.audiences], np.int32),
                [audience for user in users for audience in user.audiences],
            ),
            interests=InterestColumns(
                np.array([user_row[user.id] for user in users for _ in user.tags + user.authors], np.int32),
                [one if isinstance(one, str) else None for user in users for one in user.tags + user.authors],
                [None if isinstance(one, str) else one for user in users for one in user.tags + user.authors],
            ),
        )


def _present(keys: Iterable[Key], rows: Mapping[Key, object]) -> list[object]:
    return [rows[key] for key in keys if key in rows]


def _absent(keys: Iterable[Key], rows: Mapping[Key, object]) -> list[Key]:
    return [key for key in keys if key not in rows]


def _checksums_of(rows: Iterable[object]) -> NDArray[np.int64]:
    """From 1 to 2 ** 31 - 1, so that they fit into 32 bits and none is absent."""
    return np.array([1 + crc32(repr(row).encode()) % (2**31 - 1) for row in rows], np.int64)


def _total_without(rows: Checksums, unchanged: UnchangedRows) -> int:
    is_changed = {one if isinstance(one, int) else one.bytes for one in unchanged.changed}
    return sum(value for key, value in rows.by_key().items() if key not in is_changed)


def _checksums_by_uuid(rows: Mapping[UUID, object]) -> Checksums:
    return Checksums(uuid_keys(rows), _checksums_of(rows.values()))


def _part_of(every: Checksums, keys: NDArray[Any]) -> Checksums:
    known = dict(zip(every.keys.tolist(), every.values.tolist(), strict=True))
    return Checksums(keys, np.array([known.get(key, 0) for key in keys.tolist()], np.int64))
