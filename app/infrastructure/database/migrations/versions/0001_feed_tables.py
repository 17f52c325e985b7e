"""Create the tables, triggers and views of the feed.

An existing table of another team (for example `users`) is adopted: it is not altered, gets no trigger and is not the
target of a foreign key. The view over it uses the columns that it has. The team may redefine the views.
"""

from alembic import op

from app.infrastructure.database.migrations.adopted_tables import view_over
from app.infrastructure.database.migrations.operations import comment_on, feed_schema, reject_existing
from app.infrastructure.database.schema import OWNER_MARK, SchemaName

revision = "0001"
down_revision = None

ADOPTABLE = {"users", "posts", "follows", "user_recommendation"}
VIEWS = {"feed_users": "users", "feed_posts": "posts", "feed_follows": "follows"}

TABLES = {
    "users": """
CREATE TABLE {users} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    external_id text NOT NULL UNIQUE CHECK (external_id <> ''),
    username text,
    follower_count integer,
    created_at timestamptz NOT NULL DEFAULT now() CHECK (created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'),
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE
)
""",
    "posts": """
CREATE TABLE {posts} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    external_id text NOT NULL UNIQUE CHECK (external_id <> ''),
    author_id uuid {references_users},
    content text,
    tags text[] NOT NULL DEFAULT '{{}}',
    visible boolean NOT NULL DEFAULT true,
    like_count integer,
    comment_count integer,
    created_at timestamptz NOT NULL DEFAULT now() CHECK (created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'),
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE
);
CREATE INDEX idx_posts_author ON {posts} (author_id);
CREATE INDEX idx_posts_created ON {posts} (created_at)
""",
    "follows": """
CREATE TABLE {follows} (
    follower_id uuid NOT NULL {references_users},
    followee_id uuid NOT NULL {references_users},
    created_at timestamptz CHECK (created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'),
    PRIMARY KEY (follower_id, followee_id),
    CHECK (follower_id <> followee_id)
);
CREATE INDEX idx_follows_followee ON {follows} (followee_id)
""",
    # `xid` is the transaction that wrote the row. New rows are read by xid: a late commit may have an early seq.
    "user_interaction": """
CREATE TABLE {user_interaction} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL {references_users},
    post_id uuid NOT NULL {references_posts},
    interaction_type varchar(50) NOT NULL
        CHECK (interaction_type IN ('view', 'click', 'like', 'comment', 'share')),
    metadata jsonb NOT NULL DEFAULT '{{}}',
    created_at timestamptz NOT NULL DEFAULT now(),
    occurred_at timestamptz NOT NULL DEFAULT now() CHECK (occurred_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'),
    event_id uuid UNIQUE,
    request_id text,
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX idx_user_interaction_user ON {user_interaction} (user_id, created_at);
CREATE INDEX idx_user_interaction_post ON {user_interaction} (post_id, created_at);
CREATE INDEX idx_user_interaction_time ON {user_interaction} (created_at);
CREATE INDEX idx_user_interaction_xid ON {user_interaction} (xid, seq)
""",
    "user_recommendation": """
CREATE TABLE {user_recommendation} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL {references_users},
    post_id uuid NOT NULL {references_posts},
    score double precision NOT NULL,
    generated_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    UNIQUE (user_id, post_id)
);
CREATE INDEX idx_user_reco_user_score ON {user_recommendation} (user_id, score DESC);
CREATE INDEX idx_user_reco_expires ON {user_recommendation} (user_id, expires_at);
CREATE INDEX idx_user_reco_cleanup ON {user_recommendation} (expires_at);
CREATE INDEX idx_user_reco_post ON {user_recommendation} (post_id)
""",
    "feed_change": """
CREATE TABLE {feed_change} (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    entity text NOT NULL CHECK (entity IN ('user', 'post', 'follow')),
    op text NOT NULL CHECK (op IN ('upsert', 'delete')),
    key uuid NOT NULL,
    other uuid CHECK ((other IS NOT NULL) = (entity = 'follow')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_feed_change_xid ON {feed_change} (xid, seq)
""",
    # Dense numbers for posts of adopted tables, which have no `seq`; the service adds them when it first reads a post.
    "feed_post_number": """
CREATE TABLE {feed_post_number} (
    post_id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE
)
""",
    "feed_import": """
CREATE TABLE {feed_import} (
    name text PRIMARY KEY,
    shift_seconds double precision NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
)
""",
}

