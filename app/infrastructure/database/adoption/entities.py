"""Finds the columns of users and posts, and what relations have in common."""

import re
from collections.abc import Callable, Sequence

from app.infrastructure.database.adoption import vocabulary
from app.infrastructure.database.adoption.answers import Answers
from app.infrastructure.database.adoption.catalogue import Column, Table
from app.infrastructure.database.adoption.names import quoted, snake_case
from app.infrastructure.database.adoption.proposal import Source, last_noun, noun
from app.infrastructure.database.adoption.publication import Publication, publication, user_publication
from app.infrastructure.database.adoption.references import refers_to, refers_to_row
from app.infrastructure.database.adoption.showing_times import showing_condition


def has_type(*types: str) -> Callable[[Column], bool]:
    """Return a condition: the column has one of these types or families of types."""
    return lambda column: column.family in types or column.type in types


def key_of(tables: Sequence[Table], table: Table, role: str, answers: Answers) -> str:
    """Return the column that identifies a row: the one that foreign keys refer to, else the primary key."""
    answer = answers.get(f"{role}.id")
    if answer is not None:
        return answers.column(role, "id", table, (), lambda _: True) or ""
    targets = {
        column.reference.column
        for other in tables
        for column in other.columns
        if column.reference and refers_to(table)(column)
    }
    if len(targets) == 1:
        return targets.pop()
    if role == "feed_users" and (column := _account_column(tables, table)):
        return column
    if len(table.key) == 1:
        return table.key[0]
    if sum(column.family != "time" for column in table.columns if column.name in table.key) > 1:
        joined = " || ':' || ".join(f"t.{quoted(name)}" for name in table.key)
        answers.ask(
            f"{table}: the key has the columns {' and '.join(table.key)}; if one alone identifies a row, name it with "
            f"--map {role}.id=COLUMN, else map --map '{role}.id=({joined})' and the columns that refer to it"
        )
        return table.key[0]
    names = frozenset({"id", "uuid", "uid", "pk", f"{last_noun(table)}_id", f"{noun(table)}_id"})
    return answers.column(role, "id", table, (frozenset({"id"}), names), lambda _: True, required=True) or ""


def _account_column(tables: Sequence[Table], table: Table) -> str | None:
    """Return the only column with the key of a table of another schema (auth.users) to which others refer as well."""
    outside = {
        (column.reference.schema, column.reference.table)
        for other in tables
        for column in other.columns
        if other != table and column.reference and column.reference.schema != table.schema
    }
    found = [
        column.name
        for column in table.columns
        if column.reference and (column.reference.schema, column.reference.table) in outside
    ]
    return found[0] if len(found) == 1 else None


def is_time(column: Column) -> bool:
    """A time, or seconds or milliseconds since 1970."""
    return column.family == "time" or column.type in ("bigint", "integer", "numeric", "double precision")


def user_source(tables: Sequence[Table], table: Table, answers: Answers) -> Source:
    """Return the columns of feed_users."""
    choices = {
        "created_at": (vocabulary.SIGN_UP, is_time),
        "username": (vocabulary.USERNAME, has_type("text")),
        "languages": (vocabulary.LANGUAGES, has_type("text[]", "character varying[]")),
        "show_sensitive": (vocabulary.SHOW_SENSITIVE, has_type("boolean")),
        "discoverable": ((frozenset({"discoverable"}),), has_type("boolean")),
        "personalised": ((frozenset({"personalised", "personalized"}),), has_type("boolean")),
        "private": (vocabulary.PRIVATE_ACCOUNT, has_type("boolean")),
        "public": (vocabulary.PUBLIC_ACCOUNT, has_type("boolean")),
        "visible": ((), is_time),
    }
    columns = {"id": key_of(tables, table, "feed_users", answers)}
    for name, (tiers, accepts) in choices.items():
        if column := answers.column("feed_users", name, table, tiers, accepts):
            columns[name] = column
    published = user_publication(_undecided(table, columns))
    return Source(table, columns, _checked(published, "feed_users", table, columns, answers))


