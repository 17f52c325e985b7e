"""Finds the tables of users and posts."""

from collections.abc import Callable, Sequence

from app.infrastructure.database.adoption import vocabulary
from app.infrastructure.database.adoption.answers import Answers
from app.infrastructure.database.adoption.catalogue import Table
from app.infrastructure.database.adoption.names import snake_case
from app.infrastructure.database.adoption.proposal import last_noun, noun, short_name
from app.infrastructure.database.adoption.references import refers_to
from app.infrastructure.database.adoption.table_roles import marks_posts


def find_users_and_posts(
    tables: Sequence[Table], outside: Sequence[Table], answers: Answers
) -> tuple[Table | None, Table | None]:
    """Return both tables. A missing or ambiguous one is None, and `answers` has a question.

    outside  tables of other schemas, such as auth.users; they count if no table of the schema has users
    """
    posts = named_table(tables, answers, "feed_posts")
    if posts is None and answers.get("feed_posts") is None:
        posts = _only_table(tables, answers, "feed_posts", vocabulary.POSTS, _looks_like_posts)
    users = named_table([*tables, *outside], answers, "feed_users")
    if users is None and answers.get("feed_users") is None:
        of_authors = None if find_candidates(tables, "feed_users") else _author_table(outside, posts)
        users = (
            _author_table(tables, posts)
            or of_authors
            or _only_table(
                tables,
                answers,
                "feed_users",
                vocabulary.USERS,
                lambda table: table != posts and not _links_users(table),
            )
        )
    return users, posts


def find_candidates(tables: Sequence[Table], view: str) -> list[Table]:
    """Return the tables whose names and columns are those of users or posts, most likely ones first."""
    if view == "feed_users":
        return [
            table
            for tier in vocabulary.USERS
            for table in tables
            if last_noun(table) in tier and not _links_users(table)
        ]
    return [
        table
        for tier in vocabulary.POSTS
        for table in tables
        if last_noun(table) in tier and _looks_like_posts(table)
    ]


def named_table(tables: Sequence[Table], answers: Answers, role: str) -> Table | None:
    """Return the table that the user named for a role, with or without its schema."""
    given = answers.get(role)
    found = [table for table in tables if given in (table.name, str(table))]
    if given and not found:
        answers.ask(f"--map {role}={given}: no such table; there are {listed(tables)}")
    return found[0] if given and found else None


def listed(tables: Sequence[Table]) -> str:
    """Return the names of tables for a message."""
    names = ", ".join(str(table) for table in tables[:20])
    return names + (f" and {len(tables) - 20} more" if len(tables) > 20 else "")


def _only_table(
    tables: Sequence[Table],
    answers: Answers,
    role: str,
    tiers: vocabulary.Tiers,
    accepts: Callable[[Table], bool],
) -> Table | None:
    """Return the only table with a name of the first tier that has any; else add a question."""
    for tier in tiers:
        exact = [table for table in tables if noun(table) in tier and accepts(table)]
        found = exact or [table for table in tables if last_noun(table) in tier and accepts(table)]
        found = [table for table in found if not _is_attachment(table, found)] or found
        if len(found) == 1:
            return found[0]
        if found:
            answers.ask(f"{role}: {listed(found)} may be meant; choose with --map {role}=TABLE")
            return None
    known = f"the tables {listed(tables)}" if tables else "a schema without tables of a team"
    answers.ask(f"{role}: nothing was recognised in {known}; name it with --map {role}=TABLE")
    return None


def _is_attachment(table: Table, others: Sequence[Table]) -> bool:
    """Return whether a table of photos or the like belongs to another table: "photos" with a column "post_id"."""
    owners = [other for other in others if other != table]
    return last_noun(table) in vocabulary.MEDIA and any(
        refers_to(owner)(column) or snake_case(column.name) == f"{last_noun(owner)}_id"
        for owner in owners
        for column in table.columns
    )


def _names(table: Table) -> set[str]:
    return {name for column in table.columns for name in (snake_case(column.name), short_name(column, table))}


def _looks_like_posts(table: Table) -> bool:
    """Posts have a time, and a text or an author."""
    names = _names(table)
    texts = vocabulary.CONTENT + vocabulary.TITLE + vocabulary.AUTHOR
    if marks_posts(table):
        return False
    return any(names & tier for tier in vocabulary.CREATED) and any(names & tier for tier in texts)


def _links_users(table: Table) -> bool:
    """A table of members of groups refers to users, and has no name of its own."""
    return (
        not any(_names(table) & tier for tier in vocabulary.USERNAME)
        and len(table.columns) <= 5
        and any(column.reference for column in table.columns)
    )


def _author_table(tables: Sequence[Table], posts: Table | None) -> Table | None:
    """Return the table that the author column of the posts refers to."""
    if posts is None:
        return None
    for tier in vocabulary.AUTHOR:
        targets = {
            column.reference
            for column in posts.columns
            if column.reference and snake_case(column.name) in tier
        }
        found = [
            t
            for t in tables
            if any((t.schema, t.name) == (r.schema, r.table) for r in targets) and t != posts
        ]
        if len(found) == 1:
            return found[0]
    return None
