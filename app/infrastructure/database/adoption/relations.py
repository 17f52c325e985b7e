"""Finds the tables of follows, blocks, memberships, tags and events."""

import re
from collections.abc import Sequence

from app.infrastructure.database.adoption import vocabulary
from app.infrastructure.database.adoption.answers import Answers
from app.infrastructure.database.adoption.catalogue import Column, Table
from app.infrastructure.database.adoption.entities import (
    checked_publication,
    is_time,
    listed,
    named_table,
    refers_to,
)
from app.infrastructure.database.adoption.names import literal, quoted, snake_case
from app.infrastructure.database.adoption.proposal import JoinedTags, Source, last_noun, noun

_TARGET_ID = re.compile(r"(.*able|target|object|item|subject|entity|resource|content)_id")
ROLES = ("feed_follows", "feed_memberships", *vocabulary.CONTROL_ACTIONS, *vocabulary.EVENT_TYPES)


class Relations:
    """Finds the relations between the given users and posts. Questions go to `answers`."""

    def __init__(
        self, tables: Sequence[Table], users: Source, posts: Source, answers: Answers, time_zone: str
    ) -> None:
        self._tables = [table for table in tables if table not in (users.table, posts.table)]
        self._users = users
        self._posts = posts
        self._answers = answers
        self._time_zone = time_zone

    def find(self) -> dict[str, list[Source]]:
        """Return the tables of each role, in ROLES."""
        return {role: self._of_role(role) for role in ROLES}

    def _of_role(self, role: str) -> list[Source]:
        named = named_table(self._tables, self._answers, role)
        if named:
            source = self._source(role, named, is_named=True)
            return [source] if source else []
        if self._answers.get(role) is not None:
            return []
        tables = [table for table in self._tables if self._role(table) == role]
        found = [source for table in tables if (source := self._source(role, table))]
        if role.startswith("feed_") and len(found) > 1:
            names = listed([source.table for source in found])
            self._answers.ask(f"{role}: {names} may be meant; choose with --map {role}=TABLE")
        return found

    def _role(self, table: Table) -> str | None:
        name = noun(table)
        found = vocabulary.RELATIONS.get(name) or vocabulary.RELATIONS.get("_".join(name.split("_")[-2:]))
        return found or vocabulary.RELATIONS.get(last_noun(table))

    def _source(self, role: str, table: Table, *, is_named: bool = False) -> Source | None:
        if role in vocabulary.EVENT_TYPES:
            return self._event(role, table, is_named=is_named)
        if role == "feed_memberships":
            return self._membership(table, is_named=is_named)
        return self._pair(role, table, is_named=is_named)

    def _is_user(self, column: Column) -> bool:
        return refers_to(self._users.table)(column) or (
            column.reference is None and column.family == self._users.family("id")
        )

    # -- follows, blocks and mutes --------------------------------------------------------------------------------

    def _pair(self, role: str, table: Table, *, is_named: bool) -> Source | None:
        """A table with two columns of users. Others of this name (subscriptions of plans) are omitted."""
        to_name, tiers = "followee_id", (vocabulary.FOLLOWER, vocabulary.FOLLOWEE)
        from_name = "follower_id"
        if role in vocabulary.CONTROL_ACTIONS:
            from_name, to_name, tiers = "user_id", "target_user_id", (vocabulary.BLOCKER, vocabulary.BLOCKED)
        mapped = {name: self._answers.get(f"{role}.{name}") for name in (from_name, to_name)}
        if not all(mapped.values()) and sum(map(self._is_user, table.columns)) < 2:
            if is_named:
                self._answers.ask(
                    f"{table}: two columns of users are needed; name them with --map {role}.{from_name}=COLUMN"
                )
            return None
        first = self._first_of(role, from_name, table, tiers[0], without=[mapped[to_name]])
        other = self._first_of(role, to_name, table, tiers[1], without=[first])
        if (
            first
            and not mapped[from_name]
            and first in _names(table, tiers[0][1])
            and other in _names(table, tiers[1][1])
        ):
            first = other = None  # "user_id" and "member_id" do not say who follows whom
        if not first or not other:
            columns = " and ".join(column.name for column in table.columns if self._is_user(column))
            self._answers.ask(
                f"{table}: which of {columns} is {from_name}, and which {to_name}? Answer with --map "
                f"{role}.{from_name}=COLUMN,{role}.{to_name}=COLUMN, or leave it out with --map {role}="
            )
            return None
        return self._relation(role, table, {from_name: first, to_name: other})

    def _first_of(
        self, role: str, name: str, table: Table, tiers: vocabulary.Tiers, without: Sequence[str | None]
    ) -> str | None:
        return self._answers.column(role, name, table, tiers, self._is_user, without=without)

    def _relation(self, role: str, table: Table, columns: dict[str, str], condition: str = "true") -> Source:
        """Add the time and the condition of published rows, which every relation may have."""
        created_at = self._answers.column(role, "created_at", table, vocabulary.CREATED, is_time)
        visible = self._answers.column(role, "visible", table, (), lambda _: True)
        found = columns | {
            name: column for name, column in (("created_at", created_at), ("visible", visible)) if column
        }
        published = checked_publication(role, table, found, self._answers, self._time_zone)
        return Source(table, found, published, condition)

    # -- memberships ----------------------------------------------------------------------------------------------

    def _membership(self, table: Table, *, is_named: bool) -> Source | None:
        """A table of users and audiences, of the kind that posts have."""
        audience = self._posts.column("audience_id")
        if audience is None and not is_named:
            return None
        role = "feed_memberships"
        is_user = refers_to(self._users.table)

        def fits(column: Column) -> bool:
            return audience is None or column.family == audience.family

        columns = {
            "user_id": self._answers.column(
                role, "user_id", table, vocabulary.USER, self._is_user, prefer=is_user, required=True
            ),
            "audience_id": self._answers.column(
                role, "audience_id", table, vocabulary.AUDIENCE, fits, required=True
            ),
        }
        found = {name: column for name, column in columns.items() if column}
        return self._relation(role, table, found) if len(found) == 2 else None

    # -- events ---------------------------------------------------------------------------------------------------

    def _event(self, kind: str, table: Table, *, is_named: bool) -> Source | None:
        """A table of users and posts. Tables of other things (reads of messages) are omitted."""
        post, condition = self._post_column(kind, table)
        if not post:
            if is_named:
                self._answers.ask(
                    f"{table}: no column was recognised as post_id; name it with --map {kind}.post_id=COLUMN"
                )
            return None
        user = self._answers.column(
            kind,
            "user_id",
            table,
            vocabulary.USER,
            self._is_user,
            prefer=refers_to(self._users.table),
            required=is_named,
            without=[post],
        )
        if not user:
            return None
        if kind == "like":
            condition = f"{condition} AND {_is_positive(table, (user, post))}"
        return self._relation(kind, table, {"user_id": user, "post_id": post}, condition)

    def _post_column(self, kind: str, table: Table) -> tuple[str | None, str]:
        """Return the column of the post, and the SQL condition that a polymorphic reference is one of a post."""
        own, last = noun(self._posts.table), last_noun(self._posts.table)
        names = (
            frozenset(f"{name}{end}" for name in {own, last, "post"} for end in ("_id", "", "_uuid", "id")),
        )
        is_post = refers_to(self._posts.table)

        def accepts(column: Column) -> bool:
            return is_post(column) or (column.reference is None and column.family == self._posts.family("id"))

        post = self._answers.column(kind, "post_id", table, names, accepts, prefer=is_post)
        if post:
            return post, "true"
        for column in table.columns:
            target = _TARGET_ID.fullmatch(snake_case(column.name))
            for type_column in table.columns if target else ():
                if (
                    target
                    and snake_case(type_column.name) == f"{target[1]}_type"
                    and type_column.family == "text"
                ):
                    types = ", ".join(
                        literal(name)
                        for name in sorted(
                            {own, last, snake_case(self._posts.table.name), own.replace("_", "")}
                        )
                    )
                    # "Post" in Rails, "App\Models\Post" in Laravel, "blog.post" in Django
                    name = f"lower(regexp_replace(t.{quoted(type_column.name)}::text, '^.*[.:\\\\/]', ''))"
                    return column.name, f"{name} IN ({types})"
        return None, "true"

    # -- tags -----------------------------------------------------------------------------------------------------

    def tags(self) -> JoinedTags | None:
        """Return the tables of tags that refer to posts; None if there are none, or several."""
        found = [tags for table in self._tables if (tags := self._joined_tags(table))]
        if len(found) > 1:
            names = listed([tags.link for tags in found])
            self._answers.notes.append(
                f"tags: several tables may hold them ({names}); posts have none; edit the view to choose"
            )
        return found[0] if len(found) == 1 else None

    def _joined_tags(self, table: Table) -> JoinedTags | None:
        posts = [column for column in table.columns if refers_to(self._posts.table)(column)]
        if len(posts) != 1:
            return None
        for column in table.columns:
            if column.reference is None:
                if (
                    column.family == "text"
                    and snake_case(column.name) in vocabulary.TAG_TABLES
                    and last_noun(table) in vocabulary.TAG_TABLES
                ):
                    return JoinedTags(table, posts[0].name, column.name)
                continue
            for names in self._tables:
                if refers_to(names)(column) and last_noun(names) in vocabulary.TAG_TABLES:
                    for tier in vocabulary.TAG_NAME:
                        of_name = [
                            c.name for c in names.columns if c.family == "text" and snake_case(c.name) in tier
                        ]
                        if of_name:
                            return JoinedTags(
                                table, posts[0].name, column.name, names, column.reference.column, of_name[0]
                            )
        return None


def _names(table: Table, tier: frozenset[str]) -> set[str]:
    return {column.name for column in table.columns if snake_case(column.name) in tier}


def _is_positive(table: Table, used: Sequence[str]) -> str:
    """Return the SQL condition that a vote or reaction is a positive one."""
    conditions = []
    for column in table.columns:
        name, sql = snake_case(column.name), f"t.{quoted(column.name)}"
        if column.name in used or column.reference:
            continue
        if column.type == "boolean" and name in vocabulary.BOOLEAN_VOTE:
            conditions.append(f"coalesce({sql}, true)")
        elif column.family == "text" and name in vocabulary.TEXT_VOTE:
            negative = ", ".join(map(literal, vocabulary.NEGATIVE_VOTES))
            conditions.append(f"coalesce(lower({sql}::text) NOT IN ({negative}), true)")
        elif (
            column.family in ("integer", "numeric", "real", "double precision")
            and name in vocabulary.NUMERIC_VOTE
        ):
            conditions.append(f"coalesce({sql} > 0, true)")
    return " AND ".join(conditions) or "true"
