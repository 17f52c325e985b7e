"""Tables of teams, in a short notation: `table("posts", "id integer, author_id integer > users.id")`."""

from app.infrastructure.database.adoption.catalogue import Column, Reference, Table

_SHORT = {
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "varchar": "character varying",
}


def table(name: str, columns: str, key: str = "id") -> Table:
    """A table of the schema `public`. `name type > table.column` is a foreign key, `name a|b` an enum type."""
    made = [_column(text) for text in columns.split(",")]
    names = tuple(one for one in key.split() if any(column.name == one for column in made))
    return Table("public", name, tuple(made), names)


def _column(text: str) -> Column:
    definition, _, target = text.partition(">")
    name, _, kind = definition.strip().partition(" ")
    labels = tuple(kind.split("|")) if "|" in kind else ()
    reference = Reference("public", *target.strip().split(".")) if target else None
    return Column(name, kind if labels else _SHORT.get(kind, kind), reference, labels)
