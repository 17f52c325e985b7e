"""Add functions that find the row of a user or a post by any id that callers of the service may give.

They follow the rule of `app/domain/ids.py`. PostgreSQL has no SHA-1 without an extension, and extensions need rights
that the role of the migration may lack, so a function computes it (docs/adr/0024-one-identity-in-every-interface.md).
"""

from alembic import op

from app.infrastructure.database.migrate import MigrationRejected
from app.infrastructure.database.migrations.operations import comment_on, feed_schema
from app.infrastructure.database.schema import OWNER_MARK, SchemaName

revision = "0010"
down_revision = "0009"

MAX_GROUPS = 10
"""Groups of equal ids that an error names."""

# RFC 3174, with 32-bit words in `bigint`; 6ba7b811-... is the namespace of URLs (RFC 9562).
# Operators other than + and - have one precedence in PostgreSQL and group from left to right.
UUID5 = r"""
CREATE FUNCTION {schema}.feed_uuid5(name text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
DECLARE
    mask CONSTANT bigint := 4294967295;
    message bytea := decode('6ba7b8119dad11d180b400c04fd430c8', 'hex') || convert_to(name, 'UTF8');
    h bigint[] := ARRAY[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
    w bigint[];
    a bigint; b bigint; c bigint; d bigint; e bigint; mixed bigint;
BEGIN
    message := message || decode('80' || repeat('00', (119 - length(message) % 64) % 64), 'hex')
        || int8send(8 * length(message));
    FOR block IN 0 .. length(message) / 64 - 1 LOOP
        SELECT array_agg(('x' || encode(substr(message, 64 * block + 4 * i + 1, 4), 'hex'))::bit(32)::bigint ORDER BY i)
            INTO w FROM generate_series(0, 15) AS i;
        FOR i IN 17 .. 80 LOOP
            mixed := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
            w[i] := ((mixed << 1) | (mixed >> 31)) & mask;
        END LOOP;
        a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
        FOR i IN 1 .. 80 LOOP
            mixed := ((a << 5) & mask | (a >> 27)) + e + w[i] + CASE
                WHEN i <= 20 THEN ((b & c) | (~b & d)) + 1518500249
                WHEN i <= 40 THEN (b # c # d) + 1859775393
                WHEN i <= 60 THEN ((b & c) | (b & d) | (c & d)) + 2400959708
                ELSE (b # c # d) + 3395469782
            END & mask;
            e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := mixed;
        END LOOP;
        h := ARRAY[h[1] + a & mask, h[2] + b & mask, h[3] + c & mask, h[4] + d & mask, h[5] + e & mask];
    END LOOP;
    h[2] := (h[2] & x'ffff0fff'::bigint) | x'5000'::bigint;  -- version 5
    h[3] := (h[3] & x'3fffffff'::bigint) | x'80000000'::bigint;  -- variant of RFC 9562
    RETURN array_to_string(ARRAY(SELECT lpad(to_hex(word), 8, '0') FROM unnest(h[1:4]) AS word), '')::uuid;
END $body$
"""

# A text with as many bytes as characters is ASCII, which is in form NFC. `normalize` needs a database in UTF-8.
IDS = r"""
CREATE FUNCTION {schema}.feed_canonical_id(given text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
DECLARE
    trimmed CONSTANT text := btrim(given, ' ');
    lowered CONSTANT text := lower(trimmed COLLATE "C");
    digits CONSTANT text := '([0-9a-f]{{8}}-([0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}|[0-9a-f]{{32}})';
BEGIN
    IF length(trimmed) BETWEEN 32 AND 45
        AND lowered ~ ('^(' || digits || '|\{{' || digits || '\}}|urn:uuid:' || digits || ')$')
    THEN
        RETURN replace(lowered, 'urn:uuid:', '')::uuid::text;
    ELSIF octet_length(trimmed) = length(trimmed) OR getdatabaseencoding() <> 'UTF8' THEN
        RETURN trimmed;
    END IF;
    RETURN normalize(trimmed, NFC);
END $body$;

CREATE FUNCTION {schema}.feed_derived_id(kind text, given text) RETURNS uuid LANGUAGE plpgsql
IMMUTABLE STRICT PARALLEL SAFE AS $body$
DECLARE
    canonical CONSTANT text := {schema}.feed_canonical_id(given);
BEGIN
    IF canonical ~ '^[0-9a-f]{{8}}-([0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}$' THEN
        RETURN canonical::uuid;
    END IF;
    RETURN {schema}.feed_uuid5(kind || ':' || canonical);
END $body$
"""

# The row with this external id; else the row with its canonical form; else the derived UUID. The first statement finds
# rows whose external id is their UUID by the index on `id`. Of several rows with one external id, the one with the
# smallest UUID counts, but the derived one last.
LOOK_UP = r"""
CREATE FUNCTION {schema}.feed_{kind}_id(given text) RETURNS uuid LANGUAGE plpgsql STABLE STRICT AS $body$
DECLARE
    canonical CONSTANT text := {schema}.feed_canonical_id(given);
    ids uuid[];
BEGIN
    IF canonical ~ '^[0-9a-f]{{8}}-([0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}$' AND EXISTS (
        SELECT FROM {view} v
        WHERE v.id = canonical::uuid AND coalesce(v.external_id::text, canonical) IN (given, canonical)
    ) THEN
        RETURN canonical::uuid;
    END IF;
    SELECT array_agg(v.id ORDER BY v.id) INTO ids FROM {view} v WHERE v.external_id = given;
    IF ids IS NULL AND canonical <> given THEN
        SELECT array_agg(v.id ORDER BY v.id) INTO ids FROM {view} v WHERE v.external_id = canonical;
    END IF;
    IF cardinality(ids) > 1 THEN
        ids := array_remove(ids, {schema}.feed_derived_id('{kind}', given));
    END IF;
    RETURN coalesce(ids[1], {schema}.feed_derived_id('{kind}', given));
END $body$
"""


def upgrade() -> None:
    schema = feed_schema()
    for statements in (UUID5, IDS):
        op.execute(statements.format(schema=schema))
    for table in ("users", "posts"):
        kind = table.removesuffix("s")
        op.execute(LOOK_UP.format(schema=schema, kind=kind, view=schema[f"feed_{table}"]))
        _reject_equal_ids(schema, table)


def downgrade() -> None:
    schema = feed_schema()
    for function in (
        "post_id(text)",
        "user_id(text)",
        "derived_id(text, text)",
        "canonical_id(text)",
        "uuid5(text)",
    ):
        op.execute(f"DROP FUNCTION {schema}.feed_{function}")


def _reject_equal_ids(schema: SchemaName, table: str) -> None:
    """Raise MigrationRejected if rows of our own table have external ids that are one id from now on."""
    if comment_on(schema[table]) != OWNER_MARK:
        return
    groups = (
        op.get_bind()
        .exec_driver_sql(
            f"SELECT array_agg(external_id ORDER BY seq), count(*) OVER () FROM {schema[table]} "
            f"GROUP BY {schema}.feed_canonical_id(external_id) HAVING count(*) > 1 ORDER BY min(seq) LIMIT {MAX_GROUPS}"
        )
        .all()
    )
    if groups:
        named = "; ".join(" and ".join(map(ascii, external_ids)) for external_ids, _ in groups)
        raise MigrationRejected(
            f"{schema[table]}: {groups[0].count} groups of rows have external ids that mean the same {table[:-1]} from "
            f"this version on: {named}; keep one row of each group (point the rows of other tables at it), or give the "
            "others another external_id, and migrate again"
        )
