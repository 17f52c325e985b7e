"""Applies the SQL of the views in the transaction of the caller, and checks what the views then show."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg2
import psycopg2.errors
from sqlalchemy import Connection

from app.infrastructure.database.adoption.answers import AdoptionError
from app.infrastructure.database.adoption.keys import add_keys
from app.infrastructure.database.adoption.proposal import Proposal, Source
from app.infrastructure.database.adoption.publication import is_state, known_state
from app.infrastructure.database.connection import first_line
from app.infrastructure.database.schema import SchemaName

_LOCK_SECONDS: Final = 10  # the team's tables are in use
_SAMPLES: Final = 3
LARGE_PART: Final = 0.1
"""A larger part of rows that are skipped or odd is a warning."""


@dataclass(eq=False)
class Report:
    """What a check found: lines for the user, and problems that make the adoption fail."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def check_migrated(connection: Connection, schema: SchemaName) -> None:
    """Raise AdoptionError if the migrations have not run."""
    if connection.exec_driver_sql(
        "SELECT to_regclass(%s) IS NULL", (schema["feed_dropped_view"],)
    ).scalar_one():
        raise AdoptionError(
            f"{schema.plain} has no tables of the service; run `python -m alembic upgrade head`"
        )


def apply_views(connection: Connection, schema: SchemaName, sql: str) -> int:
    """Run the SQL, add the ids of keys that are no uuids, and number the posts; return the number of ids added.

    Raises AdoptionError with the first line of what PostgreSQL rejects.
    """
    check_migrated(connection, schema)
    try:
        run_script(
            connection, f"SET LOCAL TimeZone TO 'UTC'; SET LOCAL lock_timeout TO '{_LOCK_SECONDS}s'; {sql}"
        )
    except psycopg2.Error as error:
        is_denied = isinstance(error, psycopg2.errors.InsufficientPrivilege)
        remedy = "; use the role that ran the migrations, and let it read the tables" if is_denied else ""
        raise AdoptionError(
            f"PostgreSQL rejects the views: {first_line(error)}; nothing was changed{remedy}"
        ) from error
    added = add_keys(connection, schema)
    connection.exec_driver_sql(
        f"INSERT INTO {schema['feed_post_number']} (post_id) SELECT id FROM {schema['feed_posts']} "
        "WHERE seq IS NULL ORDER BY created_at ON CONFLICT DO NOTHING"
    )
    return added


