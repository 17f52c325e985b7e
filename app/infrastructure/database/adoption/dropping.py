"""Drops and creates the views over a team's tables, and their triggers, so that the team can alter the tables."""

import psycopg2
from sqlalchemy import Connection

from app.infrastructure.database.adoption.answers import AdoptionError
from app.infrastructure.database.adoption.applying import run_script
from app.infrastructure.database.connection import first_line
from app.infrastructure.database.schema import OWNER_MARK, SchemaName

# Views of the service that select from a table or view of somebody else, and the views that select from those. `depth`
# orders them: a view is created after those that it selects from.
_DEPENDENT = """
WITH RECURSIVE uses AS (
    SELECT DISTINCT v.oid AS view, d.refobjid AS relation
    FROM pg_class v JOIN pg_rewrite r ON r.ev_class = v.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    WHERE v.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND v.relkind = 'v'
        AND v.relname ~ '^feed_|^interaction_impression$' AND d.refobjid <> v.oid
), dependent AS (
    SELECT view, 1 AS depth FROM uses JOIN pg_class c ON c.oid = uses.relation
    WHERE coalesce(obj_description(c.oid, 'pg_class'), '') <> %(mark)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND uses.relation NOT IN (SELECT view FROM uses)
    UNION
    SELECT uses.view, depth + 1 FROM dependent JOIN uses ON uses.relation = dependent.view
), ordered AS (
    SELECT view, max(depth) AS depth FROM dependent GROUP BY view
)
SELECT view::regclass::text, format('CREATE VIEW %%s AS %%s', view::regclass, pg_get_viewdef(view))
    || coalesce((SELECT format('; COMMENT ON VIEW %%s IS %%L', view::regclass, d)
                 FROM obj_description(view, 'pg_class') AS d WHERE d IS NOT NULL), '')
    || coalesce((SELECT string_agg(format('; GRANT %%s ON %%s TO %%s', a.privilege_type, view::regclass,
                        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END), '')
                 FROM pg_class c, aclexplode(c.relacl) AS a WHERE c.oid = view AND a.grantee <> c.relowner), '')
FROM ordered ORDER BY depth
"""
_TRIGGERS = """
SELECT tgrelid::regclass::text, quote_ident(tgname), pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT tgisinternal AND tgname LIKE 'feed_adopted_%%' AND p.pronamespace = to_regnamespace(quote_ident(%(schema)s))
ORDER BY tgname
"""


def drop_views(connection: Connection, schema: SchemaName) -> int:
    """Drop the views and triggers, in the caller's transaction; return their number. `create_views` needs no file."""
    parameters = {"schema": schema.plain, "mark": OWNER_MARK}
    connection.exec_driver_sql("SET LOCAL search_path TO pg_catalog")  # names in definitions are qualified
    views = connection.exec_driver_sql(_DEPENDENT, parameters).all()
    triggers = connection.exec_driver_sql(_TRIGGERS, parameters).all()
    query = f"SELECT coalesce(max(place), 0) FROM {schema['feed_dropped_view']}"
    place = connection.exec_driver_sql(query).scalar_one()
    saved = [(name, create) for name, create in views] + [
        (f"{name} {table}", create) for table, name, create in triggers
    ]
    for number, (name, create) in enumerate(saved, place + 1):
        insert = f"INSERT INTO {schema['feed_dropped_view']} (place, name, statement) VALUES (%s, %s, %s)"
        connection.exec_driver_sql(insert, (number, name, create))
    statements = [f"DROP TRIGGER {name} ON {table}" for table, name, _ in triggers]
    statements += [f"DROP VIEW {name}" for name, _ in reversed(views)]
    run_script(connection, ";".join(statements) or "SELECT")
    return len(saved)


def create_views(connection: Connection, schema: SchemaName, *, missing_only: bool = False) -> int:
    """Create what `drop_views` dropped; return the number. Raises AdoptionError if a definition no longer fits.

    missing_only  skip views that exist, because new definitions were applied
    """
    table = schema["feed_dropped_view"]
    rows = connection.exec_driver_sql(f"SELECT name, statement FROM {table} ORDER BY place").all()
    created = 0
    for name, statement in rows:
        if (
            missing_only
            and connection.exec_driver_sql("SELECT to_regclass(%s) IS NOT NULL", (name,)).scalar_one()
        ):
            continue
        try:
            run_script(connection, statement)
        except psycopg2.Error as error:
            raise AdoptionError(
                f"{name} cannot be created again: {first_line(error)}; run `python -m data.adopt apply` for new views"
            ) from error
        created += 1
    connection.exec_driver_sql(f"DELETE FROM {table}")
    return created
