"""Reads checksums of the views, and whether triggers capture every change of them."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from sqlalchemy import Connection

from app.domain.repositories.feed_log import FeedChecksums
from app.infrastructure.database.full_read import READABLE_POST, SETTINGS, read_packed
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


def read_checksums(connection: Connection, schema: SchemaName) -> FeedChecksums:
    """Read the ids of all users, posts and follows, and a checksum of the content of each user and post.

    The reconciler compares them with the state, to find changes that no trigger captured.
    """
    of_user = "ROW(external_id, discoverable, personalised, languages, show_sensitive, audiences)::text"
    memberships = (
        "SELECT user_id, array_agg(DISTINCT audience_id ORDER BY audience_id) AS audiences "
        f"FROM {schema['feed_memberships']} GROUP BY user_id"
    )
    users = read_packed(
        connection,
        f"uuid_send(id) || int8send(hashtextextended({of_user}, 0))",
        f"{schema['feed_complete_users']}() AS u LEFT JOIN ({memberships}) AS m ON m.user_id = u.id",
        np.dtype([("id", "V16"), ("checksum", ">i8")]),
    )
    content = (
        f"ROW(external_id, author_id, content, tags, visible, created_at, seq, {', '.join(SETTINGS)})::text"
    )
    posts = read_packed(
        connection,
        f"uuid_send(id) || int8send(hashtextextended({content}, 0))",
        f"{schema['feed_complete_posts']}() WHERE {READABLE_POST}",
        np.dtype([("id", "V16"), ("checksum", ">i8")]),
    )
    follows = read_packed(
        connection,
        "uuid_send(follower_id) || uuid_send(followee_id)",
        f"{schema['feed_follows']} WHERE follower_id <> followee_id",
        np.dtype([("follower", "V16"), ("followee", "V16")]),
    )
    return FeedChecksums(
        users["id"],
        users["checksum"].astype(np.int64),
        posts["id"],
        posts["checksum"].astype(np.int64),
        follows["follower"],
        follows["followee"],
    )
