"""Writes the SQL of the views over a team's tables."""

from dataclasses import dataclass

from app.infrastructure.database.adoption import expressions
from app.infrastructure.database.adoption.expressions import Keys, Kind, value
from app.infrastructure.database.adoption.names import literal, quoted, words
from app.infrastructure.database.adoption.proposal import Proposal, Source
from app.infrastructure.database.adoption.publication import FOLLOWER_STATES, user_publication
from app.infrastructure.database.migrations.operations import migration
from app.infrastructure.database.schema import SchemaName

_HEADER = """\
-- Views of the feed recommendation service over the tables of {team}, written by `python -m data.adopt`.
-- Keep it beside your migrations and edit it as you like; `python -m data.adopt apply --input FILE` applies it.

-- Rows of the service may refer to users and posts of the views, which are no longer its own tables. Triggers of an
-- earlier file are dropped; those of this one are at its end, if there are any.
DO $adopt$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint
        WHERE contype = 'f' AND confrelid IN (to_regclass({users}), to_regclass({posts})) AND conparentid = 0
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.relation, found.conname);
    END LOOP;
    FOR found IN SELECT tgrelid::regclass AS relation, tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE tgname LIKE 'feed_adopted_%' AND p.pronamespace = {schema}::regnamespace
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.relation);
    END LOOP;
END
$adopt$;
"""


