"""Finds the tables of likes, comments, views and other events of users with posts."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from app.infrastructure.database.adoption import vocabulary
from app.infrastructure.database.adoption.answers import Answers
from app.infrastructure.database.adoption.catalogue import INTEGERS, Column, Table
from app.infrastructure.database.adoption.entities import relation
from app.infrastructure.database.adoption.event_names import interaction_type
from app.infrastructure.database.adoption.names import literal, quoted, snake_case
from app.infrastructure.database.adoption.proposal import Source, last_noun, noun
from app.infrastructure.database.adoption.references import Referents, refers_to_row
from app.infrastructure.database.adoption.table_roles import EVENTS

ValuesOf = Callable[[Table, Column, str], Sequence[str]]
"""Returns the distinct values of a column in rows `t` that fulfil a condition."""

_TARGET: Final = re.compile(r"(.*able|target|object|item|subject|entity|resource|content)(_id|_uuid)?")
_NUMBERS: Final = (*INTEGERS, "numeric", "real", "double precision")


@dataclass(frozen=True, slots=True)
class EventFinder:
    """Finds the columns of a table of events. Questions go to `answers`.

    values_of    see ValuesOf
    event_types  types of events, by the user: value of the type column -> interaction type, or NOT_COUNTED
    """

    tables: Sequence[Table]
    referents: Referents
    answers: Answers
    time_zone: str
    values_of: ValuesOf
    event_types: Mapping[str, str]
    _seen: set[str] = field(default_factory=set)

    def find(self, role: str, table: Table, *, is_named: bool) -> list[tuple[str, Source]]:
        """Return pairs of an interaction type and the rows of that type; none for a table of other things."""
        post, condition = self._post_column(role, table)
        if not post:
            if is_named:
                self.answers.ask(
                    f"{table}: no column was recognised as post_id; name it with --map {role}.post_id=COLUMN"
                )
            return []
        user = self.answers.column(
            role,
            "user_id",
            table,
            vocabulary.USER,
            self.referents.is_user,
            prefer=refers_to_row(self.referents.users),
            required=is_named,
            without=[post],
        )
        if not user:
            return []
        columns = {"user_id": user, "post_id": post}
        source = relation(role, table, columns, self.answers, self.time_zone, condition)
        if role not in ("like", EVENTS) or source.get("visible"):
            return [] if role == EVENTS else [(role, source)]
        return self._by_type(role, source)

    def ask_unused(self) -> None:
        """Reject answers about values that no table has: a misspelt one must not be ignored."""
        for value in self.event_types.keys() - self._seen:
            self.answers.ask(f"--event-map {value}={self.event_types[value]}: no event has this type")

    # -- posts ----------------------------------------------------------------------------------------------------

    def _post_column(self, role: str, table: Table) -> tuple[str | None, str]:
        """Return the column of the post, and the SQL condition that a reference is one of a post."""
        is_post = refers_to_row(self.referents.posts)
        post = self.answers.column(
            role, "post_id", table, (self.referents.post_names(),), self.referents.is_post, prefer=is_post
        )
        return (post, "true") if post else self._polymorphic(role, table)

    def _polymorphic(self, role: str, table: Table) -> tuple[str | None, str]:
        """A pair such as likeable_type and likeable_id, or content_type_id and object_id of Django."""
        names = {snake_case(column.name): column for column in table.columns}
        django = names.get("content_type_id")
        if django and "object_id" in names:
            return names["object_id"].name, self._content_type(django)
        for name, column in names.items():
            target = _TARGET.fullmatch(name)
            kind = names.get(f"{target[1]}_type") if target and column.reference is None else None
            if kind and kind.family != "text":
                self.answers.ask(
                    f"{table}.{kind.name} ({kind.type}): which value means a post? Answer with --map "
                    f'"{role}.post_id=(CASE WHEN t.{quoted(kind.name)} = 1 THEN t.{quoted(column.name)} END)"'
                )
            elif kind:
                return column.name, self._type_condition(kind)
        return None, "true"

    def is_polymorphic(self, table: Table) -> bool:
        """Return whether the rows refer to things of several tables, which may be posts."""
        names = {snake_case(column.name) for column in table.columns}
        targets = [target[1] for name in names if (target := _TARGET.fullmatch(name))]
        return {"content_type_id", "object_id"} <= names or any(f"{one}_type" in names for one in targets)

    def _type_condition(self, kind: Column) -> str:
        posts = self.referents.posts.table
        own = noun(posts)
        types = sorted(
            {own, last_noun(posts), snake_case(posts.name), posts.name.lower(), own.replace("_", "")}
        )
        # "Post" in Rails, "App\Models\Post" in Laravel, "blog.post" in Django
        name = f"lower(regexp_replace(t.{quoted(kind.name)}::text, '^.*[.:\\\\/]', ''))"
        return f"{name} IN ({', '.join(map(literal, types))})"

    def _content_type(self, column: Column) -> str:
        schema, name = self.referents.posts.table.schema, self.referents.posts.table.name
        types = f"{quoted(schema)}.{quoted('django_content_type')}"
        return (
            f"t.{quoted(column.name)} IN "
            f"(SELECT c.id FROM {types} c WHERE c.app_label || '_' || c.model = {literal(name)})"
        )

    # -- types ----------------------------------------------------------------------------------------------------

    def _by_type(self, role: str, source: Source) -> list[tuple[str, Source]]:
        """Split the rows by the column of their type; a like without such a column is one if its vote is positive."""
        table = source.table
        names = vocabulary.EVENT_TYPE if role == EVENTS else vocabulary.REACTION_TYPE
        others = [column for column in table.columns if column.name not in source.columns.values()]
        kinds = [column for column in others if snake_case(column.name) in names and _is_code(column)]
        if not kinds:
            if role == EVENTS:
                return []
            condition = f"{source.condition} AND {self._is_positive(role, table, others)}"
            return [("like", replace(source, condition=condition))]
        if len(kinds) > 1 or kinds[0].family != "text":
            columns = " and ".join(f"{column.name} ({column.type})" for column in kinds)
            self.answers.ask(
                f"{table}: {columns} may say what a row is; say which rows are likes, for example "
                f"--map 'like={table.name},like.visible=(t.{quoted(kinds[0].name)} = {_example(kinds[0])})', "
                f"or leave the table out with --map {role}="
            )
            return []
        return self._split(role, source, kinds[0])

    def _split(self, role: str, source: Source, kind: Column) -> list[tuple[str, Source]]:
        post = quoted(source.columns["post_id"])
        rows = (
            f"{source.condition} AND t.{post} IS NOT NULL" if source.column("post_id") else source.condition
        )
        values = self.values_of(source.table, kind, rows)
        self._seen.update(values)
        types = {value: self.event_types.get(value, interaction_type(value)) for value in values}
        if unknown := [value for value, found in types.items() if found is None]:
            self.answers.ask(
                f"{source.table}.{kind.name}: what do {', '.join(map(repr, unknown[:10]))} mean? Answer with "
                f"--event-map {unknown[0]}=like ({', '.join(vocabulary.EVENT_TYPES)}, or nothing), "
                f"or leave the table out with --map {role}="
            )
        if types:
            meanings = ", ".join(f"{value} -> {found or 'not counted'}" for value, found in types.items())
            self.answers.notes.append(f"{source.table}.{kind.name}: {meanings}")
        columns = {**source.columns, "interaction_type": kind.name}
        split = []
        for name in vocabulary.EVENT_TYPES:
            if given := [literal(value) for value, found in types.items() if found == name]:
                is_of_type = f"coalesce(t.{quoted(kind.name)}::text IN ({', '.join(given)}), false)"
                condition = f"{source.condition} AND {is_of_type}"
                split.append((name, replace(source, columns=columns, condition=condition)))
        return split

    def _is_positive(self, role: str, table: Table, others: Sequence[Column]) -> str:
        """Return the SQL condition that a vote is a positive one."""
        conditions = []
        for column in others:
            name, sql = snake_case(column.name), f"t.{quoted(column.name)}"
            if column.type == "boolean" and name in vocabulary.BOOLEAN_VOTE:
                conditions.append(f"coalesce({sql}, true)")
            elif column.type == "boolean" and name in vocabulary.NEGATIVE_BOOLEAN:
                conditions.append(f"NOT coalesce({sql}, false)")
            elif column.type in _NUMBERS and name in vocabulary.NUMERIC_VOTE:
                conditions.append(f"coalesce({sql} > 0, true)")
            elif column.type in _NUMBERS and name in vocabulary.RATING:
                self.answers.ask(
                    f"{table}.{column.name} ({column.type}): which ratings are likes? Answer with --map "
                    f"'{role}={table.name},{role}.visible=(t.{quoted(column.name)} >= 4)', or leave the table out with "
                    f"--map {role}="
                )
        return " AND ".join(conditions) or "true"


def _is_code(column: Column) -> bool:
    return column.family == "text" or (
        column.type in INTEGERS and snake_case(column.name) not in vocabulary.NUMERIC_VOTE
    )


def _example(column: Column) -> str:
    return "'like'" if column.family == "text" else "1"
