"""A SELECT of a team that runs on views of the past: its text, its parameters, and what it must not read."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.domain.feed.dataset import FeedDataset, time_of
from app.infrastructure.database.connection import first_line
from app.infrastructure.database.past_views import (
    AT,
    PAST_VIEWS,
    USER_ID,
    USER_KEY,
    create_past_views,
    fill_past_views,
    move_past_views,
)
from app.shared.exceptions import ConfigurationError

MAX_LISTED: Final = 1000
"""The number of rows that are read for one request."""
_REQUEST_SECONDS: Final = 30
_VIEW: Final = "past_query"
_TOKEN: Final = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | \$(\w*)\$.*?\$\1\$ | ::
    | (?P<parameter>:[A-Za-z_]\w*) | (?P<end>;)""",
    re.VERBOSE | re.DOTALL,
)
_PRESENT_LITERAL: Final = re.compile(
    r"""'(?:now|today|yesterday|tomorrow)\b[^']*'\s*::\s*(?:date|time)
    | \b(?:date|timestamp|timestamptz)\s*'(?:now|today|yesterday|tomorrow)\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""PostgreSQL replaces such a literal by the present time before a view is stored, so `_CHECKS` cannot find it."""


@dataclass(frozen=True)
class PastQuery:
    """One SELECT that returns ids in its first column.

    place  the file, or the argument, for messages
    text   the statement, with the parameters `:user_id` and `:at`
    """

    place: str
    text: str

    def __str__(self) -> str:
        return self.place

    def error(self, problem: str, position: int | None = None) -> ConfigurationError:
        """The error for a problem; `position` is an index in the text."""
        place = self.place
        if position is not None:
            before = self.text[:position]
            place += f":{before.count(chr(10)) + 1}:{position - before.rfind(chr(10))}"
        return ConfigurationError(f"{place}: {problem}")

    @cached_property
    def parameters(self) -> list[re.Match[str]]:
        """The parameters in the text. Raises ConfigurationError for an unknown one, and for a second statement."""
        found = [match for match in _TOKEN.finditer(self.text) if match.lastgroup]
        ends = [match for match in found if match.lastgroup == "end"]
        if ends and _TOKEN.sub(_without_comment, self.text[ends[0].end() :]).strip(" \t\r\n;"):
            raise self.error("must be one SELECT; another statement follows", ends[0].start())
        parameters = [match for match in found if match.lastgroup == "parameter"]
        for match in parameters:
            if match[0] not in (":user_id", ":at"):
                raise self.error(f"unknown parameter {match[0]}; there are :user_id and :at", match.start())
        if present := _PRESENT_LITERAL.search(self.text):
            raise self.error(f"uses {present[0]}, the present time; use :at", present.start())
        return parameters

    @property
    def has_order(self) -> bool:
        """Whether the text has an ORDER BY. Without one, PostgreSQL returns rows in any order."""
        return re.search(r"\border\s+by\b", self.text, re.IGNORECASE) is not None

    def render(self, values: Mapping[int, str]) -> str:
        """The statement without its final `;`. `values` maps the position of each parameter to SQL."""
        return _TOKEN.sub(
            lambda match: "" if match[0] == ";" else values.get(match.start(), match[0]), self.text
        )

    def position(self, values: Mapping[int, str], rendered: int) -> int:
        """The index in the text of an index in what `render` returned."""
        for match in self.parameters:
            growth = len(values[match.start()]) - len(match[0])
            if rendered >= match.end() + growth:
                rendered -= growth
            elif rendered > match.start():
                return match.start()
        return rendered


def _without_comment(match: re.Match[str]) -> str:
    return "" if match[0].startswith(("--", "/*")) else match[0]


RunAt = Callable[[int, str, bytes], list[str | None]]
"""Runs the query: (microseconds since the epoch, the user's `external_id`, the user's key) -> the first column."""


@contextmanager
def open_past_query(
    engine: Engine,
    query: PastQuery,
    dataset: FeedDataset,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[RunAt]:
    """Return a function that runs the query on views of the dataset; the first column is returned as text.

    Everything happens in one transaction, which is read-only after the views are filled and rolled back at the end.
    Raises ConfigurationError for a query that is wrong, reads more than the views, or takes too long.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        connection.exec_driver_sql(
            "SET LOCAL TimeZone TO 'UTC'; SET LOCAL jit TO off; "
            "SELECT setseed(0), set_config('search_path', 'pg_temp, ' || current_setting('search_path'), true)"
        )
        create_past_views(connection)
        column = _define(connection, query)
        fill_past_views(connection, dataset, progress)
        connection.exec_driver_sql(
            f"SET LOCAL statement_timeout TO '{_REQUEST_SECONDS}s'; SET TRANSACTION READ ONLY"
        )

        def run(at_us: int, user_id: str, user_key: bytes) -> list[str | None]:
            move_past_views(connection, at_us, user_id, user_key)
            try:
                rows = connection.exec_driver_sql(
                    f"SELECT {column}::text FROM pg_temp.{_VIEW} LIMIT {MAX_LISTED}"
                )
                return list(rows.scalars())
            except DBAPIError as error:
                request = f"for user {user_id!r} at {time_of(at_us)}; the time limit is {_REQUEST_SECONDS} s"
                raise query.error(f"{first_line(error)} ({request})") from error

        yield run
        transaction.rollback()


def _define(connection: Connection, query: PastQuery) -> str:
    """Create a temporary view of the query, and return the quoted name of its first column.

    PostgreSQL infers the type of each `:user_id` from what it is compared with: a `uuid` is the user's `id`, everything
    else is the id as the team writes it.
    """
    users = [match.start() for match in query.parameters if match[0] == ":user_id"]
    values = {match.start(): f"({AT})" for match in query.parameters}
    numbered = values | {start: f"${number}" for number, start in enumerate(users, 1)}
    _execute(connection, query, f"PREPARE {_VIEW} AS\n", numbered)
    types = connection.exec_driver_sql(
        "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = %s", (_VIEW,)
    ).scalar_one()
    connection.exec_driver_sql(f"DEALLOCATE {_VIEW}")
    typed = [f"({USER_KEY})" if kind == "uuid" else f"({USER_ID}::{kind})" for kind in types]
    values |= zip(users, typed, strict=True)
    _execute(connection, query, f"CREATE TEMPORARY VIEW {_VIEW} AS\n", values)
    for check in _CHECKS:
        if problem := connection.exec_driver_sql(
            check, {"view": f"pg_temp.{_VIEW}", "allowed": list(PAST_VIEWS)}
        ).scalar():
            raise query.error(problem)
    column: str = connection.exec_driver_sql(
        "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1",
        (f"pg_temp.{_VIEW}",),
    ).scalar_one()
    return column


def _execute(connection: Connection, query: PastQuery, prefix: str, values: Mapping[int, str]) -> None:
    """Execute the query after a prefix. Raises ConfigurationError with PostgreSQL's message and its position."""
    try:
        connection.exec_driver_sql(
            prefix + query.render(values),
            execution_options={"no_parameters": True},  # a % is a %
        )
    except DBAPIError as error:
        diagnosis = error.orig.diag  # type: ignore[union-attr]
        if diagnosis.sqlstate is None:
            raise  # no message of the server: the connection is lost
        position = int(diagnosis.statement_position or 0) - 1 - len(prefix)
        problem = ". ".join(filter(None, (diagnosis.message_primary, diagnosis.message_hint)))
        if remedy := _REMEDIES.get(diagnosis.sqlstate):
            problem += f"; {remedy}"
        raise query.error(problem, query.position(values, position) if position >= 0 else None) from error


_REMEDIES: Final = {
    "42601": "it must be one SELECT",  # syntax error
    "42703": "docs/adopting.md lists the columns; those without a time are absent",
    "42P01": f"there are {', '.join(PAST_VIEWS)}",  # no such table
}
_CALLED: Final = """
FROM pg_rewrite r
CROSS JOIN regexp_matches(r.ev_action::text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\\d+)', 'g') AS call
JOIN pg_proc p ON p.oid = call[1]::oid JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE r.ev_class = %(view)s::regclass
"""
"""SQL: the functions and operators that a view uses."""
_OTHER_TABLES: Final = f"""
SELECT 'reads ' || c.relnamespace::regnamespace || '.' || c.relname
    || ', which also shows what happened later; read {", ".join(PAST_VIEWS)}'
FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid
WHERE r.ev_class = %(view)s::regclass AND c.oid <> r.ev_class
AND NOT (c.relnamespace = pg_my_temp_schema() AND c.relname = ANY(%(allowed)s))
"""
_PRESENT_TIME: Final = f"""
SELECT 'uses ' || p.proname || '(), the present time; use :at' {_CALLED} AND n.nspname = 'pg_catalog' AND (
p.proname IN ('now', 'transaction_timestamp', 'statement_timestamp', 'clock_timestamp', 'timeofday')
OR p.proname = 'age' AND p.pronargs = 1)
"""
_PRESENT_TIME_KEYWORD: Final = """
SELECT 'uses the present time, as CURRENT_TIMESTAMP does; use :at' FROM pg_rewrite r
WHERE r.ev_class = %(view)s::regclass
AND r.ev_action::text ~ 'SQLVALUEFUNCTION :op \\d+ :type (1082|1083|1114|1184|1266) '
"""
"""The types are date, time, timestamp, and the last two with a zone."""
_OPAQUE_FUNCTIONS: Final = f"""
SELECT 'calls ' || p.oid::regprocedure || ', which may read what happened later; declare it IMMUTABLE if it does not'
{_CALLED} AND (n.nspname <> 'pg_catalog' AND l.lanname NOT IN ('internal', 'c') AND p.provolatile <> 'i'
    OR p.proname ~ '^(query|cursor|table|schema|database)_to_xml|^dblink')
"""
_CHECKS: Final = (_OTHER_TABLES, _PRESENT_TIME, _PRESENT_TIME_KEYWORD, _OPAQUE_FUNCTIONS)
"""Each returns the problems of a view. PostgreSQL stores what a view uses as a tree, so comments and names in strings
are no problems."""
