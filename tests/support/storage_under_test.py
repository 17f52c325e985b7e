"""One way to fill and to ask a store, be it in memory or PostgreSQL: what the contract suite runs on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from sqlalchemy import Engine

from app.domain.entities import Interaction, InteractionType, Post, User
from app.domain.entities.control import TARGET_FIELDS, Control, ControlAction
from app.domain.feed.dataset import FeedDataset
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.control_repository import ControlRepository
from app.domain.repositories.feed_log import FeedLog
from app.domain.repositories.follow_repository import FollowRepository
from app.domain.repositories.impression_repository import ImpressionRepository
from app.domain.repositories.interaction_repository import InteractionRepository
from app.domain.repositories.post_repository import PostRepository
from app.domain.repositories.recommendation_repository import RecommendationRepository
from app.domain.repositories.stored_posts import StoredPostRepository
from app.infrastructure.database.control_repository_impl import SqlControlRepository
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.follow_repository_impl import SqlFollowRepository
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.post_repository_impl import SqlPostRepository
from app.infrastructure.database.recommendation_repository_impl import SqlRecommendationRepository
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.stored_posts_impl import SqlStoredPostRepository
from tests.support.fake_storage import (
    InMemoryControls,
    InMemoryFeedLog,
    InMemoryFollows,
    InMemoryImpressions,
    InMemoryInteractions,
    InMemoryPosts,
    InMemoryRecommendations,
    InMemoryTables,
)
from tests.support.fake_stored_posts import InMemoryStoredPosts

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Tables(Protocol):
    """What is done to users, posts and follows from outside; each call is one committed transaction."""

    def add_users(self, *users: User) -> None: ...
    def add_posts(self, *posts: Post) -> None: ...
    def add_follow(self, follower: UUID, followee: UUID, since: datetime | None = None) -> None: ...
    def remove_follow(self, follower: UUID, followee: UUID) -> None: ...
    def remove_post(self, id_: UUID) -> None: ...
    def remove_user(self, id_: UUID) -> None: ...


class SqlTables:
    """By plain SQL, as another program would."""

    def __init__(self, engine: Engine, schema: SchemaName) -> None:
        self.engine = engine
        self.schema = schema

    def run(self, statement: str, *values: object) -> None:
        names = {
            name: self.schema[name]
            for name in (
                "users",
                "posts",
                "follows",
                "memberships",
                "user_interaction",
                "user_feedback",
                "user_interest",
            )
        }
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement.format(**names), values)

    def add_users(self, *users: User) -> None:
        """Add users, or replace their settings and audiences."""
        for user in users:
            id_ = str(user.id)
            self.run(
                "INSERT INTO {users} AS u (id, external_id, created_at, discoverable, personalised, languages, "
                "show_sensitive) VALUES (%s, %s, coalesce(%s, now()), %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE "
                "SET discoverable = excluded.discoverable, personalised = excluded.personalised, "
                "languages = excluded.languages, show_sensitive = excluded.show_sensitive",
                id_, user.external_id, user.created_at, user.discoverable, user.personalised,
                list(user.languages), user.show_sensitive,
            )  # fmt: skip
            self.run("DELETE FROM {memberships} WHERE user_id = %s", id_)
            self.run("INSERT INTO {memberships} SELECT %s, unnest(%s::text[])", id_, list(user.audiences))

    def add_posts(self, *posts: Post) -> None:
        """Add posts, or replace their values. Schemas of earlier versions have no embeddings."""
        columns = [
            "external_id", "author_id", "content", "tags", "visible", "created_at", "visibility", "audience_id",
            "language", "sensitive", "root_id", "repost_of",
        ]  # fmt: skip
        values = ["%s"] * len(columns)
        with_embeddings = any(post.embedding for post in posts)
        if with_embeddings:
            columns.append("embedding")
            values.append("%s::real[]")
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns)
        statement = (
            f"INSERT INTO {self.schema['posts']} AS p (id, {', '.join(columns)}) "
            f"VALUES (%s, {', '.join(values)}) ON CONFLICT (id) DO UPDATE SET {changes}"
        )
        with self.engine.begin() as connection:
            for post in posts:
                author = str(post.author_id) if post.author_id else None
                row = [
                    str(post.id), post.external_id, author, post.content, list(post.tags), post.visible,
                    post.created_at, post.visibility, post.audience_id, post.language, post.sensitive, post.root_id,
                    post.repost_of,
                ]  # fmt: skip
                if with_embeddings:
                    row.append(post.embedding and np.frombuffer(post.embedding, np.float16).tolist())
                connection.exec_driver_sql(statement, tuple(row))

    def add_follow(self, follower: UUID, followee: UUID, since: datetime | None = None) -> None:
        self.run("INSERT INTO {follows} VALUES (%s, %s, %s)", str(follower), str(followee), since)

    def remove_follow(self, follower: UUID, followee: UUID) -> None:
        self.run(
            "DELETE FROM {follows} WHERE follower_id = %s AND followee_id = %s", str(follower), str(followee)
        )

    def remove_post(self, id_: UUID) -> None:
        self.run("DELETE FROM {posts} WHERE id = %s", str(id_))

    def remove_user(self, id_: UUID) -> None:
        self.run("DELETE FROM {users} WHERE id = %s", str(id_))


@dataclass
class Storage:
    """A store, empty at first, and everything that is asked of it."""

    tables: Tables
    log: FeedLog
    interactions: InteractionRepository
    posts: PostRepository
    recommendations: RecommendationRepository
    controls: ControlRepository
    follows: FollowRepository
    impressions: ImpressionRepository
    stored_posts: StoredPostRepository

    @classmethod
    def in_memory(cls) -> "Storage":
        tables = InMemoryTables()
        return cls(
            tables,
            InMemoryFeedLog(tables),
            InMemoryInteractions(tables),
            InMemoryPosts(tables),
            InMemoryRecommendations(tables),
            InMemoryControls(tables),
            InMemoryFollows(tables),
            InMemoryImpressions(tables),
            InMemoryStoredPosts(tables),
        )

    @classmethod
    def on_postgres(cls, engine: Engine, schema: SchemaName) -> "Storage":
        return cls(
            SqlTables(engine, schema),
            SqlFeedLog(engine, schema),
            SqlInteractionRepository(engine, schema, budget_seconds=20),
            SqlPostRepository(engine, schema, budget_seconds=20),
            SqlRecommendationRepository(engine, schema, budget_seconds=20),
            SqlControlRepository(engine, schema, budget_seconds=20),
            SqlFollowRepository(engine, schema, budget_seconds=20),
            SqlImpressionRepository(engine, schema, budget_seconds=20),
            SqlStoredPostRepository(engine, schema, budget_seconds=20),
        )


def a_user(name: str, **settings: Any) -> User:
    return User(user_uuid(name), name, NOON, **settings)


def a_post(
    name: str, author: str | None = None, *, at: datetime = NOON, visible: bool = True, **settings: Any
) -> Post:
    return Post(
        id=post_uuid(name),
        external_id=name,
        author_id=user_uuid(author) if author else None,
        created_at=at,
        seq=0,
        content=f"about {name}",
        tags=("news", 'odd "{,}\\ tag'),
        visible=visible,
        **settings,
    )


def did(
    user: str, post: str, kind: InteractionType = "view", *, at: datetime = NOON, event: UUID | None = None
) -> Interaction:
    return Interaction(user_uuid(user), post_uuid(post), kind, at, event)


def control_of(
    user: str, action: ControlAction, target: str, *, at: datetime = NOON, until: datetime | None = None
) -> Control:
    """`target` is the external id of a post or an author, a tag or a word, as the action needs it."""
    field = TARGET_FIELDS[action]
    value = {"post_id": post_uuid, "author_id": user_uuid}.get(field, str)(target)
    return Control(user_uuid(user), action, **{field: value}, created_at=at, until=until)


def events_of(history: FeedDataset) -> list[tuple[str, str, int, float]]:
    """Who did what with which post when, in the order of the history."""
    events = history.events
    return [
        (history.users.external_id[user], history.posts.external_id[post], kind, time)
        for user, post, kind, time in zip(
            events.user.tolist(),
            events.post.tolist(),
            events.kind.tolist(),
            events.time.tolist(),
            strict=True,
        )
    ]