@dataclass(frozen=True, slots=True)
class ViewWriter:
    """Writes CREATE OR REPLACE VIEW statements. Each view has all columns that it may have, in a fixed order."""

    proposal: Proposal
    schema: SchemaName
    time_zone: str

    @property
    def keys(self) -> Keys:
        """The ids of users and posts."""
        return Keys(self.schema, self.proposal)

    def sql(self) -> str:
        users, posts, schema = (
            literal(one) for one in (self.schema["users"], self.schema["posts"], str(self.schema))
        )
        parts = [
            _HEADER.format(team=self.proposal.posts.table.schema, users=users, posts=posts, schema=schema),
            self._users(),
            self._posts(),
        ]
        if self.proposal.follows:
            parts.append(self._follows(self.proposal.follows))
        if self.proposal.memberships:
            parts.append(self._memberships(self.proposal.memberships))
        if self.proposal.blocks:
            parts.append(self._controls())
        return "\n".join([*parts, self._names(), self._counts(), self._unkeyed()])

    def _view(
        self, name: str, columns: dict[str, str], source: Source, joins: list[str], condition: str
    ) -> str:
        return (
            f"CREATE OR REPLACE VIEW {self.schema[name]} AS\n{_select(columns, source, joins, condition)};\n"
        )

    def _users(self) -> str:
        users = self.proposal.users
        columns = {
            "id": self.keys.id("user", users, "id", "k"),
            "external_id": self._external_id("user", users),
            "created_at": expressions.time(users, "created_at", self.time_zone),
            "discoverable": _typed(users, "discoverable", "boolean"),
            "personalised": _typed(users, "personalised", "boolean"),
            "languages": _typed(users, "languages", "text[]"),
            "show_sensitive": _typed(users, "show_sensitive", "boolean"),
            "username": _typed(users, "username", "text"),
        }
        joins = [self.keys.join("user", users, "id", "k")]
        return self._view("feed_users", columns, users, joins, expressions.visible(users))

    def _external_id(self, kind: Kind, source: Source) -> str:
        return f"{value(source, 'id')}::text" if self.keys.has_uuids(kind) else "k.external_id"

    def _posts(self) -> str:
        posts, keys = self.proposal.posts, self.keys
        references = {"reply_to": "reply_key", "root_id": "root_key", "repost_of": "original_key"}
        linked = {name: alias for name, alias in references.items() if posts.get(name)}
        post_id = keys.id("post", posts, "id", "k")
        ids = {name: keys.id("post", posts, name, alias) for name, alias in linked.items()}
        columns = {
            "id": post_id,
            "external_id": self._external_id("post", posts),
            "author_id": keys.id("user", posts, "author_id", "author_key")
            if posts.get("author_id")
            else "NULL::uuid",
            "content": _content(posts),
            "tags": expressions.tags(posts, self.proposal.tags),
            "visible": self._visible(),
            "created_at": expressions.time(posts, "created_at", self.time_zone),
            "seq": "n.seq",
            "visibility": self._visibility(),
            "audience_id": _typed(posts, "audience_id", "text"),
            "language": _typed(posts, "language", "text"),
            "sensitive": _typed(posts, "sensitive", "boolean"),
            "reply_to": ids.get("reply_to", "NULL::uuid"),
            "root_id": ids.get("root_id", ids.get("reply_to", "NULL::uuid")),
            "repost_of": ids.get("repost_of", "NULL::uuid"),
            "embedding": _typed(posts, "embedding", "real[]"),
        }
        joins = [keys.join("post", posts, "id", "k")]
        if posts.get("author_id"):
            joins += [keys.join("user", posts, "author_id", "author_key", outer=True), self._author_join()]
        joins += [keys.join("post", posts, name, alias, outer=True) for name, alias in linked.items()]
        joins.append(f"LEFT JOIN {self.schema['feed_post_number']} n ON n.post_id = {post_id}")
        return self._view("feed_posts", columns, posts, joins, "true")

    def _author_join(self) -> str:
        users, author = self.proposal.users, value(self.proposal.posts, "author_id")
        return f"LEFT JOIN {users.table.sql} author ON {value(users, 'id', 'author')} = {author}"

    def _visible(self) -> str:
        """A post is hidden with its author."""
        posts, users = self.proposal.posts, self.proposal.users
        conditions = [expressions.visible(posts)]
        of_author = user_publication(users.table.columns, "author").condition
        if posts.get("author_id") and of_author != "true":
            conditions.append(f"({value(users, 'id', 'author')} IS NULL OR {of_author})")
        return " AND ".join(one for one in conditions if one != "true") or "true"

    def _visibility(self) -> str:
        """`members` for posts of an audience, `followers` for those that say so and for private accounts."""
        posts, users = self.proposal.posts, self.proposal.users
        if answer := value(posts, "visibility"):
            return f"{answer}::text"
        cases = []
        if audience := value(posts, "audience_id"):
            cases.append(f"WHEN {audience} IS NOT NULL THEN 'members'")
        for column in map(posts.table.column, posts.published.columns):
            if (
                column
                and column.family == "text"
                and words(column.name)[-1] in ("visibility", "privacy", "audience", "access")
            ):
                states = ", ".join(map(literal, FOLLOWER_STATES))
                cases.append(
                    f"WHEN lower(btrim(t.{quoted(column.name)}::text)) IN ({states}) THEN 'followers'"
                )
        if posts.get("author_id"):
            if private := value(users, "private", "author"):
                cases.append(f"WHEN {private} THEN 'followers'")
            if public := value(users, "public", "author"):
                cases.append(f"WHEN NOT {public} THEN 'followers'")
        return f"CASE {' '.join(cases)} ELSE 'public' END" if cases else "'public'::text"

    def _follows(self, source: Source) -> str:
        ids, joins = self._ids(source, "follower_id", "followee_id")
        columns = ids | {"created_at": expressions.time(source, "created_at", self.time_zone)}
        return self._view("feed_follows", columns, source, joins, expressions.visible(source))

    def _memberships(self, source: Source) -> str:
        ids, joins = self._ids(source, "user_id")
        columns = ids | {"audience_id": _typed(source, "audience_id", "text")}
        return self._view("feed_memberships", columns, source, joins, expressions.visible(source))

    def _ids(self, source: Source, *columns: str) -> tuple[dict[str, str], list[str]]:
        """Return the ids of the users in some columns, and the joins that they need."""
        ids = {name: self.keys.id("user", source, name, name) for name in columns}
        return ids, [self.keys.join("user", source, name, name) for name in columns]

    def _controls(self) -> str:
        """The controls of the service, and the blocks and mutes of the team."""
        view = migration("0004_user_controls").VIEW
        own = view.format_map(self.schema).partition(" AS\n")[2].strip()
        selects = [own]
        for action, source in self.proposal.blocks:
            ids, joins = self._ids(source, "user_id", "target_user_id")
            columns = {
                "user_id": ids["user_id"],
                "action": f"{literal(action)}::text",
                "target_user_id": ids["target_user_id"],
                "target_post_id": "NULL::uuid",
                "tag": "NULL::text",
                "word": "NULL::text",
                "created_at": expressions.time(source, "created_at", self.time_zone),
                "until": "NULL::timestamptz",
                "seq": "NULL::bigint",
            }
            selects.append(_select(columns, source, joins, expressions.visible(source)))
        actions = " ".join(dict.fromkeys(action for action, _ in self.proposal.blocks))
        return (
            f"CREATE OR REPLACE VIEW {self.schema['feed_controls']} AS\n"
            + "\nUNION ALL\n".join(selects)
            + ";\n"
            f"COMMENT ON VIEW {self.schema['feed_controls']} IS 'managed elsewhere: {actions}';\n"
        )

    def _names(self) -> str:
        users = self.proposal.users
        columns = {"username": _typed(users, "username", "text"), "follower_count": "NULL::bigint"}
        return self._extra("feed_user_names", "user", users, columns)

    def _counts(self) -> str:
        columns = {"like_count": "NULL::bigint", "comment_count": "NULL::bigint"}
        return self._extra("feed_post_counts", "post", self.proposal.posts, columns)

    def _extra(self, name: str, kind: Kind, source: Source, columns: dict[str, str]) -> str:
        """A view of further columns of users or posts."""
        with_id = {"id": self.keys.id(kind, source, "id", "k")} | columns
        return self._view(name, with_id, source, [self.keys.join(kind, source, "id", "k")], "true")

    def _unkeyed(self) -> str:
        """The rows that have no id yet: the service reads them and adds the ids."""
        sources: list[tuple[str, Kind, Source, str]] = [
            ("user", "user", self.proposal.users, "id"),
            ("author", "user", self.proposal.posts, "author_id"),
            ("post", "post", self.proposal.posts, "id"),
        ]
        selects = []
        for name, kind, source, column in sources:
            if not self.keys.has_uuids(kind) and (key := value(source, column)):
                created_at = expressions.time(source, "created_at", self.time_zone)
                matches = self.keys.matches(source, column, "k")
                selects.append(
                    f"SELECT {literal(name)}::text AS kind, {key}::text AS external_id, {created_at} AS created_at\n"
                    f"FROM {source.table.sql} t\nWHERE {key}::text <> ''\n"
                    f"    AND NOT EXISTS (SELECT FROM {self.keys.table(kind)} k WHERE {matches})"
                )
        nothing = "SELECT NULL::text AS kind, NULL::text AS external_id, NULL::timestamptz AS created_at WHERE false"
        return (
            f"CREATE OR REPLACE VIEW {self.schema['feed_unkeyed']} AS\n"
            + "\nUNION ALL\n".join(selects or [nothing])
            + ";\n"
        )


def _select(columns: dict[str, str], source: Source, joins: list[str], condition: str) -> str:
    listed = ",\n    ".join(f"{sql} AS {name}" for name, sql in columns.items())
    lines = [f"SELECT {listed}", f"FROM {source.table.sql} t", *(join for join in joins if join)]
    if condition != "true":
        lines.append(f"WHERE {condition}")
    return "\n".join(lines)


def _typed(source: Source, name: str, kind: str) -> str:
    sql = value(source, name)
    return f"{sql}::{kind}" if sql else f"NULL::{kind}"


def _content(posts: Source) -> str:
    title, content = value(posts, "title"), value(posts, "content")
    if title and content:
        return f"concat_ws(E'\\n\\n', nullif({title}::text, ''), {content}::text)"
    return f"{title or content}::text" if title or content else "NULL::text"
