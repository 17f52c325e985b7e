"""Whether a view shows a table of the service, so that what the service writes appears in the view."""

from app.infrastructure.database.schema import OWNER_MARK, SchemaName


def shows_own_table(schema: SchemaName, view: str, table: str) -> str:
    """Return an SQL condition: the migrations created `table`, and `view` selects from it.

    It reads a few rows of the catalogue by index.
    """
    own, shown = (f"to_regclass('{schema[name]}')" for name in (table, view))
    return (
        f"coalesce(obj_description({own}, 'pg_class') = '{OWNER_MARK}', false) AND EXISTS ("
        "SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid "
        f"WHERE r.ev_class = {shown} AND d.refclassid = 'pg_class'::regclass AND d.refobjid = {own})"
    )
