"""EntityRepository over PostgreSQL."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import orjson
from sqlalchemy import Connection

from app.domain.errors import (
    ErasedUser,
    InvalidPost,
    ManagedElsewhere,
    StorageUnavailable,
    UnknownAuthor,
)
from app.domain.repositories.entity_repository import EntityChange, Fields
from app.domain.repositories.interaction_repository import RemovedEvents
from app.infrastructure.database.post_repository_impl import read_posts
from app.infrastructure.database.sql_repository import SqlRepository
from app.infrastructure.database.tombstones import NO_TOMBSTONES, Tombstones
from app.infrastructure.database.user_rows import read_users

Table = Literal["users", "posts"]

COLUMNS: Final[Mapping[Table, str]] = {
    "users": "username, created_at, languages, show_sensitive, discoverable, personalised",
    "posts": "author_id, content, created_at, tags, visible, visibility, audience_id, language, sensitive, reply_to, "
    "root_id, repost_of, embedding",
}
_REFERENCES: Final[Mapping[str, Table]] = {
    "author_id": "users",
    "reply_to": "posts",
    "root_id": "posts",
    "repost_of": "posts",
}
"""Columns whose values are ids of users or posts."""
# A row that exists draws no number, because numbers of posts should stay dense.
CREATE: Final = """
INSERT INTO {table} (id, external_id, created_at)
SELECT id, external_id, coalesce(created_at, %s)
FROM json_to_recordset(%s) AS given (id uuid, external_id text, created_at timestamptz)
WHERE NOT EXISTS (SELECT FROM {table} AS stored WHERE stored.id = given.id)
ORDER BY id ON CONFLICT DO NOTHING
"""
LOCK: Final = "SELECT FROM {table} WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
# jsonb_populate_record keeps the columns of `stored` that the object lacks.
CHANGE: Final = """
UPDATE {table} AS stored SET ({columns}) = (
    SELECT {columns} FROM jsonb_populate_record(stored, given.fields - 'id' - 'external_id')
)
FROM jsonb_array_elements(%s::jsonb) AS given (fields) WHERE stored.id = (given.fields ->> 'id')::uuid
"""


@dataclass(frozen=True, slots=True)
class SqlEntityRepository(SqlRepository):
    """EntityRepository over the tables users and posts. Rows of erased users are rejected after they are written.

    An erasure that commits first is visible then, because the insertion of the same row waits for its end.
    """

    tombstones: Tombstones = NO_TOMBSTONES

    def put_user(self, user_id: str, fields: Fields, now: datetime) -> EntityChange:
        with self.transaction() as connection:
            self._must_be_own(connection, "users")
            [id_] = self._uuids(connection, "users", [user_id]).values()
            columns = {name: value for name, value in fields.items() if name not in ("tags", "authors")}
            self._write(connection, "users", [{**columns, "id": id_, "external_id": user_id}], now)
            if isinstance(tags := fields.get("tags"), list):
                self._set_interests(connection, id_, "tag", tags)
            if isinstance(authors := fields.get("authors"), list):
                self._set_interests(connection, id_, "author_id", self._known_authors(connection, authors))
            if self.tombstones.erased(connection, self.schema, [id_]):
                raise ErasedUser(user_id)
            return self._change(connection, users=[id_])

    def put_posts(self, posts: Sequence[tuple[str, Fields]], now: datetime) -> EntityChange:
        given: dict[Table, list[str]] = {"users": [], "posts": [post_id for post_id, _ in posts]}
        for _, fields in posts:
            for column, table in _REFERENCES.items():
                if isinstance(value := fields.get(column), str):
                    given[table].append(value)
        with self.transaction() as connection:
            self._must_be_own(connection, "posts")
            ids = {table: self._uuids(connection, table, texts) for table, texts in given.items()}
            if self._is_own(connection, "users"):
                authors = [{"id": id_, "external_id": text} for text, id_ in ids["users"].items()]
                self._create(connection, "users", authors, now)
            rows = [
                {**_with_uuids(fields, ids), "id": ids["posts"][id_], "external_id": id_}
                for id_, fields in posts
            ]
            _must_differ(rows)
            self._write(connection, "posts", rows, now)
            change = self._change(connection, users=ids["users"].values(), posts=ids["posts"].values())
            _must_have_audiences(change, rows)
            _must_have_no_author_of(
                rows, self.tombstones.erased(connection, self.schema, change.user_seqs.keys())
            )
            return change

    def delete_post(self, post_id: str) -> EntityChange:
        with self.transaction() as connection:
            self._must_be_own(connection, "posts")
            ids = list(self._uuids(connection, "posts", [post_id]).values())
            connection.exec_driver_sql(f"DELETE FROM {self.schema['posts']} WHERE id = ANY(%s)", (ids,))
            return self._change(connection, posts=ids)

    def _is_own(self, connection: Connection, table: Table) -> bool:
        """Whether the view shows our table. Without a view, the tables are not migrated: raises ProgrammingError."""
        view = f"feed_{table}"
        query = f"SELECT {self.shows_own_table(view, table)}, EXISTS (SELECT FROM {self.schema[view]})"
        return bool(connection.exec_driver_sql(query).one()[0])

    def _must_be_own(self, connection: Connection, table: Table) -> None:
        if not self._is_own(connection, table):
            raise ManagedElsewhere(
                f"feed_{table}: the view shows the table of another application; write the {table} there"
            )

    def _uuids(self, connection: Connection, table: Table, ids: Sequence[str]) -> dict[str, UUID]:
        """Return the UUID that each id means."""
        function = self.schema[f"feed_{table.removesuffix('s')}_id"]
        rows = connection.exec_driver_sql(
            f"SELECT given, {function}(given) AS id FROM unnest(%s::text[]) AS given", (list(set(ids)),)
        )
        return {row.given: row.id for row in rows}

    def _known_authors(self, connection: Connection, given: Sequence[str]) -> list[UUID]:
        """The UUIDs of users. Raises UnknownAuthor."""
        ids = self._uuids(connection, "users", given)
        query = f"SELECT id FROM {self.schema['feed_users']} WHERE id = ANY(%s)"
        known = set(connection.exec_driver_sql(query, (list(ids.values()),)).scalars())
        for author_id in given:
            if ids[author_id] not in known:
                raise UnknownAuthor(author_id)
        return list(ids.values())

    def _set_interests(
        self, connection: Connection, user_id: UUID, column: str, values: Sequence[object]
    ) -> None:
        """Make these the tags, or the authors, that a user declares. The row of the user is locked."""
        table, kind = self.schema["user_interest"], "text" if column == "tag" else "uuid"
        connection.exec_driver_sql(
            f"DELETE FROM {table} WHERE user_id = %s AND {column} IS NOT NULL AND {column} <> ALL(%s::{kind}[])",
            (user_id, list(values)),
        )
        connection.exec_driver_sql(
            f"INSERT INTO {table} (user_id, {column}) SELECT DISTINCT %s::uuid, unnest(%s::{kind}[]) "
            "ON CONFLICT DO NOTHING",
            (user_id, list(values)),
        )

    def _create(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], now: datetime
    ) -> None:
        """Insert the rows that the table lacks, with `created_at` and the defaults of the other columns."""
        statement = CREATE.format(table=self.schema[table])
        connection.exec_driver_sql(statement, (now, orjson.dumps(rows).decode()))

    def _write(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], now: datetime
    ) -> None:
        """Create the rows that the table lacks, and set the given columns of all."""
        self._create(connection, table, rows, now)
        name = self.schema[table]
        connection.exec_driver_sql(LOCK.format(table=name), ([row["id"] for row in rows],))
        statement = CHANGE.format(table=name, columns=COLUMNS[table])
        if connection.exec_driver_sql(statement, (orjson.dumps(rows).decode(),)).rowcount < len(rows):
            raise StorageUnavailable(
                f"{table}: another transaction wrote a row with the same id; repeat the call"
            )

    def _change(
        self, connection: Connection, *, users: Iterable[UUID] = (), posts: Iterable[UUID] = ()
    ) -> EntityChange:
        """Return the present rows of these users and posts, and what this transaction wrote to the outbox."""
        user_seqs, post_seqs = dict.fromkeys(users, 0), dict.fromkeys(posts, 0)
        removed_events: dict[tuple[UUID, UUID], list[int]] = defaultdict(list)
        query = (
            f"SELECT seq, entity, key, other, event_seqs FROM {self.schema['feed_change']} "
            "WHERE xid = pg_current_xact_id() ORDER BY seq"
        )
        for seq, entity, key, other, event_seqs in connection.exec_driver_sql(query):
            if entity == "event":
                removed_events[key, other] += event_seqs
            elif entity == "user":
                user_seqs[key] = seq
            elif entity == "post":
                post_seqs[key] = seq
        present = read_posts(connection, self.schema, "id = ANY(%s)", list(post_seqs))
        return EntityChange(
            users=read_users(connection, self.schema, list(user_seqs)),
            posts=present,
            removed_posts=list(post_seqs.keys() - {post.id for post in present}),
            removed_events=[RemovedEvents(*pair, seqs, ()) for pair, seqs in removed_events.items()],
            user_seqs=user_seqs,
            post_seqs=post_seqs,
        )


def _with_uuids(fields: Fields, ids: Mapping[Table, Mapping[str, UUID]]) -> dict[str, Any]:
    """The fields of a post, with UUIDs instead of the ids of users and posts."""
    return {
        name: ids[_REFERENCES[name]][value] if name in _REFERENCES and isinstance(value, str) else value
        for name, value in fields.items()
    }


def _must_differ(rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidPost if two rows are the same post."""
    first: dict[UUID, int] = {}
    repeated = [place for place, row in enumerate(rows) if first.setdefault(row["id"], place) != place]
    if repeated:
        earlier = first[rows[repeated[0]]["id"]]
        raise InvalidPost(f"posts[{repeated[0]}]: the same post as posts[{earlier}]; send it once", repeated)


def _must_have_no_author_of(rows: Sequence[Mapping[str, Any]], erased: Collection[UUID]) -> None:
    """Raise InvalidPost if the author of a post was erased."""
    places = [place for place, row in enumerate(rows) if row.get("author_id") in erased]
    if places:
        raise InvalidPost(
            f"posts[{places[0]}]: the author was erased; no row is stored under this id", places
        )


def _must_have_audiences(change: EntityChange, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidPost if a post for members has no audience: nobody could see it."""
    without = {post.id for post in change.posts if post.visibility == "members" and post.audience_id is None}
    places = [place for place, row in enumerate(rows) if row["id"] in without]
    if places:
        raise InvalidPost(
            f"posts[{places[0]}]: visibility members needs an audience_id; nobody could see the post", places
        )
