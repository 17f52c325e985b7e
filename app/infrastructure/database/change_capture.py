"""Whether triggers capture every change of the views."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from app.infrastructure.database.migrations.adopted_tables import VIEW_COLUMNS
from app.infrastructure.database.schema import OWNER_MARK, SchemaName

# True if the triggers on `tab` capture every change of `view`: the migrations made the table; the view has all its rows
# (no WHERE), unchanged columns (they are updatable) and no other source; all four triggers are enabled.
_IS_CAPTURED = r"""
SELECT coalesce(obj_description(tab, 'pg_class') = %(owner_mark)s, false)
   AND pg_get_viewdef(view) !~* '\mwhere\M'
   AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = view AND attnum > 0 AND NOT attisdropped
                   AND NOT pg_column_is_updatable(view, attnum, false))
   AND NOT EXISTS (SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                   LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                   WHERE r.ev_class = view AND d.deptype = 'n'
                   AND (d.refclassid <> 'pg_class'::regclass OR d.refobjid <> tab
                        OR d.refobjsubid <> 0 AND a.attname <> ALL (%(columns)s)))
   AND 4 = (SELECT count(*) FROM pg_trigger
            WHERE tgrelid = tab AND tgenabled IN ('O', 'A') AND tgname = ANY (%(triggers)s))
FROM (SELECT to_regclass(%(view)s) AS view, to_regclass(%(table)s) AS tab) AS given
WHERE view IS NOT NULL AND tab IS NOT NULL
"""


_CAPTURED: Final[dict[str, tuple[str, Iterable[str]]]] = {
    **VIEW_COLUMNS,
    "feed_memberships": ("memberships", ("user_id", "audience_id")),
}
"""The table of each view, and the columns whose changes the triggers on it capture."""


def has_complete_change_capture(connection: Connection, schema: SchemaName) -> bool:
    """Return whether the service's triggers write every change of the views into the outbox."""
    return all(
        connection.exec_driver_sql(
            _IS_CAPTURED,
            {
                "owner_mark": OWNER_MARK,
                "view": schema[view],
                "table": schema[table],
                "columns": list(columns),
                "triggers": [
                    f"feed_{table}_{operation}" for operation in ("insert", "update", "delete", "truncate")
                ],
            },
        ).scalar_one_or_none()
        for view, (table, columns) in _CAPTURED.items()
    )