# Statement triggers with transition tables: a bulk load needs one INSERT, not one for each row. They have the rights of
# the schema's owner, so that a role that writes `posts` needs no right on the outbox.
TRIGGER_FUNCTION = """
CREATE FUNCTION {schema}.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO {feed_change} (entity, op, key, other) {select};
    RETURN NULL;
END $body$
"""
# entity -> table, key columns, columns whose change is captured (a new like_count alone is not)
WATCHED = {
    "user": ("users", ("id",), ("external_id", "created_at")),
    "post": (
        "posts",
        ("id",),
        ("external_id", "author_id", "content", "tags", "visible", "created_at", "seq"),
    ),
    "follow": ("follows", ("follower_id", "followee_id"), ("created_at",)),
}


def create_triggers(schema: SchemaName, entity: str) -> None:
    """Create triggers that write the changes of the entity's table into feed_change."""
    table, keys, columns = WATCHED[entity]

    def select(op_name: str, row: str, source: str) -> str:
        key = ", ".join(f"{row}.{name}" for name in keys) + ("" if len(keys) > 1 else ", NULL::uuid")
        return f"SELECT '{entity}', '{op_name}', {key} FROM {source}"

    same = " AND ".join(f"o.{name} = n.{name}" for name in keys)
    new, old = (f"ROW({', '.join(f'{row}.{name}' for name in columns)})" for row in "no")
    bodies = {
        "insert": select("upsert", "n", "new_rows n"),
        "delete": select("delete", "o", "old_rows o"),
        "update": select("delete", "o", f"old_rows o WHERE NOT EXISTS (SELECT FROM new_rows n WHERE {same})")
        + " UNION ALL "
        + select(
            "upsert",
            "n",
            f"new_rows n WHERE NOT EXISTS (SELECT FROM old_rows o WHERE {same} AND {old} IS NOT DISTINCT FROM {new})",
        ),
        "truncate": select("delete", "o", f"{schema[table]} o"),
    }
    tables = {
        "insert": "REFERENCING NEW TABLE AS new_rows",
        "delete": "REFERENCING OLD TABLE AS old_rows",
        "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
        "truncate": "",
    }
    for operation, body in bodies.items():
        name = f"feed_{table}_{operation}"
        op.execute(
            TRIGGER_FUNCTION.format(schema=schema, name=name, feed_change=schema["feed_change"], select=body)
        )
        op.execute(
            f"CREATE TRIGGER {name} {'BEFORE' if operation == 'truncate' else 'AFTER'} {operation} ON {schema[table]} "
            f"{tables[operation]} FOR EACH STATEMENT EXECUTE FUNCTION {schema}.{name}()"
        )


def upgrade() -> None:
    schema = feed_schema()
    names = {table: schema[table] for table in TABLES}
    ours: set[str] = set()
    for table, statements in TABLES.items():
        if table not in ADOPTABLE:
            reject_existing(schema[table])
        if comment_on(schema[table]) is not None:
            continue
        references = {
            f"references_{other}": f"REFERENCES {schema[other]} (id) ON DELETE CASCADE"
            if other in ours
            else ""
            for other in ("users", "posts")
        }
        op.execute(statements.format(**names, **references))
        op.execute(f"COMMENT ON TABLE {schema[table]} IS '{OWNER_MARK}'")
        ours.add(table)
    for entity, (table, _, _) in WATCHED.items():
        if table in ours:
            create_triggers(schema, entity)
    for view, table in VIEWS.items():
        op.execute(view_over(op.get_bind(), schema, view, adopted=table not in ours))


def downgrade() -> None:
    schema = feed_schema()
    for view in VIEWS:
        op.execute(f"DROP VIEW IF EXISTS {schema[view]}")
    for table in reversed(TABLES):
        if comment_on(schema[table]) == OWNER_MARK:
            op.execute(f"DROP TABLE {schema[table]}")
    for table, _, _ in WATCHED.values():
        for operation in ("insert", "update", "delete", "truncate"):
            op.execute(f"DROP FUNCTION IF EXISTS {schema}.feed_{table}_{operation}()")
