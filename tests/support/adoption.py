"""A database with the tables of a team, and the service on it after `python -m data.adopt`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from app.infrastructure.database.control_repository_impl import SqlControlRepository
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.entity_repository_impl import SqlEntityRepository
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.follow_repository_impl import SqlFollowRepository
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.membership_repository_impl import SqlMembershipRepository
from app.infrastructure.database.post_repository_impl import SqlPostRepository
from app.infrastructure.database.storage import Storage
from app.infrastructure.database.user_data_repository_impl import SqlUserDataRepository
from data import adopt
from tests.support.small_service import SmallService

_OF_TEAM = "SET LOCAL search_path TO public; "  # the role of the tests has the name of the schema `feed`
PRISMA_INTEGER = """
CREATE TABLE "User" (id serial PRIMARY KEY, name text, "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE "Post" (id serial PRIMARY KEY, "authorId" int REFERENCES "User"(id), content text,
    published boolean NOT NULL DEFAULT false, "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE "Like" ("userId" int REFERENCES "User"(id), "postId" int REFERENCES "Post"(id),
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY ("userId", "postId"));
INSERT INTO "User" (name) SELECT 'name ' || i FROM generate_series(1, 20) i;
INSERT INTO "Post" ("authorId", content, published, "createdAt")
    SELECT 1 + i % 20, 'text ' || i, i % 6 <> 0, now() - i * interval '1 hour' FROM generate_series(1, 60) i;
INSERT INTO "Like" SELECT u, p, now() - (u + p) * interval '10 minutes'
    FROM generate_series(1, 20) u, generate_series(1, 60) p WHERE (u + p) % 4 = 0;
