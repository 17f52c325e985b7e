"""Databases of teams as their frameworks create them, with rows. Times are in UTC."""

PRISMA_WITH_INTEGER_KEYS = """
CREATE TABLE "User" (id serial PRIMARY KEY, email text UNIQUE, name text,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE "Post" (id serial PRIMARY KEY, title text NOT NULL, content text, published boolean NOT NULL DEFAULT false,
    "authorId" integer NOT NULL REFERENCES "User"(id), "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL);
CREATE TABLE "Like" ("userId" integer REFERENCES "User"(id), "postId" integer REFERENCES "Post"(id),
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY ("userId", "postId"));
CREATE TABLE "Follow" ("followerId" integer REFERENCES "User"(id), "followingId" integer REFERENCES "User"(id),
    PRIMARY KEY ("followerId", "followingId"));
CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, started_at timestamptz NOT NULL DEFAULT now());
INSERT INTO "User" (email, name) SELECT i || '@example.com', 'name ' || i FROM generate_series(1, 60) i;
INSERT INTO "Post" (title, content, published, "authorId", "createdAt", "updatedAt")
    SELECT 'title ' || i, 'text ' || i, i % 5 <> 0, 1 + i % 60, now() - i * interval '1 hour', now()
    FROM generate_series(1, 200) i;
INSERT INTO "Like" SELECT u, p, now() - (p - u % 20) * interval '50 minutes'
    FROM generate_series(1, 60) u, generate_series(21, 200) p WHERE (u * 7 + p) % 6 = 0;
INSERT INTO "Follow" SELECT i, 1 + i % 60 FROM generate_series(1, 60) i
"""
PRISMA_WITH_CUID_KEYS = """
CREATE TYPE "Status" AS ENUM ('DRAFT', 'PUBLISHED', 'ARCHIVED');
CREATE TABLE "User" (id text PRIMARY KEY, handle text UNIQUE, "deletedAt" timestamp(3),
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE "Post" (id text PRIMARY KEY, body text, status "Status" NOT NULL DEFAULT 'DRAFT',
    "authorId" text NOT NULL REFERENCES "User"(id), "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE "Favorite" (id text PRIMARY KEY, "userId" text NOT NULL REFERENCES "User"(id),
    "postId" text NOT NULL REFERENCES "Post"(id), "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE "Comment" (id text PRIMARY KEY, text text, "authorId" text REFERENCES "User"(id),
    "postId" text REFERENCES "Post"(id), "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE "Tag" (id serial PRIMARY KEY, name text UNIQUE);
CREATE TABLE "_PostToTag" ("A" text REFERENCES "Post"(id), "B" integer REFERENCES "Tag"(id));
INSERT INTO "User" (id, handle) SELECT 'clu' || lpad(i::text, 22, '0'), 'name' || i FROM generate_series(1, 60) i;
INSERT INTO "Post" SELECT 'clp' || lpad(i::text, 22, '0'), 'text ' || i,
    (CASE i % 5 WHEN 0 THEN 'DRAFT' WHEN 1 THEN 'ARCHIVED' ELSE 'PUBLISHED' END)::"Status",
    'clu' || lpad((1 + i % 60)::text, 22, '0'), now() - i * interval '1 hour' FROM generate_series(1, 200) i;
INSERT INTO "Favorite" SELECT 'clf' || u || '-' || p, 'clu' || lpad(u::text, 22, '0'), 'clp' || lpad(p::text, 22, '0'),
    now() - (p - u % 20) * interval '50 minutes'
    FROM generate_series(1, 60) u, generate_series(21, 200) p WHERE (u * 7 + p) % 6 = 0;
INSERT INTO "Comment" SELECT 'clc' || i, 'nice', 'clu' || lpad((1 + i % 60)::text, 22, '0'),
    'clp' || lpad((21 + i % 180)::text, 22, '0'), now() - i * interval '1 minute' FROM generate_series(1, 100) i;
INSERT INTO "Tag" (name) VALUES ('red'), ('blue');
INSERT INTO "_PostToTag" SELECT id, 1 + row_number() OVER () % 2 FROM "Post"
"""
RAILS = """
CREATE TABLE users (id bigserial PRIMARY KEY, username varchar, created_at timestamp(6) NOT NULL DEFAULT now(),
    updated_at timestamp(6) NOT NULL DEFAULT now());
CREATE TABLE posts (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users(id), body text,
    discarded_at timestamp(6), published_at timestamp(6), likes_count integer DEFAULT 0,
    created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL DEFAULT now());
CREATE TABLE likes (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users(id),
    likeable_type varchar NOT NULL,
    likeable_id bigint NOT NULL, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL DEFAULT now());
CREATE TABLE follows (id bigserial PRIMARY KEY, follower_id bigint REFERENCES users(id),
    followed_id bigint REFERENCES users(id), created_at timestamp(6) NOT NULL DEFAULT now());
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
INSERT INTO users (username) SELECT 'name' || i FROM generate_series(1, 60) i;
INSERT INTO posts (user_id, body, discarded_at, published_at, created_at)
    SELECT 1 + i % 60, 'text ' || i, CASE WHEN i % 5 = 0 THEN now() END,
        CASE WHEN i % 5 <> 1 THEN now() - i * interval '1 hour' END, now() - i * interval '1 hour'
    FROM generate_series(1, 200) i;
INSERT INTO likes (user_id, likeable_type, likeable_id, created_at)
    SELECT u, CASE WHEN p % 7 = 0 THEN 'Comment' ELSE 'Post' END, p, now() - (p - u % 20) * interval '50 minutes'
    FROM generate_series(1, 60) u, generate_series(21, 200) p WHERE (u * 7 + p) % 6 = 0;
INSERT INTO follows (follower_id, followed_id) SELECT i, 1 + i % 60 FROM generate_series(1, 60) i
"""