def run_script(connection: Connection, sql: str) -> list[Any]:
    """Run SQL in which % has no meaning; return the rows of the last statement. Raises psycopg2.Error."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []
    finally:
        cursor.close()


def check(connection: Connection, schema: SchemaName, proposal: Proposal, time_zone: str) -> Report:
    """Compare the views with the tables: rows, hidden posts, samples, and times."""
    report = Report()
    views = {"feed_users": proposal.users, "feed_posts": proposal.posts}
    views |= {"feed_follows": proposal.follows} if proposal.follows else {}
    views |= {"feed_memberships": proposal.memberships} if proposal.memberships else {}
    for view, source in views.items():
        table_rows, view_rows = (
            connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in (source.table.sql, schema[view])
        )
        report.lines.append(f"{view}: {view_rows:,} of {table_rows:,} rows of {source.table}")
        if table_rows and not view_rows:
            report.problems.append(f"{view} is empty although {source.table} has {table_rows:,} rows")
        _check_ids(connection, schema, view, source, report)
    for action, source in proposal.blocks:
        _check_controls(connection, schema, action, source, report)
    _check_posts(connection, schema, proposal, time_zone, report)
    _check_authors(connection, schema, proposal, report)
    report.lines += _unknown_states(connection, proposal.posts)
    return report


def _check_ids(connection: Connection, schema: SchemaName, view: str, source: Source, report: Report) -> None:
    if view not in ("feed_users", "feed_posts"):
        return
    query = f"SELECT count(*) - count(DISTINCT id) FROM {schema[view]}"
    if repeated := connection.exec_driver_sql(query).scalar_one():
        report.problems.append(
            f"{view}: {repeated:,} ids are repeated, so {source.table}.{source.get('id')} does not identify a row; "
            f"name another column or an expression with --map {view}.id="
        )


def _check_controls(
    connection: Connection, schema: SchemaName, action: str, source: Source, report: Report
) -> None:
    table_rows, view_rows = connection.exec_driver_sql(
        f"SELECT (SELECT count(*) FROM {source.table.sql}), count(*) "
        f"FROM {schema['feed_controls']} WHERE action = '{action}'"
    ).one()
    report.lines.append(f"feed_controls ({action}): {view_rows:,} of {table_rows:,} rows of {source.table}")
    if table_rows and not view_rows:
        report.problems.append(
            f"feed_controls has no {action} although {source.table} has {table_rows:,} rows; "
            f"omit it with --map {action}="
        )


def _check_authors(connection: Connection, schema: SchemaName, proposal: Proposal, report: Report) -> None:
    posts, given, unknown = connection.exec_driver_sql(
        "SELECT count(*), count(p.author_id), count(*) FILTER (WHERE u.id IS NULL) "
        f"FROM {schema['feed_posts']} p LEFT JOIN {schema['feed_users']} u ON u.id = p.author_id"
    ).one()
    if not unknown:
        return
    report.lines.append(f"{_warning(unknown, posts)}posts: {unknown:,} have no known author")
    if given and unknown == posts:
        column = f"{proposal.posts.table}.{proposal.posts.get('author_id')}"
        report.problems.append(
            f"no author of a post is in feed_users; does {column} refer to {proposal.users.table}? Name "
            "another column with --map feed_posts.author_id= or feed_users.id="
        )


def _warning(part: int, whole: int) -> str:
    """Return a prefix for more than a tenth of the rows."""
    return "warning: " if part > whole * LARGE_PART else ""


def _check_posts(
    connection: Connection, schema: SchemaName, proposal: Proposal, time_zone: str, report: Report
) -> None:
    posts, future, hidden, numbered, age = connection.exec_driver_sql(
        "SELECT count(*), count(*) FILTER (WHERE created_at > now()), count(*) FILTER (WHERE NOT visible), count(seq), "
        "extract(epoch FROM now() - max(created_at) FILTER (WHERE visible AND created_at <= now())) "
        f"FROM {schema['feed_posts']}"
    ).one()
    if not posts:
        return
    columns = ", ".join(proposal.posts.published.columns) or "no column says so"
    report.lines.append(
        f"posts: {posts - hidden:,} are shown, {hidden:,} are deleted, drafts or of hidden users (by {columns})"
    )
    if age is not None:
        report.lines.append(
            f"posts: the newest one is {_duration(float(age))} old; times without a zone are read as {time_zone}"
        )
    if future:
        report.lines.append(
            f"{_warning(future, posts)}posts: {future:,} are dated in the future and not shown until then; "
            f"is {time_zone} the right time zone?"
        )
    if numbered < posts:
        report.problems.append(
            f"feed_posts: {posts - numbered:,} posts have no number; run the command again"
        )
    if hidden == posts:
        report.problems.append(f"feed_posts shows no post: all {posts:,} are hidden by {columns}")
    rows = connection.exec_driver_sql(
        "SELECT external_id, to_char(created_at, 'YYYY-MM-DD HH24:MI TZ'), left(content, 60) "
        f"FROM {schema['feed_posts']} WHERE visible AND created_at <= now() ORDER BY created_at DESC LIMIT {_SAMPLES}"
    )
    report.lines += [
        f"sample: post {name} of {time}: {' '.join((content or '').split())!r}"
        for name, time, content in rows
    ]


def _unknown_states(connection: Connection, source: Source) -> Iterator[str]:
    """Name the values of state columns that are neither known to show nor to hide a post; such posts are hidden."""
    for name in source.published.columns:
        column = source.table.column(name)
        if column is None or not is_state(column):
            continue
        sql = f't."{name}"::text'.replace("%", "%%")
        rows = connection.exec_driver_sql(
            f"SELECT {sql}, count(*) FROM {source.table.sql} t GROUP BY 1 ORDER BY 2 DESC LIMIT 50"
        )
        for state, count in rows:
            if state and not known_state(state):
                yield f"warning: {source.table}.{name}: {state!r} is unknown, so its {count:,} rows are hidden"


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} seconds"
