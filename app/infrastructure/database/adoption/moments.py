"""SQL of times, whatever the type of their column."""

from app.infrastructure.database.adoption.names import literal


def moment(sql: str, kind: str, time_zone: str) -> str:
    """Return a timestamptz. Numbers above 100,000,000,000 are milliseconds since 1970, others seconds.

    kind       type of the column
    time_zone  of times without a zone
    """
    if kind in ("timestamp without time zone", "date"):
        return f"({sql}::timestamp AT TIME ZONE {literal(time_zone)})"
    if kind in ("bigint", "integer", "numeric", "double precision"):
        return f"to_timestamp(CASE WHEN {sql} > 100000000000 THEN {sql} / 1000.0 ELSE {sql} END)"
    return sql
