"""Finds the tables of follows, blocks, memberships, tags and events."""

from collections.abc import Sequence
from functools import partial

from app.infrastructure.database.adoption import vocabulary
from app.infrastructure.database.adoption.catalogue import Column, Table
from app.infrastructure.database.adoption.entities import relation
from app.infrastructure.database.adoption.entity_tables import listed, named_table
from app.infrastructure.database.adoption.events import EventFinder
from app.infrastructure.database.adoption.names import quoted, snake_case
from app.infrastructure.database.adoption.proposal import JoinedTags, Source, last_noun
from app.infrastructure.database.adoption.references import refers_to, refers_to_row
from app.infrastructure.database.adoption.table_roles import EVENTS, is_of_deletions, role_of

ROLES = ("feed_follows", "feed_memberships", *vocabulary.CONTROL_ACTIONS, *vocabulary.EVENT_TYPES, EVENTS)


class Relations:
    """Finds the relations between users and posts. Questions go to the answers of the finder of events."""

    def __init__(self, finder: EventFinder) -> None:
        users, posts = finder.referents.users, finder.referents.posts
        self._tables = [table for table in finder.tables if table not in (users.table, posts.table)]
        self._finder = finder
        self._users = users
        self._posts = posts
        self._answers = finder.answers
        self._time_zone = finder.time_zone
        self._is_user = finder.referents.is_user

    def find(self) -> dict[str, list[Source]]:
        """Return the tables of each role; those of EVENTS are among the types of their events."""
        found: dict[str, list[Source]] = {role: [] for role in ROLES}
        for role in ROLES:
            for name, source in self._of_role(role):
                found[name].append(source)
        for role in ROLES:
            if role.startswith("feed_") and len(found[role]) > 1:
                names = listed([source.table for source in found[role]])
                self._answers.ask(f"{role}: {names} may be meant; choose with --map {role}=TABLE")
        return found

    def report_unused(self, used: Sequence[Source]) -> None:
        """Add a note for each table that refers to posts and is not used; ask if it may hold deleted posts."""
        names = {source.table.name for source in used}
        for table in self._tables:
            is_omitted = self._answers.given.get(self._role(table) or "") == ""
            may_mention = self._finder.referents.mentions_posts(table) or self._finder.is_polymorphic(table)
            if table.name in names or is_omitted or not may_mention:
                continue
            if (
                is_of_deletions(table)
                and self._finder.referents.mentions_posts(table)
                and not self._posts.get("visible")
            ):
                self._ask_about_deletions(table)
            elif any(self._is_user_by_name(column) for column in table.columns):
                self._answers.notes.append(
                    f"{table} refers to users and posts and is not used; if it has events, map it, for example with "
                    f"--map like={table.name}"
                )
            elif self._role(table) in vocabulary.EVENT_TYPES:
                self._answers.notes.append(f"{table} is not used: no column was recognised as its user")

    def _ask_about_deletions(self, table: Table) -> None:
        column = next(filter(self._finder.referents.is_post_by_name, table.columns))
        deleted, post = quoted(column.name), quoted(self._posts.columns["id"])
        self._answers.ask(
            f'{table} refers to posts; are those hidden? Answer with --map "feed_posts.visible='
            f'(NOT EXISTS (SELECT FROM {table} d WHERE d.{deleted} = t.{post}))"'
            ", or with --map 'feed_posts.visible=(true)'"
        )

    def _is_user_by_name(self, column: Column) -> bool:
        is_named = any(snake_case(column.name) in tier for tier in vocabulary.USER)
        return refers_to_row(self._users)(column) or (is_named and self._is_user(column))

    def _of_role(self, role: str) -> list[tuple[str, Source]]:
        named = named_table(self._tables, self._answers, role)
        if named:
            return self._sources(role, named, is_named=True)
        if self._answers.get(role) is not None:
            return []
        given = {self._answers.given.get(other) for other in ROLES}
        return [
            found
            for table in self._tables
            if self._role(table) == role and not {table.name, str(table)} & given
            for found in self._sources(role, table, is_named=False)
        ]

    def _role(self, table: Table) -> str | None:
        return role_of(table, self._posts.table)

    def _sources(self, role: str, table: Table, *, is_named: bool) -> list[tuple[str, Source]]:
        if role in (*vocabulary.EVENT_TYPES, EVENTS):
            return self._finder.find(role, table, is_named=is_named)
        find = self._membership if role == "feed_memberships" else partial(self._pair, role)
        source = find(table, is_named=is_named)
        return [(role, source)] if source else []

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
        source = self._relation(role, table, {from_name: first, to_name: other})
        kinds = [one for one in table.columns if snake_case(one.name) in vocabulary.RELATION_TYPE]
        if kinds and not source.get("visible"):
            kind = f"t.{quoted(kinds[0].name)}"
            self._answers.ask(
                f"{table}.{kinds[0].name} ({kinds[0].type}) may say what a row is; say which rows count, for example "
                f"--map \"{role}.visible=({kind}::text = 'follow')\", or omit the table with --map {role}="
            )
        return source

    def _first_of(
        self, role: str, name: str, table: Table, tiers: vocabulary.Tiers, without: Sequence[str | None]
    ) -> str | None:
        return self._answers.column(role, name, table, tiers, self._is_user, without=without)

    def _relation(self, role: str, table: Table, columns: dict[str, str]) -> Source:
        return relation(role, table, columns, self._answers, self._time_zone)

    # -- memberships ----------------------------------------------------------------------------------------------

    def _membership(self, table: Table, *, is_named: bool) -> Source | None:
        """A table of users and audiences, of the kind that posts have."""
        audience = self._posts.column("audience_id")
        if audience is None and not is_named:
            return None
        role = "feed_memberships"
        is_user = refers_to_row(self._users)

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
        posts = [column for column in table.columns if refers_to_row(self._posts)(column)]
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