"""
SNAKE_INTEGER = """
CREATE TABLE users (id bigserial PRIMARY KEY, username text, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE posts (id bigserial PRIMARY KEY, author_id bigint REFERENCES users(id), content text,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE follows (follower_id bigint, followee_id bigint);
INSERT INTO users (username) SELECT 'name' || i FROM generate_series(1, 20) i;
INSERT INTO posts (author_id, content, created_at)
    SELECT 1 + i % 20, 'text ' || i, now() - i * interval '1 hour' FROM generate_series(1, 60) i;
INSERT INTO follows VALUES (1, 2), (1, 99);
"""
CUID = """
CREATE TABLE users (id text PRIMARY KEY, username text, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE posts (id text PRIMARY KEY, author_id text REFERENCES users(id), content text,
    created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO users (id, username) SELECT 'clx' || lpad(i::text, 22, '0'), 'name' || i FROM generate_series(1, 20) i;
INSERT INTO posts (id, author_id, content, created_at) SELECT 'clp' || lpad(i::text, 22, '0'),
    'clx' || lpad((1 + i % 20)::text, 22, '0'), 'text ' || i, now() - i * interval '1 hour'
    FROM generate_series(1, 60) i;
"""
UUID_SOFT_DELETE = """
CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), username text,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE posts (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), author_id uuid REFERENCES users(id), content text,
    status text NOT NULL DEFAULT 'published', deleted_at timestamptz, created_at timestamp NOT NULL);
CREATE TABLE follows (follower_id uuid, followee_id uuid);
INSERT INTO users (username) SELECT 'name' || i FROM generate_series(1, 20) i;
INSERT INTO posts (author_id, content, status, deleted_at, created_at)
SELECT (SELECT id FROM users ORDER BY username OFFSET i % 20 LIMIT 1),
    CASE WHEN i % 5 = 0 THEN 'DELETED ' WHEN i % 5 = 1 THEN 'DRAFT ' ELSE 'text ' END || i,
    CASE WHEN i % 5 = 1 THEN 'draft' ELSE 'published' END, CASE WHEN i % 5 = 0 THEN now() END,
    (now() AT TIME ZONE 'Europe/Berlin') - i * interval '10 minutes' FROM generate_series(1, 60) i;
"""
DJANGO = """
CREATE TABLE auth_user (id serial PRIMARY KEY, username text, is_active boolean NOT NULL DEFAULT true,
    date_joined timestamptz NOT NULL DEFAULT now());
CREATE TABLE blog_article (id serial PRIMARY KEY, author_id int REFERENCES auth_user(id), headline text,
    pub_date timestamptz, created timestamptz NOT NULL DEFAULT now());
CREATE TABLE django_content_type (id serial PRIMARY KEY, app_label text, model text);
CREATE TABLE blog_articlelike (user_id int REFERENCES auth_user(id), article_id int REFERENCES blog_article(id),
    created timestamptz NOT NULL DEFAULT now());
CREATE TABLE favorites_favorite (user_id int REFERENCES auth_user(id), object_id int, created timestamptz,
    content_type_id int REFERENCES django_content_type(id));
CREATE TABLE interactions (user_id int, article_id int, kind text, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE article_flags (user_id int, article_id int);
INSERT INTO auth_user (username) SELECT 'name' || i FROM generate_series(1, 10) i;
INSERT INTO blog_article (author_id, headline, pub_date, created) SELECT 1 + i % 10, 'headline ' || i,
    CASE i % 3 WHEN 0 THEN now() + interval '1 day' WHEN 1 THEN now() - interval '1 hour' END,
    now() - interval '1 day' FROM generate_series(1, 30) i;
INSERT INTO django_content_type (app_label, model) VALUES ('blog', 'comment'), ('blog', 'article');
INSERT INTO blog_articlelike SELECT 1 + i % 10, i FROM generate_series(1, 30) i;
INSERT INTO favorites_favorite SELECT 1 + i % 10, i, now() - interval '1 minute', 1 + i % 2
    FROM generate_series(1, 30) i;
INSERT INTO interactions SELECT 1 + i % 10, i, (ARRAY['article_view', 'Shared', 'dislike', 'meh'])[1 + i % 4]
    FROM generate_series(1, 28) i;
"""
# names in upper case and reserved words in a schema of the team, a partitioned table, and a view
PARTITIONED = """
CREATE SCHEMA "App"; SET search_path TO "App";
CREATE TABLE accounts ("ID" bigserial PRIMARY KEY, "NAME" text);
CREATE VIEW "USER" AS SELECT * FROM accounts;
CREATE TABLE "POST" ("ID" bigserial, "USER_ID" bigint, "TEXT" text, "order" int, "DATE" timestamptz NOT NULL,
    "DRAFT" boolean, PRIMARY KEY ("ID", "DATE")) PARTITION BY RANGE ("DATE");
CREATE TABLE post_old PARTITION OF "POST" FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
CREATE TABLE post_new PARTITION OF "POST" DEFAULT;
CREATE TABLE "LIKE" ("USER_ID" bigint, "POST_ID" bigint, "CREATED_AT" timestamptz DEFAULT now());
INSERT INTO accounts ("NAME") VALUES ('a'), ('b');
INSERT INTO "POST" ("USER_ID", "TEXT", "DATE", "DRAFT") VALUES (1, 'x', '2010-01-01', false), (1, 'y', now(), true),
    (1, 'z', now(), false);
INSERT INTO "LIKE" VALUES (2, 1);
"""
COMPOSITE = """
CREATE TABLE users (tenant int, id int, username text, PRIMARY KEY (tenant, id));
CREATE TABLE posts (tenant int, id int, author_id int, body text, created_at timestamptz DEFAULT now(),
    PRIMARY KEY (tenant, id), FOREIGN KEY (tenant, author_id) REFERENCES users (tenant, id));
INSERT INTO users VALUES (1, 1, 'a'), (2, 1, 'b');
INSERT INTO posts VALUES (1, 1, 1, 'x'), (2, 1, 1, 'y');
"""


@dataclass
class Team:
    """A team's database. `adopt` runs the command; its exit code, output and error are returned."""

    engine: Engine
    adopt: Callable[..., tuple[int, str, str]]

    def run(self, sql: str) -> None:
        with self.engine.begin() as connection, connection.connection.cursor() as cursor:
            cursor.execute(_OF_TEAM + sql)

    def rows(self, sql: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.exec_driver_sql(_OF_TEAM + sql))

    def service(self, engine: Engine | None = None) -> SmallService:
        """A process of the service that has read the feed, as the team's role or that of `engine`."""
        engine = engine or self.engine
        schema = feed_schema(engine, None)
        service = SmallService(
            storage=Storage(
                SqlInteractionRepository(engine, schema, budget_seconds=20),
                SqlControlRepository(engine, schema, budget_seconds=20),
                SqlFollowRepository(engine, schema, budget_seconds=20),
                SqlMembershipRepository(engine, schema, budget_seconds=20),
                SqlEntityRepository(engine, schema, budget_seconds=20),
                SqlImpressionRepository(engine, schema, budget_seconds=20),
                SqlUserDataRepository(engine, schema, budget_seconds=20),
                SqlFeedLog(engine, schema),
                SqlPostRepository(engine, schema, budget_seconds=20),
            )
        )
        service.clock.at = datetime.now(UTC)
        service.catch_up()
        return service


def make_team(engine: Engine, sql: str, monkeypatch: Any, capsys: Any, folder: Any) -> Team:
    """Create the team's tables beside the migrated schema `feed`, and return the team."""
    monkeypatch.setenv("DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.delenv("DB_SCHEMA", raising=False)

    def run_adopt(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = adopt.main([*arguments, "--output", str(folder / "adopt.sql")])
        except SystemExit as error:
            code = int(error.code or 0)
        return (code, *capsys.readouterr())

    team = Team(engine, run_adopt)
    team.run(sql)
    return team


def shown(service: SmallService, user: str) -> list[str]:
    """The ids of all posts that the user is shown, page by page to the end: those of the team."""
    pages = service.all_pages(user, limit=20)
    return [name or id_ for page in pages for name, id_ in zip(page.external_ids, page.post_ids, strict=True)]
