"""Recognises columns that refer to users and posts, by foreign keys, names and types."""

from collections.abc import Callable
from dataclasses import dataclass

from app.infrastructure.database.adoption.catalogue import Column, Table
from app.infrastructure.database.adoption.names import snake_case
from app.infrastructure.database.adoption.proposal import Source, last_noun, noun


def refers_to(table: Table, key: Column | None = None) -> Callable[[Column], bool]:
    """Return a condition: the column has a foreign key to `table`, or to what the `key` of the table refers to.

    The key of a profile of Supabase is that of a row of auth.users, and posts may refer to either.
    """
    targets = {(table.schema, table.name)}
    if key and key.reference:
        targets.add((key.reference.schema, key.reference.table))

    def is_reference(column: Column) -> bool:
        target = column.reference
        return target is not None and (target.schema, target.table) in targets

    return is_reference


def refers_to_row(source: Source) -> Callable[[Column], bool]:
    """Return a condition: the column has a foreign key to the users or the posts."""
    return refers_to(source.table, source.column("id"))


@dataclass(frozen=True, slots=True)
class Referents:
    """The users and posts of a proposal, to which columns of other tables refer."""

    users: Source
    posts: Source

    def is_user(self, column: Column) -> bool:
        """Return whether the column may hold the key of a user."""
        return refers_to_row(self.users)(column) or (
            column.reference is None and column.family == self.users.family("id")
        )

    def is_post(self, column: Column) -> bool:
        """Return whether the column may hold the key of a post."""
        return refers_to_row(self.posts)(column) or (
            column.reference is None and column.family == self.posts.family("id")
        )

    def post_names(self) -> frozenset[str]:
        """Return the names of a column of a post: "post_id", "article", "blog_article_id"."""
        names = {noun(self.posts.table), last_noun(self.posts.table), "post"}
        return frozenset(f"{name}{end}" for name in names for end in ("_id", "", "_uuid"))

    def mentions_posts(self, table: Table) -> bool:
        """Return whether a table refers to posts, by a foreign key or by the name of a column."""
        return any(map(self.is_post_by_name, table.columns))

    def is_post_by_name(self, column: Column) -> bool:
        """Return whether the column has a foreign key to posts, or a name and a type of such a column."""
        is_named = snake_case(column.name) in self.post_names()
        return refers_to_row(self.posts)(column) or (is_named and self.is_post(column))
