"""SQL expressions of the views: times, texts, tags, and ids that come from integer or text keys."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from app.infrastructure.database.adoption.moments import moment
from app.infrastructure.database.adoption.names import quoted
from app.infrastructure.database.adoption.proposal import JoinedTags, Proposal, Source
from app.infrastructure.database.schema import SchemaName

Kind = Literal["user", "post"]
_UUID: Final = "^[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){4}[0-9A-Fa-f]{8}$"


def value(source: Source, name: str, alias: str = "t") -> str | None:
    """Return the SQL value of what feeds a column of the view; None if nothing does."""
    given = source.get(name)
    if given is None:
        return None
    if given.startswith("("):
        return given if alias == "t" else re.sub(r"\bt\.", f"{alias}.", given)
    return f"{alias}.{quoted(given)}"


def time(source: Source, name: str, time_zone: str) -> str:
    """Return a timestamptz, NULL if nothing feeds the column."""
    sql, column = value(source, name), source.column(name)
    if sql is None:
        return "NULL::timestamptz"
    kind = column.type if column else "timestamp with time zone"
    return f"{moment(sql, kind, time_zone)}::timestamptz"


def visible(source: Source) -> str:
    """Return the SQL condition of rows that are published, by the columns of the table and by the user's answer."""
    answer = value(source, "visible")
    conditions = [
        source.condition,
        source.published.condition,
        f"coalesce({answer}::boolean, false)" if answer else "true",
    ]
    return " AND ".join(one for one in conditions if one != "true") or "true"


def tags(source: Source, joined: JoinedTags | None) -> str:
    """Return a text[] of tags."""
    sql, column = value(source, "tags"), source.column("tags")
    if joined:
        return _joined_tags(source, joined)
    if sql is None:
        return "'{}'::text[]"
    kind = column.type if column else "text[]"
    if kind in ("json", "jsonb"):
        elements = f"ARRAY(SELECT jsonb_array_elements_text({sql}::jsonb))"
        return f"CASE jsonb_typeof({sql}::jsonb) WHEN 'array' THEN {elements} ELSE '{{}}' END"
    if kind in ("text", "character varying"):
        return f"array_remove(regexp_split_to_array(btrim({sql}, ' {{}}[]'), '\\s*,\\s*'), '')"
    return f"coalesce({sql}::text[], '{{}}')"


def _joined_tags(source: Source, joined: JoinedTags) -> str:
    of_post = f"j.{quoted(joined.post)} = {value(source, 'id')}"
    if joined.names is None:
        return (
            f"ARRAY(SELECT j.{quoted(joined.tag)}::text FROM {joined.link.sql} j WHERE {of_post} ORDER BY 1)"
        )
    return (
        f"ARRAY(SELECT g.{quoted(joined.name)}::text FROM {joined.link.sql} j JOIN {joined.names.sql} g "
        f"ON g.{quoted(joined.key)} = j.{quoted(joined.tag)} WHERE {of_post} ORDER BY 1)"
    )


@dataclass(frozen=True, slots=True)
class Keys:
    """Ids of users and posts. A uuid key is the id; for others feed_user_key and feed_post_key hold it."""

    schema: SchemaName
    proposal: Proposal

    def has_uuids(self, kind: Kind) -> bool:
        """Return whether the team's own key is the id."""
        return self._of(kind).family("id") == "uuid"

    def table(self, kind: Kind) -> str:
        """Return the quoted name of the table of keys."""
        return self.schema[f"feed_{kind}_key"]

    def id(self, kind: Kind, source: Source, name: str, alias: str) -> str:
        """Return the SQL of the id of the user or post that a column refers to; `join` provides `alias`."""
        sql = value(source, name)
        if not self.has_uuids(kind):
            return f"{alias}.id"
        if source.family(name) == "text":  # of a reference to several tables, which need not have uuids
            return f"CASE WHEN {sql}::text ~ '{_UUID}' THEN {sql}::text::uuid END"
        return f"{sql}::uuid"

    def join(self, kind: Kind, source: Source, name: str, alias: str, *, outer: bool = False) -> str:
        """Return the join with the table of keys; "" for uuid keys."""
        if self.has_uuids(kind):
            return ""
        return f"{'LEFT ' if outer else ''}JOIN {self.table(kind)} {alias} ON {self.matches(source, name, alias)}"

    def matches(self, source: Source, name: str, alias: str) -> str:
        """Return the condition that a row of keys is that of a column's value. Integers and texts use an index."""
        sql = value(source, name)
        return (
            f"{alias}.number = {sql}"
            if source.family(name) == "integer"
            else f"{alias}.external_id = {sql}::text"
        )

    def _of(self, kind: Kind) -> Source:
        return self.proposal.users if kind == "user" else self.proposal.posts
