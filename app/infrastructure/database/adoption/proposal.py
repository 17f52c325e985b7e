"""Which tables and columns of a team feed which view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.infrastructure.database.adoption.catalogue import Column, Table
from app.infrastructure.database.adoption.names import singular, words
from app.infrastructure.database.adoption.publication import Publication


@dataclass(frozen=True, slots=True)
class Source:
    """A table behind a view: `columns` maps each column of the view to a column of the table, or an SQL expression.

    An expression is in parentheses and names the row `t`. `condition` is an SQL condition on `t` that is no matter of
    publication, such as the type of a polymorphic reference.
    """

    table: Table
    columns: Mapping[str, str]
    published: Publication = field(default_factory=Publication)
    condition: str = "true"

    def get(self, name: str) -> str | None:
        """Return the column or expression that feeds a column of the view."""
        return self.columns.get(name)

    def column(self, name: str) -> Column | None:
        """Return the column that feeds a column of the view; None for an expression."""
        return self.table.column(self.columns.get(name, ""))

    def family(self, name: str) -> str:
        """Return the family of the type that feeds a column of the view; `text` for an expression."""
        column = self.column(name)
        return column.family if column else "text"


@dataclass(frozen=True, slots=True)
class JoinedTags:
    """Tags in a table `link` of posts and tags; their names are in the table `names`, or in `link` itself (None)."""

    link: Table
    post: str
    tag: str
    names: Table | None = None
    key: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What feeds each view, which tables hold events, and what the user should know.

    blocks  action of a control and its table
    events  interaction type and a table of such events
    notes   lines for the user
    """

    users: Source
    posts: Source
    follows: Source | None = None
    memberships: Source | None = None
    blocks: Sequence[tuple[str, Source]] = ()
    events: Sequence[tuple[str, Source]] = ()
    tags: JoinedTags | None = None
    notes: Sequence[str] = ()

    @property
    def sources(self) -> list[tuple[str, Source]]:
        """All pairs of a view, an action or an interaction type, and its table."""
        optional = {"feed_follows": self.follows, "feed_memberships": self.memberships}
        views = [(name, source) for name, source in optional.items() if source]
        return [("feed_users", self.users), ("feed_posts", self.posts), *views, *self.blocks, *self.events]

    def times_without_zone(self) -> list[str]:
        """Return the mapped columns, as table.column, whose times have no zone."""
        columns = []
        for _, source in self.sources:
            for name in (source.get("created_at"), *source.published.columns):
                column = source.table.column(name or "")
                if column and column.type in ("timestamp without time zone", "date"):
                    columns.append(f"{source.table}.{column.name}")
        return list(dict.fromkeys(columns))


def short_name(column: Column, table: Table) -> str:
    """Return the name of a column without that of its table: "title" for "post_title"."""
    return "_".join(word for word in words(column.name) if word != last_noun(table))


def noun(table: Table) -> str:
    """Return the singular words of a table's name: "BlogPosts" gives "blog_post"."""
    parts = words(table.name)
    return "_".join((*parts[:-1], singular(parts[-1]))) if parts else ""


def last_noun(table: Table) -> str:
    """Return the last word of `noun`: "app_post" gives "post"."""
    return noun(table).rpartition("_")[2]