def post_source(
    tables: Sequence[Table], table: Table, users: Source, answers: Answers, time_zone: str
) -> Source:
    """Return the columns of feed_posts."""
    key = key_of(tables, table, "feed_posts", answers)
    key_column, is_post = table.column(key), refers_to(table)

    def is_key(column: Column) -> bool:
        return key_column is not None and (is_post(column) or _is_same_type(column, key_column))

    choices = {
        "content": (vocabulary.CONTENT, has_type("text")),
        "title": (vocabulary.TITLE, has_type("text")),
        "tags": (vocabulary.TAGS, has_type("text[]", "character varying[]", "jsonb", "json", "text")),
        "language": (vocabulary.LANGUAGE, has_type("text")),
        "sensitive": (vocabulary.SENSITIVE, has_type("boolean")),
        "reply_to": (vocabulary.REPLY_TO, is_key),
        "root_id": (vocabulary.ROOT, is_key),
        "repost_of": (vocabulary.REPOST_OF, is_key),
        "audience_id": (vocabulary.AUDIENCE, has_type("integer", "text", "uuid")),
        "embedding": (
            vocabulary.EMBEDDING,
            has_type("real[]", "double precision[]", "vector", "halfvec"),
        ),
        "visible": ((), is_time),
        "visibility": ((), is_time),
    }
    author = answers.column(
        "feed_posts", "author_id", table, vocabulary.AUTHOR, has_type(users.family("id")),
        prefer=refers_to_row(users), required=True,
    )  # fmt: skip
    created_at = answers.column("feed_posts", "created_at", table, vocabulary.CREATED, is_time, required=True)
    found = {"id": key, "author_id": author, "created_at": created_at}
    for name, (tiers, accepts) in choices.items():
        found[name] = answers.column("feed_posts", name, table, tiers, accepts)
    columns = {name: column for name, column in found.items() if column}
    for column in table.columns:
        if is_post(column) and column.name not in columns.values():
            answers.notes.append(
                f"{table}.{column.name} refers to posts and is not used; for replies or reposts add "
                f"--map feed_posts.reply_to={column.name} or --map feed_posts.repost_of={column.name}"
            )
    if not columns.keys() & {"content", "title"}:
        answers.notes.append(
            f"{table}: no column was recognised as content, so posts have no text; name it with "
            "--map feed_posts.content=COLUMN"
        )
    others = [column for column in _undecided(table, columns) if column.name != author]  # "posted_by"
    published = publication(others, time_zone, followers=True)
    return Source(table, columns, _checked(published, "feed_posts", table, columns, answers))


def _is_same_type(column: Column, key: Column) -> bool:
    return column.reference is None and column.family == key.family


def _undecided(table: Table, columns: dict[str, str]) -> list[Column]:
    """Return the columns that the user's answer about published rows does not mention."""
    answer = columns.get("visible", "")
    return [
        column
        for column in table.columns
        if column.name != answer and not re.search(rf'\bt\."?{re.escape(column.name)}\b', answer)
    ]


def _checked(
    published: Publication, role: str, table: Table, columns: dict[str, str], answers: Answers
) -> Publication:
    """Ask for the meaning of unknown columns of soft deletes, drafts and moderation, unless `visible` is mapped."""
    if "visible" in columns:
        return published.with_known_columns()
    if published.unknown:
        for column in published.unknown:
            name = column.name if column.name == snake_case(column.name) else quoted(column.name)
            answers.ask(
                f"{table}.{column.name} ({column.type}) may hide rows, and its values are unknown; say which rows are "
                "published, "
                f"for example --map '{role}.visible=(t.{name} {'<= now()' if column.family == 'time' else '= 1'})'"
            )
    return published


def _only_time(table: Table, time_zone: str) -> str | None:
    """Return the only time that does not say whether a row is shown: "liked_on"."""
    found = [
        column.name
        for column in table.columns
        if column.family == "time" and showing_condition(column, time_zone, has_state=False) is None
    ]
    return found[0] if len(found) == 1 else None


def relation(
    role: str,
    table: Table,
    columns: dict[str, str],
    answers: Answers,
    time_zone: str,
    condition: str = "true",
) -> Source:
    """Add the time and the condition of published rows, which every relation may have."""
    created_at = answers.column(role, "created_at", table, vocabulary.CREATED, is_time)
    if answers.get(f"{role}.created_at") is None:
        created_at = created_at or _only_time(table, time_zone)
    visible = answers.column(role, "visible", table, (), is_time)
    optional = {"created_at": created_at, "visible": visible}
    found = columns | {name: column for name, column in optional.items() if column}
    others = [column for column in _undecided(table, found) if column.name not in found.values()]
    published = _checked(publication(others, time_zone), role, table, found, answers)
    return Source(table, found, published, condition)
